//! A transaction: one connection from its first statement to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::transaction::{Planned, TransactionMode, Whose};
use super::error::{Failure, classify};
use super::pool::PooledConnection;
use super::{Postgres, outcome};

/// A transaction, or in autocommit mode the right to run statements by themselves.
pub(crate) struct Transaction {
    postgres: Arc<Postgres>,
    whose: Whose,
    mode: TransactionMode,
    /// Set by the first statement. Dropping it before the end closes the connection, and with it
    /// the server ends the transaction.
    connection: Option<PooledConnection>,
    /// The server's number of a transaction that writes, by which it remembers the end.
    number: Option<String>,
    /// What goes to the server before the next statement, in its round trip.
    pending: Vec<&'static str>,
    /// Set by an error that no savepoint caught: the server accepts nothing more but its end.
    broken: bool,
}

impl Transaction {
    pub(in super::super) fn new(
        postgres: Arc<Postgres>,
        whose: Whose,
        mode: TransactionMode,
    ) -> Self {
        let (connection, number, pending) = (None, None, Vec::new());
        Self { postgres, whose, mode, connection, number, pending, broken: false }
    }

    /// Run one statement. The first one takes the connection and carries BEGIN with it.
    pub(in super::super) async fn run(
        &mut self,
        query: &Query,
        planned: Planned,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        match self.mode {
            TransactionMode::Read | TransactionMode::Write | TransactionMode::Serializable => {}
            TransactionMode::Autocommit => {
                let rows = self.run_alone(query, planned, deadline, Failure::may_be_repeated).await;
                return rows.map_err(Error::from);
            }
            TransactionMode::AutocommitWrite => return self.write_alone(query, deadline).await,
        }
        if self.broken {
            return Err(failed());
        }
        if self.connection.is_some() {
            return self.run_next(query, planned, deadline).await;
        }
        let rows = match self.run_first(query, planned, deadline).await {
            // Nothing of it can be there without a COMMIT.
            Err(failure) if failure.may_be_repeated() => {
                self.broken = false;
                self.run_first(query, planned, deadline).await
            }
            rows => rows,
        };
        self.pending.clear();
        rows.map_err(Error::from)
    }

    /// What begins it. The server forgets whose rows it could reach with its end.
    fn begin(&self) -> String {
        let told = self.postgres.told(self.whose);
        let told = told.map(|whose| format!("SET LOCAL {}", whose.setting()));
        let mut texts = vec![begin(self.mode)];
        texts.extend(told.as_deref());
        texts.extend(&self.pending);
        texts.join("; ")
    }

    async fn run_first(
        &mut self,
        query: &Query,
        planned: Planned,
        deadline: Instant,
    ) -> Result<SqlRows, Failure> {
        let mut connection =
            self.postgres.acquire(self.whose, deadline).await.map_err(Failure::Answered)?;
        connection.mark_dirty();
        let rows = connection.run(query, planned, Some(&self.begin()), deadline).await;
        // Also where the statement has failed: the transaction may go on from a savepoint.
        self.number = connection.told.take();
        match &rows {
            Ok(_) => self.connection = Some(connection),
            Err(failure) => self.give_up(connection, failure),
        }
        rows
    }

    async fn run_next(
        &mut self,
        query: &Query,
        planned: Planned,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        let Some(mut connection) = self.connection.take() else {
            return Err(failed());
        };
        let pending = self.take_pending();
        let rows = connection.run(query, planned, pending.as_deref(), deadline).await;
        match &rows {
            Ok(_) => self.connection = Some(connection),
            Err(failure) => self.give_up(connection, failure),
        }
        rows.map_err(Error::from)
    }

    /// What remains of the transaction after a failure: its connection, where that answers still.
    fn give_up(&mut self, connection: PooledConnection, failure: &Failure) {
        self.broken = true;
        match failure {
            Failure::Answered(_) => self.connection = Some(connection),
            Failure::Lost { .. } => self.postgres.pool.lost(connection.generation),
            // What was sent may still run, and a request to cancel it is on its way.
            Failure::Stale | Failure::TimedOut { .. } => {}
        }
    }

    /// Run a statement by itself, and again on another connection where that can do no harm.
    async fn run_alone(
        &self,
        query: &Query,
        planned: Planned,
        deadline: Instant,
        may_be_repeated: fn(&Failure) -> bool,
    ) -> Result<SqlRows, Failure> {
        match self.postgres.run_once(query, self.whose, planned, deadline).await {
            Err(failure) if may_be_repeated(&failure) => {
                self.postgres.run_once(query, self.whose, planned, deadline).await
            }
            rows => rows,
        }
    }

