//! `heatmap`: who types where.
//!
//! There may be as many pairs as users times channels. So they are ranked by their numbers first, and
//! only those that may be told are put in order by names.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::Filter;
use crate::name::username;

declare! { STORAGE:
    const HEATMAP: Select<Filter<'_>> = select("heatmap", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.channel_id AS \"channelId\", \
         (SELECT c.channel FROM event AS c WHERE c.guild_id = :guild \
          AND c.channel_id = t.channel_id AND c.type IN ('typing', 'message', 'deleted_message') \
          ORDER BY c.created_at DESC LIMIT 1) AS channel, t.count AS count \
         FROM (SELECT r.user_id AS user_id, r.channel_id AS channel_id, r.count AS count, \
          row_number() OVER (ORDER BY r.count DESC, r.user_id, r.channel_id) AS place \
          FROM (SELECT g.user_id AS user_id, g.channel_id AS channel_id, g.count AS count, \
           rank() OVER (ORDER BY g.count DESC) AS rank \
           FROM (SELECT user_id, channel_id, count(*) AS count FROM event \
            WHERE guild_id = :guild AND type = 'typing' \
            AND created_at >= :since AND created_at < :until AND NOT user_id = ANY(:exclude) \
            GROUP BY user_id, channel_id) AS g) AS r \
          WHERE r.rank <= :limit) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn heatmap(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, HEATMAP.run(&Filter::of(request, 500)?)?.json))
}
