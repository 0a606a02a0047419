//! `lurkers`: who is there and neither types nor sends.
//!
//! Of each who is there, one look at the user's own events tells whether there is any other; to count
//! the messages of all would take ten times as long.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::{Filter, MAX_ROWS};
use crate::name::username;

declare! { STORAGE:
    const LURKERS: Select<Filter<'_>> = select("lurkers", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         CASE WHEN t.presences >= 5 THEN 1 ELSE 0 END AS \"lurkerScore\", \
         t.presences AS \"presenceCount\" \
         FROM (SELECT g.user_id AS user_id, g.presences AS presences, \
          row_number() OVER (ORDER BY g.presences DESC, g.user_id) AS place \
          FROM (SELECT user_id, count(*) AS presences FROM event \
           WHERE guild_id = :guild AND type = 'presence' AND created_at >= :since \
           AND created_at < :until AND NOT user_id = ANY(:exclude) GROUP BY user_id) AS g \
          WHERE (SELECT e.type FROM event AS e WHERE e.user_id = g.user_id \
           AND e.guild_id = :guild AND e.type IN ('typing', 'message') \
           AND e.created_at >= :since AND e.created_at < :until \
           ORDER BY e.created_at DESC LIMIT 1) IS NULL) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn lurkers(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, LURKERS.run(&Filter::of(request, MAX_ROWS)?)?.json))
}
