//! Indexes by what a list or JSON contains.
//!
//! `PostgreSQL` has them (GIN). On `SQLite` those on a list of text are a table beside the
//! collection's, with a row for each text of each document. Triggers keep it, so that it is exact
//! whatever writes to the collection. JSON has no such index there: statements read all of the
//! tenant's documents.

use super::objects::{Command, Declared, Object, ObjectKind};
use crate::manifest::FieldType;
use crate::storage::collection::{Collection, ContainsIndex, physical_name};
use crate::storage::statement::Dialect;

/// An index by what a list or JSON contains. On `SQLite` it is known by the trigger that is made
/// last: where that is, all of it is.
pub(super) fn object(
    collection: &Collection,
    index: &ContainsIndex,
    dialect: Dialect,
) -> Option<Object> {
    let declared = Declared::Index(index.name.clone());
    match dialect {
        Dialect::Postgres => {
            let [with_tenant, without] = gin(collection, index, "CONCURRENTLY ");
            Some(Object {
                kind: ObjectKind::Index,
                name: index.physical_name.clone(),
                declared,
                create: vec![EXTENSION.to_owned(), gin_where_possible(collection, index)],
                create_in_use: vec![
                    Command::Change(vec![EXTENSION.to_owned()]),
                    Command::AloneOr(with_tenant, without),
                ],
                drop: vec![ObjectKind::Index.drop(&index.physical_name, "", dialect)],
            })
        }
        Dialect::Sqlite if index.field_type == FieldType::Texts => {
            let triggers = triggers(collection, index);
            let mut gone: Vec<String> =
                triggers.iter().map(|t| format!("DROP TRIGGER IF EXISTS {}", t.name)).collect();
            gone.push(format!("DROP TABLE IF EXISTS {}", index.physical_name));
            let mut create = vec![side_table(index), fill(collection, index)];
            create.extend(triggers.iter().map(|trigger| trigger.create.clone()));
            let anew = gone.iter().chain(&create).cloned().collect();
            let [_, _, last] = triggers;
            Some(Object {
                kind: ObjectKind::Trigger,
                name: last.name,
                declared,
                create,
                create_in_use: vec![Command::Change(anew)],
                drop: vec![Command::Change(gone)],
            })
        }
        Dialect::Sqlite => None,
    }
}

/// Brings documents into a side table that was made after them.
fn fill(collection: &Collection, index: &ContainsIndex) -> String {
    format!(
        "INSERT OR IGNORE INTO {side} SELECT d.tenant, e.value, d.rid \
         FROM {table} AS d, json_each(d.{column}) AS e",
        side = index.physical_name,
        table = collection.table,
        column = index.column
    )
}

/// What lets a GIN index begin with the tenant. The server may lack it, or not allow it.
const EXTENSION: &str = "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS btree_gin; \
                         EXCEPTION WHEN OTHERS THEN NULL; END $$";

/// Where an integer cannot stand in a GIN index, the tenant is left out: then a value that many
/// tenants have is found with all of theirs, and theirs are left out one by one.
fn gin(collection: &Collection, index: &ContainsIndex, how: &str) -> [String; 2] {
    let class = match index.field_type {
        FieldType::Json => " jsonb_path_ops",
        _ => "",
    };
    let create = format!(
        "CREATE INDEX {how}IF NOT EXISTS {} ON {} USING gin",
        index.physical_name, collection.table
    );
    let column = &index.column;
    [format!("{create} (tenant, {column}{class})"), format!("{create} ({column}{class})")]
}

/// In one statement, for a transaction that an error would end.
fn gin_where_possible(collection: &Collection, index: &ContainsIndex) -> String {
    let [with_tenant, without] = gin(collection, index, "");
    format!("DO $$ BEGIN {with_tenant}; EXCEPTION WHEN undefined_object THEN {without}; END $$")
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
        let name = physical_name(&[&index.physical_name, event]);
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
