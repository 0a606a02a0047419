//! `GET /sessions/{id}`: the whole session, as it was stored.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};

use crate::session;
use crate::store::{SESSIONS, id};

pub(crate) const ROUTE: Route =
    Route::get("get-session", "/sessions/{id}", "Read a whole session.", get)
        // One call needs no transaction around it.
        .with(|operation| operation.mode(Mode::Autocommit).param("id", id()));

fn get(request: &Request) -> Result<Response, Failure> {
    let found = SESSIONS.get_json(request.path("id"))?;
    let document = found.ok_or_else(not_found)?;
    let session = session::text_of(&document.body)
        .map_err(|fault| Error::Other(format!("a stored session: {fault}")))?;
    Ok(Response::json(200, session).etag(document.version))
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("there is no such session")
}
