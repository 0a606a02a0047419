//! A transaction: one connection from its first statement to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::transaction::TransactionMode;
use super::Postgres;
use super::connection::PooledConnection;
use super::error::classify;

/// A transaction, or in autocommit mode the right to run statements by themselves.
pub(crate) struct Transaction {
    postgres: Arc<Postgres>,
    mode: TransactionMode,
    /// Set by the first statement. Dropping it before the end closes the connection, and with it
    /// the server ends the transaction.
    connection: Option<PooledConnection>,
    /// Set by an error that no savepoint caught: the server accepts nothing more but its end.
    broken: bool,
}

impl Transaction {
    pub(in super::super) fn new(postgres: Arc<Postgres>, mode: TransactionMode) -> Self {
        Self { postgres, mode, connection: None, broken: false }
    }

    /// Run one statement. The first one takes the connection and carries BEGIN with it.
    pub(in super::super) async fn run(
        &mut self,
        query: &Query,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        match self.mode {
            TransactionMode::Read | TransactionMode::Write => {}
            TransactionMode::Autocommit => return self.run_alone(query, deadline).await,
            TransactionMode::AutocommitWrite => {
                let mut connection = self.postgres.acquire(deadline).await?;
                let rows = connection.run_alone(query, deadline).await;
                return rows.map_err(|error| match error {
                    Error::Unavailable | Error::Timeout => Error::OutcomeUnknown,
                    error => error,
                });
            }
        }
        if self.broken {
            return Err(failed());
        }
        let (connection, before) = match &mut self.connection {
            Some(connection) => (connection, None),
            none => {
                let mut acquired = self.postgres.acquire(deadline).await?;
                acquired.mark_dirty();
                (none.insert(acquired), Some(begin(self.mode)))
            }
        };
        let rows = connection.run(query, before, deadline).await;
        self.broken = rows.is_err();
        if matches!(rows, Err(Error::Timeout)) {
            // The statement still runs, and the request to cancel it is on its way.
            self.connection = None;
        }
        rows
    }

    async fn run_alone(&self, query: &Query, deadline: Instant) -> Result<SqlRows, Error> {
        self.postgres.acquire(deadline).await?.run_alone(query, deadline).await
    }

    /// Run a statement of transaction control, beginning the transaction where it has not begun.
    pub(in super::super) async fn control(
        &mut self,
        sql: &'static str,
        deadline: Instant,
    ) -> Result<(), Error> {
        if self.broken && sql.starts_with("SAVEPOINT") {
            return Err(failed());
        }
        let text = match self.connection {
            Some(_) => sql.to_owned(),
            None => format!("{}; {sql}", begin(self.mode)),
        };
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let mut acquired = self.postgres.acquire(deadline).await?;
                acquired.mark_dirty();
                none.insert(acquired)
            }
        };
        self.broken = true;
        match tokio::time::timeout_at(deadline, connection.control(&text)).await {
            Ok(Ok(())) => {
                self.broken = false;
                Ok(())
            }
            Ok(Err(error)) => Err(classify(&error)),
            Err(_elapsed) => Err(Error::Timeout),
        }
    }

    /// Once COMMIT is on its way, only its answer tells what happened, so no deadline cuts it
    /// short but its own.
    pub(in super::super) async fn commit(mut self) -> Result<(), Error> {
        if self.broken {
            // The server would answer a COMMIT here with a rollback and no error.
            self.rollback().await;
            return Err(failed());
        }
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        match timeout(END_TIMEOUT, connection.control("COMMIT")).await {
            Ok(Ok(())) => {
                connection.mark_clean();
                Ok(())
            }
            Ok(Err(error)) if error.as_db_error().is_some() => Err(classify(&error)),
            Ok(Err(_)) | Err(_) => Err(Error::OutcomeUnknown),
        }
    }

    pub(in super::super) async fn rollback(mut self) {
        if let Some(mut connection) = self.connection.take() {
            end(&mut connection, "ROLLBACK").await;
        }
    }
}

/// How long the end of a transaction may take before its connection is given up.
const END_TIMEOUT: Duration = Duration::from_secs(10);

fn failed() -> Error {
    Error::Other("the transaction has already failed".to_owned())
}

/// A connection whose transaction did not end stays dirty, and is closed.
async fn end(connection: &mut PooledConnection, sql: &str) {
    if let Ok(Ok(())) = timeout(END_TIMEOUT, connection.control(sql)).await {
        connection.mark_clean();
    }
}

fn begin(mode: TransactionMode) -> &'static str {
    match mode {
        TransactionMode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        TransactionMode::Write | TransactionMode::Autocommit | TransactionMode::AutocommitWrite => {
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        }
    }
}
