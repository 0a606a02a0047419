//! The kinds of statements that a manifest declares, each told by the member that names it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// One named statement.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum StatementDeclaration {
    /// A query.
    Select(SelectDeclaration),
    /// The documents of one collection that conditions hold for.
    Scope(ScopeDeclaration),
}

impl StatementDeclaration {
    /// Its name, by which the plugin calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Select(select) => &select.name,
            Self::Scope(scope) => &scope.name,
        }
    }
}

/// One named query.
#[derive(Clone, Debug, Deserialize)]
pub struct SelectDeclaration {
    /// Its name, by which the plugin calls it.
    pub name: String,
    /// The SELECT, without ORDER BY and LIMIT.
    pub select: String,
    /// Optional conditions: one whose parameter is not given is left out.
    #[serde(default, rename = "where")]
    pub conditions: Vec<String>,
    /// Named orders, the first is the default.
    #[serde(default, rename = "order")]
    orders: Map<String, Value>,
}

impl SelectDeclaration {
    /// Named orders with their text, in the order of the manifest.
    pub fn orders(&self) -> impl Iterator<Item = (&str, &str)> {
        self.orders.iter().filter_map(|(name, text)| Some((name.as_str(), text.as_str()?)))
    }
}

/// A named set of one collection's documents.
#[derive(Clone, Debug, Deserialize)]
pub struct ScopeDeclaration {
    /// Its name, by which the plugin calls it.
    pub name: String,
    /// The collection.
    #[serde(rename = "scope")]
    pub collection: String,
    /// Which of its documents.
    #[serde(default, rename = "where")]
    pub conditions: Conditions,
}

/// Which documents of a collection a statement is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Conditions {
    /// A condition that always holds; all its parameters are required.
    Always(String),
    /// Conditions of which each is left out when its parameter is not given.
    Optional(Vec<String>),
}

/// All documents.
impl Default for Conditions {
    fn default() -> Self {
        Self::Optional(Vec::new())
    }
}
