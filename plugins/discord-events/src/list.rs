//! `GET /guilds/{guild}/events`: a page of events as they were sent.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, Timestamp, declare};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::event::KINDS;
use crate::period::{self, time};

pub(crate) const ROUTE: Route =
    Route::get("list-events", "/guilds/{guild}/events", "List events.", list).with(|operation| {
        let user = Param::string().describe("Events of this user.");
        let channel = Param::string().describe("Events in this channel.");
        let operation =
            operation.param("type", types()).param("user_id", user).param("channel_id", channel);
        period::params(operation).pages(&LIST)
    });

declare! { STORAGE:
    const LIST: Select<Filter<'_>, Row> =
        select("list", "SELECT _body AS event FROM event WHERE guild_id = :guild")
            .conditions(&[
                "type = ANY(:types)",
                "user_id = :user",
                "channel_id = :channel",
                "created_at >= :since",
                "created_at < :until",
            ])
            .orders(&[("-createdAt", "created_at DESC"), ("createdAt", "created_at")]);
}

#[derive(Deserialize)]
struct Row {
    event: Box<RawValue>,
}

#[derive(Serialize)]
struct Filter<'a> {
    guild: &'a str,
    types: Option<Vec<&'a str>>,
    user: Option<&'a str>,
    channel: Option<&'a str>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The parameter `type`.
pub(crate) fn types() -> Param {
    Param::strings()
        .keyword("items", json!({"type": "string", "enum": KINDS}))
        .describe("Events of any of these types.")
}

fn list(request: &Request) -> Result<Response, Failure> {
    let types: Vec<&str> = request.query_all("type").collect();
    let filter = Filter {
        guild: request.path("guild"),
        types: (!types.is_empty()).then_some(types),
        user: request.query("user_id"),
        channel: request.query("channel_id"),
        since: time(request, "since")?,
        until: time(request, "until")?,
    };
    let mut rows = LIST.page(&filter, &request.page()?)?;
    let found = rows.decode()?;
    let events: Vec<&str> = found.iter().map(|row| row.event.get()).collect();
    rows.json = format!("[{}]", events.join(","));
    Ok(rows.answer())
}
