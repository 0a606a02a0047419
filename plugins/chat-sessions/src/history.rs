//! `GET /sessions/{id}/messages`: turns in the order of their sequences.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Encoding, Failure, Problem, Request, Response, Route, sha256};
use serde::Deserialize;
use serde_json::json;

use crate::get::check_expiry;
use crate::record::{Part, Record, corrupt, split};
use crate::store::{SESSIONS, id, not_found};

pub(crate) const ROUTE: Route =
    Route::get("list-messages", "/sessions/{id}/messages", "List the turns of a session.", list)
        .with(|operation| {
            operation
                .param("id", id())
                .param("after", Param::integer().describe("Only turns of a larger sequence."))
                .param("before", Param::integer().describe("Only turns of a smaller sequence."))
                .param("limit", Param::integer().between(1, 1_000).default(50))
                .param("cursor", Param::string().describe("The next_cursor of the page before."))
                .param("total", Param::boolean().default(false))
        });

#[derive(Deserialize)]
struct Numbered {
    sequence: i64,
}

fn list(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let document = SESSIONS.get_json(id)?.ok_or_else(not_found)?;
    let record = Record::parse(&document.body)?;
    check_expiry(request, &record)?;
    let (after, before) = (request.query_as("after")?, request.query_as("before")?);
    let turns = wanted(&record.turns(id, Part::All)?, after, before)?;
    let list = List { id, after, before };
    let from = request.query("cursor").map_or(Ok(0), |cursor| list.place(cursor))?;
    let limit: usize = request.query_as("limit")?.unwrap_or(50);
    let page: Vec<&str> = turns.iter().skip(from).take(limit).map(String::as_str).collect();
    let end = from + page.len();
    let next = (end < turns.len()).then(|| list.cursor(end));
    let total = request.query_as("total")?.unwrap_or(false);
    let total = if total { format!(r#","total":{}"#, turns.len()) } else { String::new() };
    let (items, next) = (page.join(","), json!(next));
    let text = format!(r#"{{"items":[{items}],"next_cursor":{next}{total}}}"#);
    Ok(Response::json(200, text).etag(document.version))
}

/// In the order of their sequences; those with an equal one stay in the order of the history.
fn wanted(turns: &str, after: Option<i64>, before: Option<i64>) -> Result<Vec<String>, Failure> {
    let mut wanted = Vec::new();
    for turn in split(&format!("[{turns}]"))? {
        let numbered: Numbered =
            serde_json::from_str(&turn).map_err(|fault| corrupt(&fault.to_string()))?;
        let sequence = numbered.sequence;
        if after.is_none_or(|after| sequence > after)
            && before.is_none_or(|before| sequence < before)
        {
            wanted.push((sequence, turn));
        }
    }
    wanted.sort_by_key(|(sequence, _)| *sequence);
    Ok(wanted.into_iter().map(|(_, turn)| turn).collect())
}

/// What a cursor belongs to. Turns are only added at the end, so a place in the list stays.
struct List<'a> {
    id: &'a str,
    after: Option<i64>,
    before: Option<i64>,
}

impl List<'_> {
    fn cursor(&self, place: usize) -> String {
        Encoding::Base64Url.encode(format!("{place}.{}", self.seal(place)))
    }

    fn place(&self, cursor: &str) -> Result<usize, Problem> {
        let text = Encoding::Base64Url.decode(cursor).ok();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let place = text.as_deref().and_then(|text| {
            let (place, seal) = text.split_once('.')?;
            let place = place.parse().ok()?;
            (self.seal(place) == seal).then_some(place)
        });
        place.ok_or_else(|| {
            let detail = "the cursor is none of this list: begin without one";
            Problem::new(400, "invalid-cursor", detail)
        })
    }

    fn seal(&self, place: usize) -> String {
        let text = format!("{place}\n{:?}\n{:?}\n{}", self.after, self.before, self.id);
        Encoding::Hex.encode(&sha256(text)[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_by_their_sequences() {
        let turns = r#"{"sequence":3,"a":1},{"sequence":1},{"sequence":3,"a":2},{"sequence":2}"#;
        let all = wanted(turns, None, None).unwrap();
        let expected = [
            r#"{"sequence":1}"#,
            r#"{"sequence":2}"#,
            r#"{"sequence":3,"a":1}"#,
            r#"{"sequence":3,"a":2}"#,
        ];
        assert_eq!(all, expected);
        assert_eq!(wanted(turns, Some(1), Some(3)).unwrap(), [r#"{"sequence":2}"#]);
        assert_eq!(wanted("", None, None).unwrap(), [""; 0]);
    }

    #[test]
    fn a_cursor_fits_its_own_list_only() {
        let list = List { id: "s", after: Some(1), before: None };
        let cursor = list.cursor(50);
        assert_eq!(list.place(&cursor), Ok(50));
        for other in [
            List { id: "t", after: Some(1), before: None },
            List { id: "s", after: None, before: None },
        ] {
            assert_eq!(other.place(&cursor).unwrap_err().code, "invalid-cursor");
        }
        for wrong in ["", "x", "NTA"] {
            assert_eq!(list.place(wrong).unwrap_err().code, "invalid-cursor", "{wrong}");
        }
    }
}
