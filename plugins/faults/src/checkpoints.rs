//! Checkpoints and counts of documents.

use loggia_plugin_sdk::checkpoint::{self, DifferenceKind};
use loggia_plugin_sdk::{Failure, Request, Response, Scope, Select, declare};
use serde_json::{Value, json};

use crate::documents::Title;

declare! { STORAGE:
    const TITLED: Scope<Title<'_>> = scope("titled", "document").filter("title = :title");

    const LIST: Select =
        select("checkpoints", "SELECT id, subject, label, metadata, documents FROM checkpoint");

    const COUNT: Select = select("count", "SELECT title, documents FROM count_titled");
}

pub(crate) fn create(request: &Request) -> Result<Response, Failure> {
    let title = request.query("title").unwrap_or_default();
    let label = request.query("label").unwrap_or_default();
    let parts = [TITLED.of(&Title { title })?];
    let made = checkpoint::create(title, label, r#"{"from":"faults"}"#, &parts)?;
    let body = json!({"id": made.id, "documents": made.documents, "bytes": made.bytes});
    Response::serialize(201, &body)
}

pub(crate) fn read(request: &Request) -> Result<Response, Failure> {
    let found = checkpoint::read(request.path("id"), "document", None, 1_000)?;
    let item = |document: checkpoint::Document| {
        let body: Value = serde_json::from_str(&document.body).unwrap_or_default();
        json!({"id": document.id, "version": document.version, "body": body})
    };
    let items: Vec<Value> = found.into_iter().map(item).collect();
    Response::serialize(200, &json!({"items": items}))
}

pub(crate) fn diff(request: &Request) -> Result<Response, Failure> {
    let found = checkpoint::diff(request.path("id"), None, None, 1_000)?;
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
    let restored = checkpoint::restore(request.path("id"))?;
    Response::serialize(200, &json!({"restored": restored}))
}

pub(crate) fn delete(request: &Request) -> Result<Response, Failure> {
    let deleted = checkpoint::delete(&[request.path("id")])?;
    Response::serialize(200, &json!({"deleted": deleted}))
}

pub(crate) fn list(_: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, LIST.run(&())?.json))
}

pub(crate) fn count(_: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, COUNT.run(&())?.json))
}
