//! `GET /networks/{network}/snapshots/{snapshot}:diff`: what is other in another snapshot, or now.
//!
//! A group is the same as long as its own fields are; its contacts and wires are told apart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde::Serialize;
use serde_json::Value;

use super::read::Kept;
use super::{find, snapshot_id};
use crate::fault::network_not_found;
use crate::key::Key;
use crate::store::network_id;
use crate::view::{GroupView, Live, id_of};

pub(crate) const ROUTE: Route = Route::get(
    "diff-snapshot",
    "/networks/{network}/snapshots/{snapshot}:diff",
    "What was added, removed and changed since a snapshot.",
    diff,
)
.with(|operation| {
    let to = Param::string().default("current").describe("Another snapshot, or current.");
    operation
        .param("network", network_id())
        .param("snapshot", snapshot_id())
        .param("to", to)
        .request_ms(30_000)
});

/// Texts by id.
type Parts<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// All parts of a network.
#[derive(Default)]
struct Sides<'a> {
    groups: Parts<'a>,
    contacts: Parts<'a>,
    wires: Parts<'a>,
}

#[derive(Serialize)]
struct Difference {
    added: Ids,
    removed: Ids,
    changed: Ids,
}

/// In their order.
#[derive(Serialize)]
struct Ids {
    groups: Vec<String>,
    contacts: Vec<String>,
    wires: Vec<String>,
}

fn diff(request: &Request) -> Result<Response, Failure> {
    let (network, id) = (Key::of(request.path("network")), request.path("snapshot"));
    find(&network, id)?;
    let before = Kept::read(id)?;
    let before = sides(before.view()?)?;
    match request.query("to").filter(|to| *to != "current") {
        Some(to) => {
            find(&network, to)?;
            let after = Kept::read(to)?;
            answer(&before, &sides(after.view()?)?)
        }
        None => {
            let after = Live::read(&network)?.ok_or_else(network_not_found)?;
            answer(&before, &sides(after.view()?.0)?)
        }
    }
}

fn sides(groups: Vec<GroupView<'_>>) -> Result<Sides<'_>, Error> {
    let mut sides = Sides::default();
    for group in groups {
        sides.groups.insert(id_of(group.own)?, group.own.into());
        for contact in group.contacts {
            sides.contacts.insert(contact.id.into(), contact.json.into());
        }
        for text in group.wires {
            sides.wires.insert(id_of(text)?, text.into());
        }
    }
    Ok(sides)
}

fn answer(before: &Sides<'_>, after: &Sides<'_>) -> Result<Response, Failure> {
    let of = |select: fn(&Parts<'_>, &Parts<'_>) -> Vec<String>| Ids {
        groups: select(&before.groups, &after.groups),
        contacts: select(&before.contacts, &after.contacts),
        wires: select(&before.wires, &after.wires),
    };
    let difference = Difference {
        added: of(|before, after| missing(after, before)),
        removed: of(missing),
        changed: of(changed),
    };
    Response::serialize(200, &difference)
}

/// What is in one and not in the other.
fn missing(one: &Parts<'_>, other: &Parts<'_>) -> Vec<String> {
    one.keys().filter(|id| !other.contains_key(*id)).map(|id| id.to_string()).collect()
}

fn changed(one: &Parts<'_>, other: &Parts<'_>) -> Vec<String> {
    let differs = |(id, text): &(&Cow<'_, str>, &Cow<'_, str>)| {
        other.get(*id).is_some_and(|other| !is_equal(text, other))
    };
    one.iter().filter(differs).map(|(id, _)| id.to_string()).collect()
}

/// Equal JSON is nearly always equal text.
fn is_equal(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || value(one) == value(other)
}
