//! `POST /networks/{network}/snapshots`: keep the network as it is at this instant.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Request, Response, Route, checkpoint};
use serde::Deserialize;
use serde_json::json;

use super::{CONTACTS, GROUPS, NETWORK, WIRES, find};
use crate::fault::network_not_found;
use crate::key::Key;
use crate::store::{Between, InNetwork, NETWORKS, network_id};

pub(crate) const ROUTE: Route = Route::post(
    "create-snapshot",
    "/networks/{network}/snapshots",
    "Keep the network as it is now.",
    create,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .body::<New>()
        .documents_written(1_000_000)
        .request_ms(30_000)
        .transaction_ms(30_000)
});

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// What the snapshot is called.
    #[schemars(length(max = 250))]
    label: Option<String>,
}

fn create(request: &Request) -> Result<Response, Failure> {
    let (id, New { label }) = (request.path("network"), request.json()?);
    let network = Key::of(id);
    if NETWORKS.get_json(network.as_str())?.is_none() {
        return Err(network_not_found().into());
    }
    let args = InNetwork { network: network.as_str() };
    let all = Between { key: network.as_str(), end: &network.end() };
    let parts = [NETWORK.of(&args)?, GROUPS.of(&args)?, CONTACTS.of(&all)?, WIRES.of(&all)?];
    let metadata = json!({"networkId": id}).to_string();
    let label = label.unwrap_or_default();
    let made = checkpoint::create(network.as_str(), &label, &metadata, &parts)?;
    let shown = find(&network, &made.id)?;
    Ok(Response::json(201, shown.json).etag(shown.version))
}
