//! The document of a session: `{"session": {…}, "history": […], …}`.
//!
//! The client's session stands in it without its history, so that one can change and the other grow.
//! A short history lies beside it; a long one, and every turn that is appended, lies in chunks.
//! Which chunk has a turn follows from three numbers: an append need not look for it.

use loggia_plugin_sdk::Document;
use loggia_plugin_sdk::storage::Error;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::{CHUNKS, chunk_id};

/// So many turns lie in a chunk, and beside a session at most.
pub(crate) const CHUNK_TURNS: usize = 64;

/// Turns of more than this lie in chunks, however few they are; of a chunk so much is found by its
/// words.
pub(crate) const CHUNK_BYTES: usize = 128 << 10;

/// What a document of a session holds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record<'a> {
    /// The session without its history.
    #[serde(borrow)]
    pub(crate) session: &'a RawValue,
    /// Its first turns, where they lie here. Absent where the client has sent no history.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<&'a RawValue>,
    /// Who takes part.
    pub(crate) agents: Vec<String>,
    pub(crate) agent_count: usize,
    pub(crate) turn_count: usize,
    /// The largest sequence of a turn; 0 where there is none.
    pub(crate) last_sequence: i64,
    /// Turns that were stored with the session, and the chunks in which they lie.
    pub(crate) base_turns: usize,
    pub(crate) base_chunks: usize,
    /// Of the session and all its turns as JSON.
    pub(crate) bytes: usize,
    /// Of the turns.
    pub(crate) history_bytes: usize,
}

/// A document of the collection `chunk`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Chunk<'a> {
    pub(crate) session: String,
    pub(crate) place: usize,
    #[serde(borrow)]
    pub(crate) turns: &'a RawValue,
}

/// Which part of a history is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    All,
    Last(usize),
}

impl<'a> Record<'a> {
    pub(crate) fn parse(body: &'a str) -> Result<Self, Error> {
        serde_json::from_str(body).map_err(|fault| corrupt(&fault.to_string()))
    }

