//! Indexes by what a list or JSON contains.
//!
//! `PostgreSQL` has them (GIN). On `SQLite` those on a list of text are a table beside the
//! collection's, with a row for each text of each document. Triggers keep it, so that it is exact
//! whatever writes to the collection. JSON has no such index there: statements read all of the
//! tenant's documents.

use crate::manifest::FieldType;
use crate::storage::collection::{Collection, ContainsIndex, physical_name};
use crate::storage::statement::Dialect;

/// The statements that make an index where it does not exist. Documents that are there already
/// come into it by [`fill`].
pub(in crate::storage) fn create(
    collection: &Collection,
    index: &ContainsIndex,
    dialect: Dialect,
) -> Vec<String> {
    match dialect {
        Dialect::Postgres => vec![EXTENSION.to_owned(), gin(collection, index)],
        Dialect::Sqlite if index.field_type == FieldType::Texts => {
            let mut statements = vec![side_table(index)];
            statements.extend(triggers(collection, index).map(|trigger| trigger.create));
            statements
        }
        Dialect::Sqlite => Vec::new(),
    }
}

#[expect(dead_code, reason = "called when a collection that is there gets another index")]
/// What brings documents into an index that was made after them. `PostgreSQL` does so by itself.
pub(in crate::storage) fn fill(
    collection: &Collection,
    index: &ContainsIndex,
    dialect: Dialect,
) -> Vec<String> {
    if dialect == Dialect::Postgres || index.field_type != FieldType::Texts {
        return Vec::new();
    }
    vec![format!(
        "INSERT OR IGNORE INTO {side} SELECT d.tenant, e.value, d.rid \
         FROM {table} AS d, json_each(d.{column}) AS e",
        side = index.physical_name,
        table = collection.table,
        column = index.column
    )]
}

#[expect(dead_code, reason = "called when a collection that is there loses an index")]
/// The statements that take an index away.
pub(in crate::storage) fn drop(
    collection: &Collection,
    index: &ContainsIndex,
    dialect: Dialect,
) -> Vec<String> {
    match dialect {
        Dialect::Postgres => vec![format!("DROP INDEX IF EXISTS {}", index.physical_name)],
        Dialect::Sqlite if index.field_type == FieldType::Texts => {
            let triggers = triggers(collection, index);
            let mut statements: Vec<String> =
                triggers.map(|trigger| format!("DROP TRIGGER IF EXISTS {}", trigger.name)).into();
            statements.push(format!("DROP TABLE IF EXISTS {}", index.physical_name));
            statements
        }
        Dialect::Sqlite => Vec::new(),
    }
}

/// What lets a GIN index begin with the tenant. The server may lack it, or not allow it.
const EXTENSION: &str = "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS btree_gin; \
                         EXCEPTION WHEN OTHERS THEN NULL; END $$";

/// Where an integer cannot stand in a GIN index, the tenant is left out: then a value that many
/// tenants have is found with all of theirs, and theirs are left out one by one.
fn gin(collection: &Collection, index: &ContainsIndex) -> String {
    let class = match index.field_type {
        FieldType::Json => " jsonb_path_ops",
        _ => "",
    };
    let create = format!(
        "CREATE INDEX IF NOT EXISTS {} ON {} USING gin",
        index.physical_name, collection.table
    );
    let column = &index.column;
    format!(
        "DO $$ BEGIN {create} (tenant, {column}{class}); \
         EXCEPTION WHEN undefined_object THEN {create} ({column}{class}); END $$"
    )
}

fn side_table(index: &ContainsIndex) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (tenant INTEGER NOT NULL, value TEXT NOT NULL, \
         rid INTEGER NOT NULL, PRIMARY KEY (tenant, value, rid)) STRICT, WITHOUT ROWID",
        index.physical_name
    )
}

struct Trigger {
    name: String,
    create: String,
}

fn triggers(collection: &Collection, index: &ContainsIndex) -> [Trigger; 3] {
    let (table, column, side) = (&collection.table, &index.column, &index.physical_name);
    let add = format!(
        "INSERT INTO {side} SELECT DISTINCT new.tenant, value, new.rid FROM json_each(new.{column});"
    );
    let remove = format!(
        "DELETE FROM {side} WHERE tenant = old.tenant AND rid = old.rid \
         AND value IN (SELECT value FROM json_each(old.{column}));"
    );
    let trigger = |event: &str, on: &str, when: &str, run: &str| {
        let name = physical_name(&[table, &index.name, event]);
        let create = format!(
            "CREATE TRIGGER IF NOT EXISTS {name} AFTER {on} ON {table} WHEN {when} \
             BEGIN {run} END"
        );
        Trigger { name, create }
    };
    [
        trigger("insert", "INSERT", &format!("new.{column} IS NOT NULL"), &add),
        trigger("delete", "DELETE", &format!("old.{column} IS NOT NULL"), &remove),
        trigger(
            "update",
            &format!("UPDATE OF {column}"),
            &format!("old.{column} IS NOT new.{column}"),
            &format!("{remove} {add}"),
        ),
    ]
}
