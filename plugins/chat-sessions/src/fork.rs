//! `POST /sessions/{id}:fork`: a new session from this one, up to a turn.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Precondition, Problem, Request, Response, Route, settings};
use serde::Deserialize;
use serde_json::Value;

use crate::put::make;
use crate::record::{Part, Record, corrupt, split};
use crate::session::Session;
use crate::settings::Settings;
use crate::store::{SESSIONS, not_found};
use crate::{store, versions, write};

pub(crate) const ROUTE: Route = Route::post(
    "fork-session",
    "/sessions/{id}:fork",
    "Begin a new session with the turns of this one.",
    fork,
)
.with(|operation| {
    operation.param("id", store::id()).body::<Body>().document_bytes(write::MAX_DOCUMENT_BYTES)
});

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The last turn that the new session has.
    sequence: i64,
    /// Its id; without it, a UUID.
    #[schemars(length(min = 1, max = 1_024))]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Numbered {
    sequence: i64,
}

fn fork(request: &Request) -> Result<Response, Failure> {
    let Body { sequence, id } = request.json()?;
    let (from, id) = (request.path("id"), id.unwrap_or_else(|| request.uuid()));
    let document = SESSIONS.get_json(from)?.ok_or_else(not_found)?;
    let record = Record::parse(&document.body)?;
    let text = forked(&record, from, &id, sequence, &request.now().to_string())?;
    let (session, settings) = (Session::parse(&text, &id)?, settings::<Settings>()?);
    let made = make(request, &id, &session, &settings, 1, None)?;
    let mut writes = write::writes(&id, &made, 0, Precondition::Absent);
    writes.extend(versions::of_made(&id, 1, &made, &settings)?);
    match write::run(writes)? {
        Some(written) => Ok(write::answer(201, &id, 1, written)),
        None => Err(Problem::new(409, "already-exists", "there is a session with this id").into()),
    }
}

/// The text of the new session.
fn forked(
    record: &Record<'_>,
    from: &str,
    id: &str,
    last: i64,
    now: &str,
) -> Result<String, Error> {
    let fault = |fault: serde_json::Error| corrupt(&fault.to_string());
    let mut session: Value = serde_json::from_str(record.session.get()).map_err(fault)?;
    session["id"] = id.into();
    session["version"] = 1.into();
    session["createdAt"] = now.into();
    session["updatedAt"] = now.into();
    let mut turns = split(&format!("[{}]", record.turns(from, Part::All)?))?;
    let mut kept = Vec::new();
    for turn in turns.drain(..) {
        let numbered: Numbered = serde_json::from_str(&turn).map_err(fault)?;
        if numbered.sequence <= last {
            kept.push(turn);
        }
    }
    let session = session.to_string();
    let members = session.strip_suffix('}').unwrap_or_default();
    Ok(format!(r#"{members},"conversationHistory":[{}]}}"#, kept.join(",")))
}
