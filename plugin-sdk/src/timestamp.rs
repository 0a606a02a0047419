//! Points in time: microseconds inside, RFC 3339 text outside.
//!
//! A guest has no clock. The time to use is [`Request::now`](crate::Request::now).
//!
//! Written by hand because the parser must refuse what RFC 3339 does not know (ISO 8601 has many
//! more forms), and that check is the larger part of a parser. The crate jiff, which the gateway
//! uses, makes a module 280 kB larger.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::storage::TIMESTAMP;

const MICROS_PER_MILLISECOND: i64 = 1_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time, in microseconds since 1970-01-01T00:00:00Z.
///
/// As text, and so in JSON, it is RFC 3339 in UTC with milliseconds. Reading takes any offset and
/// any number of decimals, of which it keeps six; writing cuts to milliseconds.
///
/// ```
/// # use loggia_plugin_sdk::Timestamp;
/// let time: Timestamp = "2024-02-29T13:30:00.25+01:30".parse()?;
/// assert_eq!(time.to_string(), "2024-02-29T12:00:00.250Z");
/// assert_eq!(time.plus_seconds(60).to_string(), "2024-02-29T12:01:00.250Z");
/// # Ok::<(), loggia_plugin_sdk::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time so many microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z; negative before.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time so many milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(MICROS_PER_MILLISECOND))
    }

    /// Whole milliseconds since 1970-01-01T00:00:00Z; negative before.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(MICROS_PER_MILLISECOND)
    }

    /// The time so many milliseconds later, or earlier when negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(MICROS_PER_MILLISECOND)))
    }

    /// The time so many seconds later, or earlier when negative.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }
}

/// A text that is not a time of RFC 3339.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidTimestamp;

impl fmt::Display for InvalidTimestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a time of RFC 3339, such as 2024-02-29T12:00:00.000Z")
    }
}

impl std::error::Error for InvalidTimestamp {}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        parse(text.as_bytes()).map(Self).ok_or(InvalidTimestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let milliseconds = self.0.rem_euclid(MICROS_PER_SECOND) / MICROS_PER_MILLISECOND;
        let (year, month, day) = date_of(seconds.div_euclid(SECONDS_PER_DAY));
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) =
            (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        // As an argument of a statement, it keeps its microseconds.
        serializer.serialize_newtype_struct(TIMESTAMP, &self.0)
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TimestampVisitor)
    }
}

struct TimestampVisitor;

impl Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a time of RFC 3339")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }
}

/// Microseconds of a text such as `2024-02-29T13:30:00.25+01:30`.
fn parse(text: &[u8]) -> Option<i64> {
    let (date_and_time, rest) = text.split_at_checked(19)?;
    let separators = [4, 7, 10, 13, 16].map(|place| date_and_time[place]);
    if !matches!(separators, [b'-', b'-', b'T' | b't', b':', b':']) {
        return None;
    }
    let part = |from, to| number(&date_and_time[from..to]);
    let days = days_since_1970(part(0, 4)?, part(5, 7)?, part(8, 10)?)?;
    let second_of_day = time_of_day(part(11, 13)?, part(14, 16)?, part(17, 19)?)?;
    let (fraction, zone) = fraction(rest)?;
    let seconds = days * SECONDS_PER_DAY + second_of_day - offset_seconds(zone)?;
    Some(seconds * MICROS_PER_SECOND + fraction)
}

/// A number that is written in digits only.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Some(value * 10 + i64::from(digit - b'0')),
        _ => None,
    })
}

/// The second of a day. A leap second counts as the one before it.
fn time_of_day(hour: i64, minute: i64, second: i64) -> Option<i64> {
    let valid = hour < 24 && minute < 60 && second <= 60;
    valid.then(|| hour * 3_600 + minute * 60 + second.min(59))
}

/// The microseconds of an optional fraction, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(decimals) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = decimals.split_at(length);
    let kept = &digits[..length.min(6)];
    let missing_digits = u32::try_from(6 - kept.len()).ok()?;
    (length > 0).then_some((number(kept)? * 10_i64.pow(missing_digits), rest))
}

/// How far a zone such as `Z` or `+01:30` is ahead of UTC.
fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = time_of_day(number(&[*h1, *h2])?, number(&[*m1, *m2])?, 0)?;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
///
/// Counts in eras of 400 years, which all have the same number of days, from 1 March of the year
/// 0, so that the leap day is the last of its year (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month and day of a day counted from 1970-01-01: the inverse of [`days_since_1970`].
fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let time: Timestamp = text.parse().unwrap_or_else(|_| panic!("{text} is refused"));
        assert_eq!(time.to_string(), expected, "{text}");
    }

    #[test]
    fn times_are_read_with_any_offset() {
        check("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
        check("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
        check("2000-02-29t23:59:59.123456789z", "2000-02-29T23:59:59.123Z");
        check("2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00.000Z");
        check("2024-01-01T00:30:00+01:00", "2023-12-31T23:30:00.000Z");
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z");
        check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z");
        check("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn microseconds_are_kept() {
        let time = "2009-02-13T23:31:30.123456Z".parse().map(Timestamp::as_micros);
        assert_eq!(time, Ok(1_234_567_890_123_456));
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_rfc_3339_does_not_know_is_refused() {
        for text in [
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00,5Z",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00+01",
            "2024-01-01T00:00:00Zx",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-00-01T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00+24:00",
            "２024-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -200_000..200_000 {
            let (year, month, date) = date_of(day);
            assert_eq!(days_since_1970(year, month, date), Some(day));
        }
    }
}
