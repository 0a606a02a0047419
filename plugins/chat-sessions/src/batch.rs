//! `POST /sessions:batchGet` and `:batchDelete`.

use std::collections::HashSet;

use loggia_plugin_sdk::manifest::Role;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Outcome;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Write, apply};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::batch_save::MAX_BODY_BYTES;
use crate::record::Record;
use crate::store::SESSIONS;

pub(crate) const GET_ROUTE: Route =
    Route::post("get-sessions", "/sessions:batchGet", "Read several sessions.", get)
        .with(|operation| operation.body::<Body>().body_bytes(MAX_BODY_BYTES).role(Role::Reader));

pub(crate) const DELETE_ROUTE: Route = Route::post(
    "delete-sessions",
    "/sessions:batchDelete",
    "Delete several sessions, all or none.",
    delete,
)
.with(|operation| operation.body::<Body>().body_bytes(MAX_BODY_BYTES));

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    #[schemars(length(max = 1_000), inner(length(min = 1, max = 1_024)))]
    ids: Vec<String>,
}

/// Each id once, in the order of the request.
fn ids(request: &Request) -> Result<Vec<String>, Failure> {
    let Body { mut ids } = request.json()?;
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    Ok(ids)
}

fn get(request: &Request) -> Result<Response, Failure> {
    let ids = ids(request)?;
    let (mut sessions, mut missing) = (Vec::new(), Vec::new());
    for (id, found) in ids.iter().zip(SESSIONS.get_many_json(&ids)?) {
        match found {
            Some(document) => {
                let session = Record::parse(&document.body)?.whole(id)?;
                sessions.push(format!("{}:{session}", Value::from(id.as_str())));
            }
            None => missing.push(id),
        }
    }
    let (sessions, missing) = (sessions.join(","), json!(missing));
    Ok(Response::json(200, format!(r#"{{"sessions":{{{sessions}}},"missing":{missing}}}"#)))
}

fn delete(request: &Request) -> Result<Response, Failure> {
    let deletes: Vec<Write> = ids(request)?.iter().map(|id| SESSIONS.delete(id).into()).collect();
    let outcomes = apply(deletes)?;
    let deleted =
        outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Deleted(true))).count();
    Response::serialize(200, &json!({"deleted": deleted}))
}
