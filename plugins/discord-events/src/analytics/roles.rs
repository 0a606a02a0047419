//! `roles`: whose roles change.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::Filter;
use crate::name::username;

declare! { STORAGE:
    const ROLES: Select<Filter<'_>> = select("roles", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.changes AS \"roleChangeCount\", \
         CASE WHEN t.changes >= 2 THEN 1 ELSE 0 END AS \"roleDriftScore\" \
         FROM (SELECT g.user_id AS user_id, g.changes AS changes, \
          row_number() OVER (ORDER BY g.changes DESC, g.user_id) AS place \
          FROM (SELECT user_id, count(*) AS changes FROM event \
           WHERE guild_id = :guild AND type = 'role_change' \
           AND created_at >= :since AND created_at < :until AND NOT user_id = ANY(:exclude) \
           GROUP BY user_id) AS g) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn roles(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, ROLES.run(&Filter::of(request, 100)?)?.json))
}
