//! What `PostgreSQL`'s errors mean, SQLSTATE by SQLSTATE.

use tokio_postgres::error::{DbError, SqlState};

use super::super::ddl::LAYOUT_CONSTRAINT;
use super::super::error::{Error, Fault};

/// Why a statement has no answer, as its transaction must know it.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has answered with an error, and the connection goes on.
    Answered(Error),
    /// The connection is gone. Unless the statement was sent, it has done nothing.
    Lost { error: Error, sent: bool },
    /// The prepared statement is not the server's any more. It has done nothing.
    Stale,
    /// No answer came in time; the statement may still be under way.
    TimedOut { sent: bool },
}

impl Failure {
    pub(super) fn new(error: &tokio_postgres::Error, sent: bool) -> Self {
        match error.as_db_error() {
            Some(answer) if is_stale(answer) => Self::Stale,
            Some(answer) if ends_connection(answer.code()) || is_standby(answer) => {
                Self::Lost { error: classify(error), sent }
            }
            Some(_) => Self::Answered(classify(error)),
            None if is_ours(error) => Self::Answered(classify(error)),
            None => Self::Lost { error: classify(error), sent },
        }
    }

    /// Whether nothing was done and another connection may succeed, for a statement that would
    /// leave something behind by itself.
    pub(super) fn has_done_nothing(&self) -> bool {
        matches!(self, Self::Lost { sent: false, .. } | Self::Stale)
    }

    /// The same for a statement that leaves nothing unless it is committed later.
    pub(super) fn may_be_repeated(&self) -> bool {
        matches!(self, Self::Lost { error: Error::Unavailable | Error::ReadOnly, .. } | Self::Stale)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answered(error) | Failure::Lost { error, .. } => error,
            // Nothing was done, and the next run prepares it again.
            Failure::Stale => Self::Aborted,
            Failure::TimedOut { .. } => Self::Timeout,
        }
    }
}

/// Classify an error where it enters. What the client must not see (values in DETAIL) stays out
/// of the result.
pub(super) fn classify(error: &tokio_postgres::Error) -> Error {
    let Some(answer) = error.as_db_error() else {
        if is_ours(error) {
            return Error::Other(format!("PostgreSQL: {}", with_cause(error)));
        }
        // No answer of the server: the connection is gone, or was never made.
        tracing::warn!(error = %with_cause(error), "PostgreSQL cannot be reached");
        return Error::Unavailable;
    };
    match answer.code().code() {
        // Of the gateway's own functions.
        "LG000" => return of_statement(answer.message()),
        // What the triggers of counts raise.
        "LG001" => return Error::count_limit(answer.message()),
        _ => {}
    }
    if is_standby(answer) {
        return Error::ReadOnly;
    }
    from_state(answer.code().code(), answer.constraint())
        .unwrap_or_else(|| Error::Other(told(answer)))
}

/// What an SQLSTATE means here; `None` where only its text says something.
fn from_state(state: &str, constraint: Option<&str>) -> Option<Error> {
    Some(match state {
        "23505" => Error::Duplicate(Fault {
            index: 0,
            id: String::new(),
            // The physical name; who made the statement knows the manifest's.
            name: constraint.unwrap_or_default().to_owned(),
            code: "already-exists",
            detail: String::new(),
        }),
        // Foreign keys, and those that restrict.
        "23503" | "23001" => Error::reference(constraint.unwrap_or_default()),
        // Serialization failure, deadlock, lock timeout.
        "40001" | "40P01" | "55P03" => Error::Aborted,
        // Cancelled, or idle in a transaction for too long.
        "57014" | "25P03" => Error::Timeout,
        // A write that goes by another declaration of the collection.
        "23514" if constraint == Some(LAYOUT_CONSTRAINT) => Error::SchemaDrift,
        "22003" => of_statement("number-range"),
        // An index's row.
        "54000" => of_statement("index-too-long"),
        "22021" | "22P02" | "22P05" | "54001" => {
            // What the checks in front of both databases should have refused.
            tracing::error!(%state, "PostgreSQL refused a value that had passed the checks");
            Error::invalid("unstorable-value", "the database cannot store a value of the call")
        }
        "25006" => Error::ReadOnly,
        "53100" => Error::StorageFull,
        "53300" => Error::Saturated,
        "3F000" | "42703" | "42P01" => {
            tracing::error!(%state, "the database lacks a table or column of a collection");
            Error::SchemaDrift
        }
        _ if state.starts_with("57P") || state.starts_with("08") => Error::Unavailable,
        _ => return None,
    })
}

