//! The counts of installed plugins: their limits, and folding their rows. `schema_change/counts.rs`
//! makes them.

use super::count::StoredLimit;
use super::ddl;
use super::error::Error;
use super::sql::SqlValue;
use super::statement::Dialect;
use super::{Schema, Storage, Tenant};

impl Storage {
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

    /// Limit what a tenant stores with a plugin; 0 for no limit. It holds where the plugin was
    /// installed with `stored_limits`, as [`Storage::set_limit`] does.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn limit_stored(
        &self,
        schema: &Schema,
        tenant: Tenant,
        limit: StoredLimit,
        most: u64,
    ) -> Result<(), Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.set_limit(schema, tenant, limit.setting(), most).await
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
