//! The SQL that writes many documents of one collection in one statement, on `PostgreSQL`.
//!
//! Arrays with a value for each document come in, sorted by id, and a row for each document that
//! was written goes out. `SQLite` has no round trips to save; what it gains by is in `insert_rows.rs`.

use std::fmt::Write as _;

use super::collection::Collection;
use super::collection_sql::{Bind, Rendered, parameter_type};
use crate::manifest::FieldType;

/// Each gives `id, version, created` of the documents that it has written; those whose condition
/// does not hold are missing.
#[derive(Clone, Debug)]
pub(super) struct BatchSql {
    /// Insert or replace.
    pub(super) upsert: Rendered,
    /// Insert where no document exists.
    pub(super) insert: Rendered,
    /// Replace at any version, or at the one given.
    pub(super) update: Rendered,
    /// Delete at any version, or at the one given.
    pub(super) delete: Rendered,
}

impl BatchSql {
    pub(super) fn new(collection: &Collection) -> Self {
        let text = |build: fn(&mut Text<'_>)| {
            let mut text = Text { sql: String::new(), binds: Vec::new(), collection };
            build(&mut text);
            Rendered { sql: text.sql.into(), binds: text.binds }
        };
        Self {
            upsert: text(|text| text.upsert()),
            insert: text(|text| text.insert()),
            update: text(|text| text.update()),
            delete: text(|text| text.delete()),
        }
    }
}

/// A text under construction. Only names of the collection, constants and numbered parameters
/// get into it.
struct Text<'a> {
    sql: String,
    binds: Vec<Bind>,
    collection: &'a Collection,
}

