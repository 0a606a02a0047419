//! `POST /networks/{network}/groups/{group}/contacts:batchSave`: several contacts of a group, beside the
//! others; all of them or none.

use loggia_plugin_sdk::{Conditions, Failure, Request, Response, Route};
use serde_json::json;

use crate::change::Kind;
use crate::fault::invalid;
use crate::key::Key;
use crate::members::Members;
use crate::part::{Home, contact};
use crate::save::parts;
use crate::settings::{MAX_NETWORK_BYTES, Settings};
use crate::store::{group_id, network_id};

/// How many contacts one request can store.
const MAX_CONTACTS: usize = 10_000;

pub(crate) const ROUTE: Route = Route::post(
    "batch-save-contacts",
    "/networks/{network}/groups/{group}/contacts:batchSave",
    "Store several contacts of a group.",
    batch_save,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .json_body()
        .body_bytes(MAX_NETWORK_BYTES)
        .request_ms(10_000)
        .transaction_ms(10_000)
});

fn batch_save(request: &Request) -> Result<Response, Failure> {
    let (network, limits) = (Key::of(request.path("network")), Settings::read()?);
    let home = Home::of(&network, request.path("group"));
    let members = Members::parse(request.text()?, "")?;
    let list = members.given("contacts");
    let contacts = parts(list, "/contacts", |sent| contact(&home, sent, &limits))?;
    if contacts.is_empty() || contacts.len() > MAX_CONTACTS {
        let detail = format!("it must have 1 to {MAX_CONTACTS} contacts");
        return Err(invalid("/contacts", &detail).into());
    }
    let saved = Kind::Contact.save(&home, &contacts, &Conditions::default(), &limits)?;
    let created = saved.iter().filter(|saved| saved.created).count();
    let body = json!({"created": created, "replaced": saved.len() - created});
    Response::serialize(200, &body)
}
