//! A named query.

use serde::Serialize;
use serde_json::{Map, Value};

/// A named query over the plugin's collections. The guest runs it by its name with
/// [`select`](crate::select).
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    name: String,
    select: String,
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<String>,
    #[serde(rename = "order", skip_serializing_if = "Map::is_empty")]
    orders: Map<String, Value>,
}

impl Statement {
    /// Begin a query: its name in kebab case, and one SELECT without ORDER BY and LIMIT.
    ///
    /// It may name declared fields and `id`, `_version`, `_created_at`, `_updated_at` and
    /// `_expires_at`. Parameters are written `:name`.
    #[must_use]
    pub fn select(name: &str, sql: &str) -> Self {
        Self {
            name: name.to_owned(),
            select: sql.to_owned(),
            conditions: Vec::new(),
            orders: Map::new(),
        }
    }

    /// Add a condition that is left out when its parameter is not given.
    #[must_use]
    pub fn condition(mut self, sql: &str) -> Self {
        self.conditions.push(sql.to_owned());
        self
    }

    /// Add a named order: columns of the result with an optional DESC. The first is the default;
    /// the gateway adds the id as a tie-break.
    #[must_use]
    pub fn order(mut self, name: &str, columns: &str) -> Self {
        self.orders.insert(name.to_owned(), Value::String(columns.to_owned()));
        self
    }
}
