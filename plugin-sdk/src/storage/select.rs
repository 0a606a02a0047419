//! Running the statements of the manifest.

use serde::de::DeserializeOwned;

use super::{Error, Page, Rows, Value};
use crate::Timestamp;
use crate::bindings::loggia::plugin::storage;

/// Run a statement of the manifest by its name.
///
/// ```no_run
/// # use loggia_plugin_sdk::{Failure, Request, Response, Page, select};
/// fn list(request: &Request) -> Result<Response, Failure> {
///     let rows = select("list")
///         .optional_arg("title", request.query("title"))
///         .page(Page { after: request.query("cursor").map(str::to_owned), ..Page::default() })
///         .run()?;
///     Ok(Response::json(200, rows.json))
/// }
/// ```
pub fn select(statement: &str) -> Select<'_> {
    Select { statement, args: Vec::new(), page: None }
}

/// A statement with its arguments, not yet run.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is run"]
pub struct Select<'a> {
    statement: &'a str,
    args: Vec<(String, Value)>,
    page: Option<Page>,
}

impl Select<'_> {
    /// Give a parameter.
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.push((name.to_owned(), value.into()));
        self
    }

    /// Give a parameter if there is a value; else the conditions that use it are left out.
    pub fn optional_arg(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.arg(name, value),
            None => self,
        }
    }

    /// Read one page. Without this: all rows that the budget allows, in the first order.
    pub fn page(mut self, page: Page) -> Self {
        self.page = Some(page);
        self
    }

    /// Run it.
    ///
    /// # Errors
    /// The call failed; a cursor that is not of this statement and these arguments is invalid.
    pub fn run(self) -> Result<Rows, Error> {
        storage::select(self.statement, &self.args, self.page.as_ref())
    }
}

impl Default for Page {
    /// The first 50 rows in the statement's first order, not counted.
    fn default() -> Self {
        Self { limit: 50, offset: 0, order: None, after: None, total: false }
    }
}

impl Rows {
    /// The rows as values, for a handler that needs to look at them. To answer with them, put
    /// `json` into the response as it is.
    ///
    /// # Errors
    /// A row is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        serde_json::from_str(&self.json).map_err(|fault| Error::Other(format!("a row: {fault}")))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Timestamp(value.as_micros())
    }
}

impl From<Vec<String>> for Value {
    fn from(value: Vec<String>) -> Self {
        Self::Texts(value)
    }
}
