//! What stands beside the table of a collection: indexes, and what holds references.
//!
//! Whatever a change of the schema is to make and drop must be listed by [`objects`]: an object in
//! the database that has a name of the plugin's and is not listed is dropped.

use super::super::collection::{Collection, Index};
use super::super::reference::Reference;
use super::super::statement::Dialect;
use super::{contains, search};
use crate::manifest::OnDelete;

/// Something that is made and dropped by itself.
#[derive(Clone, Debug)]
pub(in super::super) struct Object {
    pub(in super::super) kind: ObjectKind,
    /// Its name in the database. One with another definition has another name.
    pub(in super::super) name: String,
    /// What it is made for.
    pub(in super::super) declared: Declared,
    /// Makes it in the transaction that makes its table.
    pub(in super::super) create: Vec<String>,
    /// Makes it on a table with documents, beside those who write them.
    pub(in super::super) create_in_use: Vec<Command>,
    /// Makes it gone, where it is there.
    pub(in super::super) drop: Vec<Command>,
}

/// What the databases distinguish.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(in super::super) enum ObjectKind {
    Index,
    /// A foreign key of `PostgreSQL`.
    Constraint,
    Trigger,
}

/// What the manifest says of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Declared {
    Index(String),
    Reference(String),
    /// Nothing: it comes with something else.
    Own,
}

/// A statement, and how it is run.
#[derive(Clone, Debug)]
pub(in super::super) enum Command {
    /// One transaction. It locks the table for a moment.
    Change(Vec<String>),
    /// It must not stand in a transaction.
    Alone(String),
    /// As `Alone`, and the second where the server refuses the first.
    AloneOr(String, String),
}

impl ObjectKind {
    /// As the catalog's queries name it.
    pub(in super::super) fn from_catalog(name: &str) -> Self {
        match name {
            "constraint" => Self::Constraint,
            "trigger" => Self::Trigger,
            _ => Self::Index,
        }
    }

