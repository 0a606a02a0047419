//! `GET /networks/{network}:export`: a network as a file.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::{GRAPHML, graphml};
use crate::fault::network_not_found;
use crate::key::Key;
use crate::settings::MAX_NETWORK_BYTES;
use crate::store::network_id;
use crate::view::{Live, network_json};

pub(crate) const ROUTE: Route =
    Route::get("export-network", "/networks/{network}:export", "A network as a file.", export)
        .with(|operation| {
            operation
                .param("network", network_id())
                .param("format", Param::string().one_of(&["json", "graphml"]).default("json"))
                .response_bytes(2 * MAX_NETWORK_BYTES)
                .request_ms(30_000)
        });

fn export(request: &Request) -> Result<Response, Failure> {
    let live = Live::read(&Key::of(request.path("network")))?.ok_or_else(network_not_found)?;
    let (groups, tag) = live.view()?;
    let file = match request.query("format") {
        Some("graphml") => Response::bytes(200, GRAPHML, graphml::write(&live.own, &groups)?)
            .header("content-disposition", "attachment; filename=\"network.graphml\""),
        _ => Response::json(200, network_json(&live.own, &groups)?)
            .header("content-disposition", "attachment; filename=\"network.json\""),
    };
    Ok(file.etag(tag))
}
