//! `DELETE /networks/{network}/groups/{group}/contacts/{contact}`: a contact, and the wires to it.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use crate::change::Kind;
use crate::key::Key;
use crate::part::Home;
use crate::store::{contact_id, group_id, network_id};

pub(crate) const ROUTE: Route = Route::delete(
    "delete-contact",
    "/networks/{network}/groups/{group}/contacts/{contact}",
    "Delete a contact and the wires to it.",
    delete,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .param("contact", contact_id())
});

fn delete(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let home = Home::of(&network, request.path("group"));
    Kind::Contact.delete(&home, request.path("contact"), &request.conditions())?;
    Ok(Response::empty(204))
}
