//! Changes of documents: one by one, or several at one instant.

use std::marker::PhantomData;

use super::{Error, Expiry, Outcome, Precondition, Written};
use crate::Timestamp;
use crate::bindings::loggia::plugin::storage;
use crate::bindings::loggia::plugin::types::{self, Change, Otherwise};

/// A change of one document. It does nothing until it is run, or applied with others by
/// [`apply`].
///
/// `T` is what running it answers: [`Written`] for a document that was stored, `bool` for one
/// that was deleted, and [`Outcome`] where it may be either.
#[derive(Debug)]
#[must_use = "a write does nothing until it is run"]
pub struct Write<T = Outcome> {
    collection: &'static str,
    id: String,
    /// What could not be made to JSON is an error of the call, so that a write reads as one line.
    change: Result<Change, Error>,
    condition: Precondition,
    otherwise: Otherwise,
    expiry: Expiry,
    outcome: PhantomData<fn() -> T>,
}

impl<T> Write<T> {
    pub(super) fn new(collection: &'static str, id: &str, change: Result<Change, Error>) -> Self {
        Self {
            collection,
            id: id.to_owned(),
            change,
            condition: Precondition::Any,
            otherwise: Otherwise::Fail,
            expiry: Expiry::Keep,
            outcome: PhantomData,
        }
    }

    /// Write only when this holds.
    pub fn when(self, condition: Precondition) -> Self {
        Self { condition, ..self }
    }

    /// Set the document's time to live. Without this it stays as it is, and a new document gets
    /// the collection's default.
    pub fn expires(self, expiry: Expiry) -> Self {
        Self { expiry, ..self }
    }

    /// Leave this write out when it cannot be applied, and go on with the others. Its outcome
    /// says why.
    pub fn or_skip(self) -> Write {
        Write { otherwise: Otherwise::Skip, ..self.into_any() }
    }

    fn into_any(self) -> Write {
        let Self { collection, id, change, condition, otherwise, expiry, outcome: _ } = self;
        Write { collection, id, change, condition, otherwise, expiry, outcome: PhantomData }
    }

    fn into_wit(self) -> Result<types::Write, Error> {
        Ok(types::Write {
            collection: self.collection.to_owned(),
            id: self.id,
            change: self.change?,
            condition: self.condition,
            otherwise: self.otherwise,
            expiry: self.expiry,
        })
    }

    fn run_any(self) -> Result<Outcome, Error> {
        let mut outcomes = storage::apply(&[self.into_wit()?])?;
        outcomes.pop().ok_or_else(unexpected)
    }
}

impl Write<Written> {
    /// Store the document.
    ///
    /// # Errors
    /// The precondition does not hold, or the call failed. Nothing was changed then.
    pub fn run(self) -> Result<Written, Error> {
        match self.run_any()? {
            Outcome::Written(written) => Ok(written),
            _ => Err(unexpected()),
        }
    }
}

impl Write<bool> {
    /// Delete the document, and tell whether it was there.
    ///
    /// # Errors
    /// The precondition does not hold, or the call failed. Nothing was changed then.
    pub fn run(self) -> Result<bool, Error> {
        match self.run_any()? {
            Outcome::Deleted(was_there) => Ok(was_there),
            _ => Err(unexpected()),
        }
    }
}

impl Write {
    /// Make the change, and tell what became of it.
    ///
    /// # Errors
    /// The precondition does not hold and the write does not say `or_skip`, or the call failed.
    /// Nothing was changed then.
    pub fn run(self) -> Result<Outcome, Error> {
        self.run_any()
    }
}

impl From<Write<Written>> for Write {
    fn from(write: Write<Written>) -> Self {
        write.into_any()
    }
}

impl From<Write<bool>> for Write {
    fn from(write: Write<bool>) -> Self {
        write.into_any()
    }
}

/// Apply writes as if at one instant, all or none: one outcome for each, in the same order. No
/// document may be named twice.
///
/// ```no_run
/// # use loggia_plugin_sdk::{Collection, Failure, apply};
/// # fn example(notes: Collection<String>, text: String) -> Result<(), Failure> {
/// let outcomes = apply(vec![
///     notes.insert("a", &text).into(),
///     notes.delete("b").into(),
///     notes.insert("c", &text).or_skip(),
/// ])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A write that does not say `or_skip` cannot be applied, or the call failed. Nothing was changed
/// then.
pub fn apply(writes: Vec<Write>) -> Result<Vec<Outcome>, Error> {
    let writes: Vec<types::Write> =
        writes.into_iter().map(Write::into_wit).collect::<Result<_, _>>()?;
    storage::apply(&writes)
}

fn unexpected() -> Error {
    Error::Other("the gateway answered a write with another outcome".to_owned())
}

impl Written {
    /// What a PUT answers: 201 where a document was created, 200 where one was replaced.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.created { 201 } else { 200 }
    }
}

impl Expiry {
    /// The document ceases to exist at this time.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self::At(time.as_micros())
    }
}
