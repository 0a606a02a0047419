//! Times as HTTP's own headers have them (RFC 9110, section 5.6.7).

use loggia_plugin_sdk::Timestamp;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Such as `Thu, 01 Jan 1970 00:00:00 GMT`. What is less than a second is left out.
pub(crate) fn http_date(time: Timestamp) -> String {
    let text = time.to_string();
    let (year, month, day, clock) = (&text[..4], &text[5..7], &text[8..10], &text[11..19]);
    // 1970 began on a Thursday.
    let weekday = time.as_micros().div_euclid(MICROS_PER_DAY).rem_euclid(7);
    let weekday = DAYS[usize::try_from(weekday).expect("a remainder is not negative")];
    let month = MONTHS[month.parse::<usize>().expect("a month is a number") - 1];
    format!("{weekday}, {day} {month} {year} {clock} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_weekday() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("1994-11-06T08:49:37.999Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("2026-11-26T20:00:00Z", "Thu, 26 Nov 2026 20:00:00 GMT"),
            ("2028-02-29T23:59:59Z", "Tue, 29 Feb 2028 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(time.parse().expect("a time")), expected);
        }
    }
}
