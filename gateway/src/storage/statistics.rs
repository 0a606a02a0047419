//! Numbers for operators: what is stored, how large tables are, how the pool is used.
//!
//! Documents and bytes are counts that triggers keep, where the operator has asked for them
//! (`storage.statistics`): reading them costs a row for each tenant, and keeping them some
//! microseconds for each write.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::count::Count;
use super::error::Error;
use super::sql::SqlValue;
use super::statement::Dialect;
use super::{PoolState, Schema, Storage};

/// What is there now.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// By plugin, collection and tenant. Empty where statistics are not kept.
    pub stored: Vec<Stored>,
    /// By plugin and collection.
    pub tables: Vec<TableSize>,
    /// The pool's connections; `SQLite` has none.
    pub pool: Option<PoolState>,
}

/// The documents of one tenant in one collection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// The plugin's name.
    pub plugin: String,
    /// The collection's name.
    pub collection: String,
    /// The tenant's name.
    pub tenant: String,
    /// How many there are. What has expired counts until it is swept.
    pub documents: u64,
    /// The bytes of their bodies, as the database writes them.
    pub bytes: u64,
}

/// The space that one collection takes, of all tenants together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableSize {
    /// The plugin's name.
    pub plugin: String,
    /// The collection's name.
    pub collection: String,
    /// Its rows, in bytes, large bodies included.
    pub table_bytes: u64,
    /// Its indexes, in bytes.
    pub index_bytes: u64,
}

impl Storage {
    /// Numbers of what plugins with these schemas have stored.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn statistics(&self, schemas: &[Arc<Schema>]) -> Result<Statistics, Error> {
        let mut statistics =
            Statistics { stored: Vec::new(), tables: Vec::new(), pool: self.pool() };
        for schema in schemas {
            let plans: BTreeMap<_, _> = schema.collections.iter().collect();
            for (name, plan) in plans {
                let count = Count::stored(&schema.plugin, &plan.collection);
                if schema.counts.iter().any(|kept| kept.table == count.table) {
                    statistics.stored.extend(self.stored(&schema.plugin, name, &count).await?);
                }
                let size = self.table_size(&schema.plugin, name, &plan.collection.table).await?;
                statistics.tables.push(size);
            }
        }
        Ok(statistics)
    }

    async fn stored(
        &self,
        plugin: &str,
        collection: &str,
        count: &Count,
    ) -> Result<Vec<Stored>, Error> {
        let cast = if self.dialect() == Dialect::Postgres { "::int8" } else { "" };
        let sql = format!(
            "SELECT t.name, sum(s.documents){cast}, sum(s.bytes){cast} FROM {} AS s \
             JOIN loggia_tenant AS t ON t.id = s.tenant GROUP BY t.name \
             HAVING sum(s.documents) <> 0 ORDER BY t.name",
            count.table
        );
        let rows = self.run(&sql, Vec::new()).await?;
        let stored = |row: &[SqlValue]| match row {
            [SqlValue::Text(tenant), documents, bytes] => Some(Stored {
                plugin: plugin.to_owned(),
                collection: collection.to_owned(),
                tenant: tenant.clone(),
                documents: number(documents),
                bytes: number(bytes),
            }),
            _ => None,
        };
        Ok(rows.iter().filter_map(stored).collect())
    }

    async fn table_size(
        &self,
        plugin: &str,
        collection: &str,
        table: &str,
    ) -> Result<TableSize, Error> {
        let sql = match self.dialect() {
            Dialect::Postgres => {
                "SELECT pg_table_size($1::text::regclass), pg_indexes_size($1::text::regclass)"
            }
            // Walks over the pages of this table and its indexes.
            Dialect::Sqlite => {
                "SELECT coalesce(sum(CASE WHEN m.type = 'table' THEN s.pgsize END), 0), \
                 coalesce(sum(CASE WHEN m.type = 'index' THEN s.pgsize END), 0) \
                 FROM sqlite_schema AS m JOIN dbstat AS s ON s.name = m.name \
                 WHERE m.tbl_name = ?1"
            }
        };
        let rows = self.run(sql, vec![table.into()]).await?;
        let value = |place: usize| rows.values.get(place).map(number).unwrap_or_default();
        Ok(TableSize {
            plugin: plugin.to_owned(),
            collection: collection.to_owned(),
            table_bytes: value(0),
            index_bytes: value(1),
        })
    }
}

fn number(value: &SqlValue) -> u64 {
    value.integer().and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}
