//! A connection that belongs to one piece of work outside the path of requests: a change of the
//! schema. It holds that work's lock, and some of its statements cannot run in a transaction.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::transaction::{Planned, Whose};
use super::connection::Connection;
use super::connector::Connector;
use super::error::classify;

/// Closed, and the lock with it, when it is dropped.
pub(crate) struct Dedicated {
    connection: Connection,
    row_level_security: bool,
}

/// Held while a schema is changed; any number but the lock's of the migrations.
const SCHEMA_LOCK: i64 = 0x6c6f_6767_6962;
/// How long one gateway waits for another's change of the schema.
const LOCK_TIMEOUT: Duration = Duration::from_secs(600);
/// Others wait behind a statement that waits for a table's lock, so it does not wait long.
const TABLE_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";
/// How often such a statement tries again.
const TABLE_LOCK_ATTEMPTS: u32 = 30;
/// Between two attempts to take a lock.
const PAUSE: Duration = Duration::from_millis(100);
/// Back-fills and indexes of large tables take their time.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl Dedicated {
    pub(super) async fn open(
        connector: &Connector,
        row_level_security: bool,
    ) -> Result<Self, Error> {
        let connection = connector.connect(0).await?;
        // Who serves may not change tables. The owner of a table is held to its policy, too.
        let settings = format!(
            "RESET ROLE; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
             SET {}",
            Whose::Everyone.setting()
        );
        connection.control(&settings).await.map_err(|error| classify(&error))?;
        Ok(Self { connection, row_level_security })
    }

    /// Keep other gateways from changing the schema. Asked for again and again: a session that
    /// waits inside of the server would hold up CREATE INDEX CONCURRENTLY of the one it waits for.
    pub(in super::super) async fn lock(&mut self) -> Result<(), Error> {
        let sql = format!("SELECT pg_try_advisory_lock({SCHEMA_LOCK})");
        let query = Query { sql: sql.into(), binds: Vec::new() };
        let deadline = Instant::now() + LOCK_TIMEOUT;
        let mut told = false;
        while self.run(&query).await?.first_integer() != Some(1) {
            if !told {
                tracing::info!("waiting for another gateway that changes the schema");
                told = true;
            }
            if Instant::now() > deadline {
                let seconds = LOCK_TIMEOUT.as_secs();
                return Err(Error::Other(format!(
                    "another gateway has been changing the schema for more than {seconds} s"
                )));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Whether tables are to have a policy.
    pub(in super::super) fn row_level_security(&self) -> bool {
        self.row_level_security
    }

    /// Run one statement by itself.
    pub(in super::super) async fn run(&mut self, query: &Query) -> Result<SqlRows, Error> {
        let deadline = Instant::now() + STATEMENT_TIMEOUT;
        let rows = self.connection.run(query, Planned::Whichever, None, deadline).await;
        rows.map_err(Error::from)
    }

    /// Run statements that change rows in one transaction.
    pub(in super::super) async fn write(&mut self, queries: &[Query]) -> Result<(), Error> {
        self.control("BEGIN").await?;
        let done = self.connection.run_pipelined(queries).await;
        self.end(done.map_err(|error| classify(&error))).await
    }

    /// Run DDL in one transaction. Where a table's lock cannot be had it tries again, so that
    /// nobody waits long behind it.
    pub(in super::super) async fn change(&mut self, statements: &[String]) -> Result<(), Error> {
        let sql = format!("BEGIN; {TABLE_LOCK_TIMEOUT}; {}", statements.join("; "));
        for _ in 0..TABLE_LOCK_ATTEMPTS {
            let done = self.control(&sql).await;
            match self.end(done).await {
                // What a lock or a deadlock that was not got is classified as.
                Err(Error::Aborted) => sleep(PAUSE).await,
                done => return done,
            }
        }
        Err(Error::Other(
            "a table could not be locked to change it: a long transaction uses it".to_owned(),
        ))
    }

    /// Run one statement that must not stand in a transaction.
    pub(in super::super) async fn alone(&mut self, sql: &str) -> Result<(), Error> {
        self.control(sql).await
    }

    async fn end(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Ok(()) => self.control("COMMIT").await,
            Err(error) => {
                self.control("ROLLBACK").await.ok();
                Err(error)
            }
        }
    }

    async fn control(&self, sql: &str) -> Result<(), Error> {
        self.connection.control(sql).await.map(drop).map_err(|error| classify(&error))
    }
}