    pub(crate) fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|fault| corrupt(&fault.to_string()))
    }

    pub(crate) fn chunks(&self) -> usize {
        chunk_count(self.turn_count, self.base_turns, self.base_chunks)
    }

    /// The chunk of the last turn, and whether that is its first.
    pub(crate) fn last_chunk(&self) -> (usize, bool) {
        let appended = (self.turn_count - self.base_turns).saturating_sub(1);
        (self.base_chunks + appended / CHUNK_TURNS, appended.is_multiple_of(CHUNK_TURNS))
    }

    /// The text of the whole session.
    pub(crate) fn whole(&self, id: &str) -> Result<String, Error> {
        self.with_history(id, Part::All)
    }

    /// The text of the session with a part of its history.
    pub(crate) fn with_history(&self, id: &str, part: Part) -> Result<String, Error> {
        let session = self.session.get();
        if self.history.is_none() && self.turn_count == 0 {
            return Ok(session.to_owned());
        }
        let history = self.turns(id, part)?;
        let members = session.trim_end().strip_suffix('}').unwrap_or_default();
        Ok(format!(r#"{members},"conversationHistory":[{history}]}}"#))
    }

    /// The turns as they stand in an array.
    pub(crate) fn turns(&self, id: &str, part: Part) -> Result<String, Error> {
        match part {
            Part::All => {
                let mut texts = vec![inside(self.history.map_or("[]", RawValue::get)).to_owned()];
                let ids: Vec<String> = (0..self.chunks()).map(|at| chunk_id(id, at)).collect();
                if !ids.is_empty() {
                    texts.extend(read_chunks(&ids)?);
                }
                texts.retain(|text| !text.is_empty());
                Ok(texts.join(","))
            }
            Part::Last(0) => Ok(String::new()),
            Part::Last(count) => Ok(self.last_turns(id, count)?.join(",")),
        }
    }

    /// From the end, a few chunks at a time.
    fn last_turns(&self, id: &str, count: usize) -> Result<Vec<String>, Error> {
        let mut turns: Vec<String> = Vec::new();
        let mut before = self.chunks();
        while turns.len() < count && before > 0 {
            let from = before.saturating_sub((count - turns.len()).div_ceil(CHUNK_TURNS) + 1);
            let ids: Vec<String> = (from..before).map(|at| chunk_id(id, at)).collect();
            let mut read = Vec::new();
            for text in read_chunks(&ids)? {
                read.extend(split(&format!("[{text}]"))?);
            }
            read.append(&mut turns);
            (turns, before) = (read, from);
        }
        if turns.len() < count {
            let mut first = split(self.history.map_or("[]", RawValue::get))?;
            first.append(&mut turns);
            turns = first;
        }
        Ok(turns.split_off(turns.len().saturating_sub(count)))
    }
}

/// How many chunks there are.
pub(crate) fn chunk_count(turn_count: usize, base_turns: usize, base_chunks: usize) -> usize {
    base_chunks + turn_count.saturating_sub(base_turns).div_ceil(CHUNK_TURNS)
}

/// The turns of each chunk as they stand in its array.
fn read_chunks(ids: &[String]) -> Result<Vec<String>, Error> {
    let documents = CHUNKS.get_many_json(ids)?;
    documents.iter().map(|found| chunk_turns(found.as_ref())).collect()
}

fn chunk_turns(found: Option<&Document<String>>) -> Result<String, Error> {
    let document = found.ok_or_else(|| corrupt("a part of the history is missing"))?;
    let chunk: Chunk<'_> =
        serde_json::from_str(&document.body).map_err(|fault| corrupt(&fault.to_string()))?;
    Ok(inside(chunk.turns.get()).to_owned())
}

/// What stands within the brackets of an array.
pub(crate) fn inside(array: &str) -> &str {
    let array = array.trim();
    array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default().trim()
}

/// The texts of an array's items.
pub(crate) fn split(array: &str) -> Result<Vec<String>, Error> {
    let items: Vec<&RawValue> =
        serde_json::from_str(array).map_err(|fault| corrupt(&fault.to_string()))?;
    Ok(items.into_iter().map(|item| item.get().to_owned()).collect())
}

pub(crate) fn corrupt(fault: &str) -> Error {
    Error::Other(format!("a stored session: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_has_its_chunk() {
        assert_eq!(chunk_count(10, 10, 0), 0);
        assert_eq!(chunk_count(11, 10, 0), 1);
        assert_eq!(chunk_count(74, 10, 0), 1);
        assert_eq!(chunk_count(75, 10, 0), 2);
        assert_eq!(chunk_count(1_001, 1_000, 16), 17);
    }

    #[test]
    fn an_appended_turn_begins_a_chunk_or_goes_into_one() {
        let session = RawValue::from_string("{}".to_owned()).unwrap();
        let last = |turn_count, base_turns, base_chunks| {
            let record = Record {
                session: &session,
                history: None,
                agents: Vec::new(),
                agent_count: 0,
                turn_count,
                last_sequence: 0,
                base_turns,
                base_chunks,
                bytes: 2,
                history_bytes: 0,
            };
            record.last_chunk()
        };
        assert_eq!(last(1, 0, 0), (0, true));
        assert_eq!(last(2, 0, 0), (0, false));
        assert_eq!(last(64, 0, 0), (0, false));
        assert_eq!(last(65, 0, 0), (1, true));
        assert_eq!(last(1_001, 1_000, 16), (16, true));
        assert_eq!(last(6, 5, 0), (0, true));
    }

    #[test]
    fn an_array_is_taken_apart() {
        assert_eq!(inside(" [ ] "), "");
        assert_eq!(inside("[1, [2]]"), "1, [2]");
        assert_eq!(split(r#"[{"a":[1]}, 2]"#).unwrap(), [r#"{"a":[1]}"#, "2"]);
    }
}
