//! `GET /guilds/{guild}/messages`: messages that have all words, the best first.
//!
//! A rank is worked out of each message, so only the newest hits are ranked, and the answer says whether
//! there were more.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Page, Request, Response, Route, Select, Timestamp, declare};
use serde::{Deserialize, Serialize};

use crate::period::{self, Period};

pub(crate) const ROUTE: Route =
    Route::get("search-messages", "/guilds/{guild}/messages", "Find messages by words.", search)
        .with(|operation| {
            let limit = Param::integer().between(1, 1_000).default(50);
            let operation = operation
                .required_param("q", Param::string().describe("All of these words."))
                .param("user_id", Param::string().describe("Messages of this user."))
                .param("channel_id", Param::string().describe("Messages in this channel."))
                .param("limit", limit.describe("How many messages are told at most."));
            period::params(operation)
        });

/// So many hits are ranked.
const RANKED: u32 = 10_000;

/// Which messages are hits, in both statements. Nothing else has words.
const CONDITIONS: &[&str] = &["user_id = :user", "channel_id = :channel"];

declare! { STORAGE:
    /// The times of hits, of which the first that is too much tells where the others begin.
    const TIMES: Select<Query<'_>, Time> = select(
        "hit-times",
        "SELECT created_at AS at FROM event WHERE match(words, :q) AND guild_id = :guild \
         AND created_at >= :since AND created_at < :until",
    )
    .conditions(CONDITIONS)
    .orders(&[("newest", "created_at DESC")]);

    const RANKS: Select<Query<'_>> = select(
        "search",
        "SELECT id, user_id AS \"userId\", username, channel_id AS \"channelId\", channel, \
         message_id AS \"messageId\", created_at AS \"createdAt\", content, \
         highlight(content, :q) AS highlight, rank(words, :q) AS rank \
         FROM event WHERE match(words, :q) AND guild_id = :guild \
         AND created_at >= :since AND created_at < :until",
    )
    .conditions(CONDITIONS)
    .orders(&[("best", "rank DESC, created_at DESC")]);
}

#[derive(Serialize)]
struct Query<'a> {
    q: &'a str,
    guild: &'a str,
    user: Option<&'a str>,
    channel: Option<&'a str>,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Time {
    at: Timestamp,
}

fn search(request: &Request) -> Result<Response, Failure> {
    let Period { since, until } = Period::of(request)?;
    let mut query = Query {
        q: request.query("q").unwrap_or_default(),
        guild: request.path("guild"),
        user: request.query("user_id"),
        channel: request.query("channel_id"),
        since,
        until,
    };
    let beyond = first_beyond(&query)?;
    if let Some(at) = beyond {
        // Those of the same millisecond are left out together.
        query.since = at.plus_millis(1);
    }
    let page = Page { limit: request.query_as("limit")?.unwrap_or(50), ..Page::default() };
    let items = RANKS.page(&query, &page)?.json;
    let more = beyond.is_some();
    Ok(Response::json(200, format!(r#"{{"items":{items},"more_hits":{more}}}"#)))
}

/// The time of the newest hit that is not ranked, where there are so many.
fn first_beyond(query: &Query<'_>) -> Result<Option<Timestamp>, Failure> {
    let page = Page { limit: 1, offset: RANKED, ..Page::default() };
    let rows = TIMES.page(query, &page)?.decode()?;
    Ok(rows.into_iter().next().map(|row| row.at))
}
