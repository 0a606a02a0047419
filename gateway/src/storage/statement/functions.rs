//! The functions of statements, and what `SQLite` needs to be taught.
//!
//! `SQLite` lacks some of them. Its backend registers these scalar functions, deterministic and
//! innocuous; each gives NULL when an argument is NULL:
//!
//! | name | arguments | computes |
//! |---|---|---|
//! | `loggia_round` | REAL | the nearest whole number as REAL, of two equally near the even one: [`round`] |
//! | `loggia_floor` | REAL | the greatest whole number not above it, as REAL: [`floor`] |
//! | `loggia_ceil` | REAL | the smallest whole number not below it, as REAL: [`ceil`] |
//! | `loggia_json_contains` | two TEXT holding JSON | 1 where the first contains the second by the rules of `PostgreSQL`'s `@>`, else 0: [`json_contains`] |
//! | `loggia_json_extract` | TEXT holding JSON, a JSON Pointer | TEXT, the value there; NULL where there is none or JSON's null: `json::find` |
//! | `loggia_add`, `_subtract`, `_multiply`, `_divide`, `_remainder` | two INTEGER or two REAL | the result, or an error where it is out of range |
//! | `loggia_json_append` | TEXT holding JSON or NULL, a type, a value | the array with one more element |
//! | `loggia_set_members` | TEXT holding a body, then types, values and pointers | the body with members set |
//! | `loggia_timestamp` | INTEGER, microseconds | TEXT, as a column of that type is shown in a result: `format_timestamp` of `field.rs` |

use serde_json::Value;

/// All functions that a rendered statement calls on `SQLite`, for the authorizer behind this wall.
/// Besides these it reads its tables and `json_each`.
pub const SQLITE_FUNCTIONS: &[&str] = &[
    "->>",
    "abs",
    "coalesce",
    "count",
    "dense_rank",
    "instr",
    "json",
    "json_array_length",
    "json_group_array",
    "json_object",
    "lag",
    "lead",
    "length",
    "loggia_add",
    "loggia_ceil",
    "loggia_divide",
    "loggia_floor",
    "loggia_json_append",
    "loggia_json_contains",
    "loggia_json_extract",
    "loggia_rank",
    "loggia_multiply",
    "loggia_remainder",
    "loggia_round",
    "loggia_set_members",
    "loggia_subtract",
    "loggia_timestamp",
    "loggia_version",
    "lower",
    "max",
    "min",
    "nullif",
    "rank",
    "row_number",
    "sum",
    "upper",
];

/// A function of one row's values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Function {
    Abs,
    ArrayHasAll,
    ArrayHasAny,
    ArrayLength,
    Ceil,
    Coalesce,
    ContainsText,
    Floor,
    JsonAppend,
    JsonContains,
    JsonExtract,
    JsonObject,
    Length,
    Lower,
    NullIf,
    Round,
    StartsWith,
    TimeBucket,
    Upper,
}

/// A function of a group's rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AggregateFunction {
    AverageOfIntegers,
    AverageOfNumbers,
    Count,
    CountDistinct,
    JsonArray,
    Max,
    Min,
    SumOfIntegers,
    SumOfNumbers,
}

/// A function of a row and its neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WindowFunction {
    Aggregate(AggregateFunction),
    DenseRank,
    /// How many rows back.
    Lag(u16),
    /// How many rows ahead.
    Lead(u16),
    Rank,
    RowNumber,
}

/// The nearest whole number; of two equally near the even one, as `PostgreSQL` rounds doubles.
#[must_use]
pub fn round(number: f64) -> f64 {
    number.round_ties_even()
}

/// The greatest whole number not above this one.
#[must_use]
pub fn floor(number: f64) -> f64 {
    number.floor()
}

/// The smallest whole number not below this one.
#[must_use]
pub fn ceil(number: f64) -> f64 {
    number.ceil()
}

/// Whether JSON contains JSON by the rules of `PostgreSQL`'s `@>`. `None` when either text is
/// not JSON.
#[must_use]
pub fn json_contains(text: &str, part: &str) -> Option<bool> {
    let value: Value = serde_json::from_str(text).ok()?;
    let part: Value = serde_json::from_str(part).ok()?;
    Some(match (&value, &part) {
        // At the top, and only there, an array contains a scalar that is one of its elements.
        (
            Value::Array(elements),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Null,
        ) => elements.iter().any(|element| contains(element, &part)),
        (value, part) => contains(value, part),
    })
}

/// Whether two JSON texts hold equal values: the order of members does not count, nor how a number
/// is written. `None` when either text is not JSON.
#[must_use]
pub fn json_equal(one: &str, other: &str) -> Option<bool> {
    let one: Value = serde_json::from_str(one).ok()?;
    Some(equal(&one, &serde_json::from_str(other).ok()?))
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| equal(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Number(one), Value::Number(other)) => equal_numbers(one, other),
        (one, other) => one == other,
    }
}

/// Each member of an object and each element of an array must be found, at any place of the array.
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(members), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| members.get(name).is_some_and(|value| contains(value, part))),
        (Value::Array(elements), Value::Array(part)) => {
            part.iter().all(|part| elements.iter().any(|element| contains(element, part)))
        }
        (Value::Number(number), Value::Number(part)) => equal_numbers(number, part),
        (value, part) => value == part,
    }
}

/// 1 and 1.0 are the same number.
fn equal_numbers(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::json_contains;

    #[test]
    fn json_contains_as_postgresql_does() {
        for (text, part, expected) in [
            ("{\"a\": 1, \"b\": {\"c\": [1, 2]}}", "{\"b\": {\"c\": [2]}}", true),
            ("{\"a\": 1}", "{}", true),
            ("{\"a\": 1}", "{\"a\": 1.0}", true),
            ("{\"a\": 1}", "{\"a\": null}", false),
            ("{\"a\": [1]}", "{\"a\": 1}", false),
            ("[1, 2, 3]", "[3, 1, 1]", true),
            ("[1, 2, 3]", "3", true),
            ("[[1, 2]]", "[1]", false),
            ("[[1, 2]]", "[[1]]", true),
            ("[{\"a\": 1, \"b\": 2}]", "[{\"b\": 2}]", true),
            ("[null]", "null", true),
            ("\"x\"", "\"x\"", true),
            ("\"x\"", "[\"x\"]", false),
            ("[]", "{}", false),
        ] {
            assert_eq!(json_contains(text, part), Some(expected), "{text} {part}");
        }
        assert_eq!(json_contains("{", "{}"), None);
    }
}
