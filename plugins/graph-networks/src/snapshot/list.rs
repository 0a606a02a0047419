//! `GET /networks/{network}/snapshots`: a page of snapshots, the newest first.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::ALL;
use crate::fault::network_not_found;
use crate::key::Key;
use crate::store::{InNetwork, NETWORKS, network_id};

pub(crate) const ROUTE: Route = Route::get(
    "list-snapshots",
    "/networks/{network}/snapshots",
    "List snapshots, the newest first.",
    list,
)
.with(|operation| operation.param("network", network_id()).pages(&ALL));

fn list(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let rows = ALL.page(&InNetwork { network: network.as_str() }, &request.page()?)?;
    if rows.count == 0 && NETWORKS.get_json(network.as_str())?.is_none() {
        return Err(network_not_found().into());
    }
    Ok(rows.answer())
}
