//! In which order jobs are handed out.

use loggia_plugin_sdk::Timestamp;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// A job that has waited so long counts as much as one of the next priority.
const MILLIS_PER_LEVEL: i64 = 300_000;

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    High,
    #[default]
    Medium,
    Low,
}

impl Priority {
    pub(crate) const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    fn weight(self) -> i64 {
        match self {
            Self::High => 3,
            Self::Medium => 2,
            Self::Low => 1,
        }
    }
}

fn queue_weight(queue: &str) -> i64 {
    match queue {
        "live" => 10,
        "batch" => 1,
        _ => 5,
    }
}

/// What a job is worth, without its waiting.
fn weight(queue: &str, priority: Priority) -> i64 {
    queue_weight(queue) * 10 + priority.weight()
}

/// The key that jobs are taken by, least first. All grow older alike, so what a job is worth
/// beside the others never changes, and the key can be stored and indexed.
pub(crate) fn order_key(queue: &str, priority: Priority, since: Timestamp) -> i64 {
    since.as_millis() - MILLIS_PER_LEVEL * weight(queue, priority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{High, Low, Medium};

    #[test]
    fn queues_come_before_priorities() {
        let cases = [
            ("live", High, 103),
            ("live", Low, 101),
            ("default", High, 53),
            ("video", High, 53),
            ("default", Medium, 52),
            ("default", Low, 51),
            ("batch", High, 13),
            ("batch", Low, 11),
        ];
        for (queue, priority, expected) in cases {
            assert_eq!(weight(queue, priority), expected, "{queue} {priority:?}");
        }
    }

    #[test]
    fn five_minutes_of_waiting_are_one_priority() {
        let key = |priority, minutes: i64| {
            order_key("default", priority, Timestamp::from_millis(minutes * 60_000))
        };
        let cases = [
            // Who came first and when the other came: whose turn it is.
            (Low, Medium, 4, false),
            (Low, Medium, 6, true),
            (Low, High, 9, false),
            (Low, High, 11, true),
            (Medium, Medium, 1, true),
        ];
        for (first, second, minutes, first_is_taken) in cases {
            let taken = key(first, 0) < key(second, minutes);
            assert_eq!(taken, first_is_taken, "{first:?}, {second:?} after {minutes} minutes");
        }
    }

    #[test]
    fn nothing_starves() {
        let at = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
        // The least of all against the most of all: 92 levels, which are 460 minutes.
        let least = order_key("batch", Low, at(0));
        assert!(least > order_key("live", High, at(459)));
        assert!(least < order_key("live", High, at(461)));
    }
}
