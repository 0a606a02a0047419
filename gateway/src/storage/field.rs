//! From the JSON text of a member to the typed value of a declared field.

use super::collection::Field;
use super::sql::SqlValue;
use crate::manifest::FieldType;

/// Unless it is declared to take more, a text field may stand in an index, and a B-tree row of `PostgreSQL` holds 2,704 bytes.
pub(super) const MAX_TEXT_FIELD_BYTES: usize = 2_048;

/// Why a member cannot be the value of its field.
#[derive(Debug, PartialEq)]
pub(super) struct FieldFault {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// The value of a field from a member's text; an absent member and `null` are SQL's NULL.
pub(super) fn value(field: &Field, member: Option<&str>) -> Result<SqlValue, FieldFault> {
    let Some(text) = member.filter(|text| *text != "null") else {
        return Ok(SqlValue::Null);
    };
    let parsed = match field.field_type {
        FieldType::Text => parse(text).map(SqlValue::Text),
        FieldType::Integer => integer(text).map(SqlValue::Integer),
        FieldType::Number => parse(text).map(SqlValue::Number),
        FieldType::Boolean => parse(text).map(SqlValue::Boolean),
        FieldType::Timestamp => {
            parse::<String>(text).and_then(|t| timestamp(&t)).map(SqlValue::Integer)
        }
        FieldType::Texts => parse(text).map(SqlValue::Texts),
        FieldType::Json => Some(SqlValue::Json(text.to_owned())),
        // Of several members, and so not one's value.
        FieldType::Words => None,
    };
    let value = parsed.ok_or_else(|| wrong_type(field))?;
    match &value {
        SqlValue::Text(text) if text.len() > field.max_bytes => Err(too_long(field)),
        _ => Ok(value),
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// JSON has one kind of number: `3.0` and `3e0` are whole.
fn integer(text: &str) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range, as checked before")]
    let whole = |number: f64| {
        const LIMIT: f64 = 9_007_199_254_740_992.0; // 2^53: beyond, a double skips whole numbers.
        (number.fract() == 0.0 && number.abs() <= LIMIT).then_some(number as i64)
    };
    parse(text).or_else(|| parse(text).and_then(whole))
}

/// Microseconds since 1970 of an RFC 3339 time.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    // jiff takes some forms of ISO 8601 besides, such as a blank for the T; RFC 3339's are at
    // least as long as this.
    let shape = text.len() >= 20 && matches!(text.as_bytes()[10], b'T' | b't');
    shape
        .then(|| text.parse::<jiff::Timestamp>().ok())
        .flatten()
        .map(jiff::Timestamp::as_microsecond)
}

/// RFC 3339 in UTC, with milliseconds, or microseconds where there are any.
pub(super) fn format_timestamp(microseconds: i64) -> String {
    let Ok(timestamp) = jiff::Timestamp::from_microsecond(microseconds) else {
        // Out of the range of four-digit years: nothing that was stored as a timestamp.
        return microseconds.to_string();
    };
    if microseconds % 1_000 == 0 { format!("{timestamp:.3}") } else { format!("{timestamp:.6}") }
}

fn wrong_type(field: &Field) -> FieldFault {
    let wanted = match field.field_type {
        FieldType::Text => "a string",
        FieldType::Integer => "a whole number of at most 64 bits",
        FieldType::Number => "a number",
        FieldType::Boolean => "true or false",
        FieldType::Timestamp => "an RFC 3339 time such as \"2026-01-31T12:00:00Z\"",
        FieldType::Texts => "an array of strings",
        FieldType::Json => "JSON",
        FieldType::Words => "absent",
    };
    FieldFault { code: "field-type", detail: format!("the field {} must be {wanted}", field.name) }
}

fn too_long(field: &Field) -> FieldFault {
    FieldFault {
        code: "field-too-long",
        detail: format!("the field {} must be at most {} bytes", field.name, field.max_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(field_type: FieldType) -> Field {
        let (name, column, max_bytes) = ("f".to_owned(), "f__f".to_owned(), MAX_TEXT_FIELD_BYTES);
        Field { name, column, field_type, paths: vec![], max_bytes }
    }

    #[test]
    fn each_type_takes_its_own_members_only() {
        let integer = |text| value(&field(FieldType::Integer), Some(text));
        assert_eq!(integer("3"), Ok(SqlValue::Integer(3)));
        assert_eq!(integer("3.0"), Ok(SqlValue::Integer(3)));
        assert_eq!(integer("9223372036854775807"), Ok(SqlValue::Integer(i64::MAX)));
        assert!(integer("3.5").is_err() && integer("\"3\"").is_err() && integer("1e30").is_err());
        assert_eq!(
            value(&field(FieldType::Text), Some("\"a\"")),
            Ok(SqlValue::Text("a".to_owned()))
        );
        assert!(value(&field(FieldType::Text), Some("1")).is_err());
        assert!(value(&field(FieldType::Texts), Some("[1]")).is_err());
        assert_eq!(value(&field(FieldType::Boolean), Some("null")), Ok(SqlValue::Null));
    }

    #[test]
    fn a_timestamp_is_rfc_3339_and_nothing_else() {
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(timestamp("1970-01-01T01:00:00.001+01:00"), Some(1_000));
        for wrong in ["1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "0"] {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
        assert_eq!(format_timestamp(1_000), "1970-01-01T00:00:00.001Z");
        assert_eq!(format_timestamp(1), "1970-01-01T00:00:00.000001Z");
    }
}
