//! A database that exists for a while, for tests of plugins.

use std::path::Path;

use tempfile::TempDir;

use super::error::Error;
use super::postgres::{Options, ScratchDatabase};
use super::store::Location;

/// An empty database of its own.
#[derive(Debug)]
pub enum Scratch {
    /// A file, gone when this is dropped.
    Sqlite(TempDir),
    /// One on a server, gone with [`Scratch::remove`].
    Postgres(ScratchDatabase),
}

/// A file system in memory, where the system has one: a commit need not wait for a disk there.
const IN_MEMORY: &str = "/dev/shm";

impl Scratch {
    /// A new file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn sqlite() -> Result<Self, Error> {
        let in_memory = tempfile::tempdir_in(Path::new(IN_MEMORY));
        let folder = in_memory.or_else(|_| tempfile::tempdir());
        let failed = |error: std::io::Error| Error::Other(format!("a temporary folder: {error}"));
        folder.map(Self::Sqlite).map_err(failed)
    }

    /// A new database on the server of this URL.
    ///
    /// # Errors
    /// The server cannot be reached, or the URL's role may not make databases.
    pub async fn postgres(url: &str) -> Result<Self, Error> {
        ScratchDatabase::create(url).await.map(Self::Postgres)
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> Location {
        match self {
            Self::Sqlite(folder) => Location::Sqlite(folder.path().join("loggia.db")),
            Self::Postgres(database) => Location::Postgres(Options::new(database.url())),
        }
    }

    /// Remove it with all that is in it, also while it is open.
    ///
    /// # Errors
    /// The server's failure.
    pub async fn remove(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(folder) => drop(folder),
            Self::Postgres(database) => database.remove().await?,
        }
        Ok(())
    }
}
