//! `GET /networks/{network}/components`: which contacts are connected, whichever way wires lead.

use std::collections::HashMap;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::{Deserialize, Serialize};

use crate::fault::{limit_exceeded, network_not_found};
use crate::key::{Key, plain_id_in};
use crate::store::{Between, network_id};
use crate::usage::Usage;

/// A request may read 100,000 documents.
const MAX_PARTS: u64 = 90_000;

pub(crate) const ROUTE: Route = Route::get(
    "components",
    "/networks/{network}/components",
    "The connected components, the largest first.",
    components,
)
.with(|operation| {
    let members = Param::boolean().default(false).describe("Whether to list their contacts.");
    operation
        .param("network", network_id())
        .param("members", members)
        .param("limit", Param::integer().between(1, 10_000).default(100))
        .request_ms(10_000)
});

declare! { STORAGE:
    const CONTACTS: Select<Between<'_>, Contact> = select(
        "component-contacts",
        "SELECT id AS key, json_extract(_body, '/i') AS id FROM contact \
         WHERE id > :key AND id < :end",
    );

    const WIRES: Select<Between<'_>, Wire> = select(
        "component-wires",
        "SELECT source, target FROM wire WHERE id > :key AND id < :end",
    );
}

#[derive(Deserialize)]
struct Contact {
    key: String,
    /// Where the key does not hold it.
    id: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    source: String,
    target: String,
}

#[derive(Serialize)]
struct Component {
    size: usize,
    /// The first in the order of ids.
    contact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Answer {
    count: usize,
    items: Vec<Component>,
}

fn components(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let usage = Usage::of(&network)?.ok_or_else(network_not_found)?;
    if usage.contacts() + usage.wires() > MAX_PARTS {
        let detail = format!("the network has more than {MAX_PARTS} contacts and wires");
        return Err(limit_exceeded("max_parts", MAX_PARTS, &detail).into());
    }
    let args = Between { key: network.as_str(), end: &network.end() };
    let mut found = connected(&CONTACTS.rows(&args)?, &WIRES.rows(&args)?);
    found.sort_by(|a, b| (b.len(), &a[0]).cmp(&(a.len(), &b[0])));
    let count = found.len();
    let limit = request.query_as("limit")?.unwrap_or(100);
    let members = request.query("members") == Some("true");
    let component = |contacts: Vec<String>| Component {
        size: contacts.len(),
        contact: contacts[0].clone(),
        contacts: members.then_some(contacts),
    };
    let items = found.into_iter().take(limit).map(component).collect();
    Response::serialize(200, &Answer { count, items })
}

/// The ids of the contacts of each component, in their order.
fn connected(contacts: &[Contact], wires: &[Wire]) -> Vec<Vec<String>> {
    let places: HashMap<&str, usize> =
        contacts.iter().enumerate().map(|(place, contact)| (contact.key.as_str(), place)).collect();
    let mut forest = Forest((0..contacts.len()).collect());
    for Wire { source, target } in wires {
        let ends = places.get(source.as_str()).zip(places.get(target.as_str()));
        if let Some((&source, &target)) = ends {
            forest.join(source, target);
        }
    }
    let mut found: HashMap<usize, Vec<String>> = HashMap::new();
    for (place, contact) in contacts.iter().enumerate() {
        let id = plain_id_in(&contact.key).or(contact.id.as_deref()).unwrap_or_default();
        found.entry(forest.root(place)).or_default().push(id.to_owned());
    }
    let mut found: Vec<Vec<String>> = found.into_values().collect();
    found.iter_mut().for_each(|ids| ids.sort_unstable());
    found
}

/// Disjoint sets: of each place the one above it, and of a root itself.
struct Forest(Vec<usize>);

impl Forest {
    fn root(&mut self, mut place: usize) -> usize {
        while self.0[place] != place {
            // Halving the way keeps all ways short.
            self.0[place] = self.0[self.0[place]];
            place = self.0[place];
        }
        place
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one] = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_connected_through_others() {
        let contacts = ["a", "b", "c e", "d", "e"];
        let key = |id: &str| Key::of("n").part(id);
        let contacts = contacts.map(|id| Contact { key: key(id), id: Some(id.to_owned()) });
        let wires = [("a", "b"), ("c e", "b"), ("d", "d"), ("e", "x")];
        let wires = wires.map(|(from, to)| Wire { source: key(from), target: key(to) });
        let mut found = connected(&contacts, &wires);
        found.sort();
        assert_eq!(found, [vec!["a", "b", "c e"], vec!["d"], vec!["e"]]);
    }
}
