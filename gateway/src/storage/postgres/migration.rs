//! A connection that migrates the gateway's own tables.

use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::super::clock::Clock;
use super::super::error::Error;
use super::super::migrations;
use super::super::statement::Dialect;
use super::super::transaction::Whose;
use super::Options;
use super::connector::Connector;
use super::error::classify;
use super::role;

/// Holds a lock: two gateways that start at once wait for each other here.
pub(crate) struct MigrationConnection {
    client: Client,
    driver: JoinHandle<()>,
}

/// Any number, as long as it stays the same.
const MIGRATION_LOCK: i64 = 0x6c6f_6767_6961;

impl MigrationConnection {
    pub(in super::super) async fn open(options: &Options) -> Result<Self, Error> {
        Self::of(&Connector::new(options, Clock::default().into())?).await
    }

    pub(super) async fn of(connector: &Connector) -> Result<Self, Error> {
        let (client, driver) = connector.open().await?;
        let lock = client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await;
        lock.map_err(|error| classify(&error))?;
        // Tables may have policies, and a migration is for the rows of all tenants.
        let reach = client.batch_execute(&format!("SET {}", Whose::Everyone.setting())).await;
        reach.map_err(|error| classify(&error))?;
        Ok(Self { client, driver })
    }

    /// The role for connections that serve, made where it can be.
    pub(super) async fn serving_role(&mut self) -> Result<Option<String>, Error> {
        role::ensure(&mut self.client).await.map_err(|error| classify(&error))
    }

    /// Apply what is pending.
    pub(in super::super) async fn up(&mut self) -> Result<(), Error> {
        let runner = migrations::runner(Dialect::Postgres)?;
        runner.run_async(&mut self.client).await.map(drop).map_err(migrations::failed)
    }

    /// The numbers of those that are applied.
    pub(in super::super) async fn applied(&self) -> Result<Vec<u32>, Error> {
        let ask = async {
            let known = "SELECT to_regclass('loggia_migration') IS NOT NULL";
            if !self.client.query_one(known, &[]).await?.get::<_, bool>(0) {
                return Ok(Vec::new());
            }
            let rows = self.client.query("SELECT version FROM loggia_migration", &[]).await?;
            Ok(rows.iter().map(|row| row.get::<_, i32>(0).unsigned_abs()).collect())
        };
        ask.await.map_err(|error| classify(&error))
    }

    /// Take one back: its down file and its note go in one transaction.
    pub(in super::super) async fn down(&mut self, number: u32, sql: &str) -> Result<(), Error> {
        let forget = format!("DELETE FROM loggia_migration WHERE version = {number}");
        let work = async {
            let transaction = self.client.transaction().await?;
            transaction.batch_execute(sql).await?;
            transaction.batch_execute(&forget).await?;
            transaction.commit().await
        };
        work.await.map_err(|error| classify(&error))
    }

    /// The lock goes with the connection.
    pub(super) async fn close(self) {
        drop(self.client);
        self.driver.await.ok();
    }
}
