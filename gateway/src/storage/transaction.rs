//! A transaction on either database.
//!
//! It begins with its first statement. Dropping it undoes it: a request that is given up, for
//! whatever reason, leaves nothing behind.

use std::sync::Arc;

use tokio::time::Instant;

use super::ddl::policy;
use super::error::Error;
use super::sql::{Query, SqlRows};
use super::statement::Wall;
use super::store::Tenant;
use super::{postgres, sqlite};
use crate::manifest::Plan;
use crate::telemetry;

/// How statements are put together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TransactionMode {
    /// One snapshot; writes are refused.
    Read,
    /// READ COMMITTED on `PostgreSQL`, BEGIN IMMEDIATE on `SQLite`.
    Write,
    /// SERIALIZABLE on `PostgreSQL`; on `SQLite` every transaction that writes is.
    Serializable,
    /// Each statement by itself; reads only.
    Autocommit,
    /// One statement that writes, by itself. `PostgreSQL` only. Once it is sent, a lost answer
    /// says nothing about what happened.
    AutocommitWrite,
}

/// How `PostgreSQL` plans a statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Planned {
    /// It stays prepared, and any plan will do: the gateway's own statements find documents by their
    /// keys.
    Whichever,
    /// For its values, each time: conditions of a select are often such that one plan for all
    /// values is many times slower.
    Afresh,
    /// It stays prepared, and the server settles on one plan for all values only where that is no
    /// dearer. To plan a statement that changes a few documents takes several times as long as to
    /// run it.
    AsServerDecides,
    /// It stays prepared, with one plan for all values. So for what its plugin declares to be
    /// `generic`, and for what passes over documents that others hold: it hands out the first of an
    /// order, whatever the values.
    Once,
}

impl Planned {
    /// How a plugin's query is.
    pub(super) fn query(plan: Plan) -> Self {
        match plan {
            Plan::Custom => Self::Afresh,
            Plan::Generic => Self::Once,
        }
    }

    /// How a plugin's statement that changes documents is.
    pub(super) fn change(plan: Plan) -> Self {
        match plan {
            Plan::Custom => Self::AsServerDecides,
            Plan::Generic => Self::Once,
        }
    }
}

/// Whose rows a transaction reaches. Every statement says so for itself; with
/// `storage.row_level_security`, the policies that `ddl/policy.rs` gives to tables hold it to that.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Whose {
    /// Those of one tenant.
    One(Tenant),
    /// Those of all, for work of the gateway's own.
    Everyone,
}

impl Whose {
    /// What stands behind SET, for the policies.
    pub(super) fn setting(self) -> String {
        match self {
            Self::One(tenant) => format!("{} = '{}'", policy::SETTING, tenant.key()),
            Self::Everyone => format!("{} = '{}'", policy::SETTING, policy::EVERYONE),
        }
    }
}

/// A transaction, or in autocommit mode the right to run statements by themselves.
pub(super) enum Transaction {
    Postgres(postgres::Transaction),
    Sqlite(sqlite::Transaction),
}

impl Transaction {
    /// Run one statement and read its whole answer.
    pub(super) async fn run(&mut self, query: Query, deadline: Instant) -> Result<SqlRows, Error> {
        let logged = Logged::begin(&query);
        let rows = match self {
            Self::Postgres(transaction) => {
                transaction.run(&query, Planned::Whichever, deadline).await
            }
            Self::Sqlite(transaction) => transaction.run(query, deadline).await,
        };
        logged.end(rows)
    }

    /// Run a statement of a plugin, which may touch the tables of its wall only. On `PostgreSQL` the
    /// role's rights are the wall.
    pub(super) async fn run_within(
        &mut self,
        query: Query,
        wall: &Arc<Wall>,
        planned: Planned,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        let logged = Logged::begin(&query);
        let rows = match self {
            Self::Postgres(transaction) => transaction.run(&query, planned, deadline).await,
            Self::Sqlite(transaction) => {
                transaction.run_within(query, Arc::clone(wall), deadline).await
            }
        };
        logged.end(rows)
    }

    /// Run statements one after another, up to the first that fails.
    pub(super) async fn run_all(
        &mut self,
        queries: Vec<Query>,
        deadline: Instant,
    ) -> Result<Vec<SqlRows>, Error> {
        match self {
            Self::Postgres(transaction) => {
                let mut answers = Vec::with_capacity(queries.len());
                for query in queries {
                    answers.push(transaction.run(&query, Planned::Whichever, deadline).await?);
                }
                Ok(answers)
            }
            Self::Sqlite(transaction) => transaction.run_all(queries, deadline).await,
        }
    }

    /// Mark the place to which [`Self::rollback_to_savepoint`] goes back.
    pub(super) async fn savepoint(&mut self, deadline: Instant) -> Result<(), Error> {
        match self {
            Self::Postgres(transaction) => transaction.savepoint(),
            Self::Sqlite(transaction) => transaction.control("SAVEPOINT call", deadline).await,
        }
    }

    /// The savepoint is not needed any more.
    pub(super) async fn release_savepoint(&mut self, deadline: Instant) -> Result<(), Error> {
        match self {
            Self::Postgres(transaction) => {
                transaction.release_savepoint();
                Ok(())
            }
            Self::Sqlite(transaction) => {
                transaction.control("RELEASE SAVEPOINT call", deadline).await
            }
        }
    }

    /// Undo what was done since the savepoint, and let go of it.
    pub(super) async fn rollback_to_savepoint(&mut self, deadline: Instant) -> Result<(), Error> {
        match self {
            Self::Postgres(transaction) => transaction.rollback_to_savepoint(deadline).await,
            Self::Sqlite(transaction) => {
                transaction.control("ROLLBACK TO SAVEPOINT call", deadline).await?;
                transaction.control("RELEASE SAVEPOINT call", deadline).await
            }
        }
    }

    /// Make it last. `Ok` means that the database has confirmed it.
    pub(super) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Postgres(transaction) => transaction.commit().await,
            Self::Sqlite(transaction) => transaction.commit().await,
        }
    }

    /// Undo it, and wait until it is undone.
    pub(super) async fn rollback(self) {
        match self {
            Self::Postgres(transaction) => transaction.rollback().await,
            Self::Sqlite(transaction) => transaction.rollback().await,
        }
    }
}

/// A statement for the log, where `storage.log_statements` asks for it. Never its values.
struct Logged(Option<(Arc<str>, Instant)>);

impl Logged {
    fn begin(query: &Query) -> Self {
        Self(telemetry::logs_statements().then(|| (Arc::clone(&query.sql), Instant::now())))
    }

    fn end(self, rows: Result<SqlRows, Error>) -> Result<SqlRows, Error> {
        if let Some((sql, began)) = self.0 {
            let microseconds = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let rows = rows.as_ref().ok().map(SqlRows::len);
            tracing::info!(target: "statement", microseconds, rows, "{sql}");
        }
        rows
    }
}
