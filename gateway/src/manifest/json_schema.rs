//! JSON Schemas that stand in a manifest, and how all of them are compiled.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

/// Compile a schema of a manifest, of the draft 2020-12.
///
/// Its patterns are matched in a time that grows with the text alone: a plugin's author chooses
/// the pattern, its clients the text, and nobody's budget pays for the match.
///
/// # Errors
/// It is not a JSON Schema, or it leads to a document outside of it.
pub fn compile_schema(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft202012::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|fault| fault.to_string())
}

/// Where a schema refers to one of the manifest's `schemas`, it does so as if it stood there.
const SHARED: &str = "#/schemas/";

/// Give a schema that refers to shared ones a copy of them.
pub(super) fn share(shared: &Map<String, Value>, schema: &mut Value) {
    if !refers(schema) {
        return;
    }
    if let Value::Object(members) = schema {
        members.insert("schemas".to_owned(), Value::Object(shared.clone()));
    }
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, value)| match value {
            Value::String(text) => name == "$ref" && text.starts_with(SHARED),
            other => refers(other),
        }),
        Value::Array(elements) => elements.iter().any(refers),
        _ => false,
    }
}