fn of_statement(code: &str) -> Error {
    Error::found_by_database(code)
        .unwrap_or_else(|| Error::Other(format!("PostgreSQL: the unknown fault {code}")))
}

/// Why no connection was made: the operator must read it, and clients learn nothing of it.
pub(super) fn refused(error: &tokio_postgres::Error) -> Error {
    tracing::warn!(error = %with_cause(error), "PostgreSQL did not accept a connection");
    match error.as_db_error().map(|answer| answer.code()) {
        Some(&SqlState::TOO_MANY_CONNECTIONS) => Error::Saturated,
        Some(code) if !ends_connection(code) => {
            Error::Other(format!("PostgreSQL did not accept a connection: {}", with_cause(error)))
        }
        None if is_ours(error) || is_of_tls(error) => {
            Error::Other(format!("PostgreSQL did not accept a connection: {}", with_cause(error)))
        }
        _ => Error::Unavailable,
    }
}

/// A certificate that is not trusted, most of all. It comes wrapped as an error of the socket.
fn is_of_tls(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    let inner = cause.and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

fn told(answer: &DbError) -> String {
    format!("PostgreSQL: {} ({})", answer.message(), answer.code().code())
}

/// tokio-postgres leaves the reason out of its own text.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => match cause.downcast_ref::<DbError>() {
            Some(answer) => told(answer),
            None => format!("{error}: {cause}"),
        },
        None => error.to_string(),
    }
}

/// The server closes the connection after these, or is not one to stay with.
fn ends_connection(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("57P") || code.starts_with("08") || matches!(code, "25006" | "25P03")
}

/// A failure of this side alone, such as a value that does not fit its parameter: the connection
/// is as good as before.
fn is_ours(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(|cause| !cause.is::<std::io::Error>() && !cause.is::<DbError>())
}

/// A server in recovery refuses BEGIN … READ WRITE by a code that says little.
fn is_standby(answer: &DbError) -> bool {
    answer.code() == &SqlState::FEATURE_NOT_SUPPORTED && answer.message().contains("recovery")
}

/// Prepared for tables of another form, or unknown to the server.
fn is_stale(answer: &DbError) -> bool {
    match answer.code().code() {
        "26000" => true,
        "0A000" => answer.message().contains("cached plan"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_meaning() {
        let named = |state: &str| match from_state(state, None) {
            Some(error) => format!("{error:?}"),
            None => "None".to_owned(),
        };
        for (states, meaning) in [
            (&["40001", "40P01", "55P03"][..], "Aborted"),
            (&["57014", "25P03"], "Timeout"),
            (&["57P01", "57P02", "57P03", "57P05", "08006", "08003"], "Unavailable"),
            (&["25006"], "ReadOnly"),
            (&["53100"], "StorageFull"),
            (&["53300"], "Saturated"),
            (&["42P01", "42703", "3F000"], "SchemaDrift"),
            (&["25P02", "42501", "XX000"], "None"),
        ] {
            for state in states {
                assert_eq!(named(state), meaning, "{state}");
            }
        }
        for (state, code) in [("22003", "number-range"), ("22P05", "unstorable-value")] {
            let Some(Error::Invalid(fault)) = from_state(state, None) else {
                panic!("{state}");
            };
            assert_eq!(fault.code, code);
        }
    }
}
