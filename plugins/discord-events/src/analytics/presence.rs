//! `presence`: who is online with several clients at once.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::Filter;
use crate::name::username;

declare! { STORAGE:
    const PRESENCE: Select<Filter<'_>> = select("presence", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.presences AS \"multiClientCount\" \
         FROM (SELECT g.user_id AS user_id, g.presences AS presences, \
          row_number() OVER (ORDER BY g.presences DESC, g.user_id) AS place \
          FROM (SELECT user_id, count(*) AS presences FROM event \
           WHERE guild_id = :guild AND type = 'presence' AND second_client IS NOT NULL \
           AND created_at >= :since AND created_at < :until AND NOT user_id = ANY(:exclude) \
           GROUP BY user_id) AS g) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn presence(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, PRESENCE.run(&Filter::of(request, 100)?)?.json))
}
