//! `PATCH /sessions/{id}`: a merge patch (RFC 7396).

use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, merge_patch};
use serde_json::{Map, Value, json};

use crate::change::Change;
use crate::session::invalid;
use crate::settings::MAX_SESSION_BYTES;
use crate::version::Refusal;
use crate::{store, write};

pub(crate) const ROUTE: Route = Route::patch(
    "patch-session",
    "/sessions/{id}",
    "Change members of a session by a merge patch.",
    patch,
)
.with(|operation| {
    operation
        .param("id", store::id())
        .body_type("application/merge-patch+json")
        .body_type("application/json")
        .body_bytes(MAX_SESSION_BYTES)
        .document_bytes(write::MAX_DOCUMENT_BYTES)
});

fn patch(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let patch: Value = request.json()?;
    let Value::Object(patch) = patch else {
        return Err(invalid("", "a merge patch of a session is an object").into());
    };
    let change = Change::begin(request)?;
    let mut session = change.session()?;
    check_version(&patch, &session)?;
    if patch.get("id").is_some_and(|sent| sent != id) {
        return Err(invalid("/id", "the id is not the one in the path").into());
    }
    let sends_time = patch.contains_key("updatedAt");
    apply(&mut session, patch);
    if !sends_time {
        session.insert("updatedAt".to_owned(), request.now().to_string().into());
    }
    change.end(session, |version| json!({"id": id, "version": version}))
}

/// A client that sends a version means the next one, as in a PUT. The server counts it.
fn check_version(patch: &Map<String, Value>, session: &Map<String, Value>) -> Result<(), Problem> {
    let stored = session.get("version").and_then(Value::as_u64).unwrap_or(0);
    match patch.get("version").map(Value::as_u64) {
        None => Ok(()),
        Some(Some(sent)) if sent == stored + 1 => Ok(()),
        Some(Some(sent)) => Err(Refusal::Conflict { sent, stored }.into()),
        Some(None) => Err(invalid("/version", "a version is a whole number from 1")),
    }
}

/// What is no member afterwards was there before, or not. The version is counted elsewhere, and a
/// history that is removed is an empty one: without one the stored one would stay.
fn apply(session: &mut Map<String, Value>, mut patch: Map<String, Value>) {
    patch.remove("version");
    let removes_history = patch.get("conversationHistory").is_some_and(Value::is_null);
    let mut merged = Value::Object(std::mem::take(session));
    merge_patch(&mut merged, Value::Object(patch));
    if let Value::Object(merged) = merged {
        *session = merged;
    }
    if removes_history {
        session.insert("conversationHistory".to_owned(), json!([]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("{value}") };
        members
    }

    #[test]
    fn members_are_set_and_removed() {
        let mut session = object(json!({"state": "active", "metadata": {"a": 1, "b": 2}}));
        let patch =
            json!({"version": 2, "metadata": {"a": null, "c": [3]}, "conversationHistory": null});
        apply(&mut session, object(patch));
        let expected =
            json!({"state": "active", "metadata": {"b": 2, "c": [3]}, "conversationHistory": []});
        assert_eq!(Value::Object(session), expected);
    }

    #[test]
    fn a_version_is_the_next_one() {
        let session = object(json!({"version": 4}));
        let check = |patch: Value| check_version(&object(patch), &session).err();
        assert_eq!(check(json!({})), None);
        assert_eq!(check(json!({"version": 5})), None);
        assert_eq!(check(json!({"version": 4})).unwrap().code, "version-conflict");
        assert_eq!(check(json!({"version": null})).unwrap().extensions["pointer"], "/version");
    }
}
