//! `POST /sessions/{id}:transition`: another state, where the present one allows it.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::change::Change;
use crate::session::{STATES, invalid};
use crate::{store, write};

pub(crate) const ROUTE: Route = Route::post(
    "transition-session",
    "/sessions/{id}:transition",
    "Put a session into another state.",
    transition,
)
.with(|operation| {
    operation.param("id", store::id()).body::<Body>().document_bytes(write::MAX_DOCUMENT_BYTES)
});

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    state: String,
}

/// From which state to which ones.
const ALLOWED: [(&str, &[&str]); 4] = [
    ("active", &["paused", "closed"]),
    ("paused", &["active", "closed"]),
    ("expired", &["closed"]),
    ("invalidated_pending_cleanup", &["closed"]),
];

fn transition(request: &Request) -> Result<Response, Failure> {
    let Body { state } = request.json()?;
    if !STATES.contains(&state.as_str()) {
        return Err(invalid("/state", "there is no such state").into());
    }
    let change = Change::begin(request)?;
    let mut session = change.session()?;
    let from = session.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !allows(&from, &state) {
        let detail = format!("a session that is {from} does not become {state}");
        let problem = Problem::new(409, "invalid-transition", detail);
        return Err(problem.with("from", from).with("to", state).into());
    }
    session.insert("state".to_owned(), state.as_str().into());
    session.insert("updatedAt".to_owned(), request.now().to_string().into());
    let id = request.path("id");
    change.end(session, |version| json!({"id": id, "state": state, "version": version}))
}

fn allows(from: &str, to: &str) -> bool {
    ALLOWED.iter().any(|(state, next)| *state == from && next.contains(&to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_session_stays_closed() {
        assert!(STATES.iter().all(|to| !allows("closed", to)));
        assert!(STATES.iter().all(|state| !allows(state, state)));
        assert_eq!(STATES.iter().filter(|from| allows(from, "closed")).count(), 4);
    }
}