    /// Makes one gone of which nothing is known but its name.
    pub(in super::super) fn drop(self, name: &str, table: &str, dialect: Dialect) -> Command {
        let change = |sql: String| Command::Change(vec![sql]);
        match (self, dialect) {
            (Self::Index, Dialect::Postgres) => {
                Command::Alone(format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            }
            (Self::Index, Dialect::Sqlite) => change(format!("DROP INDEX IF EXISTS {name}")),
            (Self::Constraint, _) => {
                change(format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"))
            }
            (Self::Trigger, Dialect::Postgres) => {
                change(format!("DROP TRIGGER IF EXISTS {name} ON {table}"))
            }
            (Self::Trigger, Dialect::Sqlite) => change(format!("DROP TRIGGER IF EXISTS {name}")),
        }
    }
}

/// All that stands beside a collection's table, in the order in which it is made: indexes first.
pub(in super::super) fn objects(collection: &Collection, dialect: Dialect) -> Vec<Object> {
    let table = &collection.table;
    let mut objects: Vec<Object> =
        collection.indexes.iter().map(|i| declared_index(collection, i, dialect)).collect();
    if dialect == Dialect::Sqlite {
        // The index that was made last is looked at first, and PostgreSQL begins with the first: of
        // two unique values that are taken, both are to name the same.
        objects.reverse();
    }
    objects.extend(
        collection.contains.iter().filter_map(|i| contains::object(collection, i, dialect)),
    );
    objects.extend(collection.searches.iter().map(|i| search::object(collection, i, dialect)));
    // These do not begin with the tenant: the sweeper looks at all tenants together.
    if collection.expires {
        let on = format!("{table} (expires_at) WHERE expires_at IS NOT NULL");
        objects.push(own_index(&collection.expiry_index, &on, dialect));
    }
    if let Some(retention) = &collection.retention {
        objects.push(own_index(
            &retention.index,
            &format!("{table} ({})", retention.column),
            dialect,
        ));
    }
    for (column, name) in &collection.due {
        let on = format!("{table} ({column}, tenant) WHERE {column} IS NOT NULL");
        objects.push(own_index(name, &on, dialect));
    }
    for reference in collection.references.iter().filter(|r| !is_indexed(collection, r)) {
        // A delete of the other document looks for those that refer to it.
        let on = format!("{table} (tenant, {})", reference.column);
        objects.push(own_index(&reference.physical_name, &on, dialect));
    }
    let references = collection.references.iter();
    match dialect {
        Dialect::Postgres => objects.extend(references.map(|r| foreign_key(table, r))),
        // The trigger that was made last fires first, and PostgreSQL begins with the first: of two
        // references that do not hold, both are to name the same.
        Dialect::Sqlite => {
            objects.extend(references.rev().flat_map(|r| reference_triggers(table, r)));
        }
    }
    objects
}

fn is_indexed(collection: &Collection, reference: &Reference) -> bool {
    let serves = |index: &Index| {
        let first = index.columns.first();
        index.only.is_empty() && first.is_some_and(|(first, _)| *first == reference.column)
    };
    collection.indexes.iter().any(serves)
}

fn own_index(name: &str, on: &str, dialect: Dialect) -> Object {
    index(name, Declared::Own, "", on, dialect)
}

fn declared_index(collection: &Collection, declared: &Index, dialect: Dialect) -> Object {
    let unique = if declared.unique { "UNIQUE " } else { "" };
    let only = declared.only.iter().map(|one_of| one_of.condition(&one_of.column, dialect));
    let first = declared.columns.first().filter(|_| declared.sparse);
    let only: Vec<String> =
        only.chain(first.map(|(column, _)| format!("{column} IS NOT NULL"))).collect();
    let only =
        if only.is_empty() { String::new() } else { format!(" WHERE {}", only.join(" AND ")) };
    let on = format!("{} ({}){only}", collection.table, index_terms(declared, dialect));
    let name = Declared::Index(declared.name.clone());
    index(&declared.physical_name, name, unique, &on, dialect)
}

fn index(name: &str, declared: Declared, unique: &str, on: &str, dialect: Dialect) -> Object {
    let make = |how: &str| format!("CREATE {unique}INDEX {how}IF NOT EXISTS {name} ON {on}");
    let create_in_use = match dialect {
        Dialect::Postgres => Command::Alone(make("CONCURRENTLY ")),
        Dialect::Sqlite => Command::Change(vec![make("")]),
    };
    Object {
        kind: ObjectKind::Index,
        name: name.to_owned(),
        declared,
        create: vec![make("")],
        create_in_use: vec![create_in_use],
        drop: vec![ObjectKind::Index.drop(name, "", dialect)],
    }
}

/// NULLs are the smallest on both databases; that is `SQLite`'s order and not `PostgreSQL`'s. The
/// id at the end, in the direction of the last field, lets the index serve a keyset page. Without it
/// `PostgreSQL` keeps equal values once, with a list of their rows.
fn index_terms(index: &Index, dialect: Dialect) -> String {
    let term = |column: &str, descending: bool| match (dialect, descending) {
        (Dialect::Postgres, false) => format!("{column} ASC NULLS FIRST"),
        (Dialect::Postgres, true) => format!("{column} DESC NULLS LAST"),
        (Dialect::Sqlite, false) => column.to_owned(),
        (Dialect::Sqlite, true) => format!("{column} DESC"),
    };
    let mut terms = vec!["tenant".to_owned()];
    terms.extend(index.columns.iter().map(|(column, descending)| term(column, *descending)));
    let last_descends = index.columns.last().is_some_and(|(_, descending)| *descending);
    let is_paged = !index.unique && !index.lookup;
    if is_paged && index.columns.iter().all(|(column, _)| column != "id") {
        terms.push(term("id", last_descends));
    }
    terms.join(", ")
}

/// On a table in use the key holds for new rows at once, and the others are looked at without a
/// lock that keeps anybody from writing.
fn foreign_key(table: &str, reference: &Reference) -> Object {
    let Reference { physical_name: name, column, table: parent, on_delete, .. } = reference;
    let action = match on_delete {
        OnDelete::Cascade => "CASCADE",
        OnDelete::Restrict => "RESTRICT",
    };
    let create = format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant, {column}) \
         REFERENCES {parent} (tenant, id) ON DELETE {action}"
    );
    Object {
        kind: ObjectKind::Constraint,
        name: name.clone(),
        declared: Declared::Reference(reference.name.clone()),
        create_in_use: vec![
            Command::Change(vec![format!("{create} NOT VALID")]),
            Command::Alone(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")),
        ],
        create: vec![create],
        drop: vec![ObjectKind::Constraint.drop(name, table, Dialect::Postgres)],
    }
}

/// What a foreign key would do, as triggers: they can be added to a table that is there.
fn reference_triggers(table: &str, reference: &Reference) -> [Object; 3] {
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
    let inserted = format!("AFTER INSERT ON {table} WHEN NEW.{column} IS NOT NULL {missing}");
    let updated = format!(
        "AFTER UPDATE OF {column} ON {table} \
         WHEN NEW.{column} IS NOT NULL AND NEW.{column} IS NOT OLD.{column} {missing}"
    );
    [
        trigger(&format!("{name}_i"), Declared::Reference(reference.name.clone()), &inserted),
        trigger(&format!("{name}_u"), Declared::Own, &updated),
        trigger(
            &format!("{name}_d"),
            Declared::Own,
            &format!("AFTER DELETE ON {parent} {deleted}"),
        ),
    ]
}

fn trigger(name: &str, declared: Declared, what: &str) -> Object {
    let create = format!("CREATE TRIGGER IF NOT EXISTS {name} {what}");
    Object {
        kind: ObjectKind::Trigger,
        name: name.to_owned(),
        declared,
        create_in_use: vec![Command::Change(vec![create.clone()])],
        create: vec![create],
        drop: vec![ObjectKind::Trigger.drop(name, "", Dialect::Sqlite)],
    }
}
