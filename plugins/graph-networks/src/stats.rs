//! `GET /networks/{network}/stats`: what a network amounts to, by counts that the gateway keeps.

use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, Timestamp, declare};
use serde::Deserialize;
use serde_json::json;

use crate::fault::network_not_found;
use crate::key::Key;
use crate::settings::Settings;
use crate::store::{InNetwork, network_id};
use crate::usage::{Usage, bytes};

pub(crate) const ROUTE: Route = Route::get(
    "network-stats",
    "/networks/{network}/stats",
    "What a network amounts to, and its limits.",
    stats,
)
.with(|operation| operation.param("network", network_id()));

declare! { STORAGE:
    const NEWEST: Select<InNetwork<'_>, Newest> = select(
        "newest",
        "SELECT n._updated_at AS network, \
         (SELECT max(g._updated_at) FROM \"group\" AS g WHERE g.network = n.id) AS groups, \
         (SELECT count(*) FROM checkpoint AS s WHERE s.subject = n.id) AS snapshots \
         FROM network AS n WHERE n.id = :network",
    );
}

#[derive(Deserialize)]
struct Newest {
    network: Timestamp,
    groups: Option<Timestamp>,
    snapshots: u64,
}

fn stats(request: &Request) -> Result<Response, Failure> {
    let (network, limits) = (Key::of(request.path("network")), Settings::read()?);
    let newest = NEWEST.first(&InNetwork { network: network.as_str() })?;
    let newest = newest.ok_or_else(network_not_found)?;
    let usage = Usage::of(&network)?.ok_or_else(network_not_found)?;
    let updated = newest.groups.map_or(newest.network, |groups| groups.max(newest.network));
    let stats = json!({
        "groupCount": usage.groups(), "contactCount": usage.contacts(), "wireCount": usage.wires(),
        "snapshotCount": newest.snapshots, "totalSize": bytes(&network)?,
        "lastUpdated": updated.to_string(),
        "limits": {
            "max_contacts_per_group": limits.max_contacts_per_group,
            "max_groups_per_network": limits.max_groups_per_network,
            "max_network_bytes": limits.max_network_bytes,
            "max_contact_bytes": limits.max_contact_bytes,
        },
    });
    Response::serialize(200, &stats)
}
