//! A database of its own on somebody's server, for tests of plugins.

use std::sync::atomic::{AtomicU32, Ordering};

use super::super::error::Error;
use super::Options;
use super::connector::Connector;

/// A database, until it is removed.
#[derive(Debug)]
pub struct ScratchDatabase {
    /// Of the server, as it was given.
    server: String,
    name: String,
}

/// Databases of this process.
static NUMBER: AtomicU32 = AtomicU32::new(1);

impl ScratchDatabase {
    pub(in super::super) async fn create(server: &str) -> Result<Self, Error> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("loggia_scratch_{}_{number}", std::process::id());
        let database = Self { server: server.to_owned(), name };
        database.administer(&[format!("CREATE DATABASE {}", database.name)]).await?;
        Ok(database)
    }

    /// The URL of this database.
    pub(in super::super) fn url(&self) -> String {
        let (rest, parameters) = match self.server.split_once('?') {
            Some((rest, parameters)) => (rest, format!("?{parameters}")),
            None => (self.server.as_str(), String::new()),
        };
        let authority = rest.find("://").map_or(0, |scheme| scheme + 3);
        let end = rest[authority..].find('/').map_or(rest.len(), |slash| authority + slash);
        format!("{}/{}{parameters}", &rest[..end], self.name)
    }

    /// With the role that a gateway has made for it.
    pub(in super::super) async fn remove(self) -> Result<(), Error> {
        let name = &self.name;
        let role =
            format!("SELECT 'loggia_serve_' || oid FROM pg_database WHERE datname = '{name}'");
        let role = self.administer(&[role]).await?;
        let drop_database = format!("DROP DATABASE {name} WITH (FORCE)");
        let drop_role = format!("DROP ROLE IF EXISTS {}", role.unwrap_or_default());
        self.administer(&[drop_database, drop_role]).await.map(drop)
    }

    /// Run statements one after another, on the server's own database; the last text that comes.
    async fn administer(&self, statements: &[String]) -> Result<Option<String>, Error> {
        let failed = |error: tokio_postgres::Error| {
            let why = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
            Error::Other(format!("PostgreSQL: {why}"))
        };
        let connector = Connector::new(&Options::new(&self.server), Default::default())?;
        let (client, driver) = connector.open().await?;
        let mut last = None;
        for statement in statements {
            for message in client.simple_query(statement).await.map_err(failed)? {
                if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                    last = row.get(0).map(str::to_owned);
                }
            }
        }
        drop(client);
        driver.await.ok();
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::ScratchDatabase;

    #[test]
    fn the_url_names_the_new_database() {
        for (server, url) in [
            ("postgres://u:p@host:5432/postgres", "postgres://u:p@host:5432/new"),
            ("postgres://host", "postgres://host/new"),
            (
                "postgres://u@%2Ftmp%2Fx/db?sslmode=disable",
                "postgres://u@%2Ftmp%2Fx/new?sslmode=disable",
            ),
            ("postgres:///postgres?host=/tmp/x", "postgres:///new?host=/tmp/x"),
        ] {
            let database = ScratchDatabase { server: server.to_owned(), name: "new".to_owned() };
            assert_eq!(database.url(), url);
        }
    }
}
