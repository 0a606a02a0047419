//! Checkpoints: consistent copies of documents, kept by the gateway, restored as a whole.
//!
//! A checkpoint is made of parts, each by a [`Scope`](super::Scope) of another collection. A list of
//! them is a [`Select`](super::Select) over the relation `checkpoint`.
//!
//! ```no_run
//! use loggia_plugin_sdk::{Failure, Request, Response, Scope, checkpoint, declare};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Of<'a> {
//!     network: &'a str,
//! }
//!
//! declare! { STORAGE:
//!     const GROUPS: Scope<Of<'_>> = scope("groups", "group").filter("network = :network");
//! }
//!
//! fn snapshot(request: &Request) -> Result<Response, Failure> {
//!     let network = request.path("network");
//!     let parts = [GROUPS.of(&Of { network })?];
//!     let made = checkpoint::create(network, "before the change", "{}", &parts)?;
//!     let changed = checkpoint::diff(&made.id, None, None, 100)?;
//!     assert!(changed.is_empty());
//!     checkpoint::restore(&made.id)?;
//!     Ok(Response::json(201, format!(r#"{{"id":"{}"}}"#, made.id)))
//! }
//! ```

use super::Error;
use super::args::Args;
use crate::bindings::loggia::plugin::checkpoints;
pub use crate::bindings::loggia::plugin::checkpoints::{Checkpoint, Difference, DifferenceKind};
pub use crate::bindings::loggia::plugin::types::Document;

/// The documents that a [`Scope`](super::Scope) names.
#[derive(Clone, Debug)]
pub struct Part(checkpoints::Scope);

impl Part {
    pub(super) fn new(statement: &str, args: Args) -> Self {
        Self(checkpoints::Scope { statement: statement.to_owned(), args })
    }
}

/// Copy the documents of the parts, as of one instant. The metadata is the text of a JSON object.
///
/// # Errors
/// The call failed; nothing was copied.
pub fn create(
    subject: &str,
    label: &str,
    metadata: &str,
    parts: &[Part],
) -> Result<Checkpoint, Error> {
    let scopes: Vec<checkpoints::Scope> = parts.iter().map(|part| part.0.clone()).collect();
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

/// Make its parts hold exactly the bodies and times to live that they held then; says how many
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
