//! `GET /networks/{network}/groups/{group}/contacts/{contact}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route, Version};

use crate::cell::ContactRow;
use crate::fault::{contact_not_found, group_not_found};
use crate::key::Key;
use crate::store::{CONTACTS, GROUPS, contact_id, group_id, network_id};

pub(crate) const ROUTE: Route = Route::get(
    "get-contact",
    "/networks/{network}/groups/{group}/contacts/{contact}",
    "A contact.",
    get,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .param("contact", contact_id())
});

fn get(request: &Request) -> Result<Response, Failure> {
    let (version, json) = find(request)?;
    Ok(Response::json(200, json).etag(version))
}

/// The version and the text of the contact that the path names.
pub(crate) fn find(request: &Request) -> Result<(Version, String), Failure> {
    let (network, group) = (Key::of(request.path("network")), request.path("group"));
    if let Some(found) = CONTACTS.get_json(&network.part(request.path("contact")))? {
        let row = ContactRow::of(&found.id, &found.body)?;
        if row.body.home == network.home(group) {
            return Ok((found.version, row.contact(group)?.json));
        }
    }
    match GROUPS.get_json(&network.group(group))? {
        Some(_) => Err(contact_not_found().into()),
        None => Err(group_not_found().into()),
    }
}
