//! `GET /sessions/{id}`: the whole session, or a part of its history.

use loggia_plugin_sdk::manifest::{Mode, Param};
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Timestamp, settings};
use serde::Deserialize;
use serde_json::json;

use crate::record::{Part, Record, corrupt};
use crate::settings::Settings;
use crate::store::{SESSIONS, find, id, not_found};

pub(crate) const ROUTE: Route = Route::get("get-session", "/sessions/{id}", "Read a session.", get)
    .with(|operation| {
        let history = Param::string()
            .keyword("pattern", json!("^(none|last:[0-9]{1,9})$"))
            .describe("none, or last:N for the last N turns.");
        operation.mode(Mode::Autocommit).param("id", id()).param("history", history)
    });

fn get(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let document = SESSIONS.get_json(id)?.ok_or_else(not_found)?;
    let record = Record::parse(&document.body)?;
    check_expiry(request, &record)?;
    let text = record.with_history(id, request.query("history").map_or(Part::All, part));
    // Most sessions are read in one call, which needs no transaction around it. What lies in chunks
    // belongs to the session only if that is still the same.
    if record.chunks() > 0 && find(id)?.is_none_or(|now| now.revision != document.version) {
        return Err(Failure::Retry);
    }
    let text = text?;
    Ok(Response::json(200, text).etag(document.version))
}

/// The gateway has checked its form.
fn part(history: &str) -> Part {
    let last = history.strip_prefix("last:").and_then(|count| count.parse().ok());
    Part::Last(last.unwrap_or(0))
}

/// `expiresAt` is a member like others, unless the operator wants it to be heeded.
pub(crate) fn check_expiry(request: &Request, record: &Record<'_>) -> Result<(), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Expiring {
        expires_at: Option<Timestamp>,
    }
    let session = record.session.get();
    // Most sessions have none, and are not read for it.
    if !session.contains("\"expiresAt\"") {
        return Ok(());
    }
    let expiring: Expiring =
        serde_json::from_str(session).map_err(|fault| corrupt(&fault.to_string()))?;
    let has_passed = expiring.expires_at.is_some_and(|time| time <= request.now());
    if has_passed && settings::<Settings>()?.enforce_expiry {
        return Err(Problem::new(410, "session-expired", "the session has expired").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_none_or_the_last_turns() {
        assert_eq!(part("none"), Part::Last(0));
        assert_eq!(part("last:12"), Part::Last(12));
    }
}
