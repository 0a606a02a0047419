//! `DELETE /networks/{network}/snapshots/{snapshot}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route, checkpoint};

use super::{find, snapshot_id};
use crate::fault::snapshot_not_found;
use crate::key::Key;
use crate::store::network_id;

pub(crate) const ROUTE: Route = Route::delete(
    "delete-snapshot",
    "/networks/{network}/snapshots/{snapshot}",
    "Delete a snapshot.",
    delete,
)
.with(|operation| operation.param("network", network_id()).param("snapshot", snapshot_id()));

fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path("snapshot");
    let shown = find(&Key::of(request.path("network")), id)?;
    request.conditions().check(Some(shown.version))?;
    match checkpoint::delete(&[id])? {
        0 => Err(snapshot_not_found().into()),
        _ => Ok(Response::empty(204)),
    }
}
