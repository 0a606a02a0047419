//! Tells what the plugin was told.

use loggia_plugin_sdk::{Failure, Request, Response, log, settings as given};
use serde_json::{Value, json};

pub(crate) fn echo(request: &Request) -> Result<Response, Failure> {
    log::info("the plugin was asked to echo");
    let principal = request.principal();
    let echo = json!({
        "operation": request.operation(),
        "path": [request.path("first"), request.path("second")],
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

/// The body that the gateway has checked.
pub(crate) fn body(request: &Request) -> Result<Response, Failure> {
    input(request, None)
}

/// A value of the path that the gateway has decoded.
pub(crate) fn value(request: &Request) -> Result<Response, Failure> {
    input(request, Some(request.path("value")))
}

fn input(request: &Request, path: Option<&str>) -> Result<Response, Failure> {
    let echo = json!({
        "operation": request.operation(),
        "path": path,
        "prefix": request.query("prefix"),
        "content_type": request.header("content-type"),
        "body": request.text()?,
    });
    Response::serialize(200, &echo)
}

/// What the operator has set for the tenant.
pub(crate) fn settings(_: &Request) -> Result<Response, Failure> {
    Response::serialize(200, &given::<Value>()?)
}
