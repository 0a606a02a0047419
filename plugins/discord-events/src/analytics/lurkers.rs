//! `lurkers`: who is there and neither types nor sends.

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
          FROM (SELECT u.user_id AS user_id, sum(u.presences) AS presences, \
           sum(u.others) AS others FROM \
           (SELECT user_id, count(*) AS presences, 0 AS others FROM event \
            WHERE guild_id = :guild AND type = 'presence' AND created_at >= :since \
            AND created_at < :until AND NOT user_id = ANY(:exclude) GROUP BY user_id \
            UNION ALL SELECT user_id, 0, count(*) FROM event \
            WHERE guild_id = :guild AND type = 'typing' AND created_at >= :since \
            AND created_at < :until AND NOT user_id = ANY(:exclude) GROUP BY user_id \
            UNION ALL SELECT user_id, 0, count(*) FROM event \
            WHERE guild_id = :guild AND type = 'message' AND created_at >= :since \
            AND created_at < :until AND NOT user_id = ANY(:exclude) GROUP BY user_id) AS u \
           GROUP BY u.user_id) AS g WHERE g.presences > 0 AND g.others = 0) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn lurkers(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, LURKERS.run(&Filter::of(request, MAX_ROWS)?)?.json))
}
