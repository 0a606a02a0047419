//! `GET /stats`: how many events there are of each guild and type, and from when.

use loggia_plugin_sdk::manifest::Count;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, Timestamp, declare};
use serde::{Deserialize, Serialize};

use crate::event::EVENTS;

pub(crate) const ROUTE: Route =
    Route::get("stats", "/stats", "Numbers of events by guild and type.", stats);

declare! { STORAGE:
    /// The gateway keeps the counts.
    pub(crate) const NUMBERS: Select<(), Numbers> = select(
        "stats",
        "SELECT c.guild_id AS \"guildId\", c.type AS type, c.documents AS count, \
         (SELECT e.created_at FROM event AS e WHERE e.guild_id = c.guild_id AND e.type = c.type \
          ORDER BY e.created_at LIMIT 1) AS oldest, \
         (SELECT e.created_at FROM event AS e WHERE e.guild_id = c.guild_id AND e.type = c.type \
          ORDER BY e.created_at DESC LIMIT 1) AS newest \
         FROM count_events AS c WHERE c.documents > 0",
    )
    .orders(&[("guild", "c.guild_id, c.type")]);
}

/// The events of a type in a guild.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Numbers {
    pub(crate) guild_id: String,
    pub(crate) r#type: String,
    count: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

#[derive(Serialize)]
struct Stats {
    count: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    items: Vec<Numbers>,
}

/// What is counted of events.
pub(crate) fn events() -> Count {
    Count::new("events").collection(EVENTS.name()).by("guild_id").by("type")
}

fn stats(_: &Request) -> Result<Response, Failure> {
    let items = NUMBERS.rows(&())?;
    let stats = Stats {
        count: items.iter().map(|item| item.count).sum(),
        oldest: items.iter().filter_map(|item| item.oldest).min(),
        newest: items.iter().filter_map(|item| item.newest).max(),
        items,
    };
    Response::serialize(200, &stats)
}
