//! What a session is, and the documents that it is stored in.
//!
//! A session is checked and taken apart at its history only: its text is stored as the client sent
//! it, with what is missing filled in. Begin with [`Session::parse`].

mod fault;
mod members;
mod place;
mod split;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Problem, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use fault::{invalid, misshapen};
pub(crate) use members::{AgentState, STATES, Turn};

use self::members::Members;
use self::split::Split;
use crate::record::{CHUNK_BYTES, CHUNK_TURNS, Chunk, Record, corrupt};
use crate::shape;
use crate::store::chunk_id;

/// A session as a client sent it, checked.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// The text of a JSON object that is not empty.
    text: &'a str,
    members: Members<'a>,
}

/// What the plugin fills in where the client has sent nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing<'a> {
    pub(crate) id: &'a str,
    pub(crate) version: u64,
    /// A time as text.
    pub(crate) created: &'a str,
    pub(crate) now: Timestamp,
    /// When it expires, where the operator has set that.
    pub(crate) expires: Option<Timestamp>,
}

/// A session as it is stored.
#[derive(Debug)]
pub(crate) struct Made {
    /// Of the session and all its turns.
    pub(crate) bytes: usize,
    pub(crate) document: String,
    /// The documents of its chunks, with their ids.
    pub(crate) chunks: Vec<(String, String)>,
}

impl<'a> Session<'a> {
    /// Check the text of a session, which is to be stored under this id.
    pub(crate) fn parse(text: &'a str, id: &str) -> Result<Self, Problem> {
        let shape::Record(members): shape::Record<Members<'a>> =
            serde_json::from_str(text).map_err(|fault| fault::explain(text, &fault))?;
        if members.id.as_ref().is_some_and(|sent| sent != id) {
            return Err(fault::invalid("/id", "the id is not the one in the path"));
        }
        Ok(Self { text, members })
    }

    /// The version that the client wants it to have.
    pub(crate) fn version(&self) -> Option<u64> {
        self.members.version.map(u64::from)
    }

    /// The documents to store.
    pub(crate) fn make(&self, missing: Missing<'_>) -> Result<Made, Error> {
        self.make_with(missing, |turns, bytes| turns <= CHUNK_TURNS && bytes <= CHUNK_BYTES)
    }

    /// The same as one document, however long the history is.
    pub(crate) fn make_whole(&self, missing: Missing<'_>) -> Result<Made, Error> {
        self.make_with(missing, |_, _| true)
    }

    fn make_with(
        &self,
        missing: Missing<'_>,
        lies_here: impl FnOnce(usize, usize) -> bool,
    ) -> Result<Made, Error> {
        let split: Split<'a> = read(self.text)?;
        let session = format!("{{{}{}}}", self.filled(missing), split.members);
        let session =
            RawValue::from_string(session).map_err(|fault| corrupt(&fault.to_string()))?;
        let history = split.history.map_or("[]", RawValue::get);
        let numbers: Vec<Numbered> = read(history)?;
        let (turns, text_bytes) = (numbers.len(), crate::record::inside(history).len());
        let lies_here = lies_here(turns, text_bytes);
        let chunks = if lies_here { Vec::new() } else { chunks(missing.id, history)? };
        let bytes = session.get().len() + text_bytes;
        let empty =
            RawValue::from_string("[]".to_owned()).map_err(|fault| corrupt(&fault.to_string()))?;
        let record = Record {
            session: &session,
            history: split.history.map(|history| if lies_here { history } else { &*empty }),
            agents: self.members.agents(),
            agent_count: self.members.agent_count(),
            turn_count: turns,
            last_sequence: numbers.iter().map(|turn| turn.sequence).max().unwrap_or(0).max(0),
            base_turns: turns,
            base_chunks: chunks.len(),
            bytes,
            history_bytes: text_bytes,
        };
        Ok(Made { bytes, document: record.to_json()?, chunks })
    }

    /// The text of the members that are missing, each with a comma behind it: the session's own
    /// members follow, and there is always its state.
    fn filled(&self, missing: Missing<'_>) -> String {
        let Missing { id, version, created, now, expires } = missing;
        let mut filled = String::new();
        if self.members.id.is_none() {
            filled += &format!("\"id\":{},", serde_json::Value::from(id));
        }
        if self.members.version.is_none() {
            filled += &format!("\"version\":{version},");
        }
        if self.members.created_at.is_none() {
            filled += &format!("\"createdAt\":\"{created}\",");
        }
        if self.members.updated_at.is_none() {
            filled += &format!("\"updatedAt\":\"{now}\",");
        }
        if let (Some(expires), false) = (expires, self.members.has_expiry()) {
            filled += &format!("\"expiresAt\":\"{expires}\",");
        }
        filled
    }
}

#[derive(Deserialize)]
struct Numbered {
    sequence: i64,
}

/// A long history as documents.
fn chunks(id: &str, history: &str) -> Result<Vec<(String, String)>, Error> {
    let turns: Vec<&RawValue> = read(history)?;
    let (mut chunks, mut text, mut count) = (Vec::new(), String::new(), 0);
    for turn in turns {
        let turn = turn.get();
        if count == CHUNK_TURNS || (count > 0 && text.len() + turn.len() > CHUNK_BYTES) {
            chunks.push(std::mem::take(&mut text));
            count = 0;
        }
        if count > 0 {
            text.push(',');
        }
        text += turn;
        count += 1;
    }
    chunks.push(text);
    let document =
        |(place, turns): (usize, String)| Ok((chunk_id(id, place), chunk(id, place, &turns)?));
    chunks.into_iter().enumerate().map(document).collect()
}

