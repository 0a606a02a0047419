//! `reactions`: who is fast to type after others have written.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::{Filter, MAX_ROWS};
use crate::name::username;

declare! { STORAGE:
    const REACTIONS: Select<Filter<'_>> = select("reactions", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.mean AS \"avgReactionTime\", t.fast AS \"fastReactionCount\" \
         FROM (SELECT g.user_id AS user_id, g.mean AS mean, g.fast AS fast, \
          row_number() OVER (ORDER BY g.mean, g.user_id) AS place \
          FROM (SELECT user_id, avg(delta_ms) AS mean, \
           count(*) FILTER (WHERE delta_ms < 3000) AS fast FROM event \
           WHERE guild_id = :guild AND type = 'reaction_time' \
           AND created_at >= :since AND created_at < :until AND NOT user_id = ANY(:exclude) \
           GROUP BY user_id) AS g) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn reactions(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, REACTIONS.run(&Filter::of(request, MAX_ROWS)?)?.json))
}
