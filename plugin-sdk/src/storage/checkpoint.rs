//! Checkpoints: consistent copies of documents, kept by the gateway, restored as a whole.
//!
//! A checkpoint is made of `scope` statements of the manifest, each of another collection. A list of
//! them is a `select` statement over the relation `checkpoint`.
//!
//! ```no_run
//! use loggia_plugin_sdk::checkpoint::{self, Scope};
//! use loggia_plugin_sdk::{Failure, Request, Response};
//!
//! fn snapshot(request: &Request) -> Result<Response, Failure> {
//!     let network = request.path_param(0);
//!     let scopes = [Scope::new("groups").arg("network", network)];
//!     let made = checkpoint::create(network, "before the change", "{}", &scopes)?;
//!     let changed = checkpoint::diff(&made.id, None, None, 100)?;
//!     assert!(changed.is_empty());
//!     checkpoint::restore(&made.id)?;
//!     Ok(Response::json(201, format!(r#"{{"id":"{}"}}"#, made.id)))
//! }
//! ```

use super::{Error, Value};
use crate::bindings::loggia::plugin::checkpoints;
pub use crate::bindings::loggia::plugin::checkpoints::{Checkpoint, Difference, DifferenceKind};
pub use crate::bindings::loggia::plugin::types::Document;

/// The documents that a `scope` statement of the manifest selects.
#[derive(Clone, Debug)]
pub struct Scope(checkpoints::Scope);

impl Scope {
    /// A scope by the name of its statement.
    #[must_use]
    pub fn new(statement: &str) -> Self {
        Self(checkpoints::Scope { statement: statement.to_owned(), args: Vec::new() })
    }

    /// Give a parameter.
    #[must_use]
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.args.push((name.to_owned(), value.into()));
        self
    }
}

/// Copy what the scopes hold, as of one instant. The metadata is the text of a JSON object.
///
/// # Errors
/// The call failed; nothing was copied.
pub fn create(
    subject: &str,
    label: &str,
    metadata: &str,
    scopes: &[Scope],
) -> Result<Checkpoint, Error> {
    let scopes: Vec<checkpoints::Scope> = scopes.iter().map(|scope| scope.0.clone()).collect();
    checkpoints::create(subject, label, metadata, &scopes)
}

/// The documents of one collection as they were, in the order of their ids, behind one, 1 to 10,000
/// of them.
///
/// # Errors
/// The call failed; `checkpoint-not-found` when there is no such checkpoint.
pub fn read(
    id: &str,
    collection: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Document>, Error> {
    checkpoints::read(id, collection, after, limit)
}

/// What changed from one checkpoint to another, or to now, by collection and id, behind a
/// difference, 1 to 10,000 of them.
///
/// # Errors
/// As [`read`].
pub fn diff(
    from: &str,
    to: Option<&str>,
    after: Option<&Difference>,
    limit: u32,
) -> Result<Vec<Difference>, Error> {
    checkpoints::diff(from, to, after, limit)
}

/// Make the scopes hold exactly the bodies and times to live that they held then; says how many
/// documents were written or deleted.
///
/// # Errors
/// As [`read`]; a reference or a limit that would not hold. Nothing was restored then.
pub fn restore(id: &str) -> Result<u64, Error> {
    checkpoints::restore(id)
}

/// Delete checkpoints; says how many there were.
///
/// # Errors
/// The call failed.
pub fn delete(ids: &[&str]) -> Result<u64, Error> {
    let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
    checkpoints::delete(&ids)
}
