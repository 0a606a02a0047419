//! Checkpoints and counts of documents.

use loggia_plugin_sdk::checkpoint::{self, DifferenceKind, Scope};
use loggia_plugin_sdk::{Failure, Request, Response, select};
use serde_json::{Value, json};

pub(crate) fn create(request: &Request) -> Result<Response, Failure> {
    let title = request.query("title").unwrap_or_default();
    let label = request.query("label").unwrap_or_default();
    let scopes = [Scope::new("titled").arg("title", title)];
    let made = checkpoint::create(title, label, r#"{"from":"faults"}"#, &scopes)?;
    let body = json!({"id": made.id, "documents": made.documents, "bytes": made.bytes});
    Response::serialize(201, &body)
}

pub(crate) fn read(request: &Request) -> Result<Response, Failure> {
    let found = checkpoint::read(request.path_param(0), "document", None, 1_000)?;
    let item = |document: checkpoint::Document| {
        let body: Value = serde_json::from_str(&document.body).unwrap_or_default();
        json!({"id": document.id, "version": document.version, "body": body})
    };
    let items: Vec<Value> = found.into_iter().map(item).collect();
    Response::serialize(200, &json!({"items": items}))
}

pub(crate) fn diff(request: &Request) -> Result<Response, Failure> {
    let found = checkpoint::diff(request.path_param(0), None, None, 1_000)?;
    let item = |difference: checkpoint::Difference| {
        let kind = match difference.kind {
            DifferenceKind::Added => "added",
            DifferenceKind::Removed => "removed",
            DifferenceKind::Changed => "changed",
        };
        json!({"id": difference.id, "kind": kind})
    };
    let items: Vec<Value> = found.into_iter().map(item).collect();
    Response::serialize(200, &json!({"items": items}))
}

pub(crate) fn restore(request: &Request) -> Result<Response, Failure> {
    let restored = checkpoint::restore(request.path_param(0))?;
    Response::serialize(200, &json!({"restored": restored}))
}

pub(crate) fn delete(request: &Request) -> Result<Response, Failure> {
    let deleted = checkpoint::delete(&[request.path_param(0)])?;
    Response::serialize(200, &json!({"deleted": deleted}))
}

pub(crate) fn list() -> Result<Response, Failure> {
    Ok(Response::json(200, select("checkpoints").run()?.json))
}

pub(crate) fn count() -> Result<Response, Failure> {
    Ok(Response::json(200, select("count").run()?.json))
}
