//! `suspicion`: all analytics of a user added up.
//!
//! One statement counts each type of event, adds up what it has counted for each user, and ranks them.

use loggia_plugin_sdk::{Failure, Request, Response, Select, Timestamp, declare};
use serde::Serialize;
use serde_json::{Map, Value};

use super::clients::{self, client_counts, client_drift, had_client};
use super::shifts::{message_drop, typing_spike};
use super::{Filter, MAX_ROWS, two_weeks};
use crate::name::username;
use crate::period::Period;

/// The members of a relation under the names that they have there.
macro_rules! all_of {
    ($relation:literal) => {
        all_of!($relation: user_id typing messages presences old_desktop old_mobile old_web
            new_desktop new_mobile new_web channels multi fast mean roles age)
    };
    ($relation:literal: $first:ident $($name:ident)*) => {
        concat!(
            $relation, ".", stringify!($first), " AS ", stringify!($first),
            $(", ", $relation, ".", stringify!($name), " AS ", stringify!($name)),*
        )
    };
}

/// What is counted of a user, each type of event by itself: so an index serves each. The account's age
/// is that at the latest join, whenever that was. The first SELECT names the columns.
macro_rules! counts {
    () => {
        concat!(
            "SELECT user_id, 0 AS typing, count(*) FILTER (WHERE ", in_period!(), ") AS messages, \
             0 AS presences, ", old_and_new!(), ", 0 AS old_typing, 0 AS new_typing, \
             0 AS old_desktop, 0 AS old_mobile, 0 AS old_web, 0 AS new_desktop, 0 AS new_mobile, \
             0 AS new_web, 0 AS channels, 0 AS multi, 0 AS fast, CAST(NULL AS number) AS mean, \
             0 AS roles, CAST(NULL AS integer) AS age FROM event ", of_type!("message"),
            " UNION ALL \
             SELECT user_id, count(*) FILTER (WHERE ", in_period!(), "), 0, 0, 0, 0, ",
             old_and_new!(), ", 0, 0, 0, 0, 0, 0, \
             count(DISTINCT channel_id) FILTER (WHERE ", in_period!(), "), 0, 0, NULL, 0, NULL \
             FROM event ", of_type!("typing"),
            " UNION ALL \
             SELECT user_id, 0, 0, count(*) FILTER (WHERE ", in_period!(), "), 0, 0, 0, 0, ",
             client_counts!(), ", 0, \
             count(*) FILTER (WHERE second_client IS NOT NULL AND ", in_period!(), "), \
             0, NULL, 0, NULL FROM event ", of_type!("presence"),
            " UNION ALL \
             SELECT user_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
             count(*) FILTER (WHERE delta_ms < 3000 AND ", in_period!(), "), \
             avg(delta_ms) FILTER (WHERE ", in_period!(), "), 0, NULL \
             FROM event ", of_type!("reaction_time"),
            " UNION ALL \
             SELECT user_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, \
             count(*) FILTER (WHERE ", in_period!(), "), NULL \
             FROM event ", of_type!("role_change"),
            " UNION ALL \
             SELECT j.user_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, j.age \
             FROM (SELECT user_id, account_age_days AS age, \
              row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC, id DESC) AS place \
              FROM event WHERE guild_id = :guild AND type = 'join' \
              AND NOT user_id = ANY(:exclude)) AS j WHERE j.place = 1"
        )
    };
}

macro_rules! in_period {
    () => {
        "created_at >= :since AND created_at < :until"
    };
}

macro_rules! of_type {
    ($type:literal) => {
        concat!(
            "WHERE guild_id = :guild AND type = '",
            $type,
            "' AND created_at >= :first \
             AND NOT user_id = ANY(:exclude) GROUP BY user_id"
        )
    };
}

/// How many events there are in the old and in the new week.
macro_rules! old_and_new {
    () => {
        "count(*) FILTER (WHERE created_at >= :old AND created_at < :new) AS old_messages, \
         count(*) FILTER (WHERE created_at >= :new) AS new_messages"
    };
}

