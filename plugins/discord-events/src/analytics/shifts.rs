//! `shifts`: who has ceased to send, or begun to type, between the week before the last and the last.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};

use super::Weeks;
use crate::name::username;

/// 1 where a relation `g` has messages in the old week alone, else 0.
macro_rules! message_drop {
    () => {
        "CASE WHEN g.old_messages > 0 AND g.new_messages = 0 THEN 1 ELSE 0 END"
    };
}
pub(super) use message_drop;

/// 1 where a relation `g` has more than twice the typing of the old week, else 0.
macro_rules! typing_spike {
    () => {
        "CASE WHEN g.new_typing > 2 * g.old_typing AND g.old_typing >= 5 THEN 1 ELSE 0 END"
    };
}
pub(super) use typing_spike;

/// The events of a type in the old week, by users. Each type and week is a range of an index.
macro_rules! in_old_week {
    ($type:literal) => {
        concat!(
            "WHERE guild_id = :guild AND type = '",
            $type,
            "' AND created_at >= :old AND created_at < :new AND NOT user_id = ANY(:exclude) \
             GROUP BY user_id"
        )
    };
}

macro_rules! in_new_week {
    ($type:literal) => {
        concat!(
            "WHERE guild_id = :guild AND type = '",
            $type,
            "' AND created_at >= :new AND NOT user_id = ANY(:exclude) GROUP BY user_id"
        )
    };
}

declare! { STORAGE:
    const SHIFTS: Select<Weeks<'_>> = select("shifts", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.dropped + t.spiked AS \"behaviorShiftScore\", \
         t.dropped AS \"messageDrop\", t.spiked AS \"typingSpike\" \
         FROM (SELECT s.user_id AS user_id, s.dropped AS dropped, s.spiked AS spiked, \
          row_number() OVER (ORDER BY s.dropped + s.spiked DESC, s.user_id) AS place \
          FROM (SELECT g.user_id AS user_id, ", message_drop!(), " AS dropped, ",
           typing_spike!(), " AS spiked \
           FROM (SELECT u.user_id AS user_id, sum(u.old_messages) AS old_messages, \
            sum(u.new_messages) AS new_messages, sum(u.old_typing) AS old_typing, \
            sum(u.new_typing) AS new_typing FROM \
            (SELECT user_id, count(*) AS old_messages, 0 AS new_messages, 0 AS old_typing, \
             0 AS new_typing FROM event ", in_old_week!("message"),
            " UNION ALL SELECT user_id, 0, count(*), 0, 0 FROM event ", in_new_week!("message"),
            " UNION ALL SELECT user_id, 0, 0, count(*), 0 FROM event ", in_old_week!("typing"),
            " UNION ALL SELECT user_id, 0, 0, 0, count(*) FROM event ", in_new_week!("typing"),
            ") AS u GROUP BY u.user_id) AS g) AS s) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

pub(super) fn shifts(request: &Request) -> Result<Response, Failure> {
    Ok(Response::json(200, SHIFTS.run(&Weeks::of(request, 200)?)?.json))
}
