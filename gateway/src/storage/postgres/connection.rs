//! One connection: its prepared statements, and whether it is clean.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::super::sql::{Query, SqlRows};
use super::super::transaction::{Planned, Whose};
use super::connector::Connector;
use super::error::Failure;
use super::value::{as_parameters, as_typed_parameters, collect_rows};

/// One connection with the statements that it has prepared.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) connector: Connector,
    pub(super) statements: HashMap<Arc<str>, Statement>,
    /// False from before anything is sent that opens a transaction until its end was confirmed.
    pub(super) clean: bool,
    /// Whose rows statements by themselves can reach, where the server looks and it is known.
    pub(super) whose: Option<Whose>,
    /// The first text that was told by what went before the last statement, however that ended.
    pub(super) told: Option<String>,
    /// How it plans prepared statements, where that is known.
    pub(super) cache_mode: Option<PlanCacheMode>,
    /// Who serves it.
    pub(super) backend: Backend,
    /// The pool's count of failures when it was made; see `pool.rs`.
    pub(super) generation: u64,
}

/// The server's process behind a connection.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) pid: i32,
    pub(super) timeline: Option<String>,
}

/// The server's setting `plan_cache_mode`. It stays from statement to statement, and is set on the
/// way of one that needs another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PlanCacheMode {
    /// As the operator has it.
    Default,
    ForceGenericPlan,
}

impl PlanCacheMode {
    /// What a statement needs to be planned so.
    fn of(planned: Planned) -> Option<Self> {
        match planned {
            Planned::Whichever => None,
            Planned::Afresh | Planned::AsServerDecides => Some(Self::Default),
            Planned::Once => Some(Self::ForceGenericPlan),
        }
    }

    fn set(self) -> &'static str {
        match self {
            Self::Default => "SET plan_cache_mode TO DEFAULT",
            Self::ForceGenericPlan => "SET plan_cache_mode TO force_generic_plan",
        }
    }
}

impl Connection {
    /// Run statements one after the other without waiting for each one's answer.
    pub(super) async fn run_pipelined(
        &mut self,
        queries: &[Query],
    ) -> Result<(), tokio_postgres::Error> {
        let mut statements = Vec::with_capacity(queries.len());
        for query in queries {
            statements.push(self.statement(&query.sql).await?);
        }
        let runs = queries.iter().zip(&statements).map(async |(query, statement)| {
            self.client.execute(statement, &as_parameters(&query.binds)).await
        });
        future::try_join_all(runs).await.map(drop)
    }

    /// Run one statement outside a transaction. Where the server is to know whose rows it can
    /// reach, it is told on the way: each use of a connection says so for itself, so what an
    /// earlier one has left says nothing to the next.
    pub(super) async fn run_alone(
        &mut self,
        query: &Query,
        whose: Option<Whose>,
        planned: Planned,
        deadline: Instant,
    ) -> Result<SqlRows, Failure> {
        self.clean = false;
        let told = self.whose.take();
        let tell = whose.filter(|_| whose != told).map(|whose| format!("SET {}", whose.setting()));
        let answer = self.run(query, planned, tell.as_deref(), deadline).await;
        // An error answer ends the statement's own transaction; else it may still be under way.
        self.clean = matches!(answer, Ok(_) | Err(Failure::Answered(_)));
        // After an error it is told again: the error may be that of the telling.
        self.whose = whose.filter(|_| answer.is_ok());
        answer
    }

    /// Run one statement, with `before` on its way first and no wait between.
    pub(super) async fn run(
        &mut self,
        query: &Query,
        planned: Planned,
        before: Option<&str>,
        deadline: Instant,
    ) -> Result<SqlRows, Failure> {
        let mut sent = false;
        let answer = timeout_at(deadline, self.send(query, planned, before, &mut sent)).await;
        match answer {
            Ok(Ok(rows)) => Ok(collect_rows(rows)),
            Ok(Err(error)) => {
                let failure = Failure::new(&error, sent);
                // The setting may have gone with what has failed.
                self.forget_settings();
                if matches!(failure, Failure::Stale) {
                    self.statements.clear();
                }
                Err(failure)
            }
            Err(_elapsed) => {
                self.connector.cancel(&self.client);
                Err(Failure::TimedOut { sent })
            }
        }
    }

    async fn send(
        &mut self,
        query: &Query,
        planned: Planned,
        before: Option<&str>,
        sent: &mut bool,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.told = None;
        let prepared = match planned {
            Planned::Afresh => None,
            _ => Some(self.statement(&query.sql).await?),
        };
        let mode = PlanCacheMode::of(planned).filter(|mode| self.cache_mode != Some(*mode));
        let texts = before.into_iter().chain(mode.map(PlanCacheMode::set));
        let before = texts.collect::<Vec<_>>().join("; ");
        // What is given to a connection that has ended already never reaches the server.
        *sent = !self.client.is_closed();
        let rows = async {
            match &prepared {
                Some(statement) => self.client.query(statement, &as_parameters(&query.binds)).await,
                None => {
                    self.client.query_typed(&query.sql, &as_typed_parameters(&query.binds)).await
                }
            }
        };
        if before.is_empty() {
            return rows.await;
        }
        // Polled in this order, so sent in this order.
        let (begun, rows) = future::join(self.client.simple_query(&before), rows).await;
        self.told = first_text(&begun?);
        self.cache_mode = mode.or(self.cache_mode);
        rows
    }

    /// Statements of the protocol, such as COMMIT, and the first text that they return.
    pub(super) async fn control(&self, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
        self.client.simple_query(sql).await.map(|messages| first_text(&messages))
    }

    /// What was set since the transaction or the savepoint began is undone.
    pub(super) fn forget_settings(&mut self) {
        self.cache_mode = None;
    }

    pub(super) fn mark_dirty(&mut self) {
        self.clean = false;
    }

    /// The transaction has ended and every answer was read.
    pub(super) fn mark_clean(&mut self) {
        self.clean = true;
    }

    async fn statement(&mut self, sql: &Arc<str>) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if self.statements.len() >= MAX_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(Arc::clone(sql), statement.clone());
        Ok(statement)
    }
}

/// Statements that one connection keeps prepared. Plugins' statements have a text for each
/// combination of their conditions, so the number is not fixed.
const MAX_STATEMENTS: usize = 1_000;

fn first_text(messages: &[SimpleQueryMessage]) -> Option<String> {
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })?;
    row.try_get(0).ok().flatten().map(str::to_owned)
}
