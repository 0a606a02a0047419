//! The counts of installed plugins: making them, their limits, and folding their rows.

use super::ddl;
use super::error::Error;
use super::sql::SqlValue;
use super::statement::Dialect;
use super::{Schema, Storage, Tenant};
use crate::manifest::Manifest;

impl Storage {
    /// The statements that bring a plugin's counts to what is declared, for one transaction.
    pub(super) async fn count_ddl(
        &self,
        manifest: &Manifest,
        schema: &Schema,
    ) -> Result<Vec<String>, Error> {
        let dialect = self.dialect();
        let recorded = self.recorded(&schema.plugin).await?;
        let mut statements =
            ddl::count::bring_up(&schema.plugin, &schema.counts, &recorded, dialect);
        for setting in schema.counts.iter().filter_map(|count| count.limit.as_ref()) {
            let default = &manifest.settings["properties"][setting]["default"];
            let default = default.as_i64().unwrap_or_default();
            statements.push(ddl::count::default_limit(&schema.plugin, setting, default));
        }
        Ok(statements)
    }

    async fn recorded(&self, plugin: &str) -> Result<Vec<ddl::count::Recorded>, Error> {
        let sql = match self.dialect() {
            Dialect::Postgres => {
                "SELECT name, definition, removal FROM loggia_count WHERE plugin = $1 ORDER BY name"
            }
            Dialect::Sqlite => {
                "SELECT name, definition, removal FROM loggia_count WHERE plugin = ?1 ORDER BY name"
            }
        };
        let rows = self.run(sql, vec![plugin.into()]).await?;
        let mut recorded = Vec::new();
        for row in rows.iter() {
            if let [SqlValue::Text(name), SqlValue::Text(definition), SqlValue::Text(removal)] = row
            {
                let (name, definition, removal) =
                    (name.clone(), definition.clone(), removal.clone());
                recorded.push(ddl::count::Recorded { name, definition, removal });
            }
        }
        Ok(recorded)
    }

    /// Set what a tenant's counts may reach, by the setting that they name as their limit; 0 for no
    /// limit. It holds for writes that begin from now on, in all gateways.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn set_limit(
        &self,
        schema: &Schema,
        tenant: Tenant,
        setting: &str,
        value: i64,
    ) -> Result<(), Error> {
        self.save_limit(&schema.plugin, setting, tenant.key(), value).await
    }

    async fn save_limit(
        &self,
        plugin: &str,
        setting: &str,
        tenant: i64,
        value: i64,
    ) -> Result<(), Error> {
        let sql = match self.dialect() {
            Dialect::Postgres => {
                "INSERT INTO loggia_limit (plugin, setting, tenant, value) \
                 VALUES ($1, $2, $3::int8::int4, $4) ON CONFLICT (plugin, setting, tenant) \
                 DO UPDATE SET value = excluded.value WHERE loggia_limit.value <> excluded.value"
            }
            Dialect::Sqlite => {
                "INSERT INTO loggia_limit (plugin, setting, tenant, value) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (plugin, setting, tenant) \
                 DO UPDATE SET value = excluded.value WHERE loggia_limit.value <> excluded.value"
            }
        };
        let numbers = [tenant, value].map(SqlValue::Integer);
        let binds = [plugin.into(), setting.into()].into_iter().chain(numbers).collect();
        self.run(sql, binds).await.map(drop)
    }

    /// Fold the rows that connections have made into one for each key. Readers see the same sums
    /// before and after. `SQLite` has one row for each key anyway.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn fold_counts(&self) -> Result<(), Error> {
        if self.is_sqlite() {
            return Ok(());
        }
        for schema in self.installed() {
            for count in &schema.counts {
                let fold = ddl::count::fold(count);
                while self.run(&fold, Vec::new()).await?.first_integer().unwrap_or_default() > 0 {}
                self.run(&ddl::count::prune(count), Vec::new()).await?;
            }
        }
        Ok(())
    }
}
