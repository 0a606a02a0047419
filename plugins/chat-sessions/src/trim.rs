//! `POST /sessions/{id}:trim`: make a session smaller by what it can do without.
//!
//! First go the oldest turns of the agents' own histories, of which one stays for each agent; then
//! the fields of their contexts that are marked as trimmable. The conversation and the metadata
//! stay.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::change::Change;
use crate::{store, write};

pub(crate) const ROUTE: Route = Route::post(
    "trim-session",
    "/sessions/{id}:trim",
    "Make a session smaller by what it can do without.",
    trim,
)
.with(|operation| {
    operation.param("id", store::id()).body::<Body>().document_bytes(write::MAX_DOCUMENT_BYTES)
});

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    /// What the whole session may have, as JSON.
    max_bytes: usize,
}

fn trim(request: &Request) -> Result<Response, Failure> {
    let Body { max_bytes } = request.json()?;
    let change = Change::begin(request)?;
    let (mut session, history) = (change.session()?, change.record()?.history_bytes);
    let before = size(&session) + history;
    let bytes = reduce(&mut session, before, max_bytes);
    let answer = json!({"bytes_removed": before - bytes, "bytes": bytes});
    if bytes == before {
        return Response::serialize(200, &answer);
    }
    session.insert("updatedAt".to_owned(), request.now().to_string().into());
    change.end(session, |_| answer)
}

/// Remove one thing after the other until it is small enough, or nothing is left to be removed.
fn reduce(session: &mut Map<String, Value>, mut bytes: usize, max_bytes: usize) -> usize {
    while bytes > max_bytes {
        match remove_turn(session).or_else(|| remove_field(session)) {
            Some(removed) => bytes -= removed,
            None => break,
        }
    }
    bytes
}

fn states(session: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let states = session.get_mut("agentStates").and_then(Value::as_object_mut);
    states.into_iter().flat_map(|states| states.iter_mut().map(|(_, state)| state))
}

/// The oldest turn of all agents that have more than one, and how many bytes it had.
fn remove_turn(session: &mut Map<String, Value>) -> Option<usize> {
    let histories = states(session).filter_map(|state| state["messageHistory"].as_array_mut());
    let oldest = histories.filter(|turns| turns.len() > 1).min_by(|a, b| age(a).cmp(&age(b)))?;
    // The comma behind it goes, too.
    Some(oldest.remove(0).to_string().len() + 1)
}

/// By its time, and where there is none, before all that have one.
fn age(turns: &[Value]) -> (String, i64) {
    let first = &turns[0];
    let time = first["timestamp"].as_str().unwrap_or_default().to_owned();
    (time, first["sequence"].as_i64().unwrap_or_default())
}

/// A field of a context that is marked as trimmable, with its mark.
fn remove_field(session: &mut Map<String, Value>) -> Option<usize> {
    for state in states(session) {
        let Some(context) = state.get_mut("context").and_then(Value::as_object_mut) else {
            continue;
        };
        let before = size(context);
        let marks = context.get("_metadata").and_then(Value::as_object);
        let is_trimmable = |name: &String| {
            let mark = marks.and_then(|marks| marks.get(name));
            name != "_metadata" && mark.is_some_and(|mark| mark["trimmable"] == true)
        };
        let Some(name) = context.keys().find(|name| is_trimmable(name)).cloned() else { continue };
        context.shift_remove(&name);
        if let Some(marks) = context.get_mut("_metadata").and_then(Value::as_object_mut) {
            marks.shift_remove(&name);
        }
        return Some(before - size(context));
    }
    None
}

fn size(members: &Map<String, Value>) -> usize {
    serde_json::to_string(members).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(sequence: i64, timestamp: &str) -> Value {
        json!({"sequence": sequence, "timestamp": timestamp, "userMessage": "x".repeat(100)})
    }

    fn session() -> Map<String, Value> {
        let session = json!({
            "state": "active",
            "metadata": {"title": "x".repeat(100)},
            "agentStates": {
                "a": {"messageHistory": [turn(1, "2026-01-02"), turn(2, "2026-01-04")]},
                "b": {
                    "messageHistory": [turn(1, "2026-01-01"), turn(2, "2026-01-03"), turn(3, "2026-01-05")],
                    "context": {
                        "keep": "x".repeat(100), "drop": "x".repeat(100),
                        "_metadata": {"drop": {"trimmable": true}, "keep": {"trimmable": false}},
                    },
                },
            },
        });
        let Value::Object(session) = session else { panic!("{session}") };
        session
    }

    fn sequences(session: &Map<String, Value>, agent: &str) -> Vec<i64> {
        let turns = session["agentStates"][agent]["messageHistory"].as_array().unwrap();
        turns.iter().filter_map(|turn| turn["sequence"].as_i64()).collect()
    }

    /// What is said to be left is left.
    fn reduced(max_bytes: usize) -> Map<String, Value> {
        let mut session = session();
        let before = size(&session);
        assert_eq!(reduce(&mut session, before, max_bytes), size(&session));
        session
    }

    #[test]
    fn the_oldest_turns_go_first() {
        let one = reduced(size(&session()) - 1);
        assert_eq!((sequences(&one, "a"), sequences(&one, "b")), (vec![1, 2], vec![2, 3]));
        let two = reduced(size(&one) - 1);
        assert_eq!((sequences(&two, "a"), sequences(&two, "b")), (vec![2], vec![2, 3]));
        let three = reduced(size(&two) - 1);
        assert_eq!((sequences(&three, "a"), sequences(&three, "b")), (vec![2], vec![3]));
        assert!(three["agentStates"]["b"]["context"]["drop"].is_string());
    }

    #[test]
    fn trimmable_fields_go_next_and_nothing_else() {
        let least = reduced(0);
        assert_eq!((sequences(&least, "a"), sequences(&least, "b")), (vec![2], vec![3]));
        let expected =
            json!({"keep": "x".repeat(100), "_metadata": {"keep": {"trimmable": false}}});
        assert_eq!(least["agentStates"]["b"]["context"], expected);
        assert_eq!(least["metadata"], session()["metadata"]);
    }
}
