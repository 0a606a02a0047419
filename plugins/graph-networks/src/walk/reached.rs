//! Contacts that were come to, as clients see them.

use std::collections::HashMap;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Response, Select, declare};
use serde::{Deserialize, Serialize};

use super::existing;
use super::spread::Spread;
use crate::key::{Key, plain_id_in};
use crate::store::Keys;
use crate::view::group_ids;

/// So many are looked up by one statement.
const MAX_NAMES: usize = 5_000;

declare! { STORAGE:
    const NAMES: Select<Keys<'_>, Named> = select(
        "contact-names",
        "SELECT id AS key, home, json_extract(_body, '/i') AS id FROM contact WHERE id = ANY(:keys)",
    )
    .unordered()
    .generic_plan();
}

#[derive(Deserialize)]
struct Named {
    key: String,
    home: String,
    /// Where the key does not hold it.
    id: Option<String>,
}

/// A contact by the ids that clients know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    id: &'a str,
    group_id: &'a str,
    distance: u32,
}

#[derive(Serialize)]
struct Answer<'a> {
    items: Vec<Item<'a>>,
    truncated: bool,
}

impl Named {
    fn id(&self) -> &str {
        plain_id_in(&self.key).or(self.id.as_deref()).unwrap_or_default()
    }
}

/// The contacts but the one of this id that the search began with, the nearest first.
pub(super) fn answer(network: &Key, start: &str, spread: &Spread) -> Result<Response, Failure> {
    if spread.reached.len() == 1 {
        // No wire leads anywhere from here; one would show that the contact is there.
        existing(network, start)?;
    }
    let keys: Vec<String> = spread.reached.iter().skip(1).map(|(key, _)| key.clone()).collect();
    let names = names(&keys)?;
    let groups = group_ids(network, names.values().map(|named| named.home.as_str()))?;
    let reached = spread.reached.iter().skip(1);
    let item = |(key, distance): &(String, u32)| {
        let named = names.get(key)?;
        let group_id = groups.get(&named.home)?;
        Some(Item { id: named.id(), group_id, distance: *distance })
    };
    let mut items: Vec<Item<'_>> = reached.filter_map(item).collect();
    items.sort_unstable_by_key(|item| (item.distance, item.id));
    Response::serialize(200, &Answer { items, truncated: spread.truncated })
}

fn names(keys: &[String]) -> Result<HashMap<String, Named>, Error> {
    let mut names = HashMap::with_capacity(keys.len());
    for keys in keys.chunks(MAX_NAMES) {
        let rows = NAMES.rows(&Keys { keys })?;
        names.extend(rows.into_iter().map(|named| (named.key.clone(), named)));
    }
    Ok(names)
}
