//! The gateway's own tables: the files of `migrations/`, the same names for both databases.
//!
//! To add one, write `migrations/postgres/NNNN_name.sql` and `migrations/sqlite/NNNN_name.sql`
//! and put the name into [`ALL`]; behind it `down`, where `NNNN_name.down.sql` stands beside them
//! and takes it back without losing documents. A file that was released is never edited: refinery
//! compares its digest with that of the applied one.

use super::error::Error;
use super::statement::Dialect;
use super::store::Location;
use super::{postgres, sqlite};

/// The files of one migration.
#[derive(Clone, Copy, Debug)]
struct Migration {
    /// `NNNN_name`, the files' name.
    name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
    /// What takes it back, on `PostgreSQL` and on `SQLite`.
    down: Option<(&'static str, &'static str)>,
}

macro_rules! file {
    ($folder:literal, $name:literal, $end:literal) => {
        include_str!(concat!("../../../migrations/", $folder, "/", $name, $end))
    };
}

macro_rules! down {
    ($name:literal) => {
        None
    };
    ($name:literal down) => {
        Some((file!("postgres", $name, ".down.sql"), file!("sqlite", $name, ".down.sql")))
    };
}

macro_rules! migrations {
    ($($name:literal $($down:ident)?),+ $(,)?) => {
        [$(Migration {
            name: $name,
            postgres: file!("postgres", $name, ".sql"),
            sqlite: file!("sqlite", $name, ".sql"),
            down: down!($name $($down)?),
        }),+]
    };
}

/// All migrations, in order.
const ALL: &[Migration] = &migrations![
    "0001_gateway",
    "0002_swept",
    "0003_counts",
    "0004_update_functions",
    "0005_checkpoints",
    "0006_schema_change" down,
    "0007_schedule" down,
];

impl Migration {
    fn up(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => self.postgres,
            Dialect::Sqlite => self.sqlite,
        }
    }

    /// Its number and its name: `0001_gateway` is 1 and `gateway`.
    fn parts(&self) -> (u32, &'static str) {
        let (number, name) = self.name.split_once('_').unwrap_or_default();
        (number.parse().unwrap_or_default(), name)
    }
}

/// The migrations of one database, ready to run.
pub(super) fn runner(dialect: Dialect) -> Result<refinery::Runner, Error> {
    let ready = |migration: &Migration| {
        let (number, name) = migration.parts();
        refinery::Migration::unapplied(&format!("V{number}__{name}"), migration.up(dialect))
    };
    let migrations = ALL.iter().map(ready).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut runner = refinery::Runner::new(&migrations);
    runner.set_migration_table_name("loggia_migration");
    Ok(runner)
}

/// What refinery says, for the operator.
pub(super) fn failed(error: refinery::Error) -> Error {
    Error::Other(format!("the gateway's migrations: {error}"))
}

/// The gateway's own tables in one database, and what has become of each migration.
pub struct Migrations(Connection);

enum Connection {
    Postgres(postgres::MigrationConnection),
    Sqlite(sqlite::MigrationConnection),
}

impl Migrations {
    /// Connect, and change nothing.
    ///
    /// # Errors
    /// The database cannot be reached, or another gateway has the file open.
    pub async fn open(location: &Location) -> Result<Self, Error> {
        Ok(Self(match location {
            Location::Postgres(options) => {
                Connection::Postgres(postgres::MigrationConnection::open(options).await?)
            }
            Location::Sqlite(path) => Connection::Sqlite(sqlite::MigrationConnection::open(path)?),
        }))
    }

    /// All migrations by name, and whether each is applied.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn list(&self) -> Result<Vec<(&'static str, bool)>, Error> {
        let applied = self.applied().await?;
        Ok(ALL.iter().map(|m| (m.name, applied.contains(&m.parts().0))).collect())
    }

    /// Apply those that are pending, each in a transaction.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn up(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Connection::Postgres(connection) => connection.up().await,
            Connection::Sqlite(connection) => connection.up(),
        }
    }

    /// Take back those with a higher number, the last first.
    ///
    /// # Errors
    /// One of them cannot be taken back; then none is. Or the database's failure.
    pub async fn down_to(&mut self, number: u32) -> Result<(), Error> {
        let applied = self.applied().await?;
        let back = ALL.iter().rev().filter(|m| {
            let own = m.parts().0;
            own > number && applied.contains(&own)
        });
        let back: Vec<(u32, (&str, &str))> = back
            .map(|m| m.down.map(|down| (m.parts().0, down)).ok_or_else(|| one_way(m)))
            .collect::<Result<_, _>>()?;
        for (number, (postgres, sqlite)) in back {
            match &mut self.0 {
                Connection::Postgres(connection) => connection.down(number, postgres).await?,
                Connection::Sqlite(connection) => connection.down(number, sqlite)?,
            }
        }
        Ok(())
    }

    async fn applied(&self) -> Result<Vec<u32>, Error> {
        match &self.0 {
            Connection::Postgres(connection) => connection.applied().await,
            Connection::Sqlite(connection) => connection.applied(),
        }
    }
}

impl std::fmt::Debug for Migrations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migrations").finish_non_exhaustive()
    }
}

fn one_way(migration: &Migration) -> Error {
    let name = migration.name;
    Error::Other(format!("{name} cannot be taken back: go back to a copy of the database"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Down files may stand beside.
    fn files(folder: &str) -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(folder);
        let entries = std::fs::read_dir(path).expect("the folder is there");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with(".down.sql")).collect()
    }

    #[test]
    fn both_databases_have_the_same_migrations_and_all_are_listed() {
        let listed: BTreeSet<String> = ALL.iter().map(|m| format!("{}.sql", m.name)).collect();
        assert_eq!(files("postgres"), listed);
        assert_eq!(files("sqlite"), listed);
    }

    #[test]
    fn migrations_are_listed_in_the_order_of_their_numbers() {
        let numbers: Vec<u32> = ALL.iter().map(|migration| migration.parts().0).collect();
        assert!(numbers[0] > 0 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}
