//! `GET /guilds/{guild}/activity`: how many events there are in each hour, or another length of time.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, Timestamp, declare};
use serde::Serialize;

use crate::event::KINDS;
use crate::list::types;
use crate::period::{self, Period};

pub(crate) const ROUTE: Route =
    Route::get("activity", "/guilds/{guild}/activity", "Count events by time.", activity).with(
        |operation| {
            let widths: Vec<&str> = WIDTHS.iter().map(|(name, _)| *name).collect();
            let bucket = Param::string().one_of(&widths).default("1h");
            let operation = operation
                .param("bucket", bucket.describe("How long the time is that is counted together."))
                .param("type", types());
            period::params(operation).pages(&COUNTS)
        },
    );

/// The lengths of time by their names, in minutes.
const WIDTHS: [(&str, i64); 6] =
    [("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60), ("6h", 360), ("1d", 1_440)];

declare! { STORAGE:
    const COUNTS: Select<Filter<'_>> = select(
        "activity",
        "SELECT t.bucket AS bucket, count(*) AS count FROM \
         (SELECT time_bucket(:width, created_at) AS bucket FROM event \
          WHERE guild_id = :guild AND type = ANY(:types) \
          AND created_at >= :since AND created_at < :until) AS t GROUP BY t.bucket",
    )
    .orders(&[("bucket", "bucket"), ("-bucket", "bucket DESC")]);
}

#[derive(Serialize)]
struct Filter<'a> {
    guild: &'a str,
    types: Vec<&'a str>,
    width: i64,
    since: Timestamp,
    until: Timestamp,
}

fn activity(request: &Request) -> Result<Response, Failure> {
    let bucket = request.query("bucket");
    let width = WIDTHS.iter().find(|(name, _)| Some(*name) == bucket);
    let minutes = width.map_or(60, |(_, minutes)| *minutes);
    let mut types: Vec<&str> = request.query_all("type").collect();
    if types.is_empty() {
        types.extend(KINDS);
    }
    let Period { since, until } = Period::of(request)?;
    let guild = request.path("guild");
    let filter = Filter { guild, types, width: minutes * 60_000_000, since, until };
    Ok(COUNTS.page(&filter, &request.page()?)?.answer())
}
