//! What is there: the manifest that was applied last, and what the database's catalog says.

use std::collections::HashMap;

use super::super::ddl::ObjectKind;
use super::super::error::Error;
use super::super::sql::SqlValue;
use super::super::statement::Dialect;
use super::InstallError;
use super::session::ChangeSession;
use crate::manifest::Manifest;

/// What the gateway has noted on a plugin.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// The manifest whose tables are there. `None` for a new plugin.
    pub(super) manifest: Option<Manifest>,
    /// Its text.
    pub(super) text: Option<String>,
    /// Where a change was to lead that has begun and not ended: any part of it may be done.
    pub(super) pending: Option<Manifest>,
}

/// The plugin's tables as they are.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// Types of columns by name, by table. A table that is not here does not exist.
    pub(super) tables: HashMap<String, HashMap<String, String>>,
    /// What stands beside them. Without the indexes of keys.
    pub(super) objects: HashMap<(ObjectKind, String), Existing>,
}

/// An object that is there.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) table: String,
    /// False for what a stopped change has left half done.
    pub(super) is_whole: bool,
}

impl Applied {
    pub(super) async fn read(
        session: &mut ChangeSession,
        plugin: &str,
    ) -> Result<Self, InstallError> {
        let sql = session.dialect().applied();
        let rows = session.run(sql, vec![plugin.into()]).await?;
        let mut values = rows.values.into_iter();
        let text = values.next().and_then(SqlValue::into_text);
        let pending = values.next().and_then(SqlValue::into_text);
        Ok(Self {
            manifest: text.as_deref().map(|text| parse(plugin, text)).transpose()?,
            text,
            pending: pending.as_deref().map(|text| parse(plugin, text)).transpose()?,
        })
    }

    /// Note that a change begins. A new plugin has no row yet, and needs none.
    pub(super) async fn begin(
        session: &mut ChangeSession,
        plugin: &str,
        text: &str,
    ) -> Result<(), Error> {
        let sql = session.dialect().begin();
        session.run(sql, vec![plugin.into(), text.into()]).await.map(drop)
    }

    /// Note that the tables are as a manifest says.
    pub(super) async fn end(
        session: &mut ChangeSession,
        plugin: &str,
        text: &str,
    ) -> Result<(), Error> {
        let sql = session.dialect().end();
        session.run(sql, vec![plugin.into(), text.into()]).await.map(drop)
    }
}

/// This gateway has written it, or one that knows more.
fn parse(plugin: &str, text: &str) -> Result<Manifest, InstallError> {
    Manifest::parse(text).map_err(|faults| InstallError::Unreadable {
        plugin: plugin.to_owned(),
        why: faults.join("; "),
    })
}

impl Catalog {
    pub(super) async fn read(
        session: &mut ChangeSession,
        tables: Vec<String>,
    ) -> Result<Self, Error> {
        let mut catalog = Self::default();
        let names = SqlValue::Texts(tables);
        let rows = session.run(session.dialect().columns(), vec![names.clone()]).await?;
        let mut values = rows.values.into_iter();
        while let Some(table) = values.next() {
            let (column, physical_type) = (text(values.next()), text(values.next()));
            let columns = catalog.tables.entry(text(Some(table))).or_default();
            columns.insert(column, physical_type);
        }
        let rows = session.run(session.dialect().objects(), vec![names]).await?;
        let mut values = rows.values.into_iter();
        while let Some(kind) = values.next() {
            let kind = ObjectKind::from_catalog(&text(Some(kind)));
            let (name, table) = (text(values.next()), text(values.next()));
            let is_whole = values.next().and_then(|value| value.integer()) == Some(1);
            catalog.objects.insert((kind, name), Existing { table, is_whole });
        }
        Ok(catalog)
    }
}

fn text(value: Option<SqlValue>) -> String {
    value.and_then(SqlValue::into_text).unwrap_or_default()
}

impl Dialect {
    fn applied(self) -> &'static str {
        match self {
            Self::Postgres => "SELECT manifest, pending FROM loggia_plugin WHERE name = $1",
            Self::Sqlite => "SELECT manifest, pending FROM loggia_plugin WHERE name = ?1",
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "UPDATE loggia_plugin SET pending = $2 WHERE name = $1",
            Self::Sqlite => "UPDATE loggia_plugin SET pending = ?2 WHERE name = ?1",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Postgres => {
                "INSERT INTO loggia_plugin (name, manifest) VALUES ($1, $2) ON CONFLICT (name) \
                 DO UPDATE SET manifest = excluded.manifest, pending = NULL, applied_at = now()"
            }
            Self::Sqlite => {
                "INSERT INTO loggia_plugin (name, manifest) VALUES (?1, ?2) ON CONFLICT (name) \
                 DO UPDATE SET manifest = excluded.manifest, pending = NULL, \
                 applied_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
            }
        }
    }

    /// `table, column, type` of these tables.
    fn columns(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT c.relname::text, a.attname::text, CASE t.typname WHEN '_text' \
                 THEN 'text[]' ELSE t.typname::text END FROM pg_class AS c \
                 JOIN pg_attribute AS a ON a.attrelid = c.oid JOIN pg_type AS t \
                 ON t.oid = a.atttypid WHERE c.relnamespace = current_schema()::regnamespace \
                 AND c.relname = ANY($1::text[]) AND a.attnum > 0 AND NOT a.attisdropped"
            }
            Self::Sqlite => {
                "SELECT t.value, c.name, c.type FROM json_each(?1) AS t, \
                 pragma_table_info(t.value) AS c"
            }
        }
    }

    /// `kind, name, table, whole` of what stands beside these tables. An index whose CREATE INDEX
    /// CONCURRENTLY was stopped is not whole, nor is a foreign key that was not looked at.
    fn objects(self) -> &'static str {
        match self {
            Self::Postgres => {
                "WITH t AS (SELECT oid, relname::text AS name FROM pg_class \
                 WHERE relnamespace = current_schema()::regnamespace \
                 AND relname = ANY($1::text[])) \
                 SELECT 'index', i.relname::text, t.name, x.indisvalid FROM t JOIN pg_index AS x \
                 ON x.indrelid = t.oid JOIN pg_class AS i ON i.oid = x.indexrelid \
                 WHERE NOT EXISTS (SELECT 1 FROM pg_constraint AS k \
                 WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')) \
                 UNION ALL SELECT 'constraint', k.conname::text, t.name, k.convalidated FROM t \
                 JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'f' \
                 UNION ALL SELECT 'trigger', g.tgname::text, t.name, true FROM t \
                 JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal"
            }
            Self::Sqlite => {
                "SELECT 'index', i.name, t.value, 1 FROM json_each(?1) AS t, \
                 pragma_index_list(t.value) AS i WHERE i.origin = 'c' \
                 UNION ALL SELECT 'trigger', g.name, g.tbl_name, 1 FROM sqlite_master AS g \
                 WHERE g.type = 'trigger' AND g.tbl_name IN (SELECT value FROM json_each(?1)) \
                 AND g.name NOT GLOB '*__loggia_layout_?'"
            }
        }
    }
}
