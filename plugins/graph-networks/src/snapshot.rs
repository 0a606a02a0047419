//! Snapshots: networks as they were at an instant. The gateway makes and keeps them.
//!
//! A snapshot never changes, so its `ETag` is the time at which it was made.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod list;
mod read;
pub(crate) mod restore;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Scope, Select, Timestamp, Version, checkpoint, declare};
use serde::{Deserialize, Serialize};

use crate::fault::snapshot_not_found;
use crate::key::Key;
use crate::store::{Between, InNetwork};

/// A snapshot as clients see it.
macro_rules! columns {
    () => {
        "SELECT id, json_extract(metadata, '/networkId') AS \"networkId\", \
         nullif(label, '') AS label, created_at AS \"createdAt\", bytes AS size \
         FROM checkpoint WHERE subject = :network"
    };
}

declare! { STORAGE:
    const NETWORK: Scope<InNetwork<'_>> = scope("network", "network").filter("id = :network");

    const GROUPS: Scope<InNetwork<'_>> = scope("groups", "group").filter("network = :network");

    const CONTACTS: Scope<Between<'_>> =
        scope("contacts", "contact").filter("id > :key AND id < :end");

    const WIRES: Scope<Between<'_>> = scope("wires", "wire").filter("id > :key AND id < :end");

    const ALL: Select<InNetwork<'_>, Row> =
        select("snapshots", columns!()).orders(&[("-createdAt", "created_at DESC")]);

    const ONE: Select<One<'_>, Row> = select("snapshot", concat!(columns!(), " AND id = :id"));
}

#[derive(Serialize)]
struct One<'a> {
    network: &'a str,
    id: &'a str,
}

/// What the plugin itself needs of a snapshot.
#[derive(Deserialize)]
struct Row {
    id: String,
    #[serde(rename = "createdAt")]
    created_at: Timestamp,
}

/// A snapshot as clients see it, and the version behind its `ETag`.
struct Shown {
    json: String,
    version: Version,
}

/// A snapshot of this network.
fn find(network: &Key, id: &str) -> Result<Shown, Failure> {
    let rows = ONE.run(&One { network: network.as_str(), id })?;
    let row = rows.decode()?.into_iter().next().ok_or_else(snapshot_not_found)?;
    let json = rows.json.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Shown { json, version: row.created_at.as_micros().unsigned_abs() })
}

/// Delete the snapshots of a network.
pub(crate) fn delete_all(network: &Key) -> Result<(), Error> {
    let rows = ALL.rows(&InNetwork { network: network.as_str() })?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    if ids.is_empty() { Ok(()) } else { checkpoint::delete(&ids).map(|_| ()) }
}

fn snapshot_id() -> Param {
    Param::string().describe("The snapshot's id.")
}
