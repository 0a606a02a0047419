//! Values to and from `SQLite`.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::super::sql::{Query, SqlRows, SqlValue};
use crate::json;

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Boolean(value) => ToSqlOutput::from(*value),
            Self::Integer(value) => ToSqlOutput::from(*value),
            Self::Number(value) => ToSqlOutput::from(*value),
            Self::Text(value) | Self::Json(value) => {
                ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes()))
            }
            Self::Texts(values) => ToSqlOutput::from(text_array(values)),
            Self::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Self::List(_) => {
                let error = "a list of values is for PostgreSQL alone";
                return Err(rusqlite::Error::ToSqlConversionFailure(error.into()));
            }
        })
    }
}

/// A list of text is stored and passed as a JSON array.
fn text_array(values: &[String]) -> String {
    let mut array = "[".to_owned();
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            array.push(',');
        }
        json::write_string(&mut array, value);
    }
    array.push(']');
    array
}

/// Run statements up to the first that fails.
pub(super) fn run_all(
    connection: &Connection,
    queries: &[Query],
) -> rusqlite::Result<Vec<SqlRows>> {
    queries.iter().map(|query| run(connection, &query.sql, &query.binds)).collect()
}

/// Run one statement and read all of its rows.
pub(super) fn run(
    connection: &Connection,
    sql: &str,
    binds: &[SqlValue],
) -> rusqlite::Result<SqlRows> {
    let mut statement = connection.prepare_cached(sql)?;
    let width = statement.column_count();
    let mut rows = statement.query(params_from_iter(binds))?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        for column in 0..width {
            values.push(value(row.get_ref(column)?)?);
        }
    }
    Ok(SqlRows { width, values })
}

fn value(value: ValueRef<'_>) -> rusqlite::Result<SqlValue> {
    Ok(match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(number) => SqlValue::Integer(number),
        ValueRef::Real(number) => SqlValue::Number(number),
        ValueRef::Text(text) => SqlValue::Text(std::str::from_utf8(text)?.to_owned()),
        ValueRef::Blob(bytes) => SqlValue::Bytes(bytes.to_owned()),
    })
}
