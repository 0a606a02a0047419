//! `DELETE /sessions/{id}`.

use loggia_plugin_sdk::storage::{Error, Mismatch};
use loggia_plugin_sdk::{Failure, Request, Response};

use crate::get::not_found;
use crate::store::SESSIONS;

pub(crate) fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path_param(0);
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
