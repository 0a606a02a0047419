//! `GET /networks/{network}/reachable`: all contacts that can be come to from one.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::spread::Spread;
use super::{Direction, Walk, reached};
use crate::key::Key;
use crate::store::network_id;

pub(crate) const ROUTE: Route = Route::get(
    "reachable",
    "/networks/{network}/reachable",
    "All contacts that can be come to from one.",
    reachable,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .required_param("from", Param::string().describe("Where to begin."))
        .param("direction", Param::string().one_of(&Direction::NAMES).default("out"))
        .param("limit", Param::integer().between(1, 10_000).default(1_000))
        .request_ms(10_000)
});

fn reachable(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let start = request.query("from").unwrap_or_default();
    let limit: usize = request.query_as("limit")?.unwrap_or(1_000);
    let direction = Direction::of(request.query("direction"));
    let walk = Walk::of(&network)?;
    let spread = Spread::from(&walk, vec![network.part(start)], direction, u32::MAX, limit + 1)?;
    reached::answer(&network, start, &spread)
}
