//! `PostgreSQL`: a pool of connections, and transactions on them.
//!
//! A connection that leaves the pool is dirty until its transaction has ended and every answer
//! was read; a dirty one is closed, never handed out again. `pool.rs` says who gets a connection,
//! `circuit.rs` whether the database is gone; `connection.rs` holds one, `transaction.rs` a
//! transaction on it, and `outcome.rs` finds out how one has ended whose answer was lost.

mod circuit;
mod connection;
mod connector;
mod dedicated;
mod error;
mod listen;
mod migration;
mod outcome;
mod pool;
mod role;
mod scratch;
mod tls;
mod transaction;
mod value;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Tenant;
use super::clock::Clock;
use super::error::Error;
use super::sql::{Query, SqlRows};
use super::transaction::{Planned, Whose};
use connector::Connector;
pub(super) use dedicated::Dedicated;
use error::Failure;
pub(super) use migration::MigrationConnection;
pub use pool::PoolState;
use pool::{Pool, PoolOptions, PooledConnection};
pub(super) use scratch::ScratchDatabase;
pub use tls::TlsOptions;
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
    /// How many requests of a tenant may wait for a connection; more are refused at once.
    pub max_waiters: u32,
    /// Whether connections are encrypted.
    pub tls: TlsOptions,
    /// Whether the server itself lets each transaction reach its tenant's rows alone.
    pub row_level_security: bool,
}

impl Options {
    /// The defaults of `gateway.toml` for this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 10,
            acquire_timeout: Duration::from_millis(500),
            max_waiters: 256,
            tls: TlsOptions::default(),
            row_level_security: false,
        }
    }
}

/// The gateway's connections to one `PostgreSQL` database.
#[derive(Debug)]
pub(super) struct Postgres {
    pool: Pool,
    connector: Connector,
    /// Whether each transaction and each statement by itself says whose rows it is to reach.
    row_level_security: bool,
}

impl Postgres {
    /// Bring the gateway's own tables up to date and make the pool.
    pub(super) async fn open(options: &Options, clock: Arc<Clock>) -> Result<Self, Error> {
        let connector = Connector::new(options, clock)?;
        let mut migration = first_connection(&connector).await?;
        // Before the tables, so that they are given to it as they are made.
        let role = migration.serving_role().await?;
        migration.up().await?;
        migration.close().await;
        let connector = connector.serving_as(role);
        let pool_options = PoolOptions {
            size: options.pool_size,
            acquire_timeout: options.acquire_timeout,
            max_waiters: options.max_waiters,
        };
        Ok(Self {
            pool: Pool::new(connector.clone(), pool_options),
            connector,
            row_level_security: options.row_level_security,
        })
    }

    async fn acquire(&self, whose: Whose, deadline: Instant) -> Result<PooledConnection, Error> {
        self.pool.acquire(whose, deadline).await
    }

    pub(super) fn has_row_level_security(&self) -> bool {
        self.row_level_security
    }

    /// What is said to the server of who asks; `None` where it does not look.
    fn told(&self, whose: Whose) -> Option<Whose> {
        self.row_level_security.then_some(whose)
    }

    /// Run one statement by itself, on any connection.
    async fn run_once(
        &self,
        query: &Query,
        whose: Whose,
        planned: Planned,
        deadline: Instant,
    ) -> Result<SqlRows, Failure> {
        let mut connection = self.acquire(whose, deadline).await.map_err(Failure::Answered)?;
        let rows = connection.run_alone(query, self.told(whose), planned, deadline).await;
        if let Err(Failure::Lost { .. }) = rows {
            self.pool.lost(connection.generation);
        }
        rows
    }

    /// Run one statement by itself, outside the path of requests: nobody waits for it, so it is
    /// patient where a request would rather fail. It may run twice, and reach all tenants.
    pub(super) async fn run(&self, query: &Query) -> Result<SqlRows, Error> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ran = self.run_once(query, Whose::Everyone, Planned::Whichever, deadline).await;
            match ran.map_err(Error::from) {
                Err(Error::Unavailable | Error::PoolExhausted | Error::Saturated)
                    if Instant::now() + PATIENT_PAUSE < deadline =>
                {
                    sleep(PATIENT_PAUSE).await;
                }
                rows => return rows,
            }
        }
    }

    /// A connection outside the pool.
    pub(super) async fn dedicated(&self) -> Result<Dedicated, Error> {
        Dedicated::open(&self.connector, self.row_level_security).await
    }

    /// What each tenant may have of the pool, from now on; others may have it all.
    pub(super) fn share(&self, shares: HashMap<Tenant, u32>) {
        self.pool.share(shares);
    }

    /// What the pool holds now.
    pub(super) fn pool(&self) -> PoolState {
        self.pool.state()
    }
}

/// A server that is busy may answer late, and at the start nobody waits for it but the operator. One
/// that refuses is not asked again.
async fn first_connection(connector: &Connector) -> Result<MigrationConnection, Error> {
    for _ in 0..2 {
        let asked = Instant::now();
        match MigrationConnection::of(connector).await {
            Err(Error::Unavailable) if asked.elapsed() >= connector::CONNECT_TIMEOUT => {}
            opened => return opened,
        }
    }
    MigrationConnection::of(connector).await
}

/// Between two tries of a statement that nobody waits for.
const PATIENT_PAUSE: Duration = Duration::from_millis(100);
