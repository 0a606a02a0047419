//! Waits for a change, in order and out of it.

use loggia_plugin_sdk::{Failure, Request, Response, Timestamp, Wait, log};
use serde_json::json;

use crate::documents::{DOCUMENTS, leave_a_trace};

/// Wait until there is a document. Each run leaves a line in the log.
pub(crate) fn wait(request: &Request) -> Result<Response, Failure> {
    let (id, received_at, now) = (request.path("id"), request.received_at(), request.now());
    let ids = request.uuid();
    log::info(&format!("waiting for {id} since {received_at} as {ids}"));
    let collections: Vec<&str> = request.query_all("changed").collect();
    let milliseconds = request.query_as("ms")?.unwrap_or(60_000_i64);
    let until = Timestamp::from_micros(received_at.as_micros() + milliseconds * 1_000);
    let found = DOCUMENTS.get_json(id)?.is_some();
    if found || (now >= until && milliseconds > 0) {
        return Response::serialize(
            200,
            &json!({"found": found, "late": now >= until, "later": now > received_at}),
        );
    }
    // Nothing of it may stay.
    if request.query_as("write")?.unwrap_or(false) {
        leave_a_trace(request)?;
    }
    Err(Wait::for_change(&collections, until).into())
}

/// Write, which stays in autocommit mode, and wait.
pub(crate) fn after_write(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    Err(Wait::until(request.now().plus_seconds(60)).into())
}
