//! What a session is, and the document that it is stored in.
//!
//! A session is checked and never taken apart: its text is stored as the client sent it, with
//! what is missing filled in. Begin with [`Session::parse`].

mod fault;
mod members;
mod place;

use loggia_plugin_sdk::{Failure, Problem, Request, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use members::STATES;

use self::members::Members;
use crate::shape::Record;

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
}

impl<'a> Session<'a> {
    /// Check the session in a request, which is to be stored under this id.
    pub(crate) fn parse(request: &'a Request, id: &str) -> Result<Self, Failure> {
        Ok(Self::parse_text(request.text()?, id)?)
    }

    fn parse_text(text: &'a str, id: &str) -> Result<Self, Problem> {
        let Record(members): Record<Members<'a>> =
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

    /// The document to store.
    pub(crate) fn document(&self, missing: Missing<'_>) -> String {
        let filled = self.filled(missing);
        let members = self.text.trim_start().strip_prefix('{').unwrap_or_default();
        let agents = self.members.agent_count();
        let turns = self.members.turn_count();
        format!(r#"{{"session":{{{filled}{members},"agentCount":{agents},"turnCount":{turns}}}"#)
    }

    /// The text of the members that are missing, each with a comma behind it: the session's own
    /// members follow, and there is always its state.
    fn filled(&self, missing: Missing<'_>) -> String {
        let Missing { id, version, created, now } = missing;
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
        filled
    }
}

/// The session's text in a stored document.
pub(crate) fn text_of(document: &str) -> serde_json::Result<&str> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        session: &'a RawValue,
    }
    serde_json::from_str::<Stored<'_>>(document).map(|stored| stored.session.get())
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
    };

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault} in {text}"))
    }

    fn parse(text: &str) -> Session<'_> {
        Session::parse_text(text, "a\"b").unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let document = value(&parse(" {\"state\": \"active\"}\n").document(MISSING));
        let expected = json!({
            "session": {
                "id": "a\"b", "version": 3, "createdAt": "2024-01-01T00:00:00.000Z",
                "updatedAt": "1970-01-01T00:00:00.001Z", "state": "active",
            },
            "agentCount": 0, "turnCount": 0,
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn what_was_sent_is_kept_as_it_was() {
        let text = "{ \"id\":\"a\\\"b\", \"state\":\"paused\",\"version\":9,\
                    \"createdAt\":\"2020-01-01T00:00:00+02:00\",\
                    \"updatedAt\":\"2020-01-02T00:00:00.1234567Z\",\
                    \"metadata\":{\"n\":1.50,\"n2\":null} }";
        let document = parse(text).document(MISSING);
        assert_eq!(text_of(&document).ok(), Some(text));
    }

    #[test]
    fn agents_and_turns_are_counted() {
        let counts = |text: &str| {
            let document = value(&parse(text).document(MISSING));
            (document["agentCount"].clone(), document["turnCount"].clone())
        };
        let states = r#""agentStates": {"a": {}, "b": {}, "c": {}}"#;
        let turns = r#""conversationHistory": [{"sequence": 1}, {"sequence": 2}]"#;
        let both = format!(r#"{{"state": "active", "agentIds": ["a"], {states}, {turns}}}"#);
        assert_eq!(counts(&both), (json!(1), json!(2)));
        let states = format!(r#"{{"state": "active", {states}}}"#);
        assert_eq!(counts(&states), (json!(3), json!(0)));
    }

    #[test]
    fn the_id_is_that_of_the_path() {
        let problem = Session::parse_text(r#"{"state": "active", "id": "a"}"#, "b").err();
        let problem = problem.expect("another id is refused");
        assert_eq!((problem.status, &problem.extensions["pointer"]), (422, &json!("/id")));
    }
}
