//! `GET /locks/{name}`: who holds a lock.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Timestamp};
use serde::Serialize;

use super::{LOCKS, name, not_found};

pub(crate) const ROUTE: Route =
    Route::get("get-lock", "/locks/{name}", "Tell who holds a lock.", get)
        // One call needs no transaction around it.
        .with(|operation| operation.mode(Mode::Autocommit).param("name", name()));

#[derive(Serialize)]
struct Held<'a> {
    name: &'a str,
    owner: &'a str,
    token: u64,
    expires_at: Timestamp,
}

fn get(request: &Request) -> Result<Response, Failure> {
    let name = request.path("name");
    let found = LOCKS.get(name)?.ok_or_else(not_found)?;
    let expires_at = found.body.held_until(request.now()).ok_or_else(not_found)?;
    let (owner, token) = (&found.body.owner, found.body.token);
    let held = Held { name, owner, token, expires_at };
    Ok(Response::serialize(200, &held)?.etag(found.version))
}
