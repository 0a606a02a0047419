//! Indexes of words.
//!
//! The words stand in a column of the collection's table, so every write carries them. On
//! `PostgreSQL` the column is a `tsvector` with a GIN index. On `SQLite` triggers take them into an
//! FTS5 table, which keeps nothing but its index; it is exact whatever writes to the collection.

use super::objects::{Command, Declared, Object, ObjectKind};
use crate::storage::collection::{Collection, physical_name};
use crate::storage::search::SearchIndex;
use crate::storage::statement::Dialect;

/// An index of words. Its column is one of the collection's fields, which is filled before. On
/// `SQLite` it is known by the trigger that is made last: where that is, all of it is.
pub(super) fn object(collection: &Collection, index: &SearchIndex, dialect: Dialect) -> Object {
    let declared = Declared::Index(index.name.clone());
    if dialect == Dialect::Postgres {
        return Object {
            kind: ObjectKind::Index,
            name: index.physical_name.clone(),
            declared,
            create: vec![gin(collection, index, "")],
            create_in_use: vec![Command::Alone(gin(collection, index, "CONCURRENTLY "))],
            drop: vec![ObjectKind::Index.drop(&index.physical_name, "", dialect)],
        };
    }
    let triggers = triggers(collection, index);
    let mut gone: Vec<String> =
        triggers.iter().map(|t| format!("DROP TRIGGER IF EXISTS {}", t.name)).collect();
    gone.push(format!("DROP TABLE IF EXISTS {}", index.physical_name));
    let mut create = vec![side_table(index), fill(collection, index)];
    create.extend(triggers.iter().map(|trigger| trigger.create.clone()));
    let anew = gone.iter().chain(&create).cloned().collect();
    let [_, _, last] = triggers;
    Object {
        kind: ObjectKind::Trigger,
        name: last.name,
        declared,
        create,
        create_in_use: vec![Command::Change(anew)],
        drop: vec![Command::Change(gone)],
    }
}

fn gin(collection: &Collection, index: &SearchIndex, how: &str) -> String {
    format!(
        "CREATE INDEX {how}IF NOT EXISTS {} ON {} USING gin ({})",
        index.physical_name, collection.table, index.column
    )
}

/// The tokenizer takes whatever is not ASCII for a part of a word. Places of words are not kept: no
/// query asks for words in a row.
fn side_table(index: &SearchIndex) -> String {
    format!(
        "CREATE VIRTUAL TABLE IF NOT EXISTS {} USING fts5(words, content='', \
         contentless_delete=1, tokenize='ascii', detail=none)",
        index.physical_name
    )
}

/// Brings documents into a side table that was made after them.
fn fill(collection: &Collection, index: &SearchIndex) -> String {
    let (side, table, column) = (&index.physical_name, &collection.table, &index.column);
    format!(
        "INSERT INTO {side} (rowid, words) SELECT rid, {column} FROM {table} WHERE {column} <> ''"
    )
}

struct Trigger {
    name: String,
    create: String,
}

fn triggers(collection: &Collection, index: &SearchIndex) -> [Trigger; 3] {
    let (table, column, side) = (&collection.table, &index.column, &index.physical_name);
    let add = format!(
        "INSERT INTO {side} (rowid, words) SELECT new.rid, new.{column} WHERE new.{column} <> '';"
    );
    let remove = format!("DELETE FROM {side} WHERE rowid = old.rid AND old.{column} <> '';");
    let trigger = |event: &str, on: &str, when: &str, run: &str| {
        let name = physical_name(&[side, event]);
        let create = format!(
            "CREATE TRIGGER IF NOT EXISTS {name} AFTER {on} ON {table} WHEN {when} \
             BEGIN {run} END"
        );
        Trigger { name, create }
    };
    [
        trigger("insert", "INSERT", &format!("new.{column} <> ''"), &add),
        trigger("delete", "DELETE", &format!("old.{column} <> ''"), &remove),
        trigger(
            "update",
            &format!("UPDATE OF {column}"),
            &format!("old.{column} <> new.{column}"),
            &format!("{remove} {add}"),
        ),
    ]
}
