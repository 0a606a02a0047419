//! How long an entry or a lock is there, in seconds.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Expiry, Timestamp};
use serde_json::json;

/// The shortest time: what a timestamp shows.
pub(crate) const MIN_SECONDS: f64 = 0.001;
/// The longest time: a hundred years.
pub(crate) const MAX_SECONDS: f64 = 3_153_600_000.0;

/// What becomes of a written entry: without a time to live it stays, whatever it had before.
pub(crate) fn expiry(now: Timestamp, ttl_seconds: Option<f64>) -> Expiry {
    ttl_seconds.map_or(Expiry::Never, |seconds| Expiry::at(after(now, seconds)))
}

/// So many seconds later, in whole milliseconds: what clients are shown is what is stored.
pub(crate) fn after(now: Timestamp, seconds: f64) -> Timestamp {
    Timestamp::from_millis(now.as_millis()).plus_millis((seconds * 1_000.0).round() as i64)
}

/// The parameter of a query that says it of an entry.
pub(crate) fn param() -> Param {
    Param::number()
        .keyword("minimum", json!(MIN_SECONDS))
        .keyword("maximum", json!(MAX_SECONDS))
        .describe("How long the entry is there. Without it, it stays until it is deleted.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_ends_at_a_whole_millisecond() {
        let now = Timestamp::from_micros(1_999);
        assert_eq!(after(now, MIN_SECONDS), Timestamp::from_micros(2_000));
        assert_eq!(after(now, 1.5), Timestamp::from_micros(1_501_000));
        assert!(after(now, MAX_SECONDS) > now);
    }
}
