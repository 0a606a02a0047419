//! `ghosts`: who types much and sends little.
//!
//! Each type is counted by itself, in a range of an index.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::Filter;
use crate::name::username;

declare! { STORAGE:
    const GHOSTS: Select<Filter<'_>> = select("ghosts", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.typing AS \"typingCount\", t.messages AS \"messageCount\", t.score AS \"ghostScore\" \
         FROM (SELECT s.user_id AS user_id, s.typing AS typing, s.messages AS messages, \
          s.score AS score, row_number() OVER (ORDER BY s.score DESC, s.user_id) AS place \
          FROM (SELECT g.user_id AS user_id, g.typing AS typing, g.messages AS messages, \
           CASE WHEN g.messages = 0 THEN CAST(g.typing AS number) \
           ELSE CAST(g.typing AS number) / g.messages END AS score \
           FROM (SELECT u.user_id AS user_id, sum(u.typing) AS typing, \
            sum(u.messages) AS messages FROM \
            (SELECT user_id, count(*) AS typing, 0 AS messages FROM event \
             WHERE guild_id = :guild AND type = 'typing' AND created_at >= :since \
             AND created_at < :until AND NOT user_id = ANY(:exclude) GROUP BY user_id \
             UNION ALL SELECT user_id, 0, count(*) FROM event \
             WHERE guild_id = :guild AND type = 'message' AND created_at >= :since \
             AND created_at < :until AND NOT user_id = ANY(:exclude) GROUP BY user_id) AS u \
            GROUP BY u.user_id) AS g WHERE g.typing > 0) AS s) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn ghosts(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, GHOSTS.run(&Filter::of(request, 100)?)?.json))
}
