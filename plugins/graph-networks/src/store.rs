//! How networks are stored: a document for each network, group, contact and wire.
//!
//! A group's document is changed by every change of its contacts and wires, before these: its row is
//! what two changes of one group wait for, and its version is the group's `ETag`. Changes of different
//! groups wait for nothing. See `key.rs` for the ids.

use loggia_plugin_sdk::manifest::{self, FieldType, OnDelete, Param};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Document, Failure, Update, Version, declare};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fault::group_not_found;
use crate::key::Key;

declare! { STORAGE:
    pub(crate) const NETWORKS: Collection =
        collection("network").with(|network| network.field("seen", FieldType::Integer));

    pub(crate) const GROUPS: Collection = collection("group").with(group);

    pub(crate) const CONTACTS: Collection = collection("contact").with(contact);

    pub(crate) const WIRES: Collection = collection("wire").with(wire);

    /// Hold a network's row. `seen` is the version that it had.
    const HOLD: Update<Id<'_>, Held> =
        update("hold", "network").set(&[("seen", "_version")]).filter("id = :id");

    /// Change a group's version, and hold its row.
    const TOUCH: Update<Id<'_>, Held> =
        update("touch", "group").set(&[("seen", "_version")]).filter("id = :id");

    /// The same for several groups.
    const TOUCH_SOME: Update<Keys<'_>, Held> =
        update("touch-some", "group").set(&[("seen", "_version")]).filter("id = ANY(:keys)").order("id");

    /// The same for all groups of a network.
    const TOUCH_ALL: Update<InNetwork<'_>, Held> = update("touch-all", "group")
        .set(&[("seen", "_version")])
        .filter("network = :network")
        .order("id");

    /// The same for the groups whose wires lead to one of these contacts.
    const TOUCH_WIRED: Update<Keys<'_>> = update("touch-wired", "group")
        .set(&[("seen", "_version")])
        .filter("id IN (SELECT w.network || w.group_key FROM wire AS w \
                 WHERE w.source = ANY(:keys) OR w.target = ANY(:keys))")
        .order("id");
}

fn group(group: manifest::Collection) -> manifest::Collection {
    group
        .field("network", FieldType::Text)
        .field("parent", FieldType::Text)
        .field("place", FieldType::Integer)
        .field("bytes", FieldType::Integer)
        .field("seen", FieldType::Integer)
        .field("type", FieldType::Text)
        .field("author", FieldType::Text)
        .field("tags", FieldType::Texts)
        .field("attributes", FieldType::Texts)
        // Filters look through a network's groups, of which there are not too many.
        .index("by_network", &["network"])
        .index("by_parent", &["parent"])
        .reference("network", "network", "network", OnDelete::Cascade)
        .search_index(
            "words",
            &[
                "/group/name",
                "/group/attributes/bassline.description",
                "/group/attributes/description",
            ],
        )
}

fn contact(contact: manifest::Collection) -> manifest::Collection {
    contact
        .field("network", FieldType::Text)
        .field("group_key", FieldType::Text)
        .field("place", FieldType::Integer)
        .field("bytes", FieldType::Integer)
        .field("boundary", FieldType::Text)
        .index("by_group", &["network", "group_key", "place"])
        .index_where(
            "by_boundary",
            &["boundary", "network"],
            json!({"boundary": ["input", "output"]}),
        )
}

fn wire(wire: manifest::Collection) -> manifest::Collection {
    wire.field("network", FieldType::Text)
        .field("group_key", FieldType::Text)
        .field("place", FieldType::Integer)
        .field("bytes", FieldType::Integer)
        .field("source", FieldType::Text)
        .field("target", FieldType::Text)
        .field("directed", FieldType::Boolean)
        .index("by_group", &["network", "group_key", "place"])
        .index("by_source", &["source"])
        .index("by_target", &["target"])
        .reference("source", "source", "contact", OnDelete::Cascade)
        .reference("target", "target", "contact", OnDelete::Cascade)
}

#[derive(Serialize)]
pub(crate) struct Id<'a> {
    pub(crate) id: &'a str,
}

#[derive(Serialize)]
pub(crate) struct InNetwork<'a> {
    pub(crate) network: &'a str,
}

/// The parts of one group; `group` is the digest of its id.
#[derive(Serialize)]
pub(crate) struct InGroup<'a> {
    pub(crate) network: &'a str,
    pub(crate) group: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Keys<'a> {
    pub(crate) keys: &'a [String],
}

/// A document whose row is held.
#[derive(Debug, Deserialize)]
pub(crate) struct Held {
    /// The version that it had.
    pub(crate) seen: Version,
    /// A group's place among those of its network.
    #[serde(default)]
    pub(crate) place: i64,
}

/// Hold a network, and say which version it had, if it is there.
pub(crate) fn hold_network(network: &Key) -> Result<Option<Version>, Error> {
    let held = HOLD.run(&Id { id: network.as_str() })?;
    Ok(held.into_iter().next().map(|document| document.body.seen))
}

/// Hold those of these groups that are there.
pub(crate) fn hold_groups(keys: &[String]) -> Result<Vec<Document<Held>>, Error> {
    match keys {
        // PostgreSQL keeps the plan of this one.
        [id] => TOUCH.run(&Id { id }),
        keys => TOUCH_SOME.run(&Keys { keys }),
    }
}

/// Hold a group that must be there.
pub(crate) fn hold_group(network: &Key, group: &str) -> Result<(), Failure> {
    match hold_groups(&[network.part(group)])?.is_empty() {
        false => Ok(()),
        true => Err(group_not_found().into()),
    }
}

/// Hold all groups of a network, and say which versions they had.
pub(crate) fn hold_all(network: &Key) -> Result<Vec<Version>, Error> {
    let held = TOUCH_ALL.run(&InNetwork { network: network.as_str() })?;
    Ok(held.into_iter().map(|document| document.body.seen).collect())
}

/// Change the versions of the groups that lose wires when these contacts go.
pub(crate) fn touch_wired(contacts: &[String]) -> Result<(), Error> {
    if contacts.is_empty() {
        return Ok(());
    }
    TOUCH_WIRED.run_json(&Keys { keys: contacts }).map(|_| ())
}

pub(crate) fn network_id() -> Param {
    Param::string().describe("The network's id.")
}

pub(crate) fn group_id() -> Param {
    Param::string().describe("The group's id.")
}

pub(crate) fn contact_id() -> Param {
    Param::string().describe("The contact's id.")
}

pub(crate) fn wire_id() -> Param {
    Param::string().describe("The wire's id.")
}
