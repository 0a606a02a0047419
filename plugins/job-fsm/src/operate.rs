//! What an operator may do with a job: `POST /jobs/{id}:transition`, `:pause`, `:resume`, `:cancel`
//! and `:retry`.

use loggia_plugin_sdk::manifest::{Mode, Operation};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};
use serde::Deserialize;

use crate::change::{change, id};
use crate::job::Job;
use crate::machine::{Entered, InvalidTransition, Rules};
use crate::sequence::quota;
use crate::settings::Settings;
use crate::state::State;
use crate::work::lease_lost;

/// How many changes of state the log of a job holds before operators may make no more of those that
/// can go round for ever. Without an end the job would come to what a document may have.
const MAX_TRANSITIONS: usize = 1_000;

pub(crate) const TRANSITION: Route = Route::post(
    "transition-job",
    "/jobs/{id}:transition",
    "Put a job into another state.",
    transition,
)
.with(|operation| describe(operation).body::<Transition>());

pub(crate) const PAUSE: Route = Route::post(
    "pause-job",
    "/jobs/{id}:pause",
    "Take a job from the queue, or from its worker.",
    |request| to(request, State::Paused, "paused"),
)
.with(describe);

pub(crate) const RESUME: Route =
    Route::post("resume-job", "/jobs/{id}:resume", "Queue a job that was paused.", resume)
        .with(describe);

pub(crate) const CANCEL: Route =
    Route::post("cancel-job", "/jobs/{id}:cancel", "Cancel a job.", |request| {
        to(request, State::Canceled, "canceled")
    })
    .with(describe);

pub(crate) const RETRY: Route = Route::post(
    "retry-job",
    "/jobs/{id}:retry",
    "Try a job again that has failed or was canceled.",
    retry,
)
.with(describe);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Transition {
    /// A state, also by the names `pending` and `processing`.
    #[schemars(with = "String", extend("enum" = State::NAMES))]
    to: State,
    #[schemars(length(max = 1_000))]
    reason: Option<String>,
    /// That of a worker's claim, for a worker.
    token: Option<u64>,
}

fn describe(operation: Operation) -> Operation {
    operation
        // One call writes.
        .mode(Mode::Autocommit)
        .param("id", id())
        .answers(200, "What the job is now.")
        .answers(409, "The state does not allow it.")
}

fn transition(request: &Request) -> Result<Response, Failure> {
    let Transition { to, reason, token } = request.json()?;
    operate(request, |job, rules| {
        if let Some(token) = token
            && !job.is_lent_by(token)
        {
            return Err(lease_lost(token));
        }
        Ok(job.enter(to, reason.as_deref(), rules)?)
    })
}

fn to(request: &Request, to: State, reason: &str) -> Result<Response, Failure> {
    operate(request, |job, rules| Ok(job.enter(to, Some(reason), rules)?))
}

/// Only what was paused: a job that rests between retries is queued when its time has come.
fn resume(request: &Request) -> Result<Response, Failure> {
    operate(request, |job, rules| match job.status {
        State::Paused | State::Queued => Ok(job.enter(State::Queued, Some("resumed"), rules)?),
        from => Err(InvalidTransition { from, to: State::Queued }.into()),
    })
}

fn retry(request: &Request) -> Result<Response, Failure> {
    operate(request, |job, rules| Ok(job.reopen(Some("retried"), rules)?))
}

fn operate(
    request: &Request,
    step: impl FnOnce(&mut Job, &Rules) -> Result<Entered, Problem>,
) -> Result<Response, Failure> {
    let rules = Rules::of(request, Settings::read()?);
    let changed = change(request.path("id"), &rules.settings, |job| {
        let entered = step(job, &rules)?;
        check_length(job)?;
        Ok(entered)
    });
    changed.map_err(over_quota)
}

fn check_length(job: &Job) -> Result<(), Problem> {
    if job.transitions.len() <= MAX_TRANSITIONS || job.status.is_ended() {
        return Ok(());
    }
    let detail = format!("the job has changed its state {MAX_TRANSITIONS} times: cancel it");
    Err(Problem::new(409, "too-many-transitions", detail))
}

/// By an operator a job may be assigned, which counts as running.
fn over_quota(failure: Failure) -> Failure {
    match failure {
        Failure::Problem(problem)
            if problem.extensions.get("limit").is_some_and(|limit| limit == "max_running") =>
        {
            quota("max_running", "as many jobs run as may".to_owned(), 1).into()
        }
        failure => failure,
    }
}
