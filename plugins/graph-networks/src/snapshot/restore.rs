//! `POST /networks/{network}/snapshots/{snapshot}:restore`: make the network what it was.

use loggia_plugin_sdk::{Failure, Request, Response, Route, checkpoint};

use super::{find, snapshot_id};
use crate::key::Key;
use crate::network::put::check;
use crate::settings::Settings;
use crate::store::{hold_all, hold_network, network_id};
use crate::usage;

pub(crate) const ROUTE: Route = Route::post(
    "restore-snapshot",
    "/networks/{network}/snapshots/{snapshot}:restore",
    "Make the network what it was.",
    restore,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("snapshot", snapshot_id())
        .documents_written(1_000_000)
        .request_ms(30_000)
        .transaction_ms(30_000)
});

fn restore(request: &Request) -> Result<Response, Failure> {
    let (network, id) = (Key::of(request.path("network")), request.path("snapshot"));
    find(&network, id)?;
    check(&network, &request.conditions())?;
    // Who changes a group of it is waited for, and then waits.
    hold_network(&network)?;
    hold_all(&network)?;
    let changed = checkpoint::restore(id)?;
    usage::check(&network, 0, &Settings::read()?)?;
    Ok(Response::json(200, format!(r#"{{"changed":{changed}}}"#)))
}
