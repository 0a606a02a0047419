//! A transaction: one connection from its first statement to its end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::transaction::{TransactionMode, Whose};
use super::connection::{Answer, Plan};
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
    /// Set by an error that no savepoint caught: the server accepts nothing more but its end.
    broken: bool,
}

impl Transaction {
    pub(in super::super) fn new(
        postgres: Arc<Postgres>,
        whose: Whose,
        mode: TransactionMode,
    ) -> Self {
        Self { postgres, whose, mode, connection: None, number: None, broken: false }
    }

    /// Run one statement. The first one takes the connection and carries BEGIN with it.
    pub(in super::super) async fn run(
        &mut self,
        query: &Query,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        self.run_with(query, Plan::Kept, deadline).await
    }

    /// Run a plugin's own statement, planned for its values.
    pub(in super::super) async fn run_planned(
        &mut self,
        query: &Query,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        self.run_with(query, Plan::Fresh, deadline).await
    }

    async fn run_with(
        &mut self,
        query: &Query,
        plan: Plan,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        match self.mode {
            TransactionMode::Read | TransactionMode::Write | TransactionMode::Serializable => {}
            TransactionMode::Autocommit => {
                let rows = self.run_alone(query, plan, deadline, Failure::may_be_repeated).await;
                return rows.map_err(Error::from);
            }
            TransactionMode::AutocommitWrite => return self.write_alone(query, deadline).await,
        }
        if self.broken {
            return Err(failed());
        }
        if self.connection.is_some() {
            return self.run_next(query, plan, deadline).await;
        }
        match self.run_first(query, plan, deadline).await {
            // Nothing of it can be there without a COMMIT.
            Err(failure) if failure.may_be_repeated() => {
                self.broken = false;
                self.run_first(query, plan, deadline).await.map_err(Error::from)
            }
            rows => rows.map_err(Error::from),
        }
    }

    /// What begins it. The server forgets whose rows it could reach with its end.
    fn begin(&self) -> Cow<'static, str> {
        let begin = begin(self.mode);
        match self.postgres.told(self.whose) {
            Some(whose) => format!("{begin}; SET LOCAL {}", whose.setting()).into(),
            None => begin.into(),
        }
    }

    async fn run_first(
        &mut self,
        query: &Query,
        plan: Plan,
        deadline: Instant,
    ) -> Result<SqlRows, Failure> {
        let mut connection =
            self.postgres.acquire(self.whose, deadline).await.map_err(Failure::Answered)?;
        connection.mark_dirty();
        match connection.run(query, plan, Some(&self.begin()), deadline).await {
            Ok(Answer { rows, before }) => {
                self.number = before;
                self.connection = Some(connection);
                Ok(rows)
            }
            Err(failure) => {
                self.give_up(connection, &failure);
                Err(failure)
            }
        }
    }

    async fn run_next(
        &mut self,
        query: &Query,
        plan: Plan,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        let Some(mut connection) = self.connection.take() else {
            return Err(failed());
        };
        match connection.run(query, plan, None, deadline).await {
            Ok(answer) => {
                self.connection = Some(connection);
                Ok(answer.rows)
            }
            Err(failure) => {
                self.give_up(connection, &failure);
                Err(failure.into())
            }
        }
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
        plan: Plan,
        deadline: Instant,
        may_be_repeated: fn(&Failure) -> bool,
    ) -> Result<SqlRows, Failure> {
        match self.postgres.run_once(query, self.whose, plan, deadline).await {
            Err(failure) if may_be_repeated(&failure) => {
                self.postgres.run_once(query, self.whose, plan, deadline).await
            }
            rows => rows,
        }
    }

    async fn write_alone(&self, query: &Query, deadline: Instant) -> Result<SqlRows, Error> {
        let rows = self.run_alone(query, Plan::Kept, deadline, Failure::has_done_nothing).await;
        rows.map_err(|failure| match failure {
            Failure::Lost { error: Error::Unavailable | Error::Timeout, sent: true }
            | Failure::TimedOut { sent: true } => Error::OutcomeUnknown,
            failure => failure.into(),
        })
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
        let Some(connection) = self.connection.take() else {
            return self.control_first(sql, deadline).await;
        };
        self.control_on(connection, sql, deadline).await.map(drop).map_err(Error::from)
    }

    async fn control_first(&mut self, sql: &'static str, deadline: Instant) -> Result<(), Error> {
        if self.broken {
            return Err(failed());
        }
        let text = format!("{}; {sql}", self.begin());
        let mut repeats = 0..1;
        loop {
            let mut connection = self.postgres.acquire(self.whose, deadline).await?;
            connection.mark_dirty();
            match self.control_on(connection, &text, deadline).await {
                Ok(number) => {
                    self.number = number;
                    return Ok(());
                }
                Err(failure) if failure.may_be_repeated() && repeats.next().is_some() => {
                    self.broken = false;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    async fn control_on(
        &mut self,
        connection: PooledConnection,
        sql: &str,
        deadline: Instant,
    ) -> Result<Option<String>, Failure> {
        let answer = tokio::time::timeout_at(deadline, connection.control(sql)).await;
        let failure = match answer {
            Ok(Ok(text)) => {
                self.broken = false;
                self.connection = Some(connection);
                return Ok(text);
            }
            Ok(Err(error)) => Failure::new(&error, true),
            Err(_elapsed) => Failure::TimedOut { sent: true },
        };
        self.give_up(connection, &failure);
        Err(failure)
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
            end(&mut connection, "ROLLBACK").await;
        }
    }
}

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
