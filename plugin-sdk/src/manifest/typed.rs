//! Parts of an operation that follow from Rust types, and from the statement that it runs.

use schemars::JsonSchema;

use super::{Operation, Param, Shape};
use crate::storage::{Page, Select};

/// The largest page that the gateway gives.
const MAX_LIMIT: i64 = 1_000;

impl Operation {
    /// Take a JSON body of the form of a type, which the gateway checks before the call. A type
    /// with `#[serde(deny_unknown_fields)]` lets it refuse members that are not known.
    ///
    /// ```
    /// use loggia_plugin_sdk::schemars::{self, JsonSchema};
    /// use loggia_plugin_sdk::{Failure, Request, Response, Route};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// #[serde(deny_unknown_fields)]
    /// struct Ids {
    ///     ids: Vec<String>,
    /// }
    ///
    /// const COUNT: Route = Route::post("count", "/notes:count", "Count ids.", count)
    ///     .with(|operation| operation.body::<Ids>());
    ///
    /// fn count(request: &Request) -> Result<Response, Failure> {
    ///     let body: Ids = request.json()?;
    ///     Response::serialize(200, &body.ids.len())
    /// }
    /// ```
    #[must_use]
    pub fn body<T: JsonSchema>(self) -> Self {
        match Shape::of::<T>().into_schema() {
            Some(schema) => self.body_schema(schema),
            None => self.json_body(),
        }
    }

    /// Let the query ask for a page of a statement, by `limit`, `cursor`, `order` where it has
    /// orders, and `total`; [`Request::page`](crate::Request::page) reads them.
    #[must_use]
    pub fn pages<A, R>(self, statement: &Select<A, R>) -> Self {
        let orders: Vec<&str> = statement.order_names().collect();
        let operation = match orders.first() {
            Some(first) => {
                let order = Param::string().one_of(&orders).default(*first);
                self.param("order", order.describe("A leading - means descending."))
            }
            None => self,
        };
        let limit = Param::integer().between(1, MAX_LIMIT).default(Page::default().limit);
        operation
            .param("limit", limit.describe("How many items a page has at most."))
            .param("cursor", Param::string().describe("The next_cursor of the page before."))
            .param("total", Param::boolean().default(false).describe("Count all items as well."))
    }
}
