//! `DELETE /checkpoints/{id}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route, checkpoint};

use super::{find, id, not_found};

pub(crate) const ROUTE: Route =
    Route::delete("delete-checkpoint", "/checkpoints/{id}", "Delete a checkpoint.", delete)
        .with(|operation| operation.param("id", id()));

fn delete(request: &Request) -> Result<Response, Failure> {
    let (id, conditions) = (request.path("id"), request.conditions());
    if !conditions.is_empty() {
        conditions.check(Some(find(id)?.version))?;
    }
    match checkpoint::delete(&[id])? {
        0 => Err(not_found().into()),
        _ => Ok(Response::empty(204)),
    }
}
