//! `PUT /networks/{network}/groups/{group}`: make a group and its contacts and wires what is sent.

use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde_json::json;

use crate::key::Key;
use crate::part::Sent;
use crate::save::{Group, save};
use crate::settings::{MAX_NETWORK_BYTES, Settings};
use crate::store::{group_id, network_id};

pub(crate) const ROUTE: Route = Route::put(
    "put-group",
    "/networks/{network}/groups/{group}",
    "Make a group with its contacts and wires what is sent.",
    put,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .json_body()
        .body_bytes(MAX_NETWORK_BYTES)
        .documents_written(100_000)
        .request_ms(10_000)
        .transaction_ms(10_000)
});

fn put(request: &Request) -> Result<Response, Failure> {
    let (network, id) = (Key::of(request.path("network")), request.path("group"));
    let limits = Settings::read()?;
    let sent = Sent { text: request.text()?, pointer: "", id: Some(id) };
    let group = Group::parse(&network, sent, &limits)?;
    let body = json!({
        "id": id, "contactCount": group.contacts.len(), "wireCount": group.wires.len(),
    });
    let saved = save(&network, &[group], &request.conditions(), &limits)?;
    let saved = saved.first().ok_or(Failure::Retry)?;
    let status = if saved.created { 201 } else { 200 };
    Ok(Response::serialize(status, &body)?.etag(saved.version))
}
