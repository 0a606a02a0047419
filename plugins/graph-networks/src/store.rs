//! How networks are stored: a document for each network, group, contact and wire. A group's says how
//! many contacts it has, and how many bytes these have as JSON.
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
use crate::part::Home;

declare! { STORAGE:
    pub(crate) const NETWORKS: Collection =
        collection("network").with(|network| network.field("seen", FieldType::Integer));

    pub(crate) const GROUPS: Collection = collection("group").with(group);

    pub(crate) const CONTACTS: Collection = collection("contact").with(contact);

    pub(crate) const WIRES: Collection = collection("wire").with(wire);

    /// Hold a network's row. `seen` is the version that it had.
    const HOLD: Update<Id<'_>, Held> =
        update("hold", "network")
        .set(&[("seen", "_version")])
        .filter("id = :id")
        .generic_plan();

    /// Change a group's version, and hold its row.
    const TOUCH: Update<Id<'_>, Held> =
        update("touch", "group")
        .set(&[("seen", "_version")])
        .filter("id = :id")
        .generic_plan();

    /// The same for several groups.
    const TOUCH_SOME: Update<Keys<'_>, Held> =
        update("touch-some", "group")
        .set(&[("seen", "_version")])
        .filter("id = ANY(:keys)")
        .order("id")
        .generic_plan();

    /// The same for all groups of a network.
    const TOUCH_ALL: Update<InNetwork<'_>, Held> = update("touch-all", "group")
        .set(&[("seen", "_version")])
        .filter("network = :network")
        .order("id");

    /// Say what a group has.
    const FILL: Update<Holds<'_>> = update("fill", "group")
        .set(&[("contacts", ":contacts"), ("contact_bytes", ":bytes"), ("next", ":next")])
        .filter("id = :id")
        .generic_plan();

    /// Change the versions of the groups whose wires lead to one of these contacts.
    const TOUCH_WIRED: Update<Keys<'_>> = update("touch-wired", "group")
        .set(&[("seen", "_version")])
        .filter("id IN (SELECT w.network || w.home FROM wire AS w \
                 WHERE w.source = ANY(:keys) OR w.target = ANY(:keys))")
        .order("id");
}

fn group(group: manifest::Collection) -> manifest::Collection {
    group
        .field("network", FieldType::Text)
        .field("parent", FieldType::Text)
        .field("place", FieldType::Integer)
        .field("bytes", FieldType::Integer)
        .field("contacts", FieldType::Integer)
        .field("contact_bytes", FieldType::Integer)
        .field("next", FieldType::Integer)
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
        .field_at("home", FieldType::Text, &["/g"])
        .field_at("boundary", FieldType::Text, &["/b"])
        .lookup_index("by_home", &["home"])
        .index_where("by_boundary", &["boundary"], json!({"boundary": ["input", "output"]}))
}

fn wire(wire: manifest::Collection) -> manifest::Collection {
    wire.field_at("network", FieldType::Text, &["/n"])
        .field_at("home", FieldType::Text, &["/g"])
        .field_at("place", FieldType::Integer, &["/p"])
        .field_at("bytes", FieldType::Integer, &["/b"])
        .field_at("source", FieldType::Text, &["/s"])
        .field_at("target", FieldType::Text, &["/t"])
        .field_at("directed", FieldType::Boolean, &["/d"])
        .lookup_index("by_home", &["home"])
        // Walks read nothing but these.
        .index("by_source", &["source", "target", "directed"])
        .index("by_target", &["target", "source", "directed"])
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

/// The documents between two ids: a network's, by its key and its end.
#[derive(Serialize)]
pub(crate) struct Between<'a> {
    pub(crate) key: &'a str,
    pub(crate) end: &'a str,
}

/// The contacts or wires of one group.
#[derive(Serialize)]
pub(crate) struct AtHome<'a> {
    pub(crate) home: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Keys<'a> {
    pub(crate) keys: &'a [String],
}

/// What a document says besides its own fields, whose row is held.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Held {
    /// The version that it had.
    #[serde(default)]
    pub(crate) seen: Version,
    /// A group's place among those of its network.
    #[serde(default)]
    pub(crate) place: i64,
    /// How many contacts a group has.
    #[serde(default)]
    pub(crate) contacts: u64,
    /// How many bytes these have.
    #[serde(default)]
    pub(crate) contact_bytes: u64,
    /// The place of its next contact, behind all others.
    #[serde(default)]
    pub(crate) next: i64,
}

/// What a group has after a change of its contacts.
#[derive(Serialize)]
struct Holds<'a> {
    id: &'a str,
    contacts: u64,
    bytes: u64,
    next: i64,
}

/// Hold a network, and say which version it had, if it is there.
pub(crate) fn hold_network(network: &Key) -> Result<Option<Version>, Error> {
    let held = HOLD.run(&Id { id: network.as_str() })?;
    Ok(held.into_iter().next().map(|document| document.body.seen))
}

/// Hold those of these groups that are there.
pub(crate) fn hold_groups(keys: &[String]) -> Result<Vec<Document<Held>>, Error> {
    match keys {
        [id] => TOUCH.run(&Id { id }),
        keys => TOUCH_SOME.run(&Keys { keys }),
    }
}

/// Hold a group that must be there, by the id of its document.
pub(crate) fn hold_group(key: &str) -> Result<Held, Failure> {
    let held = hold_groups(&[key.to_owned()])?.into_iter().next();
    Ok(held.ok_or_else(group_not_found)?.body)
}

/// Say what a group that is held has after a change of its contacts, where that is something else.
pub(crate) fn fill_group(home: &Home<'_>, before: &Held, after: &Held) -> Result<(), Error> {
    let &Held { contacts, contact_bytes: bytes, next, .. } = after;
    if (contacts, bytes, next) == (before.contacts, before.contact_bytes, before.next) {
        return Ok(());
    }
    FILL.run_json(&Holds { id: &home.key, contacts, bytes, next }).map(|_| ())
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
