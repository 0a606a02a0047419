//! `/networks/{network}/groups/{group}/contacts/{contact}/content`: a contact's content by itself, which
//! is any JSON.

use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};
use serde_json::json;

use super::get::find;
use crate::change::Kind;
use crate::key::Key;
use crate::members::Members;
use crate::part::{Home, Sent, contact};
use crate::settings::Settings;
use crate::store::{contact_id, group_id, hold_group, network_id};

pub(crate) const GET_ROUTE: Route = Route::get(
    "get-content",
    "/networks/{network}/groups/{group}/contacts/{contact}/content",
    "The content of a contact.",
    get,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .param("contact", contact_id())
});

pub(crate) const PUT_ROUTE: Route = Route::put(
    "put-content",
    "/networks/{network}/groups/{group}/contacts/{contact}/content",
    "Set the content of a contact that is there.",
    put,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .param("contact", contact_id())
        .json_body()
});

fn get(request: &Request) -> Result<Response, Failure> {
    let (version, json) = find(request)?;
    let members = Members::parse(&json, "")?;
    let content = members
        .get("content")
        .ok_or_else(|| Problem::new(404, "content-not-found", "the contact has no content"))?;
    Ok(Response::json(200, content).etag(version))
}

fn put(request: &Request) -> Result<Response, Failure> {
    let (network, limits) = (Key::of(request.path("network")), Settings::read()?);
    let (group, id) = (request.path("group"), request.path("contact"));
    let home = Home::of(&network, group);
    // What is read below does not change any more.
    hold_group(&home.key)?;
    let (_, json) = find(request)?;
    let mut members = Members::parse(&json, "")?;
    members.set("content", request.text()?);
    let json = members.to_json();
    let part = contact(&home, Sent { text: &json, pointer: "", id: Some(id) }, &limits)?;
    let saved = Kind::Contact.save(&home, &[part], &request.conditions(), &limits)?;
    let saved = saved.first().ok_or(Failure::Retry)?;
    Ok(Response::serialize(200, &json!({"id": id}))?.etag(saved.version))
}
