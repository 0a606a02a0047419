//! Constants as text, each with its exact type on `PostgreSQL`.

use super::Dialect;
use crate::storage::sql::SqlValue;

/// Text in quotes. On `PostgreSQL` a backslash is an escape or not by a setting of the server; in
/// `E'…'` it always is one.
pub(super) fn text(text: &str, dialect: Dialect) -> String {
    let quoted = text.replace('\'', "''");
    match dialect {
        Dialect::Sqlite => format!("'{quoted}'"),
        Dialect::Postgres if text.contains('\\') => {
            format!("(E'{}'::text COLLATE \"C\")", quoted.replace('\\', "\\\\"))
        }
        Dialect::Postgres => format!("('{quoted}'::text COLLATE \"C\")"),
    }
}

pub(super) fn integer(number: i64, dialect: Dialect) -> String {
    typed(&format!("({number})"), "int8", dialect)
}

pub(super) fn number(number: f64, dialect: Dialect) -> String {
    typed(&format!("({number:?})"), "float8", dialect)
}

pub(super) fn boolean(value: bool, dialect: Dialect) -> &'static str {
    match (dialect, value) {
        (Dialect::Postgres, true) => "TRUE",
        (Dialect::Postgres, false) => "FALSE",
        (Dialect::Sqlite, true) => "1",
        (Dialect::Sqlite, false) => "0",
    }
}

pub(super) fn typed(text: &str, postgres_type: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Postgres => format!("{text}::{postgres_type}"),
        Dialect::Sqlite => text.to_owned(),
    }
}

/// A field's value, written as statements write the same literal: a partial index serves those
/// statements only whose condition looks like its own. `None` for a type that has no literal.
pub(in crate::storage) fn constant(value: &SqlValue, dialect: Dialect) -> Option<String> {
    Some(match value {
        SqlValue::Text(value) => text(value, dialect),
        SqlValue::Integer(value) => integer(*value, dialect),
        SqlValue::Number(value) => number(*value, dialect),
        SqlValue::Boolean(value) => boolean(*value, dialect).to_owned(),
        SqlValue::Null
        | SqlValue::Texts(_)
        | SqlValue::Json(_)
        | SqlValue::Bytes(_)
        | SqlValue::List(_) => return None,
    })
}