/// The document of a chunk with these turns.
pub(crate) fn chunk(session: &str, place: usize, turns: &str) -> Result<String, Error> {
    let turns = RawValue::from_string(format!("[{turns}]"));
    let turns = turns.map_err(|fault| corrupt(&fault.to_string()))?;
    let chunk = Chunk { session: session.to_owned(), place, turns: &turns };
    serde_json::to_string(&chunk).map_err(|fault| corrupt(&fault.to_string()))
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|fault| corrupt(&fault.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MISSING: Missing<'_> = Missing {
        id: "a\"b",
        version: 3,
        created: "2024-01-01T00:00:00.000Z",
        now: Timestamp::from_micros(1_000),
        expires: None,
    };

    fn made(text: &str) -> Made {
        let session = Session::parse(text, "a\"b").unwrap_or_else(|problem| panic!("{problem:?}"));
        session.make(MISSING).unwrap()
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault} in {text}"))
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let document = value(&made(" {\"state\": \"active\"}\n").document);
        let expected = json!({
            "session": {
                "id": "a\"b", "version": 3, "createdAt": "2024-01-01T00:00:00.000Z",
                "updatedAt": "1970-01-01T00:00:00.001Z", "state": "active",
            },
            "agents": [], "agentCount": 0, "turnCount": 0, "lastSequence": 0, "baseTurns": 0,
            "baseChunks": 0, "bytes": 120, "historyBytes": 0,
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn a_time_to_live_is_filled_in_where_the_client_says_nothing() {
        let missing = Missing { expires: Some(Timestamp::from_micros(2_000_000)), ..MISSING };
        let expires = |text: &str| {
            let session = Session::parse(text, "a\"b").unwrap();
            value(&session.make(missing).unwrap().document)["session"]["expiresAt"].clone()
        };
        assert_eq!(expires(r#"{"state":"active"}"#), "1970-01-01T00:00:02.000Z");
        let sent = r#"{"state":"active","expiresAt":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(expires(sent), "2030-01-01T00:00:00Z");
    }

    #[test]
    fn what_was_sent_is_kept_as_it_was() {
        let text = r#"{"id":"a\"b","state":"paused","version":9,"createdAt":"2020-01-01T00:00:00+02:00","updatedAt":"2020-01-02T00:00:00.1234567Z","metadata":{"n":1.50,"n2":null},"conversationHistory":[{"sequence":7, "extra":1.0}]}"#;
        let made = made(text);
        let record = Record::parse(&made.document).unwrap();
        assert_eq!(record.whole("a\"b").unwrap(), text);
        assert_eq!((record.turn_count, record.last_sequence, record.chunks()), (1, 7, 0));
    }

    #[test]
    fn agents_and_turns_are_counted() {
        let counts = |text: &str| {
            let document = value(&made(text).document);
            (
                document["agentCount"].clone(),
                document["turnCount"].clone(),
                document["agents"].clone(),
            )
        };
        let states = r#""agentStates": {"a": {}, "b": {}, "c": {}}"#;
        let turns = r#""conversationHistory": [{"sequence": 1}, {"sequence": 2}]"#;
        let both = format!(r#"{{"state": "active", "agentIds": ["x"], {states}, {turns}}}"#);
        assert_eq!(counts(&both), (json!(1), json!(2), json!(["x", "a", "b", "c"])));
        let states = format!(r#"{{"state": "active", {states}}}"#);
        assert_eq!(counts(&states), (json!(3), json!(0), json!(["a", "b", "c"])));
    }

    #[test]
    fn a_long_history_lies_in_chunks() {
        let turns: Vec<Value> = (1..=130).map(|n| json!({"sequence": n})).collect();
        let made = made(&json!({"state": "active", "conversationHistory": turns}).to_string());
        assert_eq!(made.chunks.len(), 3);
        let record = Record::parse(&made.document).unwrap();
        assert_eq!((record.base_turns, record.base_chunks, record.last_sequence), (130, 3, 130));
        assert_eq!(record.history.map(RawValue::get), Some("[]"));
        let counts =
            made.chunks.iter().map(|(_, text)| value(text)["turns"].as_array().map(Vec::len));
        assert_eq!(counts.collect::<Vec<_>>(), [Some(64), Some(64), Some(2)]);
        assert_eq!(value(&made.chunks[2].1)["turns"][1]["sequence"], 130);
        assert_eq!(
            (&value(&made.chunks[1].1)["session"], &value(&made.chunks[1].1)["place"]),
            (&json!("a\"b"), &json!(1))
        );
    }

    #[test]
    fn few_large_turns_lie_in_chunks_too() {
        let turn = json!({"sequence": 1, "userMessage": "x".repeat(CHUNK_BYTES / 2)});
        let session = json!({"state": "active", "conversationHistory": [turn, turn, turn]});
        assert_eq!(made(&session.to_string()).chunks.len(), 3);
    }

    #[test]
    fn the_id_is_that_of_the_path() {
        let problem = Session::parse(r#"{"state": "active", "id": "a"}"#, "b").err();
        let problem = problem.expect("another id is refused");
        assert_eq!((problem.status, &problem.extensions["pointer"]), (422, &json!("/id")));
    }
}
