//! The time that stands in the ids of Discord.

use loggia_plugin_sdk::Timestamp;

use crate::period::DAY_MS;

/// The first second of 2015, in milliseconds.
const EPOCH_MS: i64 = 1_420_070_400_000;

/// When an id was made; none where it is no id of Discord.
pub(super) fn time_of(id: &str) -> Option<Timestamp> {
    let number: u64 = id.parse().ok()?;
    let since_epoch = i64::try_from(number >> 22).ok()?;
    Some(Timestamp::from_millis(EPOCH_MS + since_epoch))
}

/// How many whole days before a time an id was made; 0 where that was later.
pub(super) fn age_in_days(id: &str, at: Timestamp) -> Option<i64> {
    let age = at.as_millis() - time_of(id)?.as_millis();
    Some((age / DAY_MS).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_time() {
        // The example of Discord's own reference.
        let made = time_of("175928847299117063").unwrap();
        assert_eq!(made.to_string(), "2016-04-30T11:18:25.796Z");
        assert_eq!(time_of("0").unwrap().to_string(), "2015-01-01T00:00:00.000Z");
        assert_eq!(time_of("ann"), None);
    }

    #[test]
    fn an_age_has_whole_days() {
        let made = time_of("175928847299117063").unwrap();
        let age = |millis: i64| age_in_days("175928847299117063", made.plus_millis(millis));
        assert_eq!(age(0), Some(0));
        assert_eq!(age(DAY_MS - 1), Some(0));
        assert_eq!(age(DAY_MS), Some(1));
        assert_eq!(age(15 * DAY_MS - 1), Some(14));
        assert_eq!(age(-DAY_MS), Some(0));
        assert_eq!(age_in_days("ann", made), None);
    }
}
