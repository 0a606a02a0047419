//! `PUT /sessions/{id}/agents/{agent}`: replace the state of one agent.

use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};
use serde_json::{Map, Value, json};

use crate::change::Change;
use crate::session::{AgentState, misshapen};
use crate::settings::MAX_SESSION_BYTES;
use crate::shape::Record;
use crate::{store, write};

pub(crate) const ROUTE: Route = Route::put(
    "put-agent",
    "/sessions/{id}/agents/{agent}",
    "Replace the state of one agent.",
    put,
)
.with(|operation| {
    operation
        .param("id", store::id())
        .json_body()
        .body_bytes(MAX_SESSION_BYTES)
        .document_bytes(write::MAX_DOCUMENT_BYTES)
});

fn put(request: &Request) -> Result<Response, Failure> {
    let (id, agent, text) = (request.path("id"), request.path("agent"), request.text()?);
    serde_json::from_str::<Record<AgentState>>(text).map_err(|fault| misshapen(text, &fault))?;
    let state: Value = request.json()?;
    let change = Change::begin(request)?;
    let mut session = change.session()?;
    let states = session.entry("agentStates").or_insert(Value::Null);
    if states.is_null() {
        *states = Map::new().into();
    }
    let created = match states.as_object_mut() {
        Some(states) => states.insert(agent.to_owned(), state).is_none(),
        None => return Err(Problem::new(422, "invalid-session", "agentStates is no object").into()),
    };
    session.insert("updatedAt".to_owned(), request.now().to_string().into());
    change.end(
        session,
        |version| json!({"id": id, "agent": agent, "created": created, "version": version}),
    )
}
