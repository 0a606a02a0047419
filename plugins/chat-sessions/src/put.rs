//! `PUT /sessions/{id}`: store a session under the rule of its version.
//!
//! Between looking a session up and writing it, another request may write it. The write therefore
//! demands the document that was seen, and where that is gone the rule is decided again.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, settings};

use crate::session::{Made, Missing, Session};
use crate::settings::{MAX_SESSION_BYTES, Settings};
use crate::store::{self, Stored, find};
use crate::version::Guard;
use crate::{versions, write};

pub(crate) const ROUTE: Route = Route::put(
    "put-session",
    "/sessions/{id}",
    "Store a session under the rule of its version.",
    put,
)
.with(|operation| {
    operation
        // The only call that writes checks what was read before, so there is nothing to undo.
        .mode(Mode::Autocommit)
        .param("id", store::id())
        .json_body()
        .body_bytes(MAX_SESSION_BYTES)
        .document_bytes(write::MAX_DOCUMENT_BYTES)
});

fn put(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let put =
        Put { request, id, session: Session::parse(request.text()?, id)?, settings: settings()? };
    // A first version can only create, so it is tried without a look.
    if put.session.version() == Some(1)
        && request.conditions().is_empty()
        && let Some(response) = put.store(None)?
    {
        return Ok(response);
    }
    put.store(find(id)?.as_ref())?.ok_or(Failure::Retry)
}

/// A session that is to be stored.
struct Put<'a> {
    request: &'a Request,
    id: &'a str,
    session: Session<'a>,
    settings: Settings,
}

impl Put<'_> {
    /// Store the session in place of what was seen. There is no answer where something else is
    /// there by now.
    fn store(&self, stored: Option<&Stored>) -> Result<Option<Response>, Failure> {
        let conditions = self.request.conditions();
        let precondition = conditions.check(stored.map(|stored| stored.revision))?;
        let guard = Guard::new(self.session.version(), &conditions);
        let stored_version = stored.map(|stored| stored.version);
        let version = guard.next_version(stored_version).map_err(Problem::from)?;
        let made = make(self.request, self.id, &self.session, &self.settings, version, stored)?;
        let chunks = stored.map_or(0, Stored::chunks);
        let mut writes = write::writes(self.id, &made, chunks, precondition);
        writes.extend(versions::of_made(self.id, version, &made, &self.settings)?);
        let written = write::run(writes)?;
        Ok(written.map(|written| write::answer(written.status(), self.id, version, written)))
    }
}

/// The documents of a session that gets this version.
pub(crate) fn make(
    request: &Request,
    id: &str,
    session: &Session<'_>,
    settings: &Settings,
    version: u64,
    stored: Option<&Stored>,
) -> Result<Made, Failure> {
    let now = request.now();
    let created = stored.map_or_else(|| now.to_string(), |stored| stored.created.clone());
    let ttl = i64::from(settings.session_ttl_seconds);
    let expires = (ttl > 0).then(|| now.plus_seconds(ttl));
    let made = session.make(Missing { id, version, created: &created, now, expires })?;
    write::check_size(made.bytes, settings)?;
    Ok(made)
}
