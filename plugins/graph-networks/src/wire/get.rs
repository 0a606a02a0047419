//! `GET /networks/{network}/groups/{group}/wires/{wire}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use crate::fault::{group_not_found, wire_not_found};
use crate::key::Key;
use crate::store::{GROUPS, WIRES, group_id, network_id, wire_id};
use crate::view::{WireRow, read};

pub(crate) const ROUTE: Route = Route::get(
    "get-wire",
    "/networks/{network}/groups/{group}/wires/{wire}",
    "A wire.",
    get,
)
.with(|operation| {
    operation.param("network", network_id()).param("group", group_id()).param("wire", wire_id())
});

fn get(request: &Request) -> Result<Response, Failure> {
    let (network, group) = (Key::of(request.path("network")), request.path("group"));
    if let Some(found) = WIRES.get_json(&network.part(request.path("wire")))? {
        let row: WireRow<'_> = read(&found.body)?;
        if row.home == network.home(group) {
            return Ok(Response::json(200, row.wire.get()).etag(found.version));
        }
    }
    match GROUPS.get_json(&network.group(group))? {
        Some(_) => Err(wire_not_found().into()),
        None => Err(group_not_found().into()),
    }
}
