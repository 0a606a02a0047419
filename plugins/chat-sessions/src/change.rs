//! Changes of a session by the server, each of which counts its version up: PATCH, transition, trim
//! and agents have in common that they read the session and write it in place of what was read.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Precondition, Request, Response, Version, settings};
use serde_json::{Map, Value};

use crate::put::make;
use crate::record::{Record, corrupt};
use crate::session::{Made, Session};
use crate::settings::Settings;
use crate::store::{SESSIONS, not_found};
use crate::{versions, write};

/// A session as it was read.
pub(crate) struct Change<'a> {
    request: &'a Request,
    id: &'a str,
    revision: Version,
    body: String,
}

impl<'a> Change<'a> {
    /// Read the session that the path names, under the conditions of the request.
    pub(crate) fn begin(request: &'a Request) -> Result<Self, Failure> {
        let id = request.path("id");
        let found = SESSIONS.get_json(id)?;
        request.conditions().check(found.as_ref().map(|found| found.version))?;
        let document = found.ok_or_else(not_found)?;
        Ok(Self { request, id, revision: document.version, body: document.body })
    }

    pub(crate) fn record(&self) -> Result<Record<'_>, Error> {
        Record::parse(&self.body)
    }

    /// The session without its history.
    pub(crate) fn session(&self) -> Result<Map<String, Value>, Error> {
        let record = self.record()?;
        serde_json::from_str(record.session.get()).map_err(|fault| corrupt(&fault.to_string()))
    }

    /// Store the session with its version counted up and its time set, and answer with this body.
    /// A history that is not in it stays as it is.
    pub(crate) fn end(
        self,
        mut session: Map<String, Value>,
        answer: impl FnOnce(u64) -> Value,
    ) -> Result<Response, Failure> {
        let record = self.record()?;
        let version = session.get("version").and_then(Value::as_u64).unwrap_or(0) + 1;
        session.insert("version".to_owned(), version.into());
        let settings: Settings = settings()?;
        let has_history = session.contains_key("conversationHistory");
        let text = Value::Object(session).to_string();
        let parsed = Session::parse(&text, self.id)?;
        let made = make(self.request, self.id, &parsed, &settings, version, None)?;
        let (made, chunks) =
            if has_history { (made, record.chunks()) } else { (keep_history(&record, made)?, 0) };
        write::check_size(made.bytes, &settings)?;
        let precondition = Precondition::Version(self.revision);
        let mut writes = write::writes(self.id, &made, chunks, precondition);
        writes.extend(versions::of_made(self.id, version, &made, &settings)?);
        let written = write::run(writes)?.ok_or(Failure::Retry)?;
        Ok(Response::serialize(200, &answer(version))?.etag(written.version))
    }
}

/// The documents with the history of what was there.
fn keep_history(before: &Record<'_>, made: Made) -> Result<Made, Error> {
    let after = Record::parse(&made.document)?;
    let session = after.session.get().len();
    let kept = Record {
        session: after.session,
        history: before.history,
        agents: after.agents,
        agent_count: after.agent_count,
        turn_count: before.turn_count,
        last_sequence: before.last_sequence,
        base_turns: before.base_turns,
        base_chunks: before.base_chunks,
        bytes: session + before.history_bytes,
        history_bytes: before.history_bytes,
    };
    Ok(Made { bytes: kept.bytes, document: kept.to_json()?, chunks: Vec::new() })
}
