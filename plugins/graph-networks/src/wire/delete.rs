//! `DELETE /networks/{network}/groups/{group}/wires/{wire}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use crate::change::Kind;
use crate::key::Key;
use crate::part::Home;
use crate::store::{group_id, network_id, wire_id};

pub(crate) const ROUTE: Route = Route::delete(
    "delete-wire",
    "/networks/{network}/groups/{group}/wires/{wire}",
    "Delete a wire.",
    delete,
)
.with(|operation| {
    operation.param("network", network_id()).param("group", group_id()).param("wire", wire_id())
});

fn delete(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let home = Home::of(&network, request.path("group"));
    Kind::Wire.delete(&home, request.path("wire"), &request.conditions())?;
    Ok(Response::empty(204))
}
