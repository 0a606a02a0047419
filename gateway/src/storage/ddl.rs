//! The tables of collections with their columns and indexes, as DDL for each database.
//!
//! Which of it is to be run is worked out in `schema_change.rs`. What stands beside a table, such as
//! its indexes, is in `objects.rs`.

mod contains;
pub(super) mod count;
mod objects;
pub(super) mod policy;
mod search;

use super::collection::Collection;
use super::collection_sql::{postgres_type, sqlite_type};
use super::statement::Dialect;
use crate::manifest::FieldType;
pub(super) use objects::{Command, Declared, Object, ObjectKind, objects};

/// A column that a table may have to get later.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// As the database's catalog names it.
    pub(super) physical_type: &'static str,
    /// What stands behind its name when it is made.
    definition: String,
}

/// What the gateway keeps in each row besides what the table began with. A table that was made
/// before a column was thought of gets it with this default.
const OWN_COLUMNS: [(&str, &str); 2] =
    // Under which `schema_version` of the manifest the body was written; see also
    // `Collection::layout`.
    [("schema_version", "NOT NULL DEFAULT 1"), (LAYOUT_COLUMN, "NOT NULL DEFAULT 0")];

/// By which declaration a row was filled.
pub(super) const LAYOUT_COLUMN: &str = "layout";

/// The name of the constraint by which `PostgreSQL` refuses the writes of gateways that go by
/// another declaration of the collection.
pub(super) const LAYOUT_CONSTRAINT: &str = "loggia_layout";

/// The columns that a collection's table has besides those that every one began with.
pub(super) fn columns(collection: &Collection, dialect: Dialect) -> Vec<Column> {
    let own_type = match dialect {
        Dialect::Postgres => "int4",
        Dialect::Sqlite => "INTEGER",
    };
    let own = OWN_COLUMNS.iter().map(|(name, rest)| Column {
        name: (*name).to_owned(),
        physical_type: own_type,
        definition: format!("{own_type} {rest}"),
    });
    let fields = collection.fields.iter().map(|field| {
        let physical_type = match dialect {
            Dialect::Postgres => postgres_type(field.field_type),
            Dialect::Sqlite => sqlite_type(field.field_type),
        };
        // Text compares byte by byte.
        let collate = match (dialect, field.field_type) {
            (Dialect::Postgres, FieldType::Text) => r#" COLLATE "C""#,
            _ => "",
        };
        // A document without words has none; it is not that they are unknown.
        let default =
            if field.field_type == FieldType::Words { " NOT NULL DEFAULT ''" } else { "" };
        let definition = format!("{physical_type}{collate}{default}");
        Column { name: field.column.clone(), physical_type, definition }
    });
    own.chain(fields).collect()
}

/// The table of a collection.
pub(super) fn create_table(collection: &Collection, dialect: Dialect) -> String {
    let columns: String = columns(collection, dialect)
        .iter()
        .map(|column| format!(", {} {}", column.name, column.definition))
        .collect();
    match dialect {
        Dialect::Postgres => postgres_table(collection, &columns),
        Dialect::Sqlite => sqlite_table(collection, &columns),
    }
}

/// lz4 halves the time to save and to read a large body against the default.
fn postgres_table(collection: &Collection, columns: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (tenant int4 NOT NULL, id text COLLATE \"C\" NOT NULL, \
         version int8 NOT NULL, created_at int8 NOT NULL, updated_at int8 NOT NULL, \
         expires_at int8, body jsonb COMPRESSION lz4 NOT NULL{columns}, PRIMARY KEY (tenant, id), \
         CONSTRAINT {LAYOUT_CONSTRAINT} CHECK (layout = {layout})) WITH (fillfactor = 80)",
        table = collection.table,
        layout = collection.layout
    )
}

/// The row id is spelled out because VACUUM may renumber a hidden one. The body is text: it is
/// read and written as a whole, and JSONB would be made and unmade each time.
fn sqlite_table(collection: &Collection, columns: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (rid INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, \
         id TEXT NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, \
         updated_at INTEGER NOT NULL, expires_at INTEGER, body TEXT NOT NULL{columns}, \
         UNIQUE (tenant, id)) STRICT",
        table = collection.table
    )
}

pub(super) fn add_column(table: &str, column: &Column) -> String {
    format!("ALTER TABLE {table} ADD COLUMN {} {}", column.name, column.definition)
}

pub(super) fn drop_column(table: &str, column: &str) -> String {
    format!("ALTER TABLE {table} DROP COLUMN {column}")
}

pub(super) fn drop_table(table: &str) -> String {
    format!("DROP TABLE IF EXISTS {table}")
}

/// No row counts as filled any more. Quick on `PostgreSQL`, whatever the number of rows; there the
/// fence goes with the column, and before it on `SQLite`.
pub(super) fn forget_layouts(collection: &Collection, dialect: Dialect) -> Vec<String> {
    let table = &collection.table;
    let layout = columns(collection, dialect).into_iter().find(|c| c.name == LAYOUT_COLUMN);
    let added = layout.map(|column| add_column(table, &column));
    let dropped = drop_column(table, LAYOUT_COLUMN);
    open_fence(collection, dialect).into_iter().chain([dropped]).chain(added).collect()
}

/// Let those write that go by another declaration: another gateway, or the generation of this one
/// that a reload replaces.
pub(super) fn open_fence(collection: &Collection, dialect: Dialect) -> Vec<String> {
    let table = &collection.table;
    match dialect {
        Dialect::Postgres => {
            vec![format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {LAYOUT_CONSTRAINT}")]
        }
        Dialect::Sqlite => FENCES
            .map(|(_, end)| format!("DROP TRIGGER IF EXISTS {}", fence(collection, end)))
            .into(),
    }
}

/// From now on a write that goes by another declaration fails; rows that are there stay as they
/// are.
pub(super) fn close_fence(collection: &Collection, dialect: Dialect) -> Vec<String> {
    let (table, layout) = (&collection.table, collection.layout);
    let mut statements = open_fence(collection, dialect);
    match dialect {
        Dialect::Postgres => statements.push(format!(
            "ALTER TABLE {table} ADD CONSTRAINT {LAYOUT_CONSTRAINT} CHECK (layout = {layout}) \
             NOT VALID"
        )),
        Dialect::Sqlite => statements.extend(FENCES.map(|(event, end)| {
            let name = fence(collection, end);
            format!(
                "CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN NEW.layout <> {layout} \
                 BEGIN SELECT RAISE(ABORT, '{LAYOUT_CONSTRAINT} {layout}'); END"
            )
        })),
    }
    statements
}

/// What the triggers of a fence on `SQLite` watch, with the ends of their names.
const FENCES: [(&str, &str); 2] = [("INSERT", "i"), ("UPDATE", "u")];

/// The name of a trigger of a fence. `schema_change/state.rs` leaves out what is named so.
fn fence(collection: &Collection, end: &str) -> String {
    format!("{}__{LAYOUT_CONSTRAINT}_{end}", collection.table)
}
