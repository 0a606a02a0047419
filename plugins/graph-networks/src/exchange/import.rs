//! `POST /networks/{network}:import`: make a network what a file holds.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::{GRAPHML, graphml};
use crate::network::put::Sent;
use crate::settings::{MAX_NETWORK_BYTES, Settings};
use crate::store::network_id;

pub(crate) const ROUTE: Route = Route::post(
    "import-network",
    "/networks/{network}:import",
    "Make a network what a file holds.",
    import,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .body_type("application/json")
        .body_type(GRAPHML)
        .body_bytes(MAX_NETWORK_BYTES)
        .documents_written(1_000_000)
        .request_ms(30_000)
        .transaction_ms(30_000)
});

fn import(request: &Request) -> Result<Response, Failure> {
    let (id, limits) = (request.path("network"), Settings::read()?);
    let is_graphml = request.header("content-type").is_some_and(|name| name.starts_with(GRAPHML));
    let text = request.text()?;
    let read = if is_graphml { graphml::read(text)? } else { text.to_owned() };
    // A file may be of another network.
    Sent::parse_as(&read, id, &limits)?.store(id, &request.conditions(), &limits)
}
