//! `GET /networks/{network}/subgraph`: the groups, contacts and wires around some contacts.

use std::collections::HashSet;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::spread::Spread;
use super::{Direction, MAX_KEYS, Walk, existing};
use crate::cell::ContactRow;
use crate::key::Key;
use crate::settings::MAX_NETWORK_BYTES;
use crate::store::{CONTACTS, GROUPS, Keys, network_id};
use crate::view::{GroupRow, WireRow, assemble, read};

/// So many contacts it can have.
const MAX_CONTACTS: usize = 10_000;

pub(crate) const ROUTE: Route = Route::get(
    "subgraph",
    "/networks/{network}/subgraph",
    "The groups, contacts and wires around some contacts.",
    subgraph,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .required_param("contacts", Param::strings().describe("Where to begin; may be repeated."))
        .param("depth", Param::integer().between(0, 16).default(1))
        .response_bytes(2 * MAX_NETWORK_BYTES)
        .request_ms(10_000)
});

declare! { STORAGE:
    const WIRES_FROM: Select<Keys<'_>> = select(
        "wires-from",
        "SELECT target, home, place, json_extract(_body, '/w') AS wire FROM wire \
         WHERE source = ANY(:keys)",
    )
    .orders(&[("source", "source, id")]);
}

#[derive(Deserialize)]
struct Wire<'a> {
    target: &'a str,
    home: &'a str,
    place: i64,
    #[serde(borrow)]
    wire: &'a RawValue,
}

fn subgraph(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let start = request.query_all("contacts").map(|id| existing(&network, id));
    let start: HashSet<String> = start.collect::<Result<_, _>>()?;
    let mut start: Vec<String> = start.into_iter().collect();
    start.sort_unstable();
    let depth = request.query_as("depth")?.unwrap_or(1);
    let walk = Walk::of(&network)?;
    let spread = Spread::from(&walk, start, Direction::Both, depth, MAX_CONTACTS)?;
    let keys: Vec<String> = spread.reached.into_iter().map(|(key, _)| key).collect();
    let json = around(&network, keys)?;
    Ok(Response::json(200, format!("{{\"groups\":{json},\"truncated\":{}}}", spread.truncated)))
}

/// The groups of contacts with no others, and the wires between them.
fn around(network: &Key, mut keys: Vec<String>) -> Result<String, Error> {
    keys.sort_unstable();
    let contacts: Vec<_> = CONTACTS.get_many_json(&keys)?.into_iter().flatten().collect();
    let contacts = contacts.iter().map(|document| ContactRow::of(&document.id, &document.body));
    let contacts: Vec<ContactRow<'_>> = contacts.collect::<Result<_, _>>()?;
    let pages = keys.chunks(MAX_KEYS).map(|keys| Ok(WIRES_FROM.run(&Keys { keys })?.json));
    let pages: Vec<String> = pages.collect::<Result<_, Error>>()?;
    let mut wires: Vec<WireRow<'_>> = Vec::new();
    for page in &pages {
        let rows: Vec<Wire<'_>> = read(page)?;
        let inside =
            |row: &Wire<'_>| keys.binary_search_by(|key| key.as_str().cmp(row.target)).is_ok();
        wires.extend(rows.into_iter().filter(inside).map(WireRow::from));
    }
    let homes = contacts.iter().map(|row| &row.body.home).chain(wires.iter().map(|row| &row.home));
    let mut groups: Vec<String> = homes.map(|home| network.group_at(home)).collect();
    groups.sort_unstable();
    groups.dedup();
    let groups = GROUPS.get_many_json(&groups)?;
    let groups: Vec<_> = groups.into_iter().flatten().collect();
    let rows = groups.iter().map(|document| GroupRow::of(&document.id, &document.body));
    let views = assemble(rows.collect::<Result<_, _>>()?, contacts, wires)?;
    let mut json = "[".to_owned();
    for (place, view) in views.iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        view.write(&mut json)?;
    }
    json.push(']');
    Ok(json)
}

impl<'a> From<Wire<'a>> for WireRow<'a> {
    fn from(wire: Wire<'a>) -> Self {
        WireRow { home: wire.home.into(), place: wire.place, wire: wire.wire }
    }
}
