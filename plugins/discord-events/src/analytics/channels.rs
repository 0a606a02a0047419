//! `channels`: who types in many channels.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::Filter;
use crate::name::username;

declare! { STORAGE:
    const CHANNELS: Select<Filter<'_>> = select("channels", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.channels AS \"channelCount\" \
         FROM (SELECT g.user_id AS user_id, g.channels AS channels, \
          row_number() OVER (ORDER BY g.channels DESC, g.user_id) AS place \
          FROM (SELECT p.user_id AS user_id, count(*) AS channels \
           FROM (SELECT user_id, channel_id FROM event \
            WHERE guild_id = :guild AND type = 'typing' \
            AND created_at >= :since AND created_at < :until AND NOT user_id = ANY(:exclude) \
            GROUP BY user_id, channel_id) AS p \
           GROUP BY p.user_id) AS g) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn channels(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, CHANNELS.run(&Filter::of(request, 100)?)?.json))
}
