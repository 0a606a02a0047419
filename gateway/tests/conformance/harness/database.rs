//! A database of its own for each test, gone when the test is over.

use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio_postgres::NoTls;

/// An empty database.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres {
        server: String,
        name: String,
        /// Whether gateways on it have `storage.row_level_security`.
        row_level_security: bool,
    },
}

/// Set by `cargo xtask test` for the server that it has started.
const SERVER_VARIABLE: &str = "LOGGIA_TEST_POSTGRES";

/// The URL of the server that all tests share.
pub(crate) fn server() -> String {
    std::env::var(SERVER_VARIABLE)
        .unwrap_or_else(|_| panic!("{SERVER_VARIABLE} is not set; run `cargo xtask test`"))
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// # Panics
    /// There is no server: a suite that left these cases out would say nothing about them.
    pub(crate) async fn postgres() -> Self {
        Self::on_server(server()).await
    }

    /// The same on another server than that of all tests.
    pub(crate) async fn on_server(server: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("loggia_test_{}_{number}", std::process::id());
        administer(&server, &format!("CREATE DATABASE {name}")).await;
        Self::Postgres { server, name, row_level_security: false }
    }

    /// The same for a store with `storage.row_level_security`.
    pub(crate) async fn postgres_with_policies() -> Self {
        let mut database = Self::postgres().await;
        database.set_row_level_security(true);
        database
    }

    pub(crate) fn set_row_level_security(&mut self, on: bool) {
        if let Self::Postgres { row_level_security, .. } = self {
            *row_level_security = on;
        }
    }

    /// Whether gateways on it have `storage.row_level_security`.
    pub(crate) fn row_level_security(&self) -> bool {
        matches!(self, Self::Postgres { row_level_security: true, .. })
    }

    /// Let the server end every connection to it.
    pub(crate) async fn terminate_connections(&self) {
        if let Self::Postgres { server, name, .. } = self {
            let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity";
            administer(server, &format!("{terminate} WHERE datname = '{name}'")).await;
        }
    }

    /// The URL for `storage.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("loggia.db").display()),
            Self::Postgres { server, name, .. } => {
                let (prefix, _) = server.rsplit_once('/').expect("the URL names a database");
                format!("{prefix}/{name}")
            }
        }
    }
}

impl Drop for Database {
    /// In a thread of its own, because a test's runtime does not let a drop wait for it.
    fn drop(&mut self) {
        let Self::Postgres { server, name, .. } = self else {
            return;
        };
        let (server, dropped) = (server.clone(), name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(drop_database(&server, &dropped));
        });
        if dropping.join().is_err() && !std::thread::panicking() {
            panic!("the database {name} could not be dropped");
        }
    }
}

async fn administer(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    driver.await.unwrap().ok();
}

/// With the role that a gateway has made for it.
async fn drop_database(server: &str, name: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let number = format!("SELECT oid::text FROM pg_database WHERE datname = '{name}'");
    let number: String = client.query_one(&number, &[]).await.unwrap().get(0);
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    client.batch_execute(&format!("DROP ROLE IF EXISTS loggia_serve_{number}")).await.unwrap();
    drop(client);
    driver.await.unwrap().ok();
}