impl Text<'_> {
    /// `old` tells which rows were there and had expired: their documents count as created. It
    /// looks under the lock and before the insert, which is why the values are selected from it.
    fn upsert(&mut self) {
        let expires = self.collection.expires;
        if expires {
            self.locked("old", "id, expires_at");
        }
        self.insert_values();
        if expires {
            self.sql.push_str(", (SELECT count(*) FROM old) AS looked");
        }
        let now = self.bind(Bind::Now);
        let (created_at, was_expired) = if expires {
            (
                format!(
                    "CASE WHEN d.expires_at <= {now} THEN excluded.created_at ELSE d.created_at END"
                ),
                format!(
                    " OR EXISTS (SELECT 1 FROM old WHERE old.id = d.id AND old.expires_at <= {now})"
                ),
            )
        } else {
            ("d.created_at".to_owned(), String::new())
        };
        let expires_at = self.expiry_of_update("excluded");
        let fields = self.set_fields("excluded");
        let _ = write!(
            self.sql,
            " ON CONFLICT (tenant, id) DO UPDATE SET version = {NEXT_VERSION}, \
             created_at = {created_at}, updated_at = {now}, expires_at = {expires_at}, \
             body = excluded.body{fields} RETURNING d.id, d.version, (d.xmax = 0{was_expired})"
        );
    }

    fn insert(&mut self) {
        self.insert_values();
        if self.collection.expires {
            // An expired document does not exist, so its row is taken over as a new one.
            let now = self.bind(Bind::Now);
            let fields = self.set_fields("excluded");
            let _ = write!(
                self.sql,
                " ON CONFLICT (tenant, id) DO UPDATE SET version = {NEXT_VERSION}, \
                 created_at = excluded.created_at, updated_at = {now}, \
                 expires_at = excluded.expires_at, \
                 body = excluded.body{fields} WHERE d.expires_at <= {now}"
            );
        } else {
            self.sql.push_str(" ON CONFLICT (tenant, id) DO NOTHING");
        }
        self.sql.push_str(" RETURNING d.id, d.version, true");
    }

    fn update(&mut self) {
        self.locked("held", "1");
        let (now, expires_at) = (self.bind(Bind::Now), self.expiry_of_update("b"));
        let fields = self.set_fields("b");
        let table = &self.collection.table;
        let _ = write!(
            self.sql,
            "UPDATE {table} AS d SET version = {NEXT_VERSION}, updated_at = {now}, \
             expires_at = {expires_at}, body = b.body{fields} FROM "
        );
        self.documents();
        self.of_documents();
        self.sql.push_str(" RETURNING d.id, d.version, false");
    }

    fn delete(&mut self) {
        self.locked("held", "1");
        let (ids, versions) = (self.bind(Bind::Ids), self.bind(Bind::Versions));
        let _ = write!(
            self.sql,
            "DELETE FROM {} AS d USING unnest({ids}, {versions}) AS b (id, version)",
            self.collection.table
        );
        self.of_documents();
        self.sql.push_str(" RETURNING d.id, d.version, false");
    }

    /// Lock the rows that are there, in the order of their ids: two batches that took them in
    /// different orders would wait for each other.
    fn locked(&mut self, name: &str, columns: &str) {
        let (tenant, ids) = (self.bind(Bind::Tenant), self.bind(Bind::Ids));
        let _ = write!(
            self.sql,
            "WITH {name} AS MATERIALIZED (SELECT {columns} FROM {} AS d WHERE d.tenant = {tenant} \
             AND d.id = ANY({ids}) ORDER BY d.id FOR UPDATE) ",
            self.collection.table
        );
    }

    fn insert_values(&mut self) {
        let mut columns =
            "tenant, id, version, created_at, updated_at, expires_at, body".to_owned();
        let mut values = String::new();
        for (place, field) in self.collection.fields.iter().enumerate() {
            let _ = write!(columns, ", {}", field.column);
            let _ = write!(values, ", {}", self.field("b", place));
        }
        for (column, value) in self.collection.marks() {
            let _ = write!(columns, ", {column}");
            let _ = write!(values, ", {value}");
        }
        let (tenant, now) = (self.bind(Bind::Tenant), self.bind(Bind::Now));
        let _ = write!(
            self.sql,
            "INSERT INTO {table} AS d ({columns}) SELECT {tenant}, b.id, {NEXT_VERSION}, \
             b.created_at, {now}, b.expires_at, b.body{values} FROM ",
            table = self.collection.table
        );
        self.documents();
    }

    /// The documents of the call as rows of `b`.
    fn documents(&mut self) {
        let mut arrays =
            vec![Bind::Ids, Bind::Versions, Bind::CreatedAts, Bind::ExpiresAts, Bind::Bodies];
        arrays.extend((0..self.collection.fields.len()).map(Bind::FieldColumn));
        let arrays: Vec<String> = arrays.into_iter().map(|bind| self.bind(bind)).collect();
        let _ = write!(
            self.sql,
            "unnest({}) AS b (id, version, created_at, expires_at, body",
            arrays.join(", ")
        );
        for place in 0..self.collection.fields.len() {
            let _ = write!(self.sql, ", v{place}");
        }
        self.sql.push(')');
    }

    /// The rows of `b` that exist at their version. What is counted is only there to have its
    /// locks taken first.
    fn of_documents(&mut self) {
        let tenant = self.bind(Bind::Tenant);
        let _ = write!(
            self.sql,
            ", (SELECT count(*) FROM held) AS looked WHERE d.tenant = {tenant} AND d.id = b.id \
             AND (b.version IS NULL OR d.version = b.version)"
        );
        if self.collection.expires {
            let now = self.bind(Bind::Now);
            let _ = write!(self.sql, " AND (d.expires_at IS NULL OR d.expires_at > {now})");
        }
    }

    fn expiry_of_update(&mut self, source: &str) -> String {
        if !self.collection.expires {
            return "NULL".to_owned();
        }
        let (keep, now) = (self.bind(Bind::KeepExpiry), self.bind(Bind::Now));
        format!(
            "CASE WHEN {keep} AND (d.expires_at IS NULL OR d.expires_at > {now}) \
             THEN d.expires_at ELSE {source}.expires_at END"
        )
    }

    fn set_fields(&self, source: &str) -> String {
        let fields = self.collection.fields.iter().enumerate();
        fields.fold(self.collection.set_marks(), |mut text, (place, field)| {
            let value = match source {
                "b" => self.field(source, place),
                _ => format!("{source}.{}", field.column),
            };
            let _ = write!(text, ", {} = {value}", field.column);
            text
        })
    }

    /// An array of arrays would have to be a rectangle, so lists travel as text.
    fn field(&self, source: &str, place: usize) -> String {
        let cast = match self.collection.fields[place].field_type {
            FieldType::Texts => "::text[]",
            FieldType::Words => "::tsvector",
            _ => "",
        };
        format!("{source}.v{place}{cast}")
    }

    fn bind(&mut self, bind: Bind) -> String {
        let place = match self.binds.iter().position(|known| *known == bind) {
            Some(place) => place,
            None => {
                self.binds.push(bind);
                self.binds.len() - 1
            }
        };
        format!("${}::{}", place + 1, parameter_type(bind, self.collection))
    }
}

const NEXT_VERSION: &str = "nextval('loggia_version')";