declare! { STORAGE:
    const SUSPICION: Select<Query<'_>, Map<String, Value>> = select("suspicion", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.typing AS \"typingCount\", t.messages AS \"messageCount\", t.ghost AS \"ghostScore\", \
         t.lurker AS \"lurkerScore\", t.presences AS \"presenceCount\", \
         t.channels AS \"channelCount\", t.multi AS \"multiClientCount\", \
         t.drift AS \"clientDriftScore\", t.old_desktop AS old_desktop, \
         t.old_mobile AS old_mobile, t.old_web AS old_web, t.new_desktop AS new_desktop, \
         t.new_mobile AS new_mobile, t.new_web AS new_web, \
         t.dropped + t.spiked AS \"behaviorShiftScore\", t.dropped AS \"messageDrop\", \
         t.spiked AS \"typingSpike\", t.mean AS \"avgReactionTime\", \
         t.fast AS \"fastReactionCount\", t.roles AS \"roleChangeCount\", \
         t.role_drift AS \"roleDriftScore\", t.age AS \"accountAgeDays\", \
         t.score AS \"suspicionScore\" \
         FROM (SELECT ", all_of!("r"), ", r.drift AS drift, r.dropped AS dropped, \
          r.spiked AS spiked, r.ghost AS ghost, r.lurker AS lurker, r.role_drift AS role_drift, \
          r.score AS score, row_number() OVER (ORDER BY r.score DESC, r.user_id) AS place \
          FROM (SELECT ", all_of!("s"), ", s.drift AS drift, s.dropped AS dropped, \
           s.spiked AS spiked, s.ghost AS ghost, s.lurker AS lurker, s.role_drift AS role_drift, \
           s.ghost * 2.0 + s.multi * 1.5 + s.channels \
            + CASE WHEN s.age < 14 THEN 3 ELSE 0 END + s.fast * 0.5 \
            + CASE WHEN s.mean < 3000.0 THEN 2 ELSE 0 END + s.lurker * 4 \
            + (s.role_drift * 2 + (s.dropped + s.spiked) * 2 + s.drift * 2) * :last_terms AS score \
           FROM (SELECT ", all_of!("g"), ", ", client_drift!(), " AS drift, ",
            message_drop!(), " AS dropped, ", typing_spike!(), " AS spiked, \
            CASE WHEN g.messages = 0 THEN CAST(g.typing AS number) \
             ELSE CAST(g.typing AS number) / g.messages END AS ghost, \
            CASE WHEN g.typing + g.messages = 0 AND g.presences >= 5 THEN 1 ELSE 0 END AS lurker, \
            CASE WHEN g.roles >= 2 THEN 1 ELSE 0 END AS role_drift, \
            g.old_messages + g.new_messages + g.old_typing + g.new_typing AS recent \
            FROM (SELECT u.user_id AS user_id, sum(u.typing) AS typing, \
             sum(u.messages) AS messages, sum(u.presences) AS presences, \
             sum(u.old_messages) AS old_messages, sum(u.new_messages) AS new_messages, \
             sum(u.old_typing) AS old_typing, sum(u.new_typing) AS new_typing, \
             sum(u.old_desktop) AS old_desktop, sum(u.old_mobile) AS old_mobile, \
             sum(u.old_web) AS old_web, sum(u.new_desktop) AS new_desktop, \
             sum(u.new_mobile) AS new_mobile, sum(u.new_web) AS new_web, \
             sum(u.channels) AS channels, sum(u.multi) AS multi, sum(u.fast) AS fast, \
             max(u.mean) AS mean, sum(u.roles) AS roles, max(u.age) AS age \
             FROM (", counts!(), ") AS u GROUP BY u.user_id) AS g) AS s \
           WHERE s.typing > 0 OR (s.presences > 0 AND s.messages = 0) OR s.multi > 0 \
           OR s.drift = 1 OR s.recent > 0 OR s.mean IS NOT NULL OR s.roles > 0) AS r) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

#[derive(Serialize)]
struct Query<'a> {
    guild: &'a str,
    since: Timestamp,
    until: Timestamp,
    old: Timestamp,
    new: Timestamp,
    /// The earliest time that counts.
    first: Timestamp,
    exclude: Vec<&'a str>,
    limit: i64,
    /// Whether the last three terms count, as a factor.
    last_terms: i64,
}

pub(super) fn suspicion(request: &Request) -> Result<Response, Failure> {
    let Filter { guild, exclude, limit, .. } = Filter::of(request, MAX_ROWS)?;
    let Period { since, until } = Period::or_last_week(request)?;
    let (old, new) = two_weeks(request);
    let last_terms = i64::from(request.query("formula") != Some("original"));
    let first = since.min(old);
    let query = Query { guild, since, until, old, new, first, exclude, limit, last_terms };
    clients::answer(SUSPICION.rows(&query)?)
}
