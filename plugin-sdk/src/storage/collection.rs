//! A declared collection, and the documents that are read from it.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Declare, Error, Precondition, Version, Write, Written};
use crate::Timestamp;
use crate::bindings::loggia::plugin::storage;
use crate::bindings::loggia::plugin::types::{self, Change};
use crate::manifest::{self, Manifest, Shape};

/// A collection of the manifest whose bodies have the type `T`.
///
/// The methods that end in `_json` take and give the text of the body instead: nothing is parsed,
/// which is the fastest way to pass a document through.
///
/// It is declared by [`declare!`](crate::declare), with its name and, by
/// [`with`](Self::with), its fields and indexes. See the [module](crate::storage) for an example.
#[derive(Debug)]
pub struct Collection<T = serde_json::Value> {
    name: &'static str,
    with: fn(manifest::Collection) -> manifest::Collection,
    body: PhantomData<fn() -> T>,
}

/// One stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<T> {
    /// Its id in its collection.
    pub id: String,
    /// Grows with every write of the document, and never repeats for its id.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// When this version was written.
    pub updated_at: Timestamp,
    /// When it ceases to exist, if it does.
    pub expires_at: Option<Timestamp>,
    /// What the plugin stored.
    pub body: T,
}

impl<T> Collection<T> {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, with: |declared| declared, body: PhantomData }
    }

    /// Declare fields, indexes and more. It is called when the plugin is described, and not when a
    /// request comes.
    #[must_use]
    pub const fn with(self, with: fn(manifest::Collection) -> manifest::Collection) -> Self {
        Self { with, ..self }
    }

    /// The same documents with bodies of another type, such as one that has only some members.
    ///
    /// ```
    /// # use loggia_plugin_sdk::{Collection, declare};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Deserialize)]
    /// struct Title {
    ///     title: String,
    /// }
    ///
    /// declare! { STORAGE:
    ///     const NOTES: Collection = collection("note");
    /// }
    ///
    /// const TITLES: Collection<Title> = NOTES.of();
    /// ```
    #[must_use]
    pub const fn of<U>(&self) -> Collection<U> {
        Collection::new(self.name)
    }

    /// Its name in statements.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Read a document with the text of its body.
    ///
    /// # Errors
    /// The storage call failed. A document that is not there is none.
    pub fn get_json(&self, id: &str) -> Result<Option<Document<String>>, Error> {
        let documents = storage::get(self.name, &[id.to_owned()])?;
        Ok(documents.into_iter().next().flatten().map(Document::from_wit))
    }

    /// Read documents with the texts of their bodies: one item for each id, in the same order.
    ///
    /// # Errors
    /// The storage call failed.
    pub fn get_many_json(&self, ids: &[String]) -> Result<Vec<Option<Document<String>>>, Error> {
        let documents = storage::get(self.name, ids)?;
        Ok(documents.into_iter().map(|found| found.map(Document::from_wit)).collect())
    }

    /// Store a body, given as the text of a JSON object.
    pub fn put_json(&self, id: &str, body: impl Into<String>) -> Write<Written> {
        Write::new(self.name, id, Ok(Change::Put(body.into())))
    }

    /// Change a document by a merge patch (RFC 7396), given as JSON text. A document that is not
    /// there fails the precondition.
    pub fn merge_json(&self, id: &str, patch: impl Into<String>) -> Write<Written> {
        Write::new(self.name, id, Ok(Change::Merge(patch.into())))
    }

    /// Change a document by a merge patch (RFC 7396). A document that is not there fails the
    /// precondition.
    pub fn merge<P: Serialize + ?Sized>(&self, id: &str, patch: &P) -> Write<Written> {
        Write::new(self.name, id, encode(patch).map(Change::Merge))
    }

    /// Delete a document. Running it tells whether it was there.
    pub fn delete(&self, id: &str) -> Write<bool> {
        Write::new(self.name, id, Ok(Change::Delete))
    }
}

impl<T: DeserializeOwned> Collection<T> {
    /// Read a document.
    ///
    /// # Errors
    /// The storage call failed, or the body is not a `T`. A document that is not there is none.
    pub fn get(&self, id: &str) -> Result<Option<Document<T>>, Error> {
        self.get_json(id)?.map(Document::decode).transpose()
    }

    /// Read documents: one item for each id, in the same order.
    ///
    /// # Errors
    /// The storage call failed, or a body is not a `T`.
    pub fn get_many(&self, ids: &[String]) -> Result<Vec<Option<Document<T>>>, Error> {
        let documents = self.get_many_json(ids)?;
        documents.into_iter().map(|found| found.map(Document::decode).transpose()).collect()
    }
}

impl<T: Serialize> Collection<T> {
    /// Store a body, whatever is there; [`Write::when`] sets a condition.
    pub fn put(&self, id: &str, body: &T) -> Write<Written> {
        Write::new(self.name, id, encode(body).map(Change::Put))
    }

    /// Store a new document. One that is there fails the precondition.
    pub fn insert(&self, id: &str, body: &T) -> Write<Written> {
        self.put(id, body).when(Precondition::Absent)
    }

    /// Replace a document that has not changed since this version was read.
    pub fn replace(&self, id: &str, version: Version, body: &T) -> Write<Written> {
        self.put(id, body).when(Precondition::Version(version))
    }
}

impl<T: JsonSchema> Declare for Collection<T> {
    fn declare(&self, manifest: &mut Manifest) {
        let declared = (self.with)(manifest::Collection::new(self.name));
        manifest.add_collection(declared, Shape::of::<T>());
    }
}

impl<T> Document<T> {
    /// What lets a write through only where the document has not changed since it was read.
    #[must_use]
    pub fn precondition(&self) -> Precondition {
        Precondition::Version(self.version)
    }

    /// The same document with another body.
    pub fn with_body<U>(self, body: U) -> Document<U> {
        let Self { id, version, created_at, updated_at, expires_at, body: _ } = self;
        Document { id, version, created_at, updated_at, expires_at, body }
    }
}

impl Document<String> {
    /// The same document with its body as a value.
    ///
    /// # Errors
    /// The body is not a `T`.
    pub fn decode<T: DeserializeOwned>(self) -> Result<Document<T>, Error> {
        let body = serde_json::from_str(&self.body)
            .map_err(|fault| Error::Other(format!("the body of {}: {fault}", self.id)))?;
        Ok(self.with_body(body))
    }

    pub(super) fn from_wit(document: types::Document) -> Self {
        Self {
            id: document.id,
            version: document.version,
            created_at: Timestamp::from_micros(document.created_at),
            updated_at: Timestamp::from_micros(document.updated_at),
            expires_at: document.expires_at.map(Timestamp::from_micros),
            body: document.body,
        }
    }
}

fn encode<B: Serialize + ?Sized>(body: &B) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|fault| Error::Other(format!("a body to store: {fault}")))
}
