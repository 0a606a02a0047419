//! Documents of an earlier form of what is stored.

use loggia_plugin_sdk::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::session::{Missing, Session};

/// In version 1 a session stood in its document whole, with its history.
pub(crate) fn upgrade(collection: &str, from: u32, body: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Version1<'a> {
        #[serde(borrow)]
        session: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    if (collection, from) != ("session", 1) {
        return Err(format!("there is no version {from} of {collection}"));
    }
    let stored: Version1<'_> = serde_json::from_str(body).map_err(|fault| fault.to_string())?;
    let text = stored.session.get();
    let Named { id } = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
    let session = Session::parse(text, &id).map_err(|problem| problem.detail)?;
    let nothing = Timestamp::from_micros(0);
    // Nothing is missing in a stored session.
    let missing = Missing { id: &id, version: 1, created: "", now: nothing, expires: None };
    let made = session.make_whole(missing).map_err(|error| error.to_string())?;
    Ok(made.document)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_session_of_version_1_keeps_everything() {
        let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
        let session = json!({
            "id": "a", "version": 3, "state": "active", "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z", "agentIds": ["x"], "conversationHistory": turns,
        });
        let body = json!({"session": session, "agentCount": 1, "turnCount": 100}).to_string();
        let upgraded = upgrade("session", 1, &body).unwrap();
        let record = crate::record::Record::parse(&upgraded).unwrap();
        assert_eq!((record.turn_count, record.chunks(), record.last_sequence), (100, 0, 100));
        let whole: Value = serde_json::from_str(&record.whole("a").unwrap()).unwrap();
        assert_eq!(whole, session);
        upgrade("chunk", 1, "{}").unwrap_err();
    }
}
