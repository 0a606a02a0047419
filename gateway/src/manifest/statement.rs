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
    /// A change to documents of one collection.
    Update(UpdateDeclaration),
    /// What deletes documents of one collection.
    Delete(DeleteDeclaration),
}

impl StatementDeclaration {
    /// Its name, by which the plugin calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Select(select) => &select.name,
            Self::Scope(scope) => &scope.name,
            Self::Update(update) => &update.name,
            Self::Delete(delete) => &delete.name,
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
    /// Whether its rows come in no order, all at once.
    #[serde(default)]
    pub unordered: bool,
    /// What it is planned for.
    #[serde(default)]
    pub plan: Plan,
}

impl SelectDeclaration {
    /// Named orders with their text, in the order of the manifest.
    pub fn orders(&self) -> impl Iterator<Item = (&str, &str)> {
        texts(&self.orders)
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

/// A named change to documents of one collection.
#[derive(Clone, Debug, Deserialize)]
pub struct UpdateDeclaration {
    /// Its name, by which the plugin calls it.
    pub name: String,
    /// The collection.
    #[serde(rename = "update")]
    pub collection: String,
    #[serde(default, rename = "set")]
    members: Map<String, Value>,
    /// Which of its documents.
    #[serde(default, rename = "where")]
    pub conditions: Conditions,
    #[serde(default)]
    order: Map<String, Value>,
    /// What becomes of documents that another transaction has locked.
    #[serde(default)]
    pub locked: Locked,
    /// When the changed documents expire: an expression, or `never`. Absent: as before.
    pub expires: Option<String>,
    /// What it is planned for.
    #[serde(default)]
    pub plan: Plan,
}

impl UpdateDeclaration {
    /// What is set: fields with the expressions of their values, in the order of the manifest.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        texts(&self.members)
    }

    /// The order in which documents are taken and returned, with its name.
    #[must_use]
    pub fn order(&self) -> Option<(&str, &str)> {
        texts(&self.order).next()
    }
}

/// What deletes documents of one collection.
#[derive(Clone, Debug, Deserialize)]
pub struct DeleteDeclaration {
    /// Its name, by which the plugin calls it.
    pub name: String,
    /// The collection.
    #[serde(rename = "delete")]
    pub collection: String,
    /// Which of its documents.
    #[serde(default, rename = "where")]
    pub conditions: Conditions,
    #[serde(default)]
    order: Map<String, Value>,
    /// What it is planned for.
    #[serde(default)]
    pub plan: Plan,
}

impl DeleteDeclaration {
    /// The order in which documents are taken, with its name.
    #[must_use]
    pub fn order(&self) -> Option<(&str, &str)> {
        texts(&self.order).next()
    }
}

/// What an update does with a document that another transaction has locked. On `SQLite`, which
/// has one writer, none ever is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Locked {
    /// Wait for it, and look again whether the conditions hold.
    #[default]
    Wait,
    /// Leave it out.
    Skip,
}

/// What `PostgreSQL` plans a statement for. `SQLite` has one plan for all values anyway.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Its values, each time; or for a statement that changes documents, as the server decides.
    #[default]
    Custom,
    /// All values, once.
    Generic,
}

fn texts(members: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    members.iter().filter_map(|(name, text)| Some((name.as_str(), text.as_str()?)))
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
