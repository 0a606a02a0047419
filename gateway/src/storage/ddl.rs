//! The tables and indexes of a collection, as DDL for each database.

pub(super) mod count;

use super::collection::{Collection, Index};
use super::collection_sql::{postgres_type, sqlite_type};
use super::reference::Reference;
use super::statement::Dialect;
use crate::manifest::{FieldType, OnDelete};

pub(super) mod contains;

/// The statements that make a collection's table and indexes where they do not exist.
pub(super) fn create(collection: &Collection, dialect: Dialect) -> Vec<String> {
    let mut statements = vec![match dialect {
        Dialect::Postgres => postgres_table(collection),
        Dialect::Sqlite => sqlite_table(collection),
    }];
    statements
        .extend(collection.indexes.iter().map(|index| create_index(collection, index, dialect)));
    let contains = collection.contains.iter();
    statements.extend(contains.flat_map(|index| contains::create(collection, index, dialect)));
    if collection.expires {
        // The one index that does not begin with the tenant: the sweeper's.
        statements.push(format!(
            "CREATE INDEX IF NOT EXISTS {index} ON {table} (expires_at) \
             WHERE expires_at IS NOT NULL",
            index = collection.expiry_index,
            table = collection.table
        ));
    }
    if let Some(retention) = &collection.retention {
        // As the index by expiry: the sweeper looks at all tenants together.
        statements.push(format!(
            "CREATE INDEX IF NOT EXISTS {index} ON {table} ({column})",
            index = retention.index,
            table = collection.table,
            column = retention.column
        ));
    }
    statements
}

/// lz4 halves the time to save and to read a large body against the default. Text compares byte by byte.
fn postgres_table(collection: &Collection) -> String {
    let fields: String = collection
        .fields
        .iter()
        .map(|field| {
            let collate = if field.field_type == FieldType::Text { r#" COLLATE "C""# } else { "" };
            format!(", {} {}{collate}", field.column, postgres_type(field.field_type))
        })
        .collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (tenant int4 NOT NULL, id text COLLATE \"C\" NOT NULL, \
         version int8 NOT NULL, created_at int8 NOT NULL, updated_at int8 NOT NULL, \
         expires_at int8, body jsonb COMPRESSION lz4 NOT NULL{fields}, PRIMARY KEY (tenant, id)) \
         WITH (fillfactor = 80)",
        table = collection.table
    )
}

/// The row id is spelled out because VACUUM may renumber a hidden one. The body is text: it is
/// read and written as a whole, and JSONB would be made and unmade each time.
fn sqlite_table(collection: &Collection) -> String {
    let fields: String = collection
        .fields
        .iter()
        .map(|field| format!(", {} {}", field.column, sqlite_type(field.field_type)))
        .collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (rid INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, \
         id TEXT NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, \
         updated_at INTEGER NOT NULL, expires_at INTEGER, body TEXT NOT NULL{fields}, \
         UNIQUE (tenant, id)) STRICT",
        table = collection.table
    )
}

/// NULLs are the smallest on both databases; that is `SQLite`'s order and not `PostgreSQL`'s. The
/// id at the end, in the direction of the last field, lets the index serve a keyset page.
fn create_index(collection: &Collection, index: &Index, dialect: Dialect) -> String {
    let term = |column: &str, descending: bool| match (dialect, descending) {
        (Dialect::Postgres, false) => format!("{column} ASC NULLS FIRST"),
        (Dialect::Postgres, true) => format!("{column} DESC NULLS LAST"),
        (Dialect::Sqlite, false) => column.to_owned(),
        (Dialect::Sqlite, true) => format!("{column} DESC"),
    };
    let mut terms = vec!["tenant".to_owned()];
    terms.extend(index.columns.iter().map(|(column, descending)| term(column, *descending)));
    let last_descends = index.columns.last().is_some_and(|(_, descending)| *descending);
    if !index.unique && index.columns.iter().all(|(column, _)| column != "id") {
        terms.push(term("id", last_descends));
    }
    let only: Vec<String> =
        index.only.iter().map(|one_of| one_of.condition(&one_of.column, dialect)).collect();
    let only =
        if only.is_empty() { only.concat() } else { format!(" WHERE {}", only.join(" AND ")) };
    format!(
        "CREATE {unique}INDEX IF NOT EXISTS {name} ON {table} ({terms}){only}",
        unique = if index.unique { "UNIQUE " } else { "" },
        name = index.physical_name,
        table = collection.table,
        terms = terms.join(", "),
    )
}

/// The statements that make a collection's references hold. All tables must be there already.
pub(super) fn create_references(collection: &Collection, dialect: Dialect) -> Vec<String> {
    let references = collection.references.iter();
    references.flat_map(|reference| create_reference(collection, reference, dialect)).collect()
}

/// With an index on the field: a delete of the other document looks for those that refer to it.
pub(super) fn create_reference(
    collection: &Collection,
    reference: &Reference,
    dialect: Dialect,
) -> Vec<String> {
    let Reference { physical_name: name, column, .. } = reference;
    let table = &collection.table;
    let index = format!("CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant, {column})");
    let mut statements = match dialect {
        Dialect::Postgres => vec![postgres_reference(table, reference)],
        Dialect::Sqlite => sqlite_reference(table, reference),
    };
    let served = |index: &&Index| index.columns.first().is_some_and(|(first, _)| first == column);
    if !collection.indexes.iter().any(|index| served(&index)) {
        statements.insert(0, index);
    }
    statements
}

/// `PostgreSQL` knows no ADD CONSTRAINT IF NOT EXISTS.
fn postgres_reference(table: &str, reference: &Reference) -> String {
    let Reference { physical_name: name, column, table: parent, on_delete, .. } = reference;
    let action = match on_delete {
        OnDelete::Cascade => "CASCADE",
        OnDelete::Restrict => "RESTRICT",
    };
    format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = '{name}' \
         AND conrelid = '{table}'::regclass) THEN \
         ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant, {column}) \
         REFERENCES {parent} (tenant, id) ON DELETE {action}; END IF; END $$"
    )
}

/// What a foreign key would do, as triggers: they can be added to a table that is there.
fn sqlite_reference(table: &str, reference: &Reference) -> Vec<String> {
    let Reference { physical_name: name, column, table: parent, on_delete, .. } = reference;
    let raise = format!("SELECT RAISE(ABORT, 'loggia-reference {name}')");
    let missing = format!(
        "BEGIN {raise} WHERE NOT EXISTS \
         (SELECT 1 FROM {parent} WHERE tenant = NEW.tenant AND id = NEW.{column}); END"
    );
    let of_parent = format!("tenant = OLD.tenant AND {column} = OLD.id");
    let deleted = match on_delete {
        OnDelete::Cascade => format!("BEGIN DELETE FROM {table} WHERE {of_parent}; END"),
        OnDelete::Restrict => {
            format!("BEGIN {raise} WHERE EXISTS (SELECT 1 FROM {table} WHERE {of_parent}); END")
        }
    };
    vec![
        format!(
            "CREATE TRIGGER IF NOT EXISTS {name}_i AFTER INSERT ON {table} \
             WHEN NEW.{column} IS NOT NULL {missing}"
        ),
        format!(
            "CREATE TRIGGER IF NOT EXISTS {name}_u AFTER UPDATE OF {column} ON {table} \
             WHEN NEW.{column} IS NOT NULL AND NEW.{column} IS NOT OLD.{column} {missing}"
        ),
        format!("CREATE TRIGGER IF NOT EXISTS {name}_d AFTER DELETE ON {parent} {deleted}"),
    ]
}
