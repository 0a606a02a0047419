//! What both databases are spoken to with: SQL text, values bound to it, rows that come back.
//!
//! The store's logic is written once, in terms of these; only the SQL text and the way it is run
//! differ between the backends.

use std::sync::Arc;

/// One statement with the values of its parameters.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// The text; also the key under which a connection keeps it prepared.
    pub(super) sql: Arc<str>,
    /// In the order of `$1…` or `?1…`.
    pub(super) binds: Vec<SqlValue>,
}

/// A value on its way to or from a database. A timestamp is an integer here, and `SQLite` gives
/// a boolean back as an integer and a list of text as JSON: who reads a row knows its types.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SqlValue {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Texts(Vec<String>),
    Json(String),
    Bytes(Vec<u8>),
    /// One value for each document of a batch; only on the way to `PostgreSQL`.
    List(Vec<SqlValue>),
}

impl SqlValue {
    /// The whole number in it, where there is one.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Boolean(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// The text in it, taken out.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Json(text) => Some(text),
            _ => None,
        }
    }
}

/// Rows of one width, one after the other.
#[derive(Debug, Default)]
pub(super) struct SqlRows {
    /// How many values make a row; not 0 when there are values.
    pub(super) width: usize,
    /// All values, row by row.
    pub(super) values: Vec<SqlValue>,
}

impl SqlRows {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// The rows in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &[SqlValue]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The first value of the first row as a whole number.
    pub(super) fn first_integer(&self) -> Option<i64> {
        self.values.first().and_then(SqlValue::integer)
    }
}
