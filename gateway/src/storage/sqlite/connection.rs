//! How connections to the file are opened.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;

use super::super::error::Error;
use super::error::classify;
use super::functions;

/// Statements that one connection keeps prepared. Plugins' statements have a text for each
/// combination of their conditions, so the number is not fixed.
const MAX_STATEMENTS: usize = 1_000;

/// The one connection that writes.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path).map_err(|error| classify(&error))?;
    // FULL: an acknowledged write survives a power cut, which NORMAL does not promise with WAL. The
    // pages that inserts go to by random, of several indexes, do not fit into the default of 2 MiB.
    // They are changed by one commit after another, and a log of 64 MiB brings each of them to the
    // file once; with the default of 4 MiB, a large commit brings all of its own. What savepoints
    // keep lies in memory up to some MiB (`.cargo/config.toml`), and then in a file: with MEMORY, in
    // pieces of 1 KiB, all of which SQLite goes through at the end of each statement
    // (`memjrnlTruncate`), so that a large request takes time by the square of its size.
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                    PRAGMA recursive_triggers = ON; PRAGMA temp_store = FILE; \
                    PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384;";
    prepare(&connection, settings)?;
    Ok(connection)
}

/// One of the connections that read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| classify(&error))?;
    // What analytics count of an index is more than the default of 2 MiB.
    let settings = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; \
                    PRAGMA cache_size = -65536;";
    prepare(&connection, settings)?;
    Ok(connection)
}

fn prepare(connection: &Connection, settings: &str) -> Result<(), Error> {
    let set = || {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(MAX_STATEMENTS);
        functions::register(connection)?;
        connection.execute_batch(settings)
    };
    set().map_err(|error| classify(&error))
}

/// Stops the statement that a connection runs when its time is up.
#[derive(Clone, Debug)]
pub(super) struct Deadline(Arc<AtomicU64>);

/// Instants as numbers are counted from here.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Between two looks at the clock: some tens of microseconds.
const OPERATIONS_BETWEEN_LOOKS: i32 = 2_000;

impl Deadline {
    /// Watch a connection from now on.
    pub(super) fn watch(connection: &mut Connection) -> Result<Self, Error> {
        let deadline = Self(Arc::new(AtomicU64::new(u64::MAX)));
        let watched = deadline.clone();
        let stop = move || now() > watched.0.load(Ordering::Relaxed);
        connection
            .progress_handler(OPERATIONS_BETWEEN_LOOKS, Some(stop))
            .map_err(|error| classify(&error))?;
        Ok(deadline)
    }

    /// Statements that begin from now on end by this instant.
    pub(super) fn set(&self, deadline: Instant) {
        self.0.store(microseconds(deadline), Ordering::Relaxed);
    }

    /// The gateway's own statements run to their end.
    pub(super) fn clear(&self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }
}

fn now() -> u64 {
    microseconds(Instant::now())
}

fn microseconds(instant: Instant) -> u64 {
    let since = instant.saturating_duration_since(*ORIGIN);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A build without the workspace's `.cargo/config.toml` would write to a file from 64 KiB on.
    #[test]
    fn what_savepoints_keep_stays_in_memory_up_to_8_mib() {
        let folder = tempfile::tempdir().expect("there is room");
        let writer = open_writer(&folder.path().join("loggia.db")).expect("it opens");
        let option = "SELECT count(*) FROM pragma_compile_options \
                      WHERE compile_options = 'STMTJRNL_SPILL=8388608'";
        assert_eq!(writer.query_row(option, [], |row| row.get::<_, i64>(0)), Ok(1));
        let stored = "PRAGMA temp_store";
        // 1 is FILE.
        assert_eq!(writer.query_row(stored, [], |row| row.get::<_, i64>(0)), Ok(1));
    }
}
