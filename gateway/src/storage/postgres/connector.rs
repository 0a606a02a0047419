//! How connections are made: the URL, time limits, what is asked of the server first.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::clock::{self, Clock};
use super::super::error::Error;
use super::Options;
use super::connection::{Backend, Connection, PlanCacheMode};
use super::error::{classify, refused};

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    /// Set once it is known: whose rights the connections of the pool have.
    role: Option<Arc<str>>,
    clock: Arc<Clock>,
}

/// What drives a connection, by being polled.
type Driven =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// TCP, start-up and authentication together. tokio-postgres itself limits TCP only, and a server
/// that is stopped accepts connections and never answers.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

impl Connector {
    pub(super) fn new(options: &Options, clock: Arc<Clock>) -> Result<Self, Error> {
        let mut config: Config = options.url.parse().map_err(|error| {
            Error::Other(format!("storage.url is not a PostgreSQL URL: {error}"))
        })?;
        if let Some(mode) = options.tls.ssl_mode(&config) {
            config.ssl_mode(mode);
        }
        let tls = options.tls.connector()?;
        let options = config.get_options().unwrap_or_default();
        // JIT turns a query of 70 ms into one of 800 ms. Many requests run at once, and one that is
        // spread over processes takes more of the processors from the others than it gains itself;
        // the URL may ask for it all the same.
        let options = format!("-c max_parallel_workers_per_gather=0 {options} -c jit=off");
        config
            .options(&options)
            .application_name("loggia")
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(2)
            .tcp_user_timeout(Duration::from_secs(5));
        Ok(Self { config, tls, role: None, clock })
    }

    /// A connection as the role of the URL, and the task that drives it.
    pub(super) async fn open(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, connection) = self.dial().await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a connection to PostgreSQL broke");
            }
        });
        Ok((client, driver))
    }

    /// As `open`, and what the server notifies it of is given on. What there is no room for is
    /// dropped.
    pub(super) async fn open_listening(
        &self,
        heard_by: mpsc::Sender<String>,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, mut connection) = self.dial().await?;
        let driver = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(heard)) => {
                        heard_by.try_send(heard.payload().to_owned()).ok();
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the connection that listens to PostgreSQL broke");
                        return;
                    }
                }
            }
        });
        Ok((client, driver))
    }

    async fn dial(&self) -> Result<(Client, Driven), Error> {
        let connecting = timeout(CONNECT_TIMEOUT, self.config.connect(self.tls.clone())).await;
        let Ok(connected) = connecting else {
            tracing::warn!("PostgreSQL accepts connections and does not answer");
            return Err(Error::Unavailable);
        };
        connected.map_err(|error| refused(&error))
    }

    /// The same, with connections of the pool that have this role's rights.
    pub(super) fn serving_as(self, role: Option<String>) -> Self {
        Self { role: role.map(Arc::from), ..self }
    }

    /// A connection for the pool.
    pub(super) async fn connect(&self, generation: u64) -> Result<Connection, Error> {
        let (client, _driver) = self.open().await?;
        let prepared = timeout(CONNECT_TIMEOUT, self.first_statements(&client)).await;
        let backend = prepared.map_err(|_elapsed| Error::Unavailable)??;
        Ok(Connection {
            client,
            connector: self.clone(),
            statements: HashMap::new(),
            clean: true,
            whose: None,
            told: None,
            cache_mode: Some(PlanCacheMode::Default),
            backend,
            generation,
        })
    }

    async fn first_statements(&self, client: &Client) -> Result<Backend, Error> {
        const WHO: &str =
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8, pg_backend_pid()";
        let asked = clock::machine_now();
        let row = client.query_one(WHO, &[]).await.map_err(|error| classify(&error))?;
        self.clock.set(asked, row.get(0));
        let backend = Backend { pid: row.get(1), timeline: timeline(client).await };
        if let Some(role) = &self.role {
            let become_it = client.batch_execute(&format!("SET ROLE {role}")).await;
            become_it.map_err(|error| classify(&error))?;
        }
        Ok(backend)
    }

    /// Ask the server to stop what it does for a connection. That connection is not used again:
    /// the request to cancel might arrive late and hit the next statement.
    pub(super) fn cancel(&self, client: &Client) {
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        tokio::spawn(timeout(CONNECT_TIMEOUT, async move {
            if let Err(error) = token.cancel_query(tls).await {
                tracing::warn!(%error, "a statement could not be cancelled");
            }
        }));
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// Which history of the database this is: another one begins when a standby takes over, and there
/// the same number may mean another transaction. `None` where the role may not ask.
pub(super) async fn timeline(client: &Client) -> Option<String> {
    const TIMELINE: &str = "SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)";
    client.query_one(TIMELINE, &[]).await.ok().map(|row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server takes the last of options that say the same.
    #[test]
    fn the_url_may_ask_for_parallel_queries_and_not_for_jit() {
        let of_url = "-c%20max_parallel_workers_per_gather%3D2%20-c%20jit%3Don";
        let options = Options::new(format!("postgres://u@h/d?options={of_url}"));
        let connector = Connector::new(&options, Arc::default()).expect("a URL");
        let options = connector.config.get_options().expect("options");
        let last = |name: &str| {
            let settings = options.split(" -c ").filter_map(|option| option.split_once('='));
            settings.filter(|(setting, _)| setting.ends_with(name)).last()
        };
        assert_eq!(last("max_parallel_workers_per_gather").map(|(_, value)| value), Some("2"));
        assert_eq!(last("jit"), Some(("jit", "off")));
    }
}
