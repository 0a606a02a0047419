//! What is unusual in a page of a timeline: items next to each other that are too close in time.

use super::Item;
use crate::event::Kind;

const RAPID: &str = "Rapid activity detected";
const FREQUENT: &str = "Frequent presence changes";
const AFTER_JOINING: &str = "Message shortly after joining";

/// Which of two items next to each other is unusual.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unusual {
    Newer,
    Older,
}

/// Flag the items of a page, which are in the order from the newest to the oldest. An item has the
/// first reason that is found.
pub(super) fn flag(items: &mut [Item]) {
    for place in 1..items.len() {
        let (newer, older) = (&items[place - 1], &items[place]);
        let apart = newer.timestamp.as_millis() - older.timestamp.as_millis();
        let Some((which, reason)) = unusual(newer.kind, older.kind, apart) else { continue };
        let item = match which {
            Unusual::Newer => &mut items[place - 1],
            Unusual::Older => &mut items[place],
        };
        item.is_anomalous = Some(true);
        item.anomaly_reason.get_or_insert(reason);
    }
}

fn unusual(newer: Kind, older: Kind, apart_ms: i64) -> Option<(Unusual, &'static str)> {
    use Kind::{Join, Message, Presence, Typing};
    match (newer, older) {
        (Typing | Message, Typing | Message) if apart_ms < 1_000 => Some((Unusual::Older, RAPID)),
        (Presence, Presence) if apart_ms < 5_000 => Some((Unusual::Older, FREQUENT)),
        (Message, Join) if apart_ms < 10_000 => Some((Unusual::Newer, AFTER_JOINING)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_close_in_time_is_unusual() {
        use Kind::{DeletedMessage, Join, Message, Presence, RoleChange, Typing};
        let rapid = Some((Unusual::Older, RAPID));
        for (newer, older) in
            [(Typing, Typing), (Typing, Message), (Message, Typing), (Message, Message)]
        {
            assert_eq!(unusual(newer, older, 0), rapid);
            assert_eq!(unusual(newer, older, 999), rapid);
            assert_eq!(unusual(newer, older, 1_000), None);
        }
        assert_eq!(unusual(Presence, Presence, 4_999), Some((Unusual::Older, FREQUENT)));
        assert_eq!(unusual(Presence, Presence, 5_000), None);
        assert_eq!(unusual(Message, Join, 9_999), Some((Unusual::Newer, AFTER_JOINING)));
        assert_eq!(unusual(Message, Join, 10_000), None);
        assert_eq!(unusual(Join, Message, 0), None, "the message came before");
        assert_eq!(unusual(Presence, Typing, 0), None);
        assert_eq!(unusual(RoleChange, RoleChange, 0), None);
        assert_eq!(unusual(DeletedMessage, Message, 0), None);
    }
}
