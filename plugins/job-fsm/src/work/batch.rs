//! `POST /jobs:start`, `:heartbeat` and `:complete`: what a worker says of up to 100 jobs at once,
//! with a result for each.

use std::collections::HashSet;

use loggia_plugin_sdk::manifest::{Mode, Operation};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Document, Failure, Problem, Request, Response, Route};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Report, Verb};
use crate::change::{no_such_job, outcome, store};
use crate::job::{FailureReason, JOBS, Job};
use crate::machine::{Entered, Rules};
use crate::new_job::check_object;
use crate::settings::Settings;

const MAX_BODY_BYTES: u64 = 8 << 20;

pub(crate) const START: Route =
    Route::post("start-jobs", "/jobs:start", "Start jobs.", start).with(describe);

pub(crate) const HEARTBEAT: Route = Route::post(
    "heartbeat-jobs",
    "/jobs:heartbeat",
    "Keep jobs for as long as they were given for.",
    heartbeat,
)
.with(describe);

pub(crate) const COMPLETE: Route =
    Route::post("complete-jobs", "/jobs:complete", "Complete jobs.", complete).with(describe);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[schemars(length(min = 1, max = 100))]
    jobs: Vec<Item>,
}

/// A report with the job that it is of.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    #[schemars(length(min = 1, max = 255))]
    id: String,
    token: u64,
    #[schemars(range(min = 0.0, max = 100.0))]
    progress: Option<f64>,
    #[schemars(length(max = super::MAX_LOG_CHARS))]
    logs: Option<String>,
    result: Option<Map<String, Value>>,
    #[schemars(length(max = super::MAX_ERROR_CHARS))]
    error: Option<String>,
    failure_reason: Option<FailureReason>,
}

impl Item {
    fn into_report(self) -> Report {
        let Self { id: _, token, progress, logs, result, error, failure_reason } = self;
        Report { token, progress, logs, result, error, failure_reason }
    }
}

fn describe(operation: Operation) -> Operation {
    operation
        // One call writes.
        .mode(Mode::Autocommit)
        .body::<Batch>()
        .body_bytes(MAX_BODY_BYTES)
        .answers(200, "For each job what it is now, or why it is not that.")
}

fn start(request: &Request) -> Result<Response, Failure> {
    work(request, Verb::Start)
}

fn heartbeat(request: &Request) -> Result<Response, Failure> {
    work(request, Verb::Heartbeat)
}

fn complete(request: &Request) -> Result<Response, Failure> {
    work(request, Verb::Complete)
}

fn work(request: &Request, verb: Verb) -> Result<Response, Failure> {
    let Batch { jobs: items } = request.json()?;
    let rules = Rules::of(request, Settings::read()?);
    let ids: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
    let found = JOBS.get_many(&ids)?;
    let mut seen = HashSet::new();
    let (mut results, mut changed) = (Vec::with_capacity(ids.len()), Vec::new());
    for ((id, item), found) in ids.iter().zip(items).zip(found) {
        let worked = match found {
            // A document is written once in a call.
            _ if !seen.insert(id) => Err(twice()),
            None => Err(no_such_job()),
            Some(job) => work_on(job, item, verb, &rules),
        };
        results.push(match &worked {
            Ok((job, entered)) => outcome(id, &job.body, *entered),
            Err(problem) => refused(id, problem),
        });
        changed.extend(worked.ok().filter(|(_, entered)| *entered == Entered::Changed));
    }
    let changed: Vec<Document<Job>> = changed.into_iter().map(|(job, _)| job).collect();
    store(&changed, &rules.settings)?;
    Response::serialize(200, &json!({"jobs": results}))
}

fn work_on(
    mut job: Document<Job>,
    item: Item,
    verb: Verb,
    rules: &Rules,
) -> Result<(Document<Job>, Entered), Problem> {
    if let Some(result) = &item.result {
        check_object("result", result)?;
    }
    let entered = job.body.work(verb, item.into_report(), rules)?;
    Ok((job, entered))
}

fn twice() -> Problem {
    Problem::new(422, "duplicate-id", "the job stands in the request twice")
}

fn refused(id: &str, problem: &Problem) -> Value {
    let Problem { status, code, detail, .. } = problem;
    json!({"id": id, "changed": false,
        "problem": {"status": status, "code": code, "detail": detail}})
}