    async fn write_alone(&self, query: &Query, deadline: Instant) -> Result<SqlRows, Error> {
        let rows =
            self.run_alone(query, Planned::Whichever, deadline, Failure::has_done_nothing).await;
        rows.map_err(|failure| match failure {
            Failure::Lost { error: Error::Unavailable | Error::Timeout, sent: true }
            | Failure::TimedOut { sent: true } => Error::OutcomeUnknown,
            failure => failure.into(),
        })
    }

    fn take_pending(&mut self) -> Option<String> {
        let pending = std::mem::take(&mut self.pending);
        (!pending.is_empty()).then(|| pending.join("; "))
    }

    /// The place to which [`Self::rollback_to_savepoint`] goes back.
    pub(in super::super) fn savepoint(&mut self) -> Result<(), Error> {
        if self.broken {
            return Err(failed());
        }
        self.pending.push(SAVEPOINT);
        Ok(())
    }

    /// The savepoint is not needed any more.
    pub(in super::super) fn release_savepoint(&mut self) {
        if !self.unmark() {
            self.pending.push(RELEASE);
        }
    }

    /// Undo what was done since the savepoint, and let go of it.
    pub(in super::super) async fn rollback_to_savepoint(
        &mut self,
        deadline: Instant,
    ) -> Result<(), Error> {
        if self.unmark() {
            return Ok(());
        }
        let mut connection = self.connection.take().ok_or_else(failed)?;
        connection.forget_settings();
        self.pending.extend([ROLLBACK_TO_SAVEPOINT, RELEASE]);
        let texts = self.take_pending().unwrap_or_default();
        let answer = tokio::time::timeout_at(deadline, connection.control(&texts)).await;
        let failure = match answer {
            Ok(Ok(_)) => {
                self.broken = false;
                self.connection = Some(connection);
                return Ok(());
            }
            Ok(Err(error)) => Failure::new(&error, true),
            Err(_elapsed) => Failure::TimedOut { sent: true },
        };
        self.give_up(connection, &failure);
        Err(failure.into())
    }

    /// Forget a savepoint behind which nothing was sent.
    fn unmark(&mut self) -> bool {
        self.pending.pop_if(|last| *last == SAVEPOINT).is_some()
    }

    /// Once COMMIT is on its way, only the server tells what happened, so no deadline cuts it
    /// short but its own.
    pub(in super::super) async fn commit(mut self) -> Result<(), Error> {
        if self.broken {
            self.rollback().await;
            return Err(failed());
        }
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let Some(number) = &self.number else {
            // Only read.
            end(&mut connection, "COMMIT").await;
            return Ok(());
        };
        match timeout(COMMIT_TIMEOUT, connection.control(COMMIT)).await {
            Ok(Ok(_)) => {
                connection.mark_clean();
                return Ok(());
            }
            Ok(Err(error)) => match Failure::new(&error, true) {
                Failure::Lost { .. } => self.postgres.pool.lost(connection.generation),
                _ => return Err(classify(&error)),
            },
            Err(_elapsed) => {}
        }
        outcome::resolve(&self.postgres.connector, &connection.backend, number).await
    }

    pub(in super::super) async fn rollback(mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.forget_settings();
            end(&mut connection, "ROLLBACK").await;
        }
    }
}

const SAVEPOINT: &str = "SAVEPOINT call";
const RELEASE: &str = "RELEASE SAVEPOINT call";
const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT call";

/// The server answers a COMMIT of a transaction that has failed with a rollback and no error. The
/// empty SELECT is refused in such a transaction, and what follows it is not run.
const COMMIT: &str = "SELECT; COMMIT";

/// How long the answer to COMMIT is waited for, before the server is asked on another connection.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end of a transaction that leaves nothing may take before its connection is given
/// up.
const END_TIMEOUT: Duration = Duration::from_secs(5);

fn failed() -> Error {
    Error::Other("the transaction has already failed".to_owned())
}

/// A connection whose transaction did not end stays dirty, and is closed.
async fn end(connection: &mut PooledConnection, sql: &str) {
    if let Ok(Ok(_)) = timeout(END_TIMEOUT, connection.control(sql)).await {
        connection.mark_clean();
    }
}

/// One that writes asks for its number at once: an answer to a later question might be lost.
fn begin(mode: TransactionMode) -> &'static str {
    match mode {
        TransactionMode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        TransactionMode::Serializable => {
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; SELECT pg_current_xact_id()::text"
        }
        TransactionMode::Write | TransactionMode::Autocommit | TransactionMode::AutocommitWrite => {
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id()::text"
        }
    }
}
