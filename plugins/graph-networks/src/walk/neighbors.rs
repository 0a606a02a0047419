//! `GET /networks/{network}/neighbors`: the contacts within some steps of one.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::spread::Spread;
use super::{Direction, Walk, reached};
use crate::key::Key;
use crate::store::network_id;

pub(crate) const ROUTE: Route = Route::get(
    "neighbors",
    "/networks/{network}/neighbors",
    "The contacts within some steps of one.",
    neighbors,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .required_param("contact", Param::string().describe("Where to begin."))
        .param("depth", Param::integer().between(1, 16).default(1))
        .param("direction", Param::string().one_of(&Direction::NAMES).default("out"))
        .param("limit", Param::integer().between(1, 10_000).default(1_000))
        .request_ms(10_000)
});

fn neighbors(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let start = request.query("contact").unwrap_or_default();
    let depth = request.query_as("depth")?.unwrap_or(1);
    let limit: usize = request.query_as("limit")?.unwrap_or(1_000);
    let direction = Direction::of(request.query("direction"));
    let walk = Walk::of(&network)?;
    // The contact itself is none of its neighbours.
    let spread = Spread::from(&walk, vec![network.part(start)], direction, depth, limit + 1)?;
    reached::answer(&network, start, &spread)
}
