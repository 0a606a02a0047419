//! One connection: how it is made, its prepared statements, and whether it is clean.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::super::clock::{self, Clock};
use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::error::classify;
use super::value::{as_parameters, collect_rows};

/// Makes connections for the pool.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    config: Config,
    clock: Arc<Clock>,
}

/// TCP, start-up and authentication together. tokio-postgres itself limits TCP only, and bb8
/// would keep waiting for an answer that never comes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Connector {
    pub(super) fn new(url: &str, clock: Arc<Clock>) -> Result<Self, Error> {
        let mut config: Config = url.parse().map_err(|error| {
            Error::Other(format!("storage.url is not a PostgreSQL URL: {error}"))
        })?;
        let options = config.get_options().unwrap_or_default();
        // JIT turns a query of 70 ms into one of 800 ms.
        let options = format!("{options} -c jit=off");
        config
            .options(&options)
            .application_name("loggia")
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(2)
            .tcp_user_timeout(Duration::from_secs(5));
        Ok(Self { config, clock })
    }

    /// A connection outside the pool, and the task that drives it.
    pub(super) async fn open(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let connecting = timeout(CONNECT_TIMEOUT, self.config.connect(NoTls)).await;
        let (client, connection) =
            connecting.map_err(|_elapsed| Error::Unavailable)?.map_err(|e| classify(&e))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a connection to PostgreSQL broke");
            }
        });
        Ok((client, driver))
    }

    async fn set_clock(&self, client: &Client) -> Result<(), Error> {
        const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
        let asked = clock::machine_now();
        let row = client.query_one(NOW, &[]).await.map_err(|error| classify(&error))?;
        self.clock.set(asked, row.get(0));
        Ok(())
    }
}

impl bb8::ManageConnection for Connector {
    type Connection = Connection;
    type Error = Error;

    async fn connect(&self) -> Result<Connection, Error> {
        let (client, _driver) = self.open().await?;
        timeout(CONNECT_TIMEOUT, self.set_clock(&client))
            .await
            .map_err(|_elapsed| Error::Unavailable)??;
        Ok(Connection { client, statements: HashMap::new(), clean: true })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.client.check_connection().await.map_err(|error| classify(&error))
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.client.is_closed() || !connection.clean
    }
}

/// bb8 drops errors of background connects unless it is told what to do with them.
#[derive(Clone, Debug)]
pub(super) struct LogErrors;

impl bb8::ErrorSink<Error> for LogErrors {
    fn sink(&self, error: Error) {
        tracing::warn!(%error, "PostgreSQL did not accept a connection");
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<Error>> {
        Box::new(self.clone())
    }
}

/// Goes back to the pool when it is dropped, or is closed when it is not clean.
pub(super) type PooledConnection = bb8::PooledConnection<'static, Connector>;

/// One connection with the statements that it has prepared.
pub(super) struct Connection {
    client: Client,
    statements: HashMap<Arc<str>, Statement>,
    /// False from before anything is sent that opens a transaction until its end was confirmed.
    clean: bool,
}

impl Connection {
    /// Run one statement outside a transaction.
    pub(super) async fn run_alone(
        &mut self,
        query: &Query,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        self.clean = false;
        let rows = self.run(query, None, deadline).await;
        // An error answer ends the statement's own transaction, but a timeout leaves it running.
        self.clean = !matches!(rows, Err(Error::Timeout));
        rows
    }

    /// Run one statement, with `before` on its way first and no wait between.
    pub(super) async fn run(
        &mut self,
        query: &Query,
        before: Option<&str>,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        match timeout_at(deadline, self.send(query, before)).await {
            Ok(rows) => rows.map(collect_rows).map_err(|error| classify(&error)),
            Err(_elapsed) => {
                self.cancel();
                Err(Error::Timeout)
            }
        }
    }

    async fn send(
        &mut self,
        query: &Query,
        before: Option<&str>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(&query.sql).await?;
        let parameters = as_parameters(&query.binds);
        let rows = self.client.query(&statement, &parameters);
        let Some(before) = before else {
            return rows.await;
        };
        // Polled in this order, so sent in this order.
        let (begun, rows) = future::join(self.client.batch_execute(before), rows).await;
        begun.and(rows)
    }

    /// A statement of the protocol alone, such as COMMIT.
    pub(super) async fn control(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
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

    /// Ask the server to stop what it does for this connection. The connection is not used again:
    /// the request to cancel might arrive late and hit the next statement.
    fn cancel(&self) {
        let token = self.client.cancel_token();
        tokio::spawn(timeout(CONNECT_TIMEOUT, async move {
            if let Err(error) = token.cancel_query(NoTls).await {
                tracing::warn!(%error, "a statement could not be cancelled");
            }
        }));
    }
}

/// Statements that one connection keeps prepared. Plugins' statements have a text for each
/// combination of their conditions, so the number is not fixed.
const MAX_STATEMENTS: usize = 1_000;
