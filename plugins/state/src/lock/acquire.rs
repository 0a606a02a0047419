//! `POST /locks/{name}:acquire`: take a lock, or wait until it is free.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Document, Failure, Problem, Request, Response, Route, Timestamp, Wait};
use serde::Deserialize;
use serde_json::json;

use super::{LOCKS, Lock, TAKE, Take, name};
use crate::time_to_live::{self, after};

/// The longest wait: most clients give up an answer that takes longer.
const MAX_WAIT_SECONDS: f64 = 30.0;

pub(crate) const ROUTE: Route =
    Route::post("acquire-lock", "/locks/{name}:acquire", "Take a lock.", acquire).with(
        |operation| {
            operation
                // At most one call writes, and it does all.
                .mode(Mode::Autocommit)
                .param("name", name())
                .body::<Acquire>()
                // The longest wait, and time to answer.
                .request_ms(35_000)
        },
    );

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Acquire {
    #[schemars(length(min = 1))]
    owner: String,
    #[schemars(range(min = time_to_live::MIN_SECONDS, max = time_to_live::MAX_SECONDS))]
    ttl_seconds: f64,
    /// How long to wait for a lock that is held.
    #[schemars(range(min = 0.0, max = MAX_WAIT_SECONDS))]
    wait_seconds: Option<f64>,
}

fn acquire(request: &Request) -> Result<Response, Failure> {
    let Acquire { owner, ttl_seconds, wait_seconds } = request.json()?;
    let now = request.now();
    let expires_at = after(now, ttl_seconds);
    let take = Take { name: request.path("name"), owner: &owner, expires_at };
    loop {
        if let Some(taken) = TAKE.run(&take)?.into_iter().next() {
            return Ok(answer(&taken));
        }
        let Some(found) = LOCKS.get(take.name)? else {
            match create(&take)? {
                Some(created) => return Ok(created),
                None => continue,
            }
        };
        // Else it has become free since it was tried.
        if let Some(held_until) = found.body.held_until(now) {
            let end = after(request.received_at(), wait_seconds.unwrap_or_default());
            return Err(refuse(&found.body, held_until, now, end));
        }
    }
}

/// The first time that it is taken. There is no answer where somebody else was first.
fn create(take: &Take<'_>) -> Result<Option<Response>, Failure> {
    let Take { name, owner, expires_at } = *take;
    let lock = Lock { token: 1, owner: owner.to_owned(), expires_at: Some(expires_at) };
    match LOCKS.insert(name, &lock).run() {
        Ok(written) => Ok(Some(Response::json(200, shown(&lock)).etag(written.version))),
        Err(Error::PreconditionFailed(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn answer(lock: &Document<Lock>) -> Response {
    Response::json(200, shown(&lock.body)).etag(lock.version)
}

fn shown(lock: &Lock) -> String {
    json!({"token": lock.token, "expires_at": lock.expires_at}).to_string()
}

/// Wait for the end of the time that is given to it, or say who holds it.
fn refuse(lock: &Lock, held_until: Timestamp, now: Timestamp, end: Timestamp) -> Failure {
    if end > now {
        return Wait::for_change(&[LOCKS.name()], held_until.min(end)).into();
    }
    let holder = json!({"owner": lock.owner, "expires_at": held_until});
    Problem::new(409, "locked", "somebody else holds the lock").with("holder", holder).into()
}
