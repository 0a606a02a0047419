//! What `SQLite`'s errors mean.

use rusqlite::ffi::{self, ErrorCode};

use super::super::ddl::LAYOUT_CONSTRAINT;
use super::super::error::{Error, Fault};
use super::functions::FAULT;

/// Classify an error where it enters.
pub(super) fn classify(error: &rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        return Error::Other(format!("SQLite: {error}"));
    };
    if failure.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE {
        return Error::Duplicate(Fault {
            index: 0,
            id: String::new(),
            // The columns of the index; who made the statement knows the manifest's name.
            name: message.as_deref().map(violated_columns).unwrap_or_default(),
            code: "already-exists",
            detail: String::new(),
        });
    }
    if failure.extended_code == ffi::SQLITE_CONSTRAINT_TRIGGER {
        return raised(message.as_deref().unwrap_or_default());
    }
    let found = message.as_deref().and_then(|message| match message {
        // Of its own sum and abs.
        "integer overflow" => Error::found_by_database("number-range"),
        _ => message.strip_prefix(FAULT).and_then(Error::found_by_database),
    });
    if let Some(found) = found {
        return found;
    }
    match failure.code {
        ErrorCode::OperationInterrupted => Error::Timeout,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Unavailable,
        ErrorCode::DiskFull => Error::StorageFull,
        ErrorCode::ReadOnly => Error::ReadOnly,
        // A sum, most of all: the other database has a code for it.
        ErrorCode::Unknown if message.as_deref() == Some("integer overflow") => {
            Error::invalid("number-range", "a number of the statement is out of range")
        }
        _ => Error::Other(format!("SQLite: {error}")),
    }
}

/// `UNIQUE constraint failed: t.tenant, t.f__key` becomes `tenant, f__key`.
fn violated_columns(message: &str) -> String {
    let (_, columns) = message.split_once(": ").unwrap_or_default();
    let names = columns.split(", ").map(|column| column.rsplit('.').next().unwrap_or_default());
    names.collect::<Vec<_>>().join(", ")
}

/// What a trigger of ours raised: a word for the kind, and a name.
fn raised(message: &str) -> Error {
    match message.split_once(' ') {
        Some(("loggia-reference", physical_name)) => Error::reference(physical_name),
        Some((LAYOUT_CONSTRAINT, _)) => Error::SchemaDrift,
        Some(("loggia-limit", setting)) => Error::count_limit(setting),
        _ => Error::Other(format!("SQLite: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn failure(set_up: &str, sql: &str) -> Error {
        let connection = Connection::open_in_memory().expect("memory is there");
        connection.execute_batch(set_up).expect("the case is set up");
        classify(&connection.execute_batch(sql).expect_err("the case fails"))
    }

    #[test]
    fn a_full_database_is_told() {
        let set_up = "CREATE TABLE t (x); PRAGMA max_page_count = 3";
        let error = failure(set_up, "INSERT INTO t VALUES (randomblob(100000))");
        assert!(matches!(error, Error::StorageFull), "{error:?}");
    }

    #[test]
    fn a_read_only_database_is_told() {
        let error =
            failure("CREATE TABLE t (x); PRAGMA query_only = 1", "INSERT INTO t VALUES (1)");
        assert!(matches!(error, Error::ReadOnly), "{error:?}");
    }
}
