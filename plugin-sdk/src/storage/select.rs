//! Queries.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::to_args;
use super::statement::{Definition, Kind, order_name};
use super::{Declare, Error, Page};
use crate::bindings::loggia::plugin::storage;
use crate::manifest::Manifest;
use crate::response::Response;

/// A query over the plugin's collections, declared by [`declare!`](crate::declare): its name in
/// kebab case, and one SELECT without ORDER BY and LIMIT.
///
/// `A` is a struct whose members are the parameters `:name`, or `()`; `R` is a row. Expressions may
/// name declared fields and `id`, `_version`, `_created_at`, `_updated_at` and `_expires_at`.
///
/// ```no_run
/// use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Filter<'a> {
///     title: Option<&'a str>,
/// }
///
/// declare! { STORAGE:
///     const LIST: Select<Filter<'_>> = select("list", "SELECT id, title FROM note")
///         .conditions(&["title = :title"])
///         .orders(&[("-createdAt", "_created_at DESC"), ("title", "title")]);
/// }
///
/// fn list(request: &Request) -> Result<Response, Failure> {
///     let filter = Filter { title: request.query("title") };
///     Ok(LIST.page(&filter, &request.page()?)?.answer())
/// }
/// ```
#[derive(Debug)]
pub struct Select<A = (), R = serde_json::Value> {
    definition: Definition,
    types: PhantomData<fn() -> (A, R)>,
}

impl<A, R> Select<A, R> {
    pub(crate) const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { definition: Definition::new(name, Kind::Select(sql)), types: PhantomData }
    }

    /// Add conditions, of which each is left out when one of its parameters is not given.
    #[must_use]
    pub const fn conditions(self, conditions: &'static [&'static str]) -> Self {
        Self { definition: self.definition.conditions(conditions), ..self }
    }

    /// Set the orders of pages: how a client names one, and columns of the result with an optional
    /// DESC. The first is the default; the gateway adds the id as a tie-break.
    ///
    /// A name is made of letters, digits and `_`; `-` before it says that it descends. In the
    /// manifest, which knows only kebab case, `-updatedAt` is `updated-at-desc`.
    #[must_use]
    pub const fn orders(self, orders: &'static [(&'static str, &'static str)]) -> Self {
        Self { definition: self.definition.orders(orders), ..self }
    }

    /// Let rows come in no order, so that the database need not sort them. It has no pages then.
    #[must_use]
    pub const fn unordered(self) -> Self {
        Self { definition: self.definition.unordered(), ..self }
    }

    /// Let `PostgreSQL` plan it once for all values, which saves 0.1 to 0.5 ms of each call. So for a
    /// query that finds its rows by the same index whatever the values, and no other: where one value
    /// stands in few documents and another in most, the one plan serves one of them badly.
    #[must_use]
    pub const fn generic_plan(self) -> Self {
        Self { definition: self.definition.generic_plan(), ..self }
    }

    /// How clients name its orders.
    pub(crate) fn order_names(&self) -> impl Iterator<Item = &'static str> {
        self.definition.order_names()
    }
}

impl<A: Serialize, R> Select<A, R> {
    /// Run it for all rows that the budget allows, in the first order.
    ///
    /// # Errors
    /// The call failed.
    pub fn run(&self, args: &A) -> Result<Rows<R>, Error> {
        self.call(args, None)
    }

    /// Run it for one page.
    ///
    /// # Errors
    /// The call failed; a cursor that is not of this statement, arguments and order is invalid.
    pub fn page(&self, args: &A, page: &Page) -> Result<Rows<R>, Error> {
        let order = page.order.as_deref().map(order_name);
        self.call(args, Some(&Page { order, ..page.clone() }))
    }

    fn call(&self, args: &A, page: Option<&Page>) -> Result<Rows<R>, Error> {
        let rows = storage::select(self.definition.name, &to_args(args)?, page)?;
        let storage::Rows { json, count, next, total } = rows;
        Ok(Rows { json, count, next, total, row: PhantomData })
    }
}

impl<A: Serialize, R: DeserializeOwned> Select<A, R> {
    /// Run it for all rows that the budget allows, as values.
    ///
    /// # Errors
    /// The call failed, or a row is not an `R`.
    pub fn rows(&self, args: &A) -> Result<Vec<R>, Error> {
        self.run(args)?.decode()
    }

    /// Run it for the first row, such as the only one with an id.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn first(&self, args: &A) -> Result<Option<R>, Error> {
        Ok(self.rows(args)?.into_iter().next())
    }
}

impl<A, R> Declare for Select<A, R> {
    fn declare(&self, manifest: &mut Manifest) {
        manifest.add_statement(self.definition);
    }
}

/// What a [`Select`] has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<R = serde_json::Value> {
    /// A JSON array of objects, ready to be put into an answer.
    pub json: String,
    /// How many there are in it.
    pub count: u32,
    /// The cursor of the next page; none after the last row.
    pub next: Option<String>,
    /// How many there are in all, where the page asks for that.
    pub total: Option<u64>,
    row: PhantomData<fn() -> R>,
}

impl<R> Rows<R> {
    /// The answer to a list: `{"items": […], "next_cursor": …}`, and `total` where the page asks for
    /// it. The rows go into it as they are: reading them would cost more than all else of a list.
    #[must_use]
    pub fn answer(&self) -> Response {
        let items = &self.json;
        let next = self.next.as_deref().map_or(serde_json::Value::Null, Into::into);
        let total = self.total.map(|total| format!(r#","total":{total}"#)).unwrap_or_default();
        Response::json(200, format!(r#"{{"items":{items},"next_cursor":{next}{total}}}"#))
    }
}

impl<R: DeserializeOwned> Rows<R> {
    /// The rows as values, for a handler that needs to look at them.
    ///
    /// # Errors
    /// A row is not an `R`.
    pub fn decode(&self) -> Result<Vec<R>, Error> {
        serde_json::from_str(&self.json).map_err(|fault| Error::Other(format!("a row: {fault}")))
    }
}

impl Default for Page {
    /// The first 50 rows in the statement's first order, not counted.
    fn default() -> Self {
        Self { limit: 50, offset: 0, order: None, after: None, total: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str, next: Option<&str>, total: Option<u64>) -> Rows {
        let next = next.map(str::to_owned);
        Rows { json: json.to_owned(), count: 1, next, total, row: PhantomData }
    }

    #[test]
    fn an_answer_holds_the_rows_as_they_are() {
        let expected = Response::json(200, r#"{"items":[{"id": 1.50}],"next_cursor":null}"#);
        assert_eq!(rows(r#"[{"id": 1.50}]"#, None, None).answer(), expected);
    }

    #[test]
    fn an_answer_holds_the_next_cursor_and_the_total() {
        let expected = Response::json(200, r#"{"items":[],"next_cursor":"c\"1","total":7}"#);
        assert_eq!(rows("[]", Some("c\"1"), Some(7)).answer(), expected);
    }
}
