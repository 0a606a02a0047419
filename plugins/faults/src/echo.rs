//! Tells what the plugin was told.

use loggia_plugin_sdk::{Failure, Request, Response, log, settings as given};
use serde_json::{Value, json};

pub(crate) fn echo(request: &Request) -> Result<Response, Failure> {
    log::info("the plugin was asked to echo");
    let principal = request.principal();
    let echo = json!({
        "operation": request.operation(),
        "path": [request.path_param(0), request.path_param(1)],
        "text": request.query("text"),
        "tags": request.query_all("tag").collect::<Vec<_>>(),
        "number": request.query("number"),
        "content_type": request.header("content-type"),
        "x_test": request.header("x-test"),
        "authorization": request.header("authorization"),
        "body": request.text()?,
        "subject": principal.subject,
        "roles": principal.roles,
        "received_at": request.received_at(),
        "now": request.now(),
        "trace_id": request.attribute("trace-id"),
        "ids": [request.uuid(), request.uuid()],
    });
    Response::serialize(200, &echo)
}

/// The parts that the gateway has decoded and checked.
pub(crate) fn input(request: &Request) -> Result<Response, Failure> {
    let has_path = matches!(request.operation(), "value" | "value-verb" | "bytes");
    let echo = json!({
        "operation": request.operation(),
        "path": has_path.then(|| request.path_param(0)),
        "prefix": request.query("prefix"),
        "content_type": request.header("content-type"),
        "body": request.text()?,
    });
    Response::serialize(200, &echo)
}

/// What the operator has set for the tenant.
pub(crate) fn settings() -> Result<Response, Failure> {
    Response::serialize(200, &given::<Value>()?)
}
