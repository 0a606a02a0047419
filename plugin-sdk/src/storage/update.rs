//! Changing, deleting and naming the documents that a condition holds for.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::to_args;
use super::statement::{Definition, Kind};
use super::{Declare, Document, Error, checkpoint};
use crate::bindings::loggia::plugin::storage;
use crate::manifest::Manifest;

/// A change to documents of a collection, declared by [`declare!`](crate::declare): its name in
/// kebab case, and the collection.
///
/// The gateway changes what it selects in one step, so that of two requests that claim the same
/// document only one gets it. `A` is a struct whose members are the parameters, `T` a body.
///
/// ```no_run
/// use loggia_plugin_sdk::{Failure, Response, Update, declare};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Claim<'a> {
///     worker: &'a str,
/// }
///
/// declare! { STORAGE:
///     const CLAIM: Update<Claim<'_>> = update("claim", "job")
///         .set(&[("status", "'assigned'"), ("attempt", "attempt + 1"), ("worker", ":worker")])
///         .filter("status = 'queued'")
///         .order("priority DESC, due")
///         .skip_locked();
/// }
///
/// fn claim(worker: &str) -> Result<Response, Failure> {
///     let claimed = CLAIM.limit(1).run_json(&Claim { worker })?;
///     Ok(match claimed.into_iter().next() {
///         Some(job) => Response::json(200, job.body).etag(job.version),
///         None => Response::empty(204),
///     })
/// }
/// ```
#[derive(Debug)]
pub struct Update<A = (), T = serde_json::Value> {
    definition: Definition,
    limit: u32,
    types: PhantomData<fn() -> (A, T)>,
}

/// What deletes documents of a collection, declared by [`declare!`](crate::declare): its name in
/// kebab case, and the collection.
///
/// ```no_run
/// use loggia_plugin_sdk::{Delete, Failure, declare};
///
/// declare! { STORAGE:
///     const CLEAR: Delete = delete("clear", "job").filter("status = 'done'");
/// }
///
/// fn clear() -> Result<u64, Failure> {
///     Ok(CLEAR.limit(1_000).run(&())?)
/// }
/// ```
#[derive(Debug)]
pub struct Delete<A = ()> {
    definition: Definition,
    limit: u32,
    types: PhantomData<fn() -> A>,
}

/// A named set of one collection's documents, declared by [`declare!`](crate::declare), of which
/// checkpoints are made: see [`checkpoint`].
#[derive(Debug)]
pub struct Scope<A = ()> {
    definition: Definition,
    types: PhantomData<fn() -> A>,
}

/// The condition and the order, which updates and deletes have alike. There is no function that
/// could give them to several types.
macro_rules! selection {
    () => {
        /// Set the condition that always holds; its parameters must be given.
        #[must_use]
        pub const fn filter(self, sql: &'static str) -> Self {
            Self { definition: self.definition.filter(sql), ..self }
        }

        /// Add conditions, of which each is left out when one of its parameters is not given.
        #[must_use]
        pub const fn conditions(self, conditions: &'static [&'static str]) -> Self {
            Self { definition: self.definition.conditions(conditions), ..self }
        }
    };
    (order) => {
        selection!();

        /// Take documents in this order: columns with an optional DESC.
        #[must_use]
        pub const fn order(self, columns: &'static str) -> Self {
            Self { definition: self.definition.only_order(columns), ..self }
        }

        /// Let `PostgreSQL` plan it once for all values: see
        /// [`Select::generic_plan`](super::Select::generic_plan). Without this the server settles on one
        /// plan where it takes it to be no dearer.
        #[must_use]
        pub const fn generic_plan(self) -> Self {
            Self { definition: self.definition.generic_plan(), ..self }
        }

        /// Take at most so many documents, the first in its order; 0 is all that the budget allows,
        /// as without this.
        #[must_use]
        pub const fn limit(self, documents: u32) -> Self {
            Self { limit: documents, ..self }
        }
    };
}

impl<A, T> Update<A, T> {
    pub(crate) const fn new(name: &'static str, collection: &'static str) -> Self {
        let definition = Definition::new(name, Kind::Update(collection));
        Self { definition, limit: 0, types: PhantomData }
    }

    selection!(order);

    /// Set declared fields to the values of expressions over the document as it was. NULL sets
    /// JSON's null.
    #[must_use]
    pub const fn set(self, set: &'static [(&'static str, &'static str)]) -> Self {
        Self { definition: self.definition.set(set), ..self }
    }

    /// Leave out documents that another request is about to change, instead of waiting for it.
    #[must_use]
    pub const fn skip_locked(self) -> Self {
        Self { definition: self.definition.skip_locked(), ..self }
    }

    /// Set when the changed documents expire: an expression of the type timestamp, or `never`.
    #[must_use]
    pub const fn expires(self, expression: &'static str) -> Self {
        Self { definition: self.definition.expires(expression), ..self }
    }
}

impl<A: Serialize, T> Update<A, T> {
    /// Run it, and get the changed documents with the texts of their bodies.
    ///
    /// # Errors
    /// The call failed and has done nothing: a changed body that could not be put, or a value that
    /// a unique index holds.
    pub fn run_json(&self, args: &A) -> Result<Vec<Document<String>>, Error> {
        let changed = storage::update_where(self.definition.name, &to_args(args)?, self.limit)?;
        Ok(changed.into_iter().map(Document::from_wit).collect())
    }
}

impl<A: Serialize, T: DeserializeOwned> Update<A, T> {
    /// Run it, and get the changed documents.
    ///
    /// # Errors
    /// As [`Self::run_json`], or a body is not a `T`: the documents are changed then.
    pub fn run(&self, args: &A) -> Result<Vec<Document<T>>, Error> {
        self.run_json(args)?.into_iter().map(Document::decode).collect()
    }
}

impl<A> Delete<A> {
    pub(crate) const fn new(name: &'static str, collection: &'static str) -> Self {
        let definition = Definition::new(name, Kind::Delete(collection));
        Self { definition, limit: 0, types: PhantomData }
    }

    selection!(order);
}

impl<A: Serialize> Delete<A> {
    /// Run it, and learn how many documents it took, not counting what references took with them.
    ///
    /// # Errors
    /// The call failed and has done nothing.
    pub fn run(&self, args: &A) -> Result<u64, Error> {
        storage::delete_where(self.definition.name, &to_args(args)?, self.limit)
    }
}

impl<A> Scope<A> {
    pub(crate) const fn new(name: &'static str, collection: &'static str) -> Self {
        Self { definition: Definition::new(name, Kind::Scope(collection)), types: PhantomData }
    }

    selection!();
}

impl<A: Serialize> Scope<A> {
    /// The documents that it names with these arguments.
    ///
    /// # Errors
    /// The arguments are no struct of parameters.
    pub fn of(&self, args: &A) -> Result<checkpoint::Part, Error> {
        Ok(checkpoint::Part::new(self.definition.name, to_args(args)?))
    }
}

impl<A, T> Declare for Update<A, T> {
    fn declare(&self, manifest: &mut Manifest) {
        manifest.add_statement(self.definition);
    }
}

impl<A> Declare for Delete<A> {
    fn declare(&self, manifest: &mut Manifest) {
        manifest.add_statement(self.definition);
    }
}

impl<A> Declare for Scope<A> {
    fn declare(&self, manifest: &mut Manifest) {
        manifest.add_statement(self.definition);
    }
}
