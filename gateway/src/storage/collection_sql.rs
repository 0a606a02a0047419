//! The SQL that reads and writes the documents of one collection, rendered once at load.
//!
//! Statements of plugins are another matter: see `statement.rs`.

use std::fmt::Write as _;
use std::sync::Arc;

use super::batch_sql::BatchSql;
use super::collection::{Collection, Index};
use super::insert_rows::InsertRows;
use super::statement::Dialect;
use crate::manifest::FieldType;

/// A rendered text and what each of its parameters stands for.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    pub(super) sql: Arc<str>,
    pub(super) binds: Vec<Bind>,
}

/// What a parameter stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bind {
    Tenant,
    Id,
    /// A list of ids.
    Ids,
    /// The version that a document must have.
    Version,
    Now,
    /// When the document was created, if it is new.
    CreatedAt,
    ExpiresAt,
    /// Whether a time to live that is there stays.
    KeepExpiry,
    Body,
    /// The value of a declared field, by its place.
    Field(usize),
    /// Of many documents: the versions that they must have, `NULL` for any.
    Versions,
    /// Of many documents: when each was created, if it is new.
    CreatedAts,
    /// Of many documents: when each expires.
    ExpiresAts,
    /// Of many documents: their bodies.
    Bodies,
    /// Of many documents: the values of a declared field, by its place.
    FieldColumn(usize),
}

/// All of one collection's SQL on one database.
#[derive(Clone, Debug)]
pub(super) struct CollectionSql {
    /// `id`: the document, by [`DOCUMENT_COLUMNS`].
    pub(super) get: Rendered,
    /// `ids`: the documents that exist, in no order.
    pub(super) get_many: Rendered,
    /// As `get_many`, holding the rows' locks on `PostgreSQL`, taken in the order of ids.
    pub(super) get_many_for_update: Rendered,
    /// `id, version` of the documents that exist, of many.
    pub(super) versions_of: Rendered,
    /// As `get`, holding the row's lock on `PostgreSQL`.
    pub(super) get_for_update: Rendered,
    /// The version of a document that exists.
    pub(super) version_of: Rendered,
    /// Delete expired documents that still hold a unique value of the one to be written. `None`
    /// where there can be none.
    pub(super) evict: Option<Rendered>,
    /// Delete all of the tenant's expired documents, which may hold unique values. `None` where
    /// there can be none. Binds the tenant, then now.
    pub(super) evict_expired: Option<Rendered>,
    /// Insert or replace: `version, created`. `None` on `SQLite`, where one writer makes
    /// `update` and then `insert` the same.
    pub(super) upsert: Option<Rendered>,
    /// Insert where no document exists: `version`, or no row.
    pub(super) insert: Rendered,
    /// Replace at any version: `version`, or no row.
    pub(super) update: Rendered,
    /// Replace at one version: `version`, or no row.
    pub(super) update_version: Rendered,
    /// Delete at any version: `version`, or no row.
    pub(super) delete: Rendered,
    /// Delete at one version: `version`, or no row.
    pub(super) delete_version: Rendered,
    /// Writes of many documents. `None` on `SQLite`.
    pub(super) batch: Option<BatchSql>,
    /// As `insert`, of several documents. None on `PostgreSQL`.
    pub(super) insert_rows: Vec<InsertRows>,
    /// Fill the columns of one version anew from its body.
    pub(super) refill: Rendered,
    /// Replace one version by a body of the current form. It is not a write of a client:
    /// `updated_at` stays.
    pub(super) upgrade: Rendered,
    /// Delete the row of one version, whether or not it has expired.
    pub(super) delete_row: Rendered,
}

/// The columns that make a document, in this order.
pub(super) const DOCUMENT_COLUMNS: &str = "id, version, created_at, updated_at, expires_at, body";

impl CollectionSql {
    pub(super) fn new(collection: &Collection, dialect: Dialect) -> Self {
        let text = |build: fn(&mut Text<'_>)| {
            let mut text = Text { sql: String::new(), binds: Vec::new(), collection, dialect };
            build(&mut text);
            Rendered { sql: text.sql.into(), binds: text.binds }
        };
        Self {
            get: text(|text| text.get()),
            get_many: text(|text| text.get_many()),
            get_many_for_update: text(|text| text.get_many_for_update()),
            versions_of: text(|text| text.versions_of()),
            get_for_update: text(|text| text.get_for_update()),
            version_of: text(|text| text.version_of()),
            evict: (collection.expires && collection.has_unique_index())
                .then(|| text(|text| text.evict())),
            evict_expired: (collection.expires && collection.has_unique_index())
                .then(|| text(|text| text.evict_expired())),
            upsert: (dialect == Dialect::Postgres).then(|| text(|text| text.upsert())),
            insert: text(|text| text.insert()),
            update: text(|text| text.update(false)),
            update_version: text(|text| text.update(true)),
            delete: text(|text| text.delete(false)),
            delete_version: text(|text| text.delete(true)),
            batch: (dialect == Dialect::Postgres).then(|| BatchSql::new(collection)),
            insert_rows: match dialect {
                Dialect::Postgres => Vec::new(),
                Dialect::Sqlite => InsertRows::all(collection),
            },
            refill: text(|text| text.refill(false)),
            upgrade: text(|text| text.refill(true)),
            delete_row: text(|text| text.delete_row()),
        }
    }
}

