//! `clients`: who was online with more kinds of clients in the last week than in the week before.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};
use serde_json::{Map, Value};

use super::{MAX_ROWS, Weeks};
use crate::name::username;

/// How many presences had each client, in the old and in the new week.
macro_rules! client_counts {
    () => {
        concat!(
            had_client!("old_desktop", "first_client = 'desktop'", old),
            ", ",
            had_client!("old_mobile", "'mobile' IN (first_client, second_client)", old),
            ", ",
            had_client!("old_web", "'web' IN (first_client, second_client, third_client)", old),
            ", ",
            had_client!("new_desktop", "first_client = 'desktop'", new),
            ", ",
            had_client!("new_mobile", "'mobile' IN (first_client, second_client)", new),
            ", ",
            had_client!("new_web", "'web' IN (first_client, second_client, third_client)", new)
        )
    };
}
pub(super) use client_counts;

macro_rules! had_client {
    ($name:literal, $condition:literal, old) => {
        concat!(
            "count(*) FILTER (WHERE ",
            $condition,
            " AND created_at >= :old AND created_at < :new) AS ",
            $name
        )
    };
    ($name:literal, $condition:literal, new) => {
        concat!("count(*) FILTER (WHERE ", $condition, " AND created_at >= :new) AS ", $name)
    };
}
pub(super) use had_client;

/// 1 where the new set of clients of a relation `g` is larger, else 0. A larger one is another one.
macro_rules! client_drift {
    () => {
        "CASE WHEN CASE WHEN g.new_desktop > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.new_mobile > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.new_web > 0 THEN 1 ELSE 0 END \
          > CASE WHEN g.old_desktop > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.old_mobile > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.old_web > 0 THEN 1 ELSE 0 END THEN 1 ELSE 0 END"
    };
}
pub(super) use client_drift;

declare! { STORAGE:
    const CLIENTS: Select<Weeks<'_>, Map<String, Value>> = select("clients", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.drift AS \"clientDriftScore\", t.old_desktop AS old_desktop, \
         t.old_mobile AS old_mobile, t.old_web AS old_web, t.new_desktop AS new_desktop, \
         t.new_mobile AS new_mobile, t.new_web AS new_web FROM (SELECT s.user_id AS user_id, s.drift AS drift, s.old_desktop AS old_desktop, \
          s.old_mobile AS old_mobile, s.old_web AS old_web, s.new_desktop AS new_desktop, \
          s.new_mobile AS new_mobile, s.new_web AS new_web, \
          row_number() OVER (ORDER BY s.user_id) AS place \
          FROM (SELECT g.user_id AS user_id, g.old_desktop AS old_desktop, \
           g.old_mobile AS old_mobile, g.old_web AS old_web, g.new_desktop AS new_desktop, \
           g.new_mobile AS new_mobile, g.new_web AS new_web, ", client_drift!(), " AS drift \
           FROM (SELECT user_id, ", client_counts!(), " FROM event \
            WHERE guild_id = :guild AND type = 'presence' AND created_at >= :old \
            AND NOT user_id = ANY(:exclude) GROUP BY user_id) AS g) AS s \
          WHERE s.drift = 1) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn clients(request: &Request) -> Result<Response, Failure> {
    answer(CLIENTS.rows(&Weeks::of(request, MAX_ROWS)?)?)
}

/// The rows with sets of clients in place of their numbers.
pub(super) fn answer(mut rows: Vec<Map<String, Value>>) -> Result<Response, Failure> {
    for row in &mut rows {
        for (set, week) in [("oldClients", "old"), ("newClients", "new")] {
            let mut had = |client: &&str| {
                let count = row.shift_remove(&format!("{week}_{client}"));
                count.and_then(|count| count.as_u64()).is_some_and(|count| count > 0)
            };
            let clients: Vec<&str> =
                ["desktop", "mobile", "web"].into_iter().filter(|client| had(client)).collect();
            row.insert(set.to_owned(), clients.into());
        }
    }
    Response::serialize(200, &rows)
}
