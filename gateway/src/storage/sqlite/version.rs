//! Versions of documents: numbers that are never handed out twice.
//!
//! They are reserved in blocks in the table `loggia_version`, so that handing one out costs
//! nothing; what a block had left when the gateway stopped is never used.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// Reserved at a time.
const BLOCK: i64 = 1 << 24;
/// A new block is reserved when less than this is left: more than one group of transactions can
/// write.
const MARGIN: i64 = 1 << 23;

/// Hands out versions; belongs to the writing connection.
#[derive(Debug)]
pub(super) struct Versions {
    next: Arc<AtomicI64>,
    reserved: i64,
}

impl Versions {
    /// Begin after everything that was ever reserved, and offer `loggia_version()` to SQL.
    pub(super) fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let reserved = connection
            .query_row("SELECT reserved FROM loggia_version", [], |row| row.get::<_, i64>(0))?;
        let next = Arc::new(AtomicI64::new(reserved));
        let counter = Arc::clone(&next);
        connection.create_scalar_function(
            "loggia_version",
            0,
            FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY,
            move |_| Ok(counter.fetch_add(1, Ordering::Relaxed)),
        )?;
        let mut versions = Self { next, reserved };
        versions.reserve(connection)?;
        Ok(versions)
    }

    /// Reserve the next block where this one runs out. Called outside a transaction: a rollback
    /// would take the reservation back.
    pub(super) fn reserve(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.reserved - self.next.load(Ordering::Relaxed) > MARGIN {
            return Ok(());
        }
        let reserved = self.reserved + BLOCK;
        connection.execute("UPDATE loggia_version SET reserved = ?1", [reserved])?;
        self.reserved = reserved;
        Ok(())
    }
}
