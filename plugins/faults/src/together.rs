//! Several documents as one representation, and values by the line.

use loggia_plugin_sdk::manifest::{Operation, Param};
use loggia_plugin_sdk::storage::{Error, apply};
use loggia_plugin_sdk::{
    Document, EntityTag, Failure, Problem, Request, Response, Route, digest_id,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::documents::DOCUMENTS;

pub(crate) const READ: Route =
    Route::get("read-together", "/together", "Read some documents under one ETag.", read).with(ids);

pub(crate) const CHANGE: Route =
    Route::post("change-together", "/together", "Change them; If-Match is heeded.", change)
        .with(ids);

pub(crate) const LINES: Route =
    Route::post("lines", "/lines", "Take a value from each line, and tell of each.", lines)
        .with(|operation| operation.body_type("application/x-ndjson"));

fn ids(operation: Operation) -> Operation {
    operation.required_param("id", Param::strings())
}

fn read(request: &Request) -> Result<Response, Failure> {
    let documents = documents(request)?;
    let bodies: Vec<&Value> = documents.iter().map(|document| &document.body).collect();
    Ok(Response::serialize(200, &bodies)?.etag(tag(&documents)))
}

/// Adds the same to all of them.
fn change(request: &Request) -> Result<Response, Failure> {
    let documents = documents(request)?;
    request.conditions().check_tag(Some(&tag(&documents)))?;
    let patch = json!({"extra": "changed"});
    let write = |document: &Document<Value>| {
        DOCUMENTS.merge(&document.id, &patch).when(document.precondition()).into()
    };
    apply(documents.iter().map(write).collect()).map_err(Error::or_retry)?;
    Ok(Response::empty(204))
}

fn documents(request: &Request) -> Result<Vec<Document<Value>>, Failure> {
    let ids: Vec<String> = request.query_all("id").map(str::to_owned).collect();
    Ok(DOCUMENTS.get_many(&ids)?.into_iter().flatten().collect())
}

fn tag(documents: &[Document<Value>]) -> EntityTag {
    EntityTag::of(documents.iter().map(|document| (&document.id, document.version)))
}

#[derive(Deserialize)]
struct Line<'a> {
    id: &'a str,
}

fn lines(request: &Request) -> Result<Response, Failure> {
    let tell = |line: Result<Line<'_>, Problem>| match line {
        Ok(Line { id }) => json!({"id": id, "digest": digest_id([id])}),
        Err(problem) => json!({"code": problem.code, "line": problem.extensions["line"]}),
    };
    Response::ndjson(200, request.ndjson().map(tell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_told_of() {
        let request = Request::test(&LINES).body("{\"id\": \"a\"}\n[").build();
        let digest = digest_id(["a"]);
        let told =
            [json!({"id": "a", "digest": digest}), json!({"code": "invalid-json", "line": 2})];
        assert_eq!(lines(&request), Response::ndjson(200, told));
    }
}
