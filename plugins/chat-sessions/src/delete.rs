//! `DELETE /sessions/{id}`.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::{Error, Mismatch};
use loggia_plugin_sdk::{Failure, Request, Response, Route};

use crate::store::{self, SESSIONS, not_found};

pub(crate) const ROUTE: Route =
    Route::delete("delete-session", "/sessions/{id}", "Delete a session.", delete)
        // One call needs no transaction around it.
        .with(|operation| operation.mode(Mode::Autocommit).param("id", store::id()));

fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let precondition = request.precondition(&SESSIONS, id)?;
    match SESSIONS.delete(id).when(precondition).run() {
        Ok(true) => Ok(Response::empty(204)),
        // What is not there cannot be deleted, whatever the condition.
        Ok(false) | Err(Error::PreconditionFailed(Mismatch { found: None, .. })) => {
            Err(not_found().into())
        }
        Err(error) => Err(error.into()),
    }
}
