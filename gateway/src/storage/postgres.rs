//! `PostgreSQL`: a pool of connections, and transactions on them.
//!
//! A connection that leaves the pool is dirty until its transaction has ended and every answer
//! was read; a dirty one is closed, never handed out again. `connection.rs` holds one connection,
//! `transaction.rs` a transaction on it.

mod connection;
mod error;
mod transaction;
mod value;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::Clock;
use super::error::Error;
use super::migrations;
use super::sql::{Query, SqlRows};
use super::statement::Dialect;
use connection::{Connector, PooledConnection};
pub(super) use transaction::Transaction;

/// How to reach a database and how many connections to keep.
#[derive(Clone, Debug)]
pub struct Options {
    /// `postgres://…`
    pub url: String,
    /// The most connections at a time.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
}

/// The gateway's connections to one `PostgreSQL` database.
#[derive(Debug)]
pub(super) struct Postgres {
    pool: bb8::Pool<Connector>,
    connector: Connector,
}

impl Postgres {
    /// Bring the gateway's own tables up to date and open the pool.
    pub(super) async fn open(options: &Options, clock: Arc<Clock>) -> Result<Self, Error> {
        let connector = Connector::new(&options.url, clock)?;
        migrate(&connector).await?;
        let pool = bb8::Pool::builder()
            .max_size(options.pool_size)
            // bb8 uses this also as the longest pause between attempts to reconnect.
            .connection_timeout(options.acquire_timeout)
            // Would cost a round trip for each request; a dead connection is told by its use.
            .test_on_check_out(false)
            .error_sink(Box::new(connection::LogErrors))
            .build(connector.clone())
            .await?;
        Ok(Self { pool, connector })
    }

    async fn acquire(&self, deadline: Instant) -> Result<PooledConnection, Error> {
        match tokio::time::timeout_at(deadline, self.pool.get_owned()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(bb8::RunError::User(error))) => Err(error),
            Ok(Err(bb8::RunError::TimedOut)) => Err(Error::Unavailable),
            Err(_elapsed) => Err(Error::Timeout),
        }
    }

    /// Run one statement by itself, outside the path of requests: nobody waits for it, so it is
    /// patient where a request would rather fail.
    pub(super) async fn run(&self, query: &Query) -> Result<SqlRows, Error> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut connection = loop {
            match self.acquire(deadline).await {
                Err(Error::Unavailable) if Instant::now() < deadline => {}
                acquired => break acquired?,
            }
        };
        connection.run_alone(query, deadline).await
    }

    /// Run DDL in one transaction, one gateway at a time.
    pub(super) async fn install(&self, statements: &[String]) -> Result<(), Error> {
        let (mut client, driver) = self.connector.open().await?;
        let work = async {
            let transaction = client.transaction().await?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&INSTALL_LOCK]).await?;
            transaction.batch_execute(&statements.join(";\n")).await?;
            transaction.commit().await
        };
        let done = work.await.map_err(|error| error::classify(&error));
        drop(client);
        driver.await.ok();
        done
    }

    /// Connections that are not in the pool now.
    pub(super) fn connections_out(&self) -> u32 {
        let state = self.pool.state();
        state.connections - state.idle_connections
    }
}

/// Held while the schema is changed; any number, as long as it stays the same.
const INSTALL_LOCK: i64 = 0x6c6f_6767_6961;

/// Two gateways that start at once wait for each other here.
async fn migrate(connector: &Connector) -> Result<(), Error> {
    let (mut client, driver) = connector.open().await?;
    let runner = migrations::runner(Dialect::Postgres)?;
    let lock = client.execute("SELECT pg_advisory_lock($1)", &[&INSTALL_LOCK]).await;
    lock.map_err(|error| error::classify(&error))?;
    let done = runner.run_async(&mut client).await;
    // The lock goes with the connection.
    drop(client);
    driver.await.ok();
    done.map(drop).map_err(migrations::failed)
}
