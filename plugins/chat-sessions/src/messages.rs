//! `POST /sessions/{id}/messages`: append a turn.
//!
//! The session's counters are taken up in one step, which also holds the lock of the session until
//! the turn is written: so each turn has its number, and none is lost. The rest of the session is
//! not looked at, nor is its history but for the chunk that the turn goes into.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Document, Failure, Precondition, Request, Response, Route, Timestamp, Update, Version, declare,
    settings,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::record::{Chunk, Record, corrupt, inside};
use crate::session::{Turn, chunk, invalid, misshapen};
use crate::settings::{MAX_SESSION_BYTES, Settings};
use crate::shape;
use crate::store::{CHUNKS, chunk_id, find, not_found};
use crate::{store, write};

pub(crate) const ROUTE: Route = Route::post(
    "append-message",
    "/sessions/{id}/messages",
    "Append a turn to the history of a session.",
    append,
)
.with(|operation| {
    operation
        .param("id", store::id())
        .json_body()
        .body_bytes(MAX_SESSION_BYTES)
        .document_bytes(write::MAX_DOCUMENT_BYTES)
});

declare! { STORAGE:
    const COUNT_UP: Update<CountUp<'_>> = update("count-up", "session")
        .set(&[
            ("turn_count", "turn_count + 1"),
            ("last_sequence", "last_sequence + 1"),
            ("version", "version + 1"),
            ("bytes", "bytes + :bytes"),
            ("history_bytes", "history_bytes + :bytes"),
            ("updated", ":now"),
        ])
        .conditions(&["id = :id", "_version = :revision"]);
}

#[derive(Serialize)]
struct CountUp<'a> {
    id: Option<&'a str>,
    revision: Option<Version>,
    bytes: usize,
    now: Timestamp,
}

fn append(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let mut turn = turn(request)?;
    // What its number adds is not known yet, and hardly matters.
    let bytes = Value::Object(turn.clone()).to_string().len() + r#""sequence":1,,"#.len();
    let session = count_up(request, id, bytes)?;
    let record = Record::parse(&session.body)?;
    write::check_size(record.bytes, &settings::<Settings>()?)?;
    turn.shift_insert(0, "sequence".to_owned(), record.last_sequence.into());
    add(&record, id, &Value::Object(turn).to_string())?;
    let answer = json!({"sequence": record.last_sequence, "version": version(&record)?});
    Ok(Response::serialize(201, &answer)?.etag(session.version))
}

/// The turn, checked, with its time.
fn turn(request: &Request) -> Result<Map<String, Value>, Failure> {
    let text = request.text()?;
    let shape::Record(checked): shape::Record<Turn> =
        serde_json::from_str(text).map_err(|fault| misshapen(text, &fault))?;
    if checked.sequence.is_some() {
        return Err(invalid("/sequence", "the server numbers the turns: leave it out").into());
    }
    let mut turn: Map<String, Value> = request.json()?;
    if checked.timestamp.is_none() {
        turn.insert("timestamp".to_owned(), request.now().to_string().into());
    }
    Ok(turn)
}

fn count_up(request: &Request, id: &str, bytes: usize) -> Result<Document<String>, Failure> {
    let conditions = request.conditions();
    let revision = if conditions.is_empty() {
        None
    } else {
        match conditions.check(find(id)?.map(|stored| stored.revision))? {
            Precondition::Version(version) => Some(version),
            _ => None,
        }
    };
    let arguments = CountUp { id: Some(id), revision, bytes, now: request.now() };
    let counted = COUNT_UP.run_json(&arguments).map_err(write::refused)?;
    match counted.into_iter().next() {
        Some(session) => Ok(session),
        // What the conditions were checked against has changed since.
        None if revision.is_some() => Err(Failure::Retry),
        None => Err(not_found().into()),
    }
}

/// Into the last chunk, or a new one.
fn add(record: &Record<'_>, id: &str, turn: &str) -> Result<(), Failure> {
    let (place, is_first) = record.last_chunk();
    let chunk_id = chunk_id(id, place);
    if is_first {
        CHUNKS.put_json(&chunk_id, chunk(id, place, turn)?).run().map_err(write::refused)?;
        return Ok(());
    }
    let found = CHUNKS.get_json(&chunk_id)?;
    let document = found.ok_or_else(|| corrupt("a part of the history is missing"))?;
    let stored: Chunk<'_> =
        serde_json::from_str(&document.body).map_err(|fault| corrupt(&fault.to_string()))?;
    let turns = format!("{},{turn}", inside(stored.turns.get()));
    let write = CHUNKS.put_json(&chunk_id, chunk(id, place, &turns)?);
    write.run().map_err(write::refused)?;
    Ok(())
}

fn version(record: &Record<'_>) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let versioned: Versioned =
        serde_json::from_str(record.session.get()).map_err(|fault| corrupt(&fault.to_string()))?;
    Ok(versioned.version)
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::{Problem, Request};

    use super::*;

    fn check(body: &str) -> Result<Map<String, Value>, Problem> {
        let request = Request::test(&ROUTE).path("id", "s").body(body).build();
        turn(&request).map_err(|failure| match failure {
            Failure::Problem(problem) => problem,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_turn_gets_its_time() {
        let turn = check(r#"{"userMessage":"Hello","mood":"good"}"#).unwrap();
        assert_eq!((&turn["userMessage"], &turn["mood"]), (&json!("Hello"), &json!("good")));
        assert!(turn["timestamp"].is_string());
        let sent = check(r#"{"timestamp":"2026-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!(sent["timestamp"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_turn_is_refused_with_its_place() {
        for (body, pointer) in [
            (r#"{"sequence":1}"#, "/sequence"),
            (r#"{"userMessage":1}"#, "/userMessage"),
            (r#"{"agentResponses":[{"agentId":"a"}]}"#, "/agentResponses/0"),
            ("[]", ""),
        ] {
            let problem = check(body).expect_err(body);
            assert_eq!(
                (problem.status, &problem.extensions["pointer"]),
                (422, &json!(pointer)),
                "{body}"
            );
        }
    }
}
