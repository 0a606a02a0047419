//! `GET /guilds/{guild}/users/{user}/suspicion`: the advanced score of one user.
//!
//! What is known of the user is read here; `score/factors.rs` makes factors of it, and
//! `score/verdict.rs` the score and what it means.

mod factors;
mod verdict;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Failure, Page, Problem, Request, Response, Route, Select, Timestamp, declare,
};
use serde::{Deserialize, Serialize};

use crate::name;
use crate::period::{self, Period};

pub(crate) const ROUTE: Route = Route::get(
    "score-user",
    "/guilds/{guild}/users/{user}/suspicion",
    "How suspicious a user is, and why.",
    score,
)
.with(period::params);

/// So many messages and reaction times are looked at.
const LAST: u32 = 100;

declare! { STORAGE:
    const MESSAGES: Select<User<'_>, Message> = select(
        "last-messages",
        "SELECT content, created_at FROM event WHERE user_id = :user AND guild_id = :guild \
         AND type = 'message' AND created_at >= :since AND created_at < :until",
    )
    .orders(&[("newest", "created_at DESC")]);

    const REACTIONS: Select<User<'_>, Reaction> = select(
        "last-reactions",
        "SELECT delta_ms FROM event WHERE user_id = :user AND guild_id = :guild \
         AND type = 'reaction_time' AND created_at >= :since AND created_at < :until",
    )
    .orders(&[("newest", "created_at DESC")]);

    const COUNTS: Select<User<'_>, Counts> = select(
        "counts-of-user",
        "SELECT count(*) FILTER (WHERE type = 'typing') AS typing, \
         count(*) FILTER (WHERE type = 'presence') AS presences, \
         count(*) FILTER (WHERE type = 'presence' AND second_client IS NOT NULL) AS multi_client \
         FROM event WHERE user_id = :user AND guild_id = :guild \
         AND created_at >= :since AND created_at < :until",
    );

    const JOINS: Select<Id<'_>, Join> = select(
        "joins-of-user",
        "SELECT account_age_days FROM event WHERE user_id = :user AND guild_id = :guild \
         AND type = 'join'",
    )
    .orders(&[("newest", "created_at DESC")]);

    const MEAN: Select<Guild<'_>, Mean> = select(
        "mean-reaction",
        "SELECT avg(delta_ms) AS mean FROM event WHERE guild_id = :guild \
         AND type = 'reaction_time' AND created_at >= :since AND created_at < :until",
    );
}

#[derive(Serialize)]
struct User<'a> {
    guild: &'a str,
    user: &'a str,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Serialize)]
struct Guild<'a> {
    guild: &'a str,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Serialize)]
struct Id<'a> {
    guild: &'a str,
    user: &'a str,
}

#[derive(Deserialize)]
struct Message {
    content: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Reaction {
    delta_ms: f64,
}

#[derive(Debug, Default, Deserialize)]
struct Counts {
    typing: u64,
    presences: u64,
    multi_client: u64,
}

#[derive(Deserialize)]
struct Join {
    account_age_days: u64,
}

#[derive(Deserialize)]
struct Mean {
    mean: Option<f64>,
}

/// What is known of a user, the newest first.
#[derive(Debug, Default)]
struct Known {
    /// When messages were sent, and what they say.
    messages: Vec<(Timestamp, String)>,
    reaction_times: Vec<f64>,
    counts: Counts,
    account_age_days: Option<u64>,
    /// The mean reaction time of the guild.
    guild_mean: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    user_id: &'a str,
    username: String,
    #[serde(flatten)]
    verdict: verdict::Verdict,
}

fn score(request: &Request) -> Result<Response, Failure> {
    let (guild, user) = (request.path("guild"), request.path("user"));
    let period = Period::or_last_week(request)?;
    let username = name::of_user(guild, user)?
        .ok_or_else(|| Problem::not_found("nothing is known of this user in this guild"))?;
    let known = Known::read(guild, user, period)?;
    Response::serialize(200, &Answer { user_id: user, username, verdict: known.verdict() })
}

impl Known {
    fn read(guild: &str, user: &str, period: Period) -> Result<Self, Error> {
        let Period { since, until } = period;
        let of_user = User { guild, user, since, until };
        let last = Page { limit: LAST, ..Page::default() };
        let messages = MESSAGES.page(&of_user, &last)?.decode()?.into_iter();
        let reactions = REACTIONS.page(&of_user, &last)?.decode()?.into_iter();
        let join = name::first(&JOINS, &Id { guild, user })?;
        Ok(Self {
            messages: messages.map(|message| (message.created_at, message.content)).collect(),
            reaction_times: reactions.map(|reaction| reaction.delta_ms).collect(),
            counts: COUNTS.first(&of_user)?.unwrap_or_default(),
            account_age_days: join.map(|join| join.account_age_days),
            guild_mean: MEAN.first(&Guild { guild, since, until })?.and_then(|row| row.mean),
        })
    }
}
