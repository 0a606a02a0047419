//! The gateway's own tables: the files of `migrations/`, the same names for both databases.
//!
//! To add one, write `migrations/postgres/NNNN_name.sql` and `migrations/sqlite/NNNN_name.sql`
//! and put the name into [`ALL`]. A file that was released is never edited: refinery compares
//! its digest with that of the applied one.

use super::error::Error;
use super::statement::Dialect;

/// The files of one migration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    /// `NNNN_name`, the files' name.
    name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        [$(Migration {
            name: $name,
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
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
    "0006_schema_change",
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
