//! `POST /jobs/{id}:start`, `:heartbeat`, `:complete` and `:fail`.

use loggia_plugin_sdk::manifest::{Mode, Operation};
use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::{Report, Verb};
use crate::change::{change, id};
use crate::machine::Rules;
use crate::new_job::{MAX_OBJECT_BYTES, check_object};
use crate::settings::Settings;

/// A result, a log, an error and what stands around them.
const MAX_BODY_BYTES: u64 = MAX_OBJECT_BYTES as u64 + 262_144;

pub(crate) const START: Route =
    Route::post("start-job", "/jobs/{id}:start", "Start a job.", start).with(describe);

pub(crate) const HEARTBEAT: Route = Route::post(
    "heartbeat-job",
    "/jobs/{id}:heartbeat",
    "Keep a job for as long as it was given for.",
    heartbeat,
)
.with(describe);

pub(crate) const COMPLETE: Route =
    Route::post("complete-job", "/jobs/{id}:complete", "Complete a job.", complete).with(describe);

pub(crate) const FAIL: Route =
    Route::post("fail-job", "/jobs/{id}:fail", "Let a job fail, or be tried again.", fail)
        .with(describe);

fn describe(operation: Operation) -> Operation {
    operation
        // One call writes.
        .mode(Mode::Autocommit)
        .param("id", id())
        .body::<Report>()
        .body_bytes(MAX_BODY_BYTES)
        .answers(200, "What the job is now.")
        .answers(409, "The token is not in force, or the state does not allow it.")
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

fn fail(request: &Request) -> Result<Response, Failure> {
    work(request, Verb::Fail)
}

fn work(request: &Request, verb: Verb) -> Result<Response, Failure> {
    let report: Report = request.json()?;
    if let Some(result) = &report.result {
        check_object("result", result)?;
    }
    let rules = Rules::of(request, Settings::read()?);
    change(request.path("id"), &rules.settings, |job| job.work(verb, report, &rules))
}
