//! Contacts that were come to, as clients see them.

use std::collections::HashMap;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Response, Select, declare};
use serde::{Deserialize, Serialize};

use super::spread::Spread;
use crate::store::Keys;

/// So many are looked up by one statement.
const MAX_NAMES: usize = 5_000;

declare! { STORAGE:
    const NAMES: Select<Keys<'_>, Named> = select(
        "contact-names",
        "SELECT id AS key, json_extract(_body, '/contact/id') AS id, \
         json_extract(_body, '/contact/groupId') AS \"groupId\" \
         FROM contact WHERE id = ANY(:keys)",
    );
}

/// A contact by the ids that clients know.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(skip_serializing)]
    key: String,
    id: String,
    group_id: String,
}

#[derive(Serialize)]
struct Item {
    #[serde(flatten)]
    contact: Named,
    distance: u32,
}

#[derive(Serialize)]
struct Answer {
    items: Vec<Item>,
    truncated: bool,
}

/// The contacts but the one that the search began with, the nearest first.
pub(super) fn answer(spread: Spread) -> Result<Response, Failure> {
    let keys: Vec<String> = spread.reached.iter().skip(1).map(|(key, _)| key.clone()).collect();
    let mut names = names(&keys)?;
    let reached = spread.reached.into_iter().skip(1);
    let item = |(key, distance): (String, u32)| {
        names.remove(&key).map(|contact| Item { contact, distance })
    };
    let mut items: Vec<Item> = reached.filter_map(item).collect();
    items.sort_by(|a, b| (a.distance, &a.contact.id).cmp(&(b.distance, &b.contact.id)));
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
