//! `POST /sessions:batchSave`: several sessions under the rule of their versions, all or none.

use std::collections::{HashMap, HashSet};

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Conditions, Failure, Precondition, Problem, Request, Response, Route, Write, apply, settings,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::put::make;
use crate::session::{Session, invalid};
use crate::settings::Settings;
use crate::store::{Stored, find_all};
use crate::version::Guard;
use crate::{versions, write};

/// The largest body of a batch.
pub(crate) const MAX_BODY_BYTES: u64 = 8 << 20;

pub(crate) const ROUTE: Route = Route::post(
    "save-sessions",
    "/sessions:batchSave",
    "Store several sessions, all or none.",
    save,
)
.with(|operation| {
    operation
        // The only call that writes checks what was read before.
        .mode(Mode::Autocommit)
        .body_schema(json!({
            "type": "object", "additionalProperties": false, "required": ["sessions"],
            "properties": {
                "sessions": {"type": "array", "maxItems": 1_000, "items": {"type": "object"}},
            },
        }))
        .body_bytes(MAX_BODY_BYTES)
        .document_bytes(write::MAX_DOCUMENT_BYTES)
});

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    sessions: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

fn save(request: &Request) -> Result<Response, Failure> {
    let Body { sessions } = request.json()?;
    let batch = Batch::parse(&sessions)?;
    let writes = batch.writes(request)?;
    let places: Vec<usize> = writes.iter().map(|(place, _)| *place).collect();
    match apply(writes.into_iter().map(|(_, write)| write).collect()) {
        Ok(_) => Response::serialize(200, &json!({"saved": batch.items.len()})),
        // Another request has stored one of them since they were looked up.
        Err(Error::PreconditionFailed(_)) => Err(Failure::Retry),
        Err(error @ Error::LimitExceeded(_)) => Err(write::refused(error)),
        Err(error) => Err(error.pointing(|write| format!("/sessions/{}", places[write]))),
    }
}

/// Sessions with their ids, none of which is there twice.
struct Batch<'a> {
    items: Vec<(String, Session<'a>)>,
}

impl<'a> Batch<'a> {
    fn parse(sessions: &[&'a RawValue]) -> Result<Self, Problem> {
        let mut items: Vec<(String, Session<'a>)> = Vec::with_capacity(sessions.len());
        let mut seen = HashSet::new();
        for (place, session) in sessions.iter().enumerate() {
            let text = session.get();
            let id = match serde_json::from_str::<Named>(text) {
                Ok(named) if (1..=1_024).contains(&named.id.len()) => named.id,
                _ => {
                    return Err(invalid(
                        &format!("/sessions/{place}/id"),
                        "a session of a batch has an id of 1 to 1,024 bytes",
                    ));
                }
            };
            if !seen.insert(id.clone()) {
                return Err(invalid(
                    &format!("/sessions/{place}/id"),
                    "a batch has each session once",
                ));
            }
            let session = Session::parse(text, &id).map_err(|problem| at(place, problem))?;
            items.push((id, session));
        }
        Ok(Self { items })
    }

    /// Each with the place of its session.
    fn writes(&self, request: &Request) -> Result<Vec<(usize, Write)>, Failure> {
        let settings: Settings = settings()?;
        let ids: Vec<&str> = self.items.iter().map(|(id, _)| id.as_str()).collect();
        let stored: HashMap<String, Stored> =
            find_all(&ids)?.into_iter().map(|stored| (stored.id.clone(), stored)).collect();
        let mut writes = Vec::new();
        for (place, (id, session)) in self.items.iter().enumerate() {
            let stored = stored.get(id);
            let guard = Guard::new(session.version(), &Conditions::default());
            let version = guard.next_version(stored.map(|stored| stored.version));
            let version = version.map_err(|refusal| at(place, refusal.into()))?;
            let made = make(request, id, session, &settings, version, stored)?;
            let precondition = stored
                .map_or(Precondition::Absent, |stored| Precondition::Version(stored.revision));
            let chunks = stored.map_or(0, Stored::chunks);
            let mut all = write::writes(id, &made, chunks, precondition);
            all.extend(versions::of_made(id, version, &made, &settings)?);
            writes.extend(all.into_iter().map(|write| (place, write)));
        }
        Ok(writes)
    }
}

/// Say at which session of the batch it is.
fn at(place: usize, problem: Problem) -> Problem {
    let within = problem.extensions.get("pointer").and_then(serde_json::Value::as_str);
    let pointer = format!("/sessions/{place}{}", within.unwrap_or_default());
    problem.with("pointer", pointer)
}
