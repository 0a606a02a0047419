//! Documents, and what can be done to them: the storage types of `wit/types.wit`.

use super::error::Error;

/// One stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// 1 to 1,024 bytes, compared byte by byte.
    pub id: String,
    /// Never repeats for an id.
    pub version: u64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// When this version was written, in microseconds since 1970.
    pub updated_at: i64,
    /// Microseconds since 1970; `None` when it does not expire.
    pub expires_at: Option<i64>,
    /// JSON text of an object.
    pub body: String,
}

/// What must hold for a write to be applied. An expired document does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Precondition {
    /// Write whatever is there.
    Any,
    /// No document with this id may exist.
    Absent,
    /// The document must exist, at any version.
    Present,
    /// The document must exist at exactly this version.
    Version(u64),
}

/// What to do with a write that cannot be applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Otherwise {
    /// Undo the whole call and answer with the error.
    Fail,
    /// Leave this write out and say why in its outcome.
    Skip,
}

/// What a write does to the document's time to live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// Leave it as it is; for a new document the same as `Default`.
    Keep,
    /// The collection's default, counted from now.
    Default,
    /// The document does not expire.
    Never,
    /// Expires at this instant, in microseconds since 1970.
    At(i64),
}

/// What a write does to the document.
#[derive(Clone, Debug)]
pub enum Change {
    /// Replace the body.
    Put(String),
    /// RFC 7396 merge patch. An absent document fails the precondition.
    Merge(String),
    /// Delete the document.
    Delete,
}

/// One write of [`super::Session::apply`].
#[derive(Clone, Debug)]
pub struct Write {
    /// The collection's name in the manifest.
    pub collection: String,
    /// The document's id.
    pub id: String,
    /// What to do to it.
    pub change: Change,
    /// What must hold.
    pub condition: Precondition,
    /// What to do when it does not.
    pub otherwise: Otherwise,
    /// What happens to its time to live.
    pub expiry: Expiry,
}

/// What one write did.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The document has a new version.
    Written {
        /// The new version.
        version: u64,
        /// False when a document was there before.
        created: bool,
    },
    /// The document is gone; false when it was not there.
    Deleted(bool),
    /// The write said [`Otherwise::Skip`], and this is why it was left out.
    Skipped(Error),
}

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A finite double.
    Number(f64),
    /// Unicode text.
    Text(String),
    /// Microseconds since 1970.
    Timestamp(i64),
    /// A list of text.
    Texts(Vec<String>),
    /// One JSON value as text.
    Json(String),
}

/// Which part of a statement's result.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// At most this many rows; 1 to 1,000.
    pub limit: u32,
    /// Leave out this many rows first.
    pub offset: u32,
    /// One of the statement's named orders.
    pub order: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Count all rows as well.
    pub total: bool,
}

/// What a statement selected.
#[derive(Clone, Debug)]
pub struct Rows {
    /// A JSON array of objects.
    pub json: String,
    /// How many objects it holds.
    pub count: u32,
    /// Where the next page begins; `None` after the last row.
    pub next: Option<String>,
    /// How many rows there are without a limit, when asked for.
    pub total: Option<u64>,
}
