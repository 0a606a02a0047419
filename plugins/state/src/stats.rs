//! `GET /stats`: what the gateway has counted with every write.

use loggia_plugin_sdk::manifest::Count;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::{Deserialize, Serialize};

use crate::entry::ENTRIES;

pub(crate) const ROUTE: Route =
    Route::get("stats", "/stats", "Numbers of entries, bytes, puts and deletes.", stats);

declare! { STORAGE:
    const STATS: Select<(), Stats> = select(
        "stats",
        "SELECT documents AS entries, sum_size AS bytes, written AS puts, deleted AS deletes \
         FROM count_entries",
    );
}

/// The bytes are those of the values. Puts and deletes are all since the beginning.
#[derive(Deserialize, Serialize)]
struct Stats {
    entries: u64,
    bytes: u64,
    puts: u64,
    deletes: u64,
}

/// What is counted of entries.
pub(crate) fn entries() -> Count {
    Count::new("entries").collection(ENTRIES.name()).sum("size").sum("_written").sum("_deleted")
}

fn stats(_: &Request) -> Result<Response, Failure> {
    let stats = STATS.first(&())?;
    let stats = stats.ok_or_else(|| Error::Other("the count has no row".to_owned()))?;
    Response::serialize(200, &stats)
}
