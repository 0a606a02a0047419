//! `DELETE /networks/{network}`: a network with all that is in it, and its snapshots.

use loggia_plugin_sdk::{Delete, Failure, Request, Response, Route, declare};

use super::put::check;
use crate::fault::network_not_found;
use crate::key::Key;
use crate::snapshot;
use crate::store::{Between, NETWORKS, network_id};

pub(crate) const ROUTE: Route =
    Route::delete("delete-network", "/networks/{network}", "Delete a network.", delete).with(
        |operation| {
            operation
                .param("network", network_id())
                .documents_written(1_000_000)
                .request_ms(30_000)
                .transaction_ms(30_000)
        },
    );

declare! { STORAGE:
    const WIRES: Delete<Between<'_>> =
        delete("delete-wires-in", "wire").filter("id > :key AND id < :end");

    const CONTACTS: Delete<Between<'_>> =
        delete("delete-contacts-in", "contact").filter("id > :key AND id < :end");
}

fn delete(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    check(&network, &request.conditions())?;
    // Its groups go with it. Who holds one is waited for, and nobody makes one any more: so what is
    // found below is all there is.
    if !NETWORKS.delete(network.as_str()).run()? {
        return Err(network_not_found().into());
    }
    let args = Between { key: network.as_str(), end: &network.end() };
    WIRES.run(&args)?;
    CONTACTS.run(&args)?;
    snapshot::delete_all(&network)?;
    Ok(Response::empty(204))
}
