//! `GET /jobs/{id}`, and its log and transitions.

use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde_json::json;

use crate::change::{id, read};

pub(crate) const ROUTE: Route = Route::get("get-job", "/jobs/{id}", "Read a job.", get)
    .with(|operation| operation.param("id", id()));

pub(crate) const LOGS_ROUTE: Route =
    Route::get("get-logs", "/jobs/{id}/logs", "Read what workers have said of a job.", logs)
        .with(|operation| operation.param("id", id()));

pub(crate) const TRANSITIONS_ROUTE: Route = Route::get(
    "get-transitions",
    "/jobs/{id}/transitions",
    "Read all changes of a job's state.",
    transitions,
)
.with(|operation| operation.param("id", id()));

fn get(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let job = read(id)?;
    Ok(Response::serialize(200, &job.body.shown(id)?)?.etag(job.version))
}

fn logs(request: &Request) -> Result<Response, Failure> {
    let job = read(request.path("id"))?.body;
    Response::serialize(200, &json!({"items": job.logs}))
}

fn transitions(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let job = read(id)?.body;
    Response::serialize(200, &json!({"items": job.log(id)}))
}
