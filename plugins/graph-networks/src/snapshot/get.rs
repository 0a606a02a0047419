//! `GET /networks/{network}/snapshots/{snapshot}`: the network as it was.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::read::Kept;
use super::{find, snapshot_id};
use crate::key::Key;
use crate::settings::MAX_NETWORK_BYTES;
use crate::store::network_id;
use crate::view::network_json;

pub(crate) const ROUTE: Route = Route::get(
    "get-snapshot",
    "/networks/{network}/snapshots/{snapshot}",
    "The network as it was.",
    get,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("snapshot", snapshot_id())
        .response_bytes(2 * MAX_NETWORK_BYTES)
        .request_ms(30_000)
});

fn get(request: &Request) -> Result<Response, Failure> {
    let id = request.path("snapshot");
    let shown = find(&Key::of(request.path("network")), id)?;
    let kept = Kept::read(id)?;
    let json = network_json(kept.own()?, &kept.view()?)?;
    Ok(Response::json(200, json).etag(shown.version))
}
