//! `GET /networks/{network}`: all of it.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use crate::fault::network_not_found;
use crate::key::Key;
use crate::settings::MAX_NETWORK_BYTES;
use crate::store::network_id;
use crate::view::{Live, network_json};

pub(crate) const ROUTE: Route =
    Route::get("get-network", "/networks/{network}", "A network with all that is in it.", get)
        .with(|operation| {
            operation.param("network", network_id()).response_bytes(2 * MAX_NETWORK_BYTES)
        });

fn get(request: &Request) -> Result<Response, Failure> {
    let live = Live::read(&Key::of(request.path("network")))?.ok_or_else(network_not_found)?;
    let (groups, tag) = live.view()?;
    Ok(Response::json(200, network_json(&live.own, &groups)?).etag(tag))
}
