//! Why a storage call failed, in the words of `wit/types.wit`.
//!
//! Errors of the databases are classified once, where they enter (`postgres/error.rs`,
//! `sqlite/error.rs`). What the client may read stands in the variants; what only the operator
//! may read goes to the log there.

use super::count::StoredLimit;

/// Why a storage call failed. A failed call has done nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No such collection, statement, order or parameter in the plugin's manifest.
    #[error("{0} is not in the plugin's manifest")]
    UnknownName(String),
    /// The call can never succeed as written.
    #[error("{0}")]
    Invalid(Fault),
    /// A write in an operation whose mode is `read`.
    #[error("{0}")]
    Denied(String),
    /// A write's condition does not hold.
    #[error("write {} found another version of its document", .0.index)]
    PreconditionFailed(Mismatch),
    /// A unique index holds the value already.
    #[error("{0}")]
    Duplicate(Fault),
    /// A referenced document is missing, or this one is still referenced.
    #[error("{0}")]
    Reference(Fault),
    /// The tenant stores as much as it may; the name of the limit.
    #[error("the limit {0} is reached")]
    StoredLimit(&'static str),
    /// All connections that the tenant may have were in use for too long.
    #[error("the limit connections is reached")]
    ConnectionLimit,
    /// A declared count has reached its limit; the name of the setting.
    #[error("the limit {0} is reached")]
    CountLimit(String),
    /// A budget of the request, by the name of its setting.
    #[error("the limit {0} is exceeded")]
    LimitExceeded(&'static str),
    /// The database undid the transaction because of a concurrent one.
    #[error("a concurrent transaction won")]
    Aborted,
    /// The request's deadline has passed.
    #[error("the database did not answer before the request's deadline")]
    Timeout,
    /// The database cannot be reached.
    #[error("the database is not available")]
    Unavailable,
    /// All connections are in use, and too many requests wait for one, or this one for too long.
    #[error("no connection to the database was free in time")]
    PoolExhausted,
    /// The database accepts no more connections.
    #[error("the database accepts no more connections")]
    Saturated,
    /// The database has no room left.
    #[error("the database has no room left")]
    StorageFull,
    /// The database accepts no writes now.
    #[error("the database is read-only")]
    ReadOnly,
    /// The tables were changed for another version of the plugin: a table or a column is gone, or
    /// writes by this version are refused.
    #[error("the tables are not those of the plugin's manifest")]
    SchemaDrift,
    /// The connection broke while the commit was under way.
    #[error("the connection broke during the commit: whether it took place is not known")]
    OutcomeUnknown,
    /// Anything else; the text is for the log.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Whether the request cannot go on after this error, whatever the plugin makes of it.
    #[must_use]
    pub fn ends_request(&self) -> bool {
        matches!(
            self,
            Self::LimitExceeded(_)
                | Self::StoredLimit(_)
                | Self::ConnectionLimit
                | Self::Aborted
                | Self::Timeout
                | Self::Unavailable
                | Self::PoolExhausted
                | Self::Saturated
                | Self::StorageFull
                | Self::ReadOnly
                | Self::SchemaDrift
                | Self::OutcomeUnknown
        )
    }

    /// A count has reached its limit, which is one of the gateway's or a setting of the plugin.
    pub(super) fn count_limit(setting: &str) -> Self {
        match StoredLimit::ALL.into_iter().find(|limit| limit.setting() == setting) {
            Some(limit) => Self::StoredLimit(limit.name()),
            None => Self::CountLimit(setting.to_owned()),
        }
    }

    /// Whether what other documents hold stands against the call.
    pub(super) fn is_of_others(&self) -> bool {
        matches!(self, Self::Duplicate(_) | Self::Reference(_) | Self::CountLimit(_))
    }

    /// A reference of this physical name does not hold. Who made the statement knows the
    /// manifest's name, and whether something is missing or is still referred to.
    pub(super) fn reference(physical_name: &str) -> Self {
        Self::Reference(Fault {
            index: 0,
            id: String::new(),
            name: physical_name.to_owned(),
            code: "reference-missing",
            detail: String::new(),
        })
    }

    /// A fault that a database finds while it runs a statement, by its code. Those that the
    /// gateway finds itself in front of both databases have the same codes.
    pub(super) fn found_by_database(code: &str) -> Option<Self> {
        let (code, detail) = match code {
            "field-too-long" => ("field-too-long", "a text is too long for its field"),
            "index-too-long" => {
                ("index-too-long", "the text fields of an index and the id are too long together")
            }
            "not-an-array" => {
                ("not-an-array", "json_append takes an array, and a document has something else")
            }
            "not-an-object" => (
                "not-an-object",
                "a member is set within something that is no object in a document",
            ),
            "number-range" => {
                ("number-range", "a number in the statement goes beyond the range of its type")
            }
            _ => return None,
        };
        Some(Self::invalid(code, detail))
    }

    /// Whether a document is too large.
    pub(super) fn is_of_size(&self) -> bool {
        matches!(self, Self::Invalid(fault) if fault.code == "too-large")
    }

    /// Whether what the call wrote may be there all the same.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(self, Self::OutcomeUnknown)
    }

    /// A call that can never succeed, for no write in particular.
    pub(super) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(Fault {
            index: 0,
            id: String::new(),
            name: String::new(),
            code,
            detail: detail.into(),
        })
    }
}

/// Which write is at fault, and what it hit.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// Its place in the list; 0 where the call has none.
    pub index: u32,
    /// The document's id.
    pub id: String,
    /// The index by its name in the manifest, or a JSON Pointer into the body.
    pub name: String,
    /// A stable code in kebab case.
    pub code: &'static str,
    /// What is wrong and what to do. Never holds a value of another document.
    pub detail: String,
}

/// A failed precondition: which write, and what is there now.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Its place in the list.
    pub index: u32,
    /// The document's id.
    pub id: String,
    /// `None` when there is no such document.
    pub found: Option<u64>,
}
