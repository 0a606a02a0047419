//! Checkpoints: copies of all entries, or of those whose keys begin alike, at one instant.
//!
//! The gateway makes and keeps them. A checkpoint never changes, so its `ETag` is the time at which it
//! was made.

pub(crate) mod create;
pub(crate) mod cursor;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod restore;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Failure, Problem, Scope, Select, Timestamp, Version, declare};
use serde::{Deserialize, Serialize};

use crate::prefix::Prefix;

/// A row of [`ONE`] and [`ALL`], as clients see it.
macro_rules! columns {
    () => {
        "SELECT id, created_at, documents AS row_count, bytes AS data_size, \
         nullif(label, '') AS label, metadata FROM checkpoint"
    };
}

declare! { STORAGE:
    const ENTRIES_OF: Scope<Prefix> =
        scope("entries", "entry").conditions(&["hex >= :from", "hex < :to"]);

    const ALL: Select<(), Row> = select("checkpoints", columns!())
        .orders(&[("-created_at", "created_at DESC")]);

    const ONE: Select<Id<'_>, Row> = select("checkpoint", concat!(columns!(), " WHERE id = :id"));

    /// The checkpoints besides a new one, the newest first.
    const OTHERS: Select<Id<'_>, Row> =
        select("other-checkpoints", "SELECT id, created_at FROM checkpoint WHERE id <> :id")
            .orders(&[("-created_at", "created_at DESC")]);

    /// One document, which each writes that has made a checkpoint: so they take turns to count.
    const TURN: Collection<Turn> = collection("turn");
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

/// What the plugin itself needs of a row.
#[derive(Deserialize)]
struct Row {
    id: String,
    created_at: Timestamp,
}

#[derive(Serialize, loggia_plugin_sdk::schemars::JsonSchema)]
#[schemars(crate = "loggia_plugin_sdk::schemars")]
struct Turn {}

/// A checkpoint as clients see it, and the version behind its `ETag`.
struct Shown {
    json: String,
    version: Version,
}

fn find(id: &str) -> Result<Shown, Failure> {
    let rows = ONE.run(&Id { id })?;
    let row = rows.decode()?.into_iter().next().ok_or_else(not_found)?;
    let json = rows.json.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Shown { json, version: row.version() })
}

impl Row {
    fn version(&self) -> Version {
        self.created_at.as_micros().unsigned_abs()
    }
}

fn not_found() -> Problem {
    Problem::not_found("there is no such checkpoint")
}

/// What the gateway says of a checkpoint that is none is what the plugin says of anything.
fn found<T>(result: Result<T, Error>) -> Result<T, Failure> {
    match result {
        Err(Error::Invalid(fault)) if fault.code == "checkpoint-not-found" => {
            Err(not_found().into())
        }
        result => Ok(result?),
    }
}

fn id() -> Param {
    Param::string().describe("The checkpoint's id.")
}