/// A text under construction. Only names of the collection, constants and numbered parameters
/// get into it.
struct Text<'a> {
    sql: String,
    binds: Vec<Bind>,
    collection: &'a Collection,
    dialect: Dialect,
}

impl Text<'_> {
    fn get(&mut self) {
        let table = &self.collection.table;
        self.sql = format!("SELECT {DOCUMENT_COLUMNS} FROM {table} AS d WHERE ");
        self.this_document();
        self.visible();
    }

    fn get_many(&mut self) {
        self.select_many(DOCUMENT_COLUMNS);
    }

    fn get_many_for_update(&mut self) {
        self.select_many(DOCUMENT_COLUMNS);
        if self.dialect == Dialect::Postgres {
            self.sql.push_str(" ORDER BY d.id FOR UPDATE");
        }
    }

    fn versions_of(&mut self) {
        self.select_many("id, version");
    }

    fn select_many(&mut self, columns: &str) {
        let (tenant, ids) = (self.bind(Bind::Tenant), self.bind(Bind::Ids));
        let table = &self.collection.table;
        let listed = match self.dialect {
            Dialect::Postgres => format!("id = ANY({ids})"),
            Dialect::Sqlite => format!("id IN (SELECT value FROM json_each({ids}))"),
        };
        self.sql =
            format!("SELECT {columns} FROM {table} AS d WHERE tenant = {tenant} AND {listed}");
        self.visible();
    }

    fn get_for_update(&mut self) {
        self.get();
        if self.dialect == Dialect::Postgres {
            self.sql.push_str(" FOR UPDATE");
        }
    }

    fn version_of(&mut self) {
        self.sql = format!("SELECT version FROM {} AS d WHERE ", self.collection.table);
        self.this_document();
        self.visible();
    }

    /// `PostgreSQL` only. `xmax` is 0 in a row that was inserted, and not in one that ON CONFLICT
    /// has locked and updated. A row that had expired counts as inserted, too; `old` looks at it
    /// under the lock, and must do so before the insert, which is why the values are selected
    /// from it.
    fn upsert(&mut self) {
        if self.collection.expires {
            let table = &self.collection.table;
            self.sql =
                format!("WITH old AS MATERIALIZED (SELECT expires_at FROM {table} AS d WHERE ");
            self.this_document();
            self.sql.push_str(" FOR UPDATE) ");
        }
        self.insert_values();
        if self.collection.expires {
            self.sql.push_str(" FROM (SELECT count(*) FROM old) AS looked");
        }
        let (now, expires) = (self.bind(Bind::Now), self.expiry_of_update());
        let created_at = if self.collection.expires {
            format!(
                "CASE WHEN d.expires_at <= {now} THEN excluded.created_at ELSE d.created_at END"
            )
        } else {
            "d.created_at".to_owned()
        };
        let was_expired = if self.collection.expires {
            format!(" OR EXISTS (SELECT 1 FROM old WHERE expires_at <= {now})")
        } else {
            String::new()
        };
        let fields = self.set_fields(|column| format!("excluded.{column}"));
        let _ = write!(
            self.sql,
            " ON CONFLICT (tenant, id) DO UPDATE SET version = {version}, created_at = {created_at}, \
             updated_at = {now}, expires_at = {expires}, body = excluded.body{fields} \
             RETURNING version, (d.xmax = 0{was_expired})",
            version = self.next_version(),
        );
    }

    fn insert(&mut self) {
        self.insert_values();
        // Without a WHERE, SQLite would read ON as a join's.
        self.sql.push_str(" WHERE true");
        let version = self.next_version();
        if self.collection.expires {
            // An expired document does not exist, so its row is taken over as a new one.
            let (now, expires) = (self.bind(Bind::Now), self.bind(Bind::ExpiresAt));
            let fields = self.set_fields(|column| format!("excluded.{column}"));
            let _ = write!(
                self.sql,
                " ON CONFLICT (tenant, id) DO UPDATE SET version = {version}, \
                 created_at = excluded.created_at, updated_at = {now}, expires_at = {expires}, body = excluded.body{fields} \
                 WHERE d.expires_at <= {now}"
            );
        } else {
            self.sql.push_str(" ON CONFLICT (tenant, id) DO NOTHING");
        }
        self.sql.push_str(" RETURNING version");
    }

    fn update(&mut self, at_version: bool) {
        let (now, body) = (self.bind(Bind::Now), self.bind(Bind::Body));
        let expires = self.expiry_of_update();
        let values: Vec<String> =
            (0..self.collection.fields.len()).map(|i| self.bind(Bind::Field(i))).collect();
        let mut values = values.into_iter();
        let fields = self.set_fields(|_| values.next().unwrap_or_default());
        self.sql = format!(
            "UPDATE {table} AS d SET version = {version}, updated_at = {now}, \
             expires_at = {expires}, body = {body}{fields} WHERE ",
            table = self.collection.table,
            version = self.next_version(),
        );
        self.this_document();
        self.at_version(at_version);
        self.visible();
        self.sql.push_str(" RETURNING version");
    }

    fn refill(&mut self, replace_body: bool) {
        let values: Vec<String> =
            (0..self.collection.fields.len()).map(|i| self.bind(Bind::Field(i))).collect();
        let mut values = values.into_iter();
        let fields = self.set_fields(|_| values.next().unwrap_or_default());
        let body = if replace_body {
            format!("version = {}, body = {}", self.next_version(), self.bind(Bind::Body))
        } else {
            "version = version".to_owned()
        };
        self.sql = format!("UPDATE {} AS d SET {body}{fields} WHERE ", self.collection.table);
        self.this_document();
        self.at_version(true);
    }

    fn delete_row(&mut self) {
        self.sql = format!("DELETE FROM {} AS d WHERE ", self.collection.table);
        self.this_document();
        self.at_version(true);
    }

    fn delete(&mut self, at_version: bool) {
        self.sql = format!("DELETE FROM {} AS d WHERE ", self.collection.table);
        self.this_document();
        self.at_version(at_version);
        self.visible();
        self.sql.push_str(" RETURNING version");
    }

    fn evict(&mut self) {
        self.sql = format!("DELETE FROM {} AS d WHERE ", self.collection.table);
        let (tenant, id, now) =
            (self.bind(Bind::Tenant), self.bind(Bind::Id), self.bind(Bind::Now));
        let same: Vec<String> =
            self.collection.unique_indexes().map(|i| self.same_values(i)).collect();
        let _ = write!(
            self.sql,
            "d.tenant = {tenant} AND d.id <> {id} AND d.expires_at <= {now} AND ({})",
            same.join(" OR ")
        );
    }

    fn evict_expired(&mut self) {
        let (tenant, now) = (self.bind(Bind::Tenant), self.bind(Bind::Now));
        self.sql = format!(
            "DELETE FROM {} AS d WHERE d.tenant = {tenant} AND d.expires_at <= {now}",
            self.collection.table
        );
    }

    /// That a row has the new document's values in all fields of an index, and that both stand in
    /// it. Built-in columns are the gateway's, and no document can be given another's.
    fn same_values(&mut self, index: &Index) -> String {
        let (collection, dialect) = (self.collection, self.dialect);
        let only = index.only.iter().flat_map(|one_of| {
            let value = self.bind(Bind::Field(one_of.field));
            [
                one_of.condition(&format!("d.{}", one_of.column), dialect),
                one_of.condition(&value, dialect),
            ]
        });
        let only: Vec<String> = only.collect();
        let terms = index.columns.iter().map(|(column, _)| {
            let place = collection.fields.iter().position(|field| field.column == *column);
            match place {
                Some(place) => format!("d.{column} = {}", self.bind(Bind::Field(place))),
                None => "false".to_owned(),
            }
        });
        format!("({})", terms.chain(only).collect::<Vec<_>>().join(" AND "))
    }

    fn insert_values(&mut self) {
        let mut columns =
            "tenant, id, version, created_at, updated_at, expires_at, body".to_owned();
        for field in &self.collection.fields {
            let _ = write!(columns, ", {}", field.column);
        }
        let (tenant, id, now) =
            (self.bind(Bind::Tenant), self.bind(Bind::Id), self.bind(Bind::Now));
        let (expires, body) = (self.bind(Bind::ExpiresAt), self.bind(Bind::Body));
        let version = self.next_version();
        let created = self.bind(Bind::CreatedAt);
        let mut values = format!("{tenant}, {id}, {version}, {created}, {now}, {expires}, {body}");
        for place in 0..self.collection.fields.len() {
            let value = self.bind(Bind::Field(place));
            let _ = write!(values, ", {value}");
        }
        for (column, value) in self.collection.marks() {
            let _ = write!(columns, ", {column}");
            let _ = write!(values, ", {value}");
        }
        let _ = write!(
            self.sql,
            "INSERT INTO {table} AS d ({columns}) SELECT {values}",
            table = self.collection.table
        );
    }

    /// `tenant` and `id` of the document, as a condition.
    fn this_document(&mut self) {
        let (tenant, id) = (self.bind(Bind::Tenant), self.bind(Bind::Id));
        let _ = write!(self.sql, "d.tenant = {tenant} AND d.id = {id}");
    }

    fn at_version(&mut self, at_version: bool) {
        if at_version {
            let version = self.bind(Bind::Version);
            let _ = write!(self.sql, " AND d.version = {version}");
        }
    }

    /// An expired document does not exist. Collections without a time to live skip the test: it
    /// would triple reads that an index alone could answer.
    fn visible(&mut self) {
        if self.collection.expires {
            let now = self.bind(Bind::Now);
            let _ = write!(self.sql, " AND (d.expires_at IS NULL OR d.expires_at > {now})");
        }
    }

    fn expiry_of_update(&mut self) -> String {
        if !self.collection.expires {
            return "NULL".to_owned();
        }
        let (keep, expires) = (self.bind(Bind::KeepExpiry), self.bind(Bind::ExpiresAt));
        let now = self.bind(Bind::Now);
        format!(
            "CASE WHEN {keep} AND (d.expires_at IS NULL OR d.expires_at > {now}) \
             THEN d.expires_at ELSE {expires} END"
        )
    }

    /// All that is worked out from a body, and by which declaration it was.
    fn set_fields(&self, mut value: impl FnMut(&str) -> String) -> String {
        let marks = self.collection.set_marks();
        self.collection.fields.iter().fold(marks, |mut text, field| {
            let _ = write!(text, ", {} = {}", field.column, value(&field.column));
            text
        })
    }

    /// Taken anew for the row that is written, under its lock.
    fn next_version(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "nextval('loggia_version')",
            Dialect::Sqlite => "loggia_version()",
        }
    }

    /// The number of a parameter, with its exact type on `PostgreSQL`.
    fn bind(&mut self, bind: Bind) -> String {
        let place = match self.binds.iter().position(|known| *known == bind) {
            Some(place) => place,
            None => {
                self.binds.push(bind);
                self.binds.len() - 1
            }
        };
        let number = place + 1;
        if self.dialect == Dialect::Sqlite {
            return format!("?{number}");
        }
        format!("${number}::{}", parameter_type(bind, self.collection))
    }
}

