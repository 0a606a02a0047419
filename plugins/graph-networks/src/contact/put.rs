//! `PUT /networks/{network}/groups/{group}/contacts/{contact}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde_json::json;

use crate::change::Kind;
use crate::key::Key;
use crate::part::{Home, Sent, contact};
use crate::settings::Settings;
use crate::store::{contact_id, group_id, network_id};

pub(crate) const ROUTE: Route = Route::put(
    "put-contact",
    "/networks/{network}/groups/{group}/contacts/{contact}",
    "Store a contact.",
    put,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .param("contact", contact_id())
        .json_body()
});

fn put(request: &Request) -> Result<Response, Failure> {
    let (network, limits) = (Key::of(request.path("network")), Settings::read()?);
    let home = Home::of(&network, request.path("group"));
    let id = request.path("contact");
    let sent = Sent { text: request.text()?, pointer: "", id: Some(id) };
    let part = contact(&home, sent, &limits)?;
    let saved = Kind::Contact.save(&home, &[part], &request.conditions(), &limits)?;
    let saved = saved.first().ok_or(Failure::Retry)?;
    let status = if saved.created { 201 } else { 200 };
    Ok(Response::serialize(status, &json!({"id": id}))?.etag(saved.version))
}
