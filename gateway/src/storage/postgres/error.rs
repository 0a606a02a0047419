//! What `PostgreSQL`'s errors mean, SQLSTATE by SQLSTATE.

use tokio_postgres::error::SqlState;

use super::super::error::{Error, Fault};

/// Classify an error where it enters. What the client must not see (values in DETAIL) stays out
/// of the result.
pub(super) fn classify(error: &tokio_postgres::Error) -> Error {
    let Some(answer) = error.as_db_error() else {
        // No answer of the server: the connection is gone, or was never made.
        tracing::warn!(%error, "PostgreSQL cannot be reached");
        return Error::Unavailable;
    };
    // What the triggers of counts raise.
    if answer.code().code() == "LG001" {
        return Error::CountLimit(answer.message().to_owned());
    }
    match *answer.code() {
        SqlState::UNIQUE_VIOLATION => Error::Duplicate(Fault {
            index: 0,
            id: String::new(),
            // The physical name; who made the statement knows the manifest's.
            name: answer.constraint().unwrap_or_default().to_owned(),
            code: "already-exists",
            detail: String::new(),
        }),
        SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION => {
            Error::reference(answer.constraint().unwrap_or_default())
        }
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE => of_statement("number-range"),
        // An index's row.
        SqlState::PROGRAM_LIMIT_EXCEEDED => of_statement("index-too-long"),
        // Of the gateway's own functions.
        ref state if state.code() == "LG000" => of_statement(answer.message()),
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Error::Aborted,
        SqlState::LOCK_NOT_AVAILABLE => Error::Aborted,
        SqlState::QUERY_CANCELED => Error::Timeout,
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS => Error::Unavailable,
        _ => Error::Other(format!("PostgreSQL: {} ({})", answer.message(), answer.code().code())),
    }
}

fn of_statement(code: &str) -> Error {
    Error::found_by_database(code)
        .unwrap_or_else(|| Error::Other(format!("PostgreSQL: the unknown fault {code}")))
}
