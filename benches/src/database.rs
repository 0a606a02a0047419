//! A database of their own for the benchmarks, gone when they are over.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// An empty database.
#[derive(Debug)]
pub enum Database {
    /// A file in a folder that goes with it.
    Sqlite(TempDir),
    /// A database on a server that was there before.
    Postgres {
        /// The server's URL, which names another database.
        server: String,
        /// This database.
        name: String,
    },
}

/// Where the server is. `cargo xtask bench` sets the first, and starts a server that is durable;
/// `cargo xtask test` sets both.
const SERVER_VARIABLES: [&str; 2] = ["LOGGIA_BENCH_POSTGRES", "LOGGIA_TEST_POSTGRES"];

impl Database {
    /// A new file.
    ///
    /// # Errors
    /// No folder can be made for it.
    pub fn sqlite() -> Result<Self> {
        // `/tmp` is memory on many machines, which would make every commit look cheap.
        Ok(Self::Sqlite(tempfile::tempdir_in("/var/tmp")?))
    }

    /// A new database on the server that the environment names.
    ///
    /// # Errors
    /// None is named, or it cannot be reached.
    pub fn postgres() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = SERVER_VARIABLES.iter().find_map(|name| std::env::var(name).ok());
        let server = server.with_context(|| {
            let [first, _] = SERVER_VARIABLES;
            format!(
                "run `cargo xtask bench`, or set {first} to the URL of a PostgreSQL server, such \
                 as postgres://postgres@127.0.0.1/postgres"
            )
        })?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("loggia_bench_{}_{number}", std::process::id());
        administer(&server, &format!("CREATE DATABASE {name}"))?;
        Ok(Self::Postgres { server, name })
    }

    /// The URL for `storage.url`.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("loggia.db").display()),
            Self::Postgres { server, name } => {
                let (prefix, _) = server.rsplit_once('/').unwrap_or((server, ""));
                format!("{prefix}/{name}")
            }
        }
    }

    /// What it is, with the settings that a commit's cost depends on.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn describe(&self) -> Result<String> {
        const SETTINGS: &str = "SELECT format('PostgreSQL %s, fsync %s, synchronous_commit %s', \
             current_setting('server_version'), current_setting('fsync'), \
             current_setting('synchronous_commit'))";
        match self {
            Self::Sqlite(_) => Ok(format!("SQLite {}, synchronous FULL", rusqlite::version())),
            Self::Postgres { server, .. } => with_client(server, async |client| {
                Ok(client.query_one(SETTINGS, &[]).await?.get(0))
            }),
        }
    }

    /// Clean up and count after many writes, as autovacuum does some time later. `SQLite` has
    /// nothing of that kind.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn vacuum(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres { .. } => administer(&self.url(), "VACUUM (ANALYZE)"),
        }
    }
}

impl Database {
    /// How many bytes a table takes, with its indexes and what else belongs to it.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn bytes_of(&self, table: &str) -> Result<i64> {
        match self {
            Self::Sqlite(folder) => {
                let client = rusqlite::Connection::open(folder.path().join("loggia.db"))?;
                // The indexes of a table have its name within theirs.
                let sql = "SELECT sum(pgsize) FROM dbstat WHERE instr(name, ?1)";
                Ok(client.query_row(sql, [table], |row| row.get(0))?)
            }
            Self::Postgres { .. } => with_client(&self.url(), async |client| {
                let sql = "SELECT pg_total_relation_size($1::text::regclass)";
                Ok(client.query_one(sql, &[&table]).await?.get(0))
            }),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self
            && let Err(error) = administer(server, &format!("DROP DATABASE {name} WITH (FORCE)"))
        {
            eprintln!("the database {name} could not be dropped: {error:#}");
        }
    }
}

fn administer(server: &str, sql: &str) -> Result<()> {
    with_client(server, async |client| Ok(client.batch_execute(sql).await?))
}

/// Do something with a connection, on a runtime of its own.
fn with_client<T: Send>(
    server: &str,
    work: impl AsyncFnOnce(&Client) -> Result<T> + Send,
) -> Result<T> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let connecting = tokio_postgres::connect(server, NoTls).await;
            let (client, connection) = connecting.context("PostgreSQL cannot be reached")?;
            let driver = tokio::spawn(connection);
            let done = work(&client).await;
            drop(client);
            driver.await?.ok();
            done
        })
    };
    // In a thread of its own: the caller may be a task, which must not block on another runtime.
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
