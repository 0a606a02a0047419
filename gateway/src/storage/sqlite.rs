//! Embedded `SQLite`: one thread that writes, some that read.
//!
//! The writer commits the transactions of concurrent requests together: each has a savepoint of
//! its own, all share one fsync, and each is acknowledged after it (`writer.rs`). Readers see the
//! last committed state and never wait for the writer (`reader.rs`).

mod arithmetic;
mod connection;
mod error;
mod functions;
mod guard;
mod json_functions;
mod migration;
mod reader;
mod transaction;
mod turn;
mod value;
mod version;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use super::sql::{Query, SqlRows};
use super::transaction::{TransactionMode, Whose};
#[cfg(test)]
pub(super) use functions::register as register_functions;
pub(super) use migration::MigrationConnection;
pub(super) use transaction::Transaction;
use turn::Turns;

/// The gateway's one database file.
#[derive(Debug)]
pub(super) struct Sqlite {
    writer: Turns,
    readers: Turns,
    /// Held as long as the file is open: a second gateway would not see the versions that this
    /// one has handed out.
    _lock: File,
}

impl Sqlite {
    /// Open the file, making it and its folder where they do not exist, and bring the gateway's
    /// own tables up to date.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut migration = MigrationConnection::open(path)?;
        migration.up()?;
        let MigrationConnection { connection, lock } = migration;
        let writer = writer::start(connection)?;
        let readers = reader::start(path)?;
        Ok(Self { writer, readers, _lock: lock })
    }

    /// The queue in which a transaction of this mode waits its turn. What writes runs in a
    /// transaction, so statements by themselves are reads.
    fn turns(&self, mode: TransactionMode) -> &Turns {
        match mode {
            TransactionMode::Read | TransactionMode::Autocommit => &self.readers,
            TransactionMode::Write
            | TransactionMode::Serializable
            | TransactionMode::AutocommitWrite => &self.writer,
        }
    }

    /// Run statements in one transaction, outside the path of requests.
    pub(super) async fn run_all(
        self: &Arc<Self>,
        queries: Vec<Query>,
        timeout: Duration,
    ) -> Result<Vec<SqlRows>, Error> {
        let mut transaction =
            Transaction::new(Arc::clone(self), Whose::Everyone, TransactionMode::Write);
        let answers = transaction.run_all(queries, Instant::now() + timeout).await?;
        transaction.commit().await?;
        Ok(answers)
    }

    /// Transactions that wait until others end.
    pub(super) fn turns_waiting(&self) -> usize {
        self.writer.waiting(1) + self.readers.waiting(reader::threads())
    }

    /// Transactions that have a thread to themselves now.
    pub(super) fn transactions_open(&self) -> u32 {
        self.writer.open() + self.readers.open()
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let failed =
        |error: &dyn std::fmt::Display| Error::Other(format!("{}: {error}", name.display()));
    let file = File::create(&name).map_err(|error| failed(&error))?;
    file.try_lock().map_err(|_| failed(&"another gateway has this database open"))?;
    Ok(file)
}