/// The type of a parameter on `PostgreSQL`.
pub(super) fn parameter_type(bind: Bind, collection: &Collection) -> &'static str {
    match bind {
        Bind::Tenant => "int4",
        Bind::Id => "text",
        Bind::Ids => "text[]",
        Bind::Version | Bind::Now | Bind::CreatedAt | Bind::ExpiresAt => "int8",
        Bind::KeepExpiry => "bool",
        Bind::Body => "jsonb",
        // It travels as text; the driver knows no `tsvector`.
        Bind::Field(place) if collection.fields[place].field_type == FieldType::Words => {
            "text::tsvector"
        }
        Bind::Field(place) => postgres_type(collection.fields[place].field_type),
        Bind::Versions | Bind::CreatedAts | Bind::ExpiresAts => "int8[]",
        Bind::Bodies => "jsonb[]",
        Bind::FieldColumn(place) => match collection.fields[place].field_type {
            FieldType::Text | FieldType::Texts => "text[]",
            FieldType::Integer | FieldType::Timestamp => "int8[]",
            FieldType::Number => "float8[]",
            FieldType::Boolean => "bool[]",
            FieldType::Json => "jsonb[]",
            FieldType::Words => "text[]",
        },
    }
}

/// The column type of a field on `PostgreSQL`.
pub(super) fn postgres_type(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Text => "text",
        FieldType::Integer | FieldType::Timestamp => "int8",
        FieldType::Number => "float8",
        FieldType::Boolean => "bool",
        FieldType::Texts => "text[]",
        FieldType::Json => "jsonb",
        FieldType::Words => "tsvector",
    }
}

/// The column type of a field on `SQLite`.
pub(super) fn sqlite_type(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Text | FieldType::Texts | FieldType::Json | FieldType::Words => "TEXT",
        FieldType::Integer | FieldType::Timestamp | FieldType::Boolean => "INTEGER",
        FieldType::Number => "REAL",
    }
}
