//! Values to and from `PostgreSQL`'s binary format.

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::super::sql::{SqlRows, SqlValue};

type ConversionError = Box<dyn std::error::Error + Sync + Send>;

/// jsonb on the wire is this byte and then the text.
const JSONB_FORMAT: u8 = 1;

impl ToSql for SqlValue {
    fn to_sql(&self, postgres_type: &Type, out: &mut BytesMut) -> Result<IsNull, ConversionError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Boolean(value) => value.to_sql(postgres_type, out),
            Self::Integer(value) if *postgres_type == Type::INT4 => {
                i32::try_from(*value)?.to_sql(postgres_type, out)
            }
            Self::Integer(value) => value.to_sql(postgres_type, out),
            Self::Number(value) => value.to_sql(postgres_type, out),
            Self::Text(value) => value.to_sql(postgres_type, out),
            // In a list, where each item is text.
            Self::Texts(value) if *postgres_type == Type::TEXT => {
                array_literal(value).to_sql(postgres_type, out)
            }
            Self::Texts(value) => value.to_sql(postgres_type, out),
            Self::List(values) => values.to_sql(postgres_type, out),
            Self::Bytes(value) => value.to_sql(postgres_type, out),
            Self::Json(value) => {
                out.put_u8(JSONB_FORMAT);
                out.put_slice(value.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(postgres_type: &Type) -> bool {
        // Every parameter has an explicit cast in its statement, made from the same field.
        SUPPORTED.contains(postgres_type)
    }

    to_sql_checked!();
}

const SUPPORTED: [Type; 12] = [
    Type::BOOL,
    Type::INT4,
    Type::INT8,
    Type::FLOAT8,
    Type::TEXT,
    Type::TEXT_ARRAY,
    Type::JSONB,
    Type::BYTEA,
    Type::BOOL_ARRAY,
    Type::INT8_ARRAY,
    Type::FLOAT8_ARRAY,
    Type::JSONB_ARRAY,
];

/// A list of text as `PostgreSQL` writes an array.
fn array_literal(values: &[String]) -> String {
    let mut literal = "{".to_owned();
    for (place, value) in values.iter().enumerate() {
        literal.push_str(if place > 0 { ",\"" } else { "\"" });
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

impl<'a> FromSql<'a> for SqlValue {
    fn from_sql(postgres_type: &Type, raw: &'a [u8]) -> Result<Self, ConversionError> {
        Ok(match *postgres_type {
            Type::BOOL => Self::Boolean(bool::from_sql(postgres_type, raw)?),
            Type::INT4 => Self::Integer(i32::from_sql(postgres_type, raw)?.into()),
            Type::INT8 => Self::Integer(i64::from_sql(postgres_type, raw)?),
            Type::FLOAT8 => Self::Number(f64::from_sql(postgres_type, raw)?),
            Type::TEXT => Self::Text(String::from_sql(postgres_type, raw)?),
            Type::TEXT_ARRAY => Self::Texts(Vec::from_sql(postgres_type, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_owned()),
            Type::JSONB => {
                let text = raw.get(1..).unwrap_or_default();
                Self::Json(std::str::from_utf8(text)?.to_owned())
            }
            _ => return Err(format!("a column of the type {postgres_type} came back").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, ConversionError> {
        Ok(Self::Null)
    }

    fn accepts(postgres_type: &Type) -> bool {
        SUPPORTED.contains(postgres_type)
    }
}

/// The parameters as tokio-postgres wants them.
pub(super) fn as_parameters(binds: &[SqlValue]) -> Vec<&(dyn ToSql + Sync)> {
    binds.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// The same with their types, for a statement whose parameters the server has not told. Each has
/// a cast of its own in the statement, so an integer may be wider here, and NULL of any type.
pub(super) fn as_typed_parameters(binds: &[SqlValue]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    let of = |value: &SqlValue| match value {
        SqlValue::Null | SqlValue::Text(_) => Type::TEXT,
        SqlValue::Boolean(_) => Type::BOOL,
        SqlValue::Integer(_) => Type::INT8,
        SqlValue::Number(_) => Type::FLOAT8,
        // Lists of other types are in the gateway's own statements alone.
        SqlValue::Texts(_) | SqlValue::List(_) => Type::TEXT_ARRAY,
        SqlValue::Json(_) => Type::JSONB,
        SqlValue::Bytes(_) => Type::BYTEA,
    };
    binds.iter().map(|value| (value as &(dyn ToSql + Sync), of(value))).collect()
}

/// All values of all rows.
pub(super) fn collect_rows(rows: Vec<Row>) -> SqlRows {
    let width = rows.first().map_or(0, Row::len);
    let values = rows.iter().flat_map(|row| (0..width).map(|column| row.get(column))).collect();
    SqlRows { width, values }
}
