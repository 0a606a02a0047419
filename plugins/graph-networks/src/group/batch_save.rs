//! `POST /networks/{network}/groups:batchSave`: several groups, all of them or none.

use loggia_plugin_sdk::{Conditions, EntityTag, Failure, Request, Response, Route};
use serde_json::json;

use crate::fault::invalid;
use crate::key::Key;
use crate::members::Members;
use crate::save::{Group, save};
use crate::settings::{MAX_NETWORK_BYTES, Settings};
use crate::store::network_id;

/// How many groups one request can store.
const MAX_GROUPS: usize = 1_000;

pub(crate) const ROUTE: Route = Route::post(
    "batch-save-groups",
    "/networks/{network}/groups:batchSave",
    "Make several groups what is sent.",
    batch_save,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .json_body()
        .body_bytes(MAX_NETWORK_BYTES)
        .documents_written(1_000_000)
        .request_ms(30_000)
        .transaction_ms(30_000)
});

fn batch_save(request: &Request) -> Result<Response, Failure> {
    let (network, limits) = (Key::of(request.path("network")), Settings::read()?);
    let members = Members::parse(request.text()?, "")?;
    let groups = Group::parse_all(&network, members.given("groups"), "/groups", &limits)?;
    if groups.is_empty() || groups.len() > MAX_GROUPS {
        return Err(invalid("/groups", &format!("it must have 1 to {MAX_GROUPS} groups")).into());
    }
    let saved = save(&network, &groups, &Conditions::default(), &limits)?;
    let results: Vec<_> = groups
        .iter()
        .zip(saved)
        .map(|(group, saved)| {
            let tag = EntityTag::from(saved.version);
            json!({"id": group.own.id, "created": saved.created, "etag": tag.to_string()})
        })
        .collect();
    Response::serialize(200, &json!({"results": results}))
}
