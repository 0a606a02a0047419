//! What a parameter of the query or the path may be.

use serde_json::{Map, Value, json};

/// A JSON Schema for a parameter. The gateway checks it before the call and fills in defaults.
#[derive(Clone, Debug)]
pub struct Param(Map<String, Value>);

impl Param {
    /// Any text.
    #[must_use]
    pub fn string() -> Self {
        Self::of_type("string")
    }

    /// A whole number.
    #[must_use]
    pub fn integer() -> Self {
        Self::of_type("integer")
    }

    /// A number.
    #[must_use]
    pub fn number() -> Self {
        Self::of_type("number")
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean() -> Self {
        Self::of_type("boolean")
    }

    /// Text that may be given several times.
    #[must_use]
    pub fn strings() -> Self {
        Self::of_type("array").keyword("items", json!({"type": "string"}))
    }

    /// Any bytes, NUL and what is not UTF-8 included. The handler gets them in base64url without
    /// padding, and other keywords, such as `maxLength`, are about that text.
    #[must_use]
    pub fn bytes() -> Self {
        Self::string().keyword("contentEncoding", json!("base64url"))
    }

    /// Allow these texts only.
    #[must_use]
    pub fn one_of(self, values: &[&str]) -> Self {
        self.keyword("enum", json!(values))
    }

    /// Allow numbers from `minimum` to `maximum`, both included.
    #[must_use]
    pub fn between(self, minimum: i64, maximum: i64) -> Self {
        self.keyword("minimum", json!(minimum)).keyword("maximum", json!(maximum))
    }

    /// Take this value when none is given.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.keyword("default", value.into())
    }

    /// Explain it in the API's documentation.
    #[must_use]
    pub fn describe(self, text: &str) -> Self {
        self.keyword("description", json!(text))
    }

    /// Set any other keyword of JSON Schema.
    #[must_use]
    pub fn keyword(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn into_schema(self) -> Value {
        Value::Object(self.0)
    }

    fn of_type(name: &str) -> Self {
        Self(Map::new()).keyword("type", json!(name))
    }
}
