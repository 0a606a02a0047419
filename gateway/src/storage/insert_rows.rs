//! The SQL that inserts several documents of one collection in one statement, on `SQLite`.
//!
//! Before a statement changes a page it puts the page aside, in case it fails; and when it ends, a
//! full-text table brings the words to their pages. Both cost several times what the rows
//! themselves do, so documents that come together share a statement.

use std::fmt::Write as _;

use super::collection::Collection;
use super::collection_sql::{Bind, Rendered};

/// A statement that inserts a certain number of documents where none exist.
#[derive(Clone, Debug)]
pub(super) struct InsertRows {
    /// How many documents it takes.
    pub(super) documents: usize,
    /// Gives `id, version` of those that it has inserted. The parameters of one document; those of
    /// the next stand behind them.
    pub(super) rendered: Rendered,
}

/// A batch is put together of these; the last one suits any.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// `SQLite` takes no more in a statement.
const MAX_PARAMETERS: usize = 32_766;

impl InsertRows {
    /// The statements of a collection, the largest first.
    pub(super) fn all(collection: &Collection) -> Vec<Self> {
        let mut binds =
            vec![Bind::Tenant, Bind::Id, Bind::CreatedAt, Bind::Now, Bind::ExpiresAt, Bind::Body];
        binds.extend((0..collection.fields.len()).map(Bind::Field));
        let fits = |documents: &usize| *documents == 1 || documents * binds.len() <= MAX_PARAMETERS;
        let insert = |documents: usize| Self {
            documents,
            rendered: Rendered { sql: sql(collection, documents).into(), binds: binds.clone() },
        };
        SIZES.into_iter().filter(fits).map(insert).collect()
    }
}

fn sql(collection: &Collection, documents: usize) -> String {
    let mut columns = "tenant, id, version, created_at, updated_at, expires_at, body".to_owned();
    let mut row = format!("(?, ?, {NEXT_VERSION}, ?, ?, ?, ?");
    for field in &collection.fields {
        let _ = write!(columns, ", {}", field.column);
        row.push_str(", ?");
    }
    for (column, value) in collection.marks() {
        let _ = write!(columns, ", {column}");
        let _ = write!(row, ", {value}");
    }
    row.push(')');
    format!(
        "INSERT INTO {table} AS d ({columns}) VALUES {rows} ON CONFLICT (tenant, id) {otherwise} \
         RETURNING id, version",
        table = collection.table,
        rows = vec![row; documents].join(", "),
        otherwise = otherwise(collection),
    )
}

/// An expired document does not exist, so its row is taken over as a new one.
fn otherwise(collection: &Collection) -> String {
    if !collection.expires {
        return "DO NOTHING".to_owned();
    }
    let fields = collection.fields.iter().fold(collection.set_marks(), |mut text, field| {
        let _ = write!(text, ", {column} = excluded.{column}", column = field.column);
        text
    });
    format!(
        "DO UPDATE SET version = {NEXT_VERSION}, created_at = excluded.created_at, \
         updated_at = excluded.updated_at, expires_at = excluded.expires_at, \
         body = excluded.body{fields} WHERE d.expires_at <= excluded.updated_at"
    )
}

const NEXT_VERSION: &str = "loggia_version()";
