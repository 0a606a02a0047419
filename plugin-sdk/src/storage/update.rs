//! Changing and deleting documents by the statements of the manifest.

use serde::de::DeserializeOwned;

use super::{Document, Error, Value};
use crate::bindings::loggia::plugin::storage;

/// Run an `update` statement of the manifest by its name: the gateway changes what it selects in
/// one step, so that of two requests that claim the same document only one gets it.
///
/// ```no_run
/// # use loggia_plugin_sdk::{Failure, Response, update_where};
/// fn claim(worker: &str) -> Result<Response, Failure> {
///     let claimed = update_where("claim").arg("worker", worker).limit(1).run_json()?;
///     Ok(match claimed.into_iter().next() {
///         Some(job) => Response::json(200, job.body).etag(job.version),
///         None => Response::empty(204),
///     })
/// }
/// ```
pub fn update_where(statement: &str) -> UpdateWhere<'_> {
    UpdateWhere(Call::new(statement))
}

/// Run a `delete` statement of the manifest by its name.
///
/// ```no_run
/// # use loggia_plugin_sdk::{Failure, delete_where};
/// # fn example() -> Result<(), Failure> {
/// let deleted = delete_where("clear").arg("status", "done").run()?;
/// # Ok(())
/// # }
/// ```
pub fn delete_where(statement: &str) -> DeleteWhere<'_> {
    DeleteWhere(Call::new(statement))
}

/// An `update` statement with its arguments, not yet run.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is run"]
pub struct UpdateWhere<'a>(Call<'a>);

/// A `delete` statement with its arguments, not yet run.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is run"]
pub struct DeleteWhere<'a>(Call<'a>);

#[derive(Clone, Debug)]
struct Call<'a> {
    statement: &'a str,
    args: Vec<(String, Value)>,
    /// 0 for all that the budget allows.
    limit: u32,
}

impl<'a> Call<'a> {
    fn new(statement: &'a str) -> Self {
        Self { statement, args: Vec::new(), limit: 0 }
    }

    fn arg(&mut self, name: &str, value: Option<impl Into<Value>>) {
        self.args.extend(value.map(|value| (name.to_owned(), value.into())));
    }
}

impl UpdateWhere<'_> {
    /// Give a parameter.
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.arg(name, Some(value));
        self
    }

    /// Give a parameter if there is a value; else the conditions that use it are left out.
    pub fn optional_arg(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        self.0.arg(name, value);
        self
    }

    /// Change at most so many documents, the first in the statement's order. Without this: all
    /// that the budget allows.
    pub fn limit(mut self, documents: u32) -> Self {
        self.0.limit = documents;
        self
    }

    /// Run it, and get the changed documents with the texts of their bodies.
    ///
    /// # Errors
    /// The call failed and has done nothing: an argument of another type, a changed body that
    /// could not be put, or a value that a unique index holds.
    pub fn run_json(self) -> Result<Vec<Document<String>>, Error> {
        let Call { statement, args, limit } = self.0;
        let changed = storage::update_where(statement, &args, limit)?;
        Ok(changed.into_iter().map(Document::from_wit).collect())
    }

    /// Run it, and get the changed documents.
    ///
    /// # Errors
    /// As [`Self::run_json`], or a body is not a `T`: the documents are changed then.
    pub fn run<T: DeserializeOwned>(self) -> Result<Vec<Document<T>>, Error> {
        let decode = |document: Document<String>| {
            let body = serde_json::from_str(&document.body)
                .map_err(|fault| Error::Other(format!("a body: {fault}")))?;
            Ok(document.with_body(body))
        };
        self.run_json()?.into_iter().map(decode).collect()
    }
}

impl DeleteWhere<'_> {
    /// Give a parameter.
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.arg(name, Some(value));
        self
    }

    /// Give a parameter if there is a value; else the conditions that use it are left out.
    pub fn optional_arg(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        self.0.arg(name, value);
        self
    }

    /// Delete at most so many documents, the first in the statement's order. Without this: all
    /// that the budget allows.
    pub fn limit(mut self, documents: u32) -> Self {
        self.0.limit = documents;
        self
    }

    /// Run it, and learn how many documents it took, not counting what references took with them.
    ///
    /// # Errors
    /// The call failed and has done nothing.
    pub fn run(self) -> Result<u64, Error> {
        let Call { statement, args, limit } = self.0;
        storage::delete_where(statement, &args, limit)
    }
}
