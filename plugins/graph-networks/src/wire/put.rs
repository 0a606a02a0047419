//! `PUT /networks/{network}/groups/{group}/wires/{wire}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde_json::json;

use crate::change::Kind;
use crate::key::Key;
use crate::part::{Home, Sent, wire};
use crate::settings::Settings;
use crate::store::{group_id, network_id, wire_id};

pub(crate) const ROUTE: Route = Route::put(
    "put-wire",
    "/networks/{network}/groups/{group}/wires/{wire}",
    "Store a wire between two contacts of the network.",
    put,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .param("wire", wire_id())
        .json_body()
});

fn put(request: &Request) -> Result<Response, Failure> {
    let (network, limits) = (Key::of(request.path("network")), Settings::read()?);
    let home = Home::of(&network, request.path("group"));
    let id = request.path("wire");
    let part = wire(&home, Sent { text: request.text()?, pointer: "", id: Some(id) })?;
    let saved = Kind::Wire.save(&home, &[part], &request.conditions(), &limits)?;
    let saved = saved.first().ok_or(Failure::Retry)?;
    let status = if saved.created { 201 } else { 200 };
    Ok(Response::serialize(status, &json!({"id": id}))?.etag(saved.version))
}
