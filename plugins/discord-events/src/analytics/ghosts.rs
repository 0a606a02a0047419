//! `ghosts`: who types much and sends little.
//!
//! The messages are counted user by user, where an index has them together: `SQLite` sorts what it
//! groups.

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
           FROM (SELECT k.user_id AS user_id, count(*) AS typing, \
            (SELECT count(*) FROM event AS e WHERE e.user_id = k.user_id \
             AND e.guild_id = :guild AND e.type = 'message' \
             AND e.created_at >= :since AND e.created_at < :until) AS messages FROM event AS k \
            WHERE k.guild_id = :guild AND k.type = 'typing' AND k.created_at >= :since \
            AND k.created_at < :until AND NOT k.user_id = ANY(:exclude) \
            GROUP BY k.user_id) AS g) AS s) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn ghosts(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, GHOSTS.run(&Filter::of(request, 100)?)?.json))
}
