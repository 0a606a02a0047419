//! The one connection of a change of the schema, on either database.

use std::sync::Arc;
use std::time::Duration;

use super::super::ddl::Command;
use super::super::error::Error;
use super::super::sql::{Query, SqlRows, SqlValue};
use super::super::statement::Dialect;
use super::super::{postgres, sqlite};

/// On `SQLite` it is the writer, which other writes go through, too.
#[expect(clippy::large_enum_variant, reason = "one for each plugin that is loaded")]
pub(in super::super) enum ChangeSession {
    Postgres(postgres::Dedicated),
    Sqlite(Arc<sqlite::Sqlite>),
}

/// Indexes of large tables take their time.
const SQLITE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl ChangeSession {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Whether tables are to have a policy; `None` where there are none.
    pub(super) fn row_level_security(&self) -> Option<bool> {
        match self {
            Self::Postgres(connection) => Some(connection.row_level_security()),
            Self::Sqlite(_) => None,
        }
    }

    /// Keep other gateways from changing the schema. A file of `SQLite` has one gateway only.
    pub(super) async fn lock(&mut self) -> Result<(), Error> {
        match self {
            Self::Postgres(connection) => connection.lock().await,
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// Run one statement and read its whole answer.
    pub(super) async fn run(&mut self, sql: &str, binds: Vec<SqlValue>) -> Result<SqlRows, Error> {
        let query = Query { sql: sql.into(), binds };
        match self {
            Self::Postgres(connection) => connection.run(&query).await,
            Self::Sqlite(sqlite) => {
                let answers = sqlite.run_all(vec![query], SQLITE_TIMEOUT).await?;
                Ok(answers.into_iter().next().unwrap_or_default())
            }
        }
    }

    /// Run statements that change rows in one transaction.
    pub(super) async fn write(&mut self, queries: Vec<Query>) -> Result<(), Error> {
        match self {
            Self::Postgres(connection) => connection.write(&queries).await,
            Self::Sqlite(sqlite) => sqlite.run_all(queries, SQLITE_TIMEOUT).await.map(drop),
        }
    }

    /// Run DDL in one transaction.
    pub(super) async fn change(&mut self, statements: &[String]) -> Result<(), Error> {
        match self {
            Self::Postgres(connection) => connection.change(statements).await,
            Self::Sqlite(_) => self.write(queries(statements)).await,
        }
    }

    /// Run DDL as it has to be run.
    pub(super) async fn command(&mut self, command: &Command) -> Result<(), Error> {
        match (self, command) {
            (Self::Postgres(connection), Command::Alone(sql)) => connection.alone(sql).await,
            (Self::Postgres(connection), Command::AloneOr(first, other)) => {
                match connection.alone(first).await {
                    Err(Error::Other(_)) => connection.alone(other).await,
                    done => done,
                }
            }
            (session, Command::Change(statements)) => session.change(statements).await,
            (session, Command::Alone(sql) | Command::AloneOr(sql, _)) => {
                session.change(std::slice::from_ref(sql)).await
            }
        }
    }
}

fn queries(statements: &[String]) -> Vec<Query> {
    let query = |sql: &String| Query { sql: sql.as_str().into(), binds: Vec::new() };
    statements.iter().map(query).collect()
}
