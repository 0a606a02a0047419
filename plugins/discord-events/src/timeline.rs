//! `GET /guilds/{guild}/users/{user}/timeline`: what a user has done, the newest first.

mod flags;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Page, Request, Response, Route, Select, Timestamp, declare};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::event::{Event, Kind};
use crate::period::{self, time};

pub(crate) const ROUTE: Route = Route::get(
    "timeline",
    "/guilds/{guild}/users/{user}/timeline",
    "See what a user has done.",
    timeline,
)
.with(|operation| {
    let types = Param::strings().keyword("items", json!({"type": "string", "enum": SHOWN}));
    let search = Param::string().describe("A part of the username, the channel or the content.");
    let limit = Param::integer().between(1, 1_000).default(50);
    let operation = operation
        .param("types", types.describe("Events of any of these types."))
        .param("search", search)
        .param("limit", limit.describe("How many items a page has at most."))
        .param("cursor", Param::string().describe("The next_cursor of the page before."));
    period::params(operation)
});

/// The types of events that it shows.
const SHOWN: [&str; 6] =
    ["presence", "message", "typing", "role_change", "join", "deleted_message"];

declare! { STORAGE:
    const TIMELINE: Select<Filter<'_>, Row> = select(
        "timeline",
        "SELECT _body AS event FROM event WHERE user_id = :user AND guild_id = :guild AND type = ANY(:types)",
    )
    .conditions(&[
        "created_at >= :since",
        "created_at < :until",
        "(contains_text(username, :search) OR contains_text(channel, :search) \
          OR contains_text(content, :search))",
    ])
    .orders(&[("newest", "created_at DESC")]);
}

#[derive(Serialize)]
struct Filter<'a> {
    guild: &'a str,
    user: &'a str,
    types: Vec<&'a str>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    search: Option<&'a str>,
}

#[derive(Deserialize)]
struct Row {
    event: Event,
}

/// An event as the timeline shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    #[serde(rename = "type")]
    kind: Kind,
    user_id: String,
    username: String,
    timestamp: Timestamp,
    /// What the event's type has, beside what the client has added.
    metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_anomalous: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Answer {
    items: Vec<Item>,
    next_cursor: Option<String>,
    #[serde(rename = "hasMore")]
    has_more: bool,
    #[serde(rename = "totalCount")]
    total_count: u64,
}

fn timeline(request: &Request) -> Result<Response, Failure> {
    let mut types: Vec<&str> = request.query_all("types").collect();
    if types.is_empty() {
        types.extend(SHOWN);
    }
    let filter = Filter {
        guild: request.path("guild"),
        user: request.path("user"),
        types,
        since: time(request, "since")?,
        until: time(request, "until")?,
        search: request.query("search"),
    };
    let rows = TIMELINE.page(&filter, &Page { total: true, ..request.page()? })?;
    let found = rows.decode()?.into_iter();
    let mut items = found.map(|row| Item::of(row.event)).collect::<Result<Vec<Item>, Error>>()?;
    flags::flag(&mut items);
    let answer = Answer {
        items,
        has_more: rows.next.is_some(),
        next_cursor: rows.next,
        total_count: rows.total.unwrap_or_default(),
    };
    Response::serialize(200, &answer)
}

impl Item {
    fn of(event: Event) -> Result<Self, Error> {
        let corrupt = |fault: &str| Error::Other(format!("a stored event: {fault}"));
        let (Some(id), Some(kind), Some(created_at)) = (event.id, event.kind, event.created_at)
        else {
            return Err(corrupt("it has no id, no type or no time"));
        };
        let own = json!({
            "clients": event.clients, "messageId": event.message_id,
            "channelId": event.channel_id, "channel": event.channel, "content": event.content,
            "accountAgeDays": event.account_age_days, "addedRoles": event.added_roles,
            "removedRoles": event.removed_roles,
        });
        let mut metadata = event.metadata.unwrap_or_default();
        let own = own.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        metadata.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        Ok(Self {
            id,
            kind,
            user_id: event.user_id.unwrap_or_default(),
            username: event.username.unwrap_or_default(),
            timestamp: created_at.parse().map_err(|_| corrupt("its time cannot be read"))?,
            metadata,
            is_anomalous: None,
            anomaly_reason: None,
        })
    }
}
