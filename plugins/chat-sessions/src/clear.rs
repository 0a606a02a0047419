//! `POST /sessions:clear` and `:cleanup`: deleting sessions that nobody names one by one.

use loggia_plugin_sdk::manifest::Schedule;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Delete, Failure, Request, Response, Route, Timestamp, declare};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::session::{STATES, invalid};

pub(crate) const CLEAR_ROUTE: Route = Route::post(
    "clear-sessions",
    "/sessions:clear",
    "Delete sessions of a state, or not changed for long.",
    clear,
)
.with(|operation| operation.body::<Body>());

pub(crate) const CLEANUP_ROUTE: Route = Route::post(
    "clean-up-sessions",
    "/sessions:cleanup",
    "Delete the sessions that have expired.",
    clean_up,
);

/// The gateway cleans up where a session has expired.
pub(crate) fn schedule() -> Schedule {
    Schedule::every("10s", "clean-up-sessions").when_due("session", "expires_on")
}

declare! { STORAGE:
    const CLEAR: Delete<Older<'_>> = delete("clear", "session")
        .conditions(&["updated < :older_than", "state = :state"]);

    const CLEAN_UP: Delete = delete("clean-up", "session").filter("expires_on <= now()");
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Only those whose `updatedAt` is before.
    older_than: Option<Timestamp>,
    state: Option<String>,
}

#[derive(Serialize)]
struct Older<'a> {
    older_than: Option<Timestamp>,
    state: Option<&'a str>,
}

fn clear(request: &Request) -> Result<Response, Failure> {
    let Body { older_than, state } = request.json()?;
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(invalid("/state", "there is no such state").into());
    }
    let deleted = CLEAR.run(&Older { older_than, state: state.as_deref() })?;
    Response::serialize(200, &json!({"deleted": deleted}))
}

fn clean_up(_: &Request) -> Result<Response, Failure> {
    Response::serialize(200, &json!({"deleted": CLEAN_UP.run(&())?}))
}
