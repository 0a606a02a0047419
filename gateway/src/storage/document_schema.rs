//! The JSON Schema of a collection: what every body must satisfy when it is written.

use serde_json::Value;

use super::error::Fault;
use crate::manifest::compile_schema;

/// A compiled JSON Schema. Made once when the plugin is loaded.
#[derive(Debug)]
pub(super) struct DocumentSchema(jsonschema::Validator);

impl DocumentSchema {
    /// Compile a schema.
    ///
    /// # Errors
    /// It is not a JSON Schema, or it leads to a document outside of it.
    pub(super) fn compile(collection: &str, schema: &Value) -> Result<Self, String> {
        compile_schema(schema)
            .map(Self)
            .map_err(|error| format!("the schema of {collection}: {error}"))
    }

    /// Check a body that was found to be JSON. The first fault is reported, without the value: it
    /// goes to logs.
    pub(super) fn check(&self, body: &str) -> Result<(), Fault> {
        let fault = |name: String, detail: String| Fault {
            index: 0,
            id: String::new(),
            name,
            code: "schema-mismatch",
            detail,
        };
        let value: Value =
            serde_json::from_str(body).map_err(|error| fault(String::new(), error.to_string()))?;
        self.0.validate(&value).map_err(|error| {
            let pointer = error.instance_path().to_string();
            let place = if pointer.is_empty() { "the document" } else { pointer.as_str() };
            let detail =
                format!("{place} does not match the collection's schema: {}", error.masked());
            fault(pointer.clone(), detail)
        })
    }
}
