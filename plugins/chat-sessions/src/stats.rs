//! `GET /stats`: what there is, by counts that the gateway keeps.

use loggia_plugin_sdk::manifest::Count;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::session::STATES;

pub(crate) const ROUTE: Route = Route::get("stats", "/stats", "What there is.", stats);

declare! { STORAGE:
    const SESSIONS: Select<(), Sessions> =
        select("count-sessions", "SELECT documents, sum_bytes AS bytes FROM count_sessions");

    const BY_STATE: Select<(), State> =
        select("count-states", "SELECT state, documents FROM count_by_state");

    const VALUES: Select<(), Values> =
        select("count-values", "SELECT documents FROM count_values");
}

/// What the gateway counts.
pub(crate) fn counts() -> [Count; 3] {
    [
        Count::new("sessions").collection("session").sum("bytes").limit("max_sessions"),
        Count::new("by_state").collection("session").by("state"),
        Count::new("values").collection("kv"),
    ]
}

/// As long as nothing was stored there is no row.
#[derive(Default, Deserialize)]
struct Sessions {
    documents: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct State {
    state: String,
    documents: u64,
}

#[derive(Default, Deserialize)]
struct Values {
    documents: u64,
}

fn stats(_: &Request) -> Result<Response, Failure> {
    let Sessions { documents, bytes } = SESSIONS.first(&())?.unwrap_or_default();
    let values = VALUES.first(&())?.unwrap_or_default().documents;
    let mut by_state: Map<String, Value> =
        STATES.iter().map(|state| ((*state).to_owned(), 0.into())).collect();
    for State { state, documents } in BY_STATE.rows(&())? {
        by_state.insert(state, documents.into());
    }
    let stats = json!({
        "totalSessions": documents, "sizeBytes": bytes, "kvEntries": values, "byState": by_state,
    });
    Response::serialize(200, &stats)
}
