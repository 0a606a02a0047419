//! Named statements.

use serde::Serialize;
use serde_json::{Map, Value};

/// A named statement over the plugin's collections. The guest runs it by its name with
/// [`select`](crate::select), [`update_where`](crate::update_where) or
/// [`delete_where`](crate::delete_where).
///
/// Expressions may name declared fields and `id`, `_version`, `_created_at`, `_updated_at` and
/// `_expires_at`. Parameters are written `:name`.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    name: String,
    #[serde(flatten)]
    kind: Kind,
    #[serde(rename = "where", skip_serializing_if = "Conditions::is_empty")]
    conditions: Conditions,
    #[serde(rename = "order", skip_serializing_if = "Map::is_empty")]
    orders: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    set: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// The member that tells the kind, with the query or the collection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Select(String),
    Scope(String),
    Update(String),
    Delete(String),
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Conditions {
    Always(String),
    Optional(Vec<String>),
}

impl Conditions {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Optional(list) if list.is_empty())
    }
}

impl Statement {
    /// Begin a query: its name in kebab case, and one SELECT without ORDER BY and LIMIT.
    #[must_use]
    pub fn select(name: &str, sql: &str) -> Self {
        Self::new(name, Kind::Select(sql.to_owned()))
    }

    /// Begin a named set of one collection's documents.
    #[must_use]
    pub fn scope(name: &str, collection: &str) -> Self {
        Self::new(name, Kind::Scope(collection.to_owned()))
    }

    /// Begin a change to documents of a collection: see [`Self::set`] and [`Self::expires`].
    ///
    /// ```
    /// use loggia_plugin_sdk::manifest::Statement;
    ///
    /// let claim = Statement::update("claim", "job")
    ///     .set("status", "'assigned'")
    ///     .set("attempt", "attempt + 1")
    ///     .set("worker", ":worker")
    ///     .filter("status = 'queued'")
    ///     .order("next", "priority DESC, due")
    ///     .skip_locked();
    /// ```
    #[must_use]
    pub fn update(name: &str, collection: &str) -> Self {
        Self::new(name, Kind::Update(collection.to_owned()))
    }

    /// Begin what deletes documents of a collection.
    #[must_use]
    pub fn delete(name: &str, collection: &str) -> Self {
        Self::new(name, Kind::Delete(collection.to_owned()))
    }

    fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            conditions: Conditions::Optional(Vec::new()),
            orders: Map::new(),
            set: Map::new(),
            locked: None,
            expires: None,
        }
    }

    /// Add a condition that is left out when its parameter is not given.
    ///
    /// # Panics
    /// There is a [`filter`](Self::filter): a statement has either.
    #[must_use]
    pub fn condition(mut self, sql: &str) -> Self {
        match &mut self.conditions {
            Conditions::Optional(list) => list.push(sql.to_owned()),
            Conditions::Always(_) => panic!("the statement {} has a filter", self.name),
        }
        self
    }

    /// Set the condition that always holds; its parameters must be given. Not for a select, which
    /// has a WHERE of its own.
    ///
    /// # Panics
    /// There is a [`condition`](Self::condition): a statement has either.
    #[must_use]
    pub fn filter(mut self, sql: &str) -> Self {
        assert!(self.conditions.is_empty(), "the statement {} has conditions", self.name);
        self.conditions = Conditions::Always(sql.to_owned());
        self
    }

    /// Add a named order: columns of the result with an optional DESC. The first is the default;
    /// the gateway adds the id as a tie-break. An update or a delete takes one: it takes documents
    /// in it.
    #[must_use]
    pub fn order(mut self, name: &str, columns: &str) -> Self {
        self.orders.insert(name.to_owned(), Value::String(columns.to_owned()));
        self
    }

    /// Set a declared field to the value of an expression over the document as it was. NULL sets
    /// JSON's null.
    #[must_use]
    pub fn set(mut self, field: &str, expression: &str) -> Self {
        self.set.insert(field.to_owned(), Value::String(expression.to_owned()));
        self
    }

    /// Leave out documents that another request is about to change, instead of waiting for it.
    #[must_use]
    pub fn skip_locked(mut self) -> Self {
        self.locked = Some("skip");
        self
    }

    /// Set when the changed documents expire: an expression of the type timestamp, or `never`.
    #[must_use]
    pub fn expires(mut self, expression: &str) -> Self {
        self.expires = Some(expression.to_owned());
        self
    }
}
