//! A connection that migrates the gateway's own tables.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use super::super::error::Error;
use super::super::migrations;
use super::super::statement::Dialect;
use super::connection::open_writer;
use super::error::classify;

/// Holds the lock of the file: no gateway has it open meanwhile.
pub(crate) struct MigrationConnection {
    pub(super) connection: Connection,
    pub(super) lock: File,
}

impl MigrationConnection {
    /// Open the file, making it and its folder where they do not exist.
    pub(in super::super) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::Other(format!("{}: {error}", folder.display())))?;
        }
        let lock = super::lock(path)?;
        Ok(Self { connection: open_writer(path)?, lock })
    }

    /// Apply what is pending.
    pub(in super::super) fn up(&mut self) -> Result<(), Error> {
        let runner = migrations::runner(Dialect::Sqlite)?;
        runner.run(&mut self.connection).map(drop).map_err(migrations::failed)
    }

    /// The numbers of those that are applied.
    pub(in super::super) fn applied(&self) -> Result<Vec<u32>, Error> {
        let ask = || {
            if !self.connection.table_exists(None, "loggia_migration")? {
                return Ok(Vec::new());
            }
            let mut numbers = self.connection.prepare("SELECT version FROM loggia_migration")?;
            let numbers = numbers.query_map([], |row| row.get::<_, u32>(0))?;
            numbers.collect()
        };
        ask().map_err(|error| classify(&error))
    }

    /// Take one back: its down file and its note go in one transaction.
    pub(in super::super) fn down(&mut self, number: u32, sql: &str) -> Result<(), Error> {
        let forget = format!("DELETE FROM loggia_migration WHERE version = {number}");
        let mut work = || {
            let transaction = self.connection.transaction()?;
            transaction.execute_batch(sql)?;
            transaction.execute_batch(&forget)?;
            transaction.commit()
        };
        work().map_err(|error| classify(&error))
    }
}
