//! `PUT /sessions/{id}`: store a session under the rule of its version.
//!
//! Between looking a session up and writing it, another request may write it. The write therefore
//! demands the document that was seen, and where that is gone the rule is decided again.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::{Error, Fault};
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};

use crate::session::{Missing, Session};
use crate::store::{self, SESSIONS, Stored, find};
use crate::version::Guard;

/// The largest session.
const MAX_SESSION_BYTES: u64 = 10 * 1024 * 1024;

/// What the record around a session adds, and room for numbers that take more space in a
/// database than in the request.
const RECORD_BYTES: u64 = 1024 * 1024;

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
        .document_bytes(MAX_SESSION_BYTES + RECORD_BYTES)
});

fn put(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let session = Session::parse(request, id)?;
    // A first version can only create, so it is tried without a look.
    if session.version() == Some(1)
        && request.conditions().is_empty()
        && let Some(response) = store(request, id, &session, None)?
    {
        return Ok(response);
    }
    let stored = find(id)?;
    store(request, id, &session, stored.as_ref())?.ok_or(Failure::Retry)
}

/// Store the session in place of what was seen. There is no answer where something else is there
/// by now.
fn store(
    request: &Request,
    id: &str,
    session: &Session<'_>,
    stored: Option<&Stored>,
) -> Result<Option<Response>, Failure> {
    let conditions = request.conditions();
    let precondition = conditions.check(stored.map(|stored| stored.revision))?;
    let guard = Guard::new(session.version(), &conditions);
    let version = guard.next_version(stored.map(|stored| stored.version)).map_err(Problem::from)?;
    let now = request.now();
    let created = stored.map_or_else(|| now.to_string(), |stored| stored.created.clone());
    let document = session.document(Missing { id, version, created: &created, now });
    match SESSIONS.put_json(id, document).when(precondition).run() {
        Ok(written) => {
            let body = serde_json::json!({"id": id, "version": version});
            Ok(Some(Response::json(written.status(), body.to_string()).etag(written.version)))
        }
        Err(Error::PreconditionFailed(_)) => Ok(None),
        Err(Error::Invalid(fault)) => Err(Error::Invalid(within_session(fault)).into()),
        Err(error) => Err(error.into()),
    }
}

/// The client knows nothing of the record around its session.
fn within_session(fault: Fault) -> Fault {
    let name = fault.name.strip_prefix("/session").unwrap_or(&fault.name).to_owned();
    Fault { name, ..fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_where_the_client_has_sent_it() {
        let name = |name: &str| {
            let fault = Fault {
                index: 0,
                id: "a".to_owned(),
                name: name.to_owned(),
                code: "field-too-long".to_owned(),
                detail: "too long".to_owned(),
            };
            within_session(fault).name
        };
        assert_eq!(name("/session/metadata/userId"), "/metadata/userId");
        assert_eq!(name(""), "");
    }
}
