//! What a Rust type looks like in JSON, and whether declared fields are there.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::FieldType;

/// The JSON Schema of a type, as it is read.
#[derive(Debug)]
pub(crate) struct Shape {
    type_name: String,
    schema: Value,
}

impl Shape {
    /// The shape of a type.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        Self::by(SchemaSettings::draft2020_12(), T::schema_name, T::json_schema)
    }

    /// The same without references where none is needed.
    pub(crate) fn inline<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
        });
        Self::by(settings, T::schema_name, T::json_schema)
    }

    /// Not generic, since all of it would be in a component once for each type.
    fn by(
        settings: SchemaSettings,
        type_name: fn() -> Cow<'static, str>,
        schema: fn(&mut SchemaGenerator) -> Schema,
    ) -> Self {
        let mut generator = settings.into_generator();
        let mut schema = schema(&mut generator).to_value();
        let definitions = generator.take_definitions(false);
        if let Some(members) = schema.as_object_mut().filter(|_| !definitions.is_empty()) {
            members.insert("$defs".to_owned(), definitions.into());
        }
        Self { type_name: type_name().into_owned(), schema }
    }

    /// Its schema, if it says anything at all: any JSON is of the type `serde_json::Value`.
    pub(crate) fn into_schema(self) -> Option<Value> {
        let says_something = self.schema.as_object().is_some_and(|members| !members.is_empty());
        says_something.then_some(self.schema)
    }

    /// What is wrong with a field of this type that stands at this JSON Pointer.
    pub(super) fn fault_of(&self, pointer: &str, field_type: FieldType) -> Option<String> {
        let mut at = vec![&self.schema];
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let inside: Vec<&Value> = at
                .iter()
                .flat_map(|schema| self.alternatives(schema))
                .filter_map(|schema| member(schema, &token))
                .collect();
            if inside.is_empty() {
                return Some(self.no_member(&at, &token));
            }
            at = inside;
        }
        let fits = |schema: &&Value| {
            self.alternatives(schema).iter().any(|schema| fits(schema, field_type))
        };
        let wrong = !at.iter().any(fits);
        wrong.then(|| format!("is something else than {field_type:?} in {}", self.type_name))
    }

    /// The schemas of which a value satisfies one, with references followed.
    fn alternatives<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.schema.pointer(target.trim_start_matches('#'));
            return target.map_or_else(Vec::new, |target| self.alternatives(target));
        }
        let several = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(name));
        match several.and_then(Value::as_array) {
            Some(several) if schema.get("properties").is_none() => {
                several.iter().flat_map(|schema| self.alternatives(schema)).collect()
            }
            _ => vec![schema],
        }
    }

    fn no_member(&self, at: &[&Value], token: &str) -> String {
        let alternatives = at.iter().flat_map(|schema| self.alternatives(schema));
        let names: Vec<&str> = alternatives
            .filter_map(|schema| schema.get("properties")?.as_object())
            .flat_map(|properties| properties.keys().map(String::as_str))
            .collect();
        let type_name = &self.type_name;
        format!("leads to a member {token} that {type_name} has not: {}", names.join(", "))
    }
}

/// The schema of a member, or of all elements for `*`.
fn member<'a>(schema: &'a Value, token: &str) -> Option<&'a Value> {
    static ANY: Value = Value::Bool(true);
    let Some(members) = schema.as_object() else {
        return (schema == &ANY).then_some(&ANY);
    };
    if token == "*" && members.contains_key("items") {
        return members.get("items");
    }
    let properties = members.get("properties").and_then(Value::as_object);
    if let Some(property) = properties.and_then(|properties| properties.get(token)) {
        return Some(property);
    }
    match members.get("additionalProperties") {
        Some(Value::Bool(false)) => None,
        Some(others) => Some(others),
        // What says nothing of members allows all.
        None if properties.is_none() && may_be(members, &["object"]) => Some(&ANY),
        None => None,
    }
}

/// Whether a value of the schema can be one of the field's type.
fn fits(schema: &Value, field_type: FieldType) -> bool {
    let Some(members) = schema.as_object() else { return true };
    match field_type {
        FieldType::Text | FieldType::Timestamp => may_be(members, &["string"]),
        FieldType::Integer => may_be(members, &["integer"]),
        FieldType::Number => may_be(members, &["number", "integer"]),
        FieldType::Boolean => may_be(members, &["boolean"]),
        FieldType::Texts => may_be(members, &["array"]),
        FieldType::Json => true,
    }
}

fn may_be(schema: &Map<String, Value>, names: &[&str]) -> bool {
    let is_named = |value: &Value| value.as_str().is_some_and(|name| names.contains(&name));
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(is_named),
        Some(name) => is_named(name),
        None => match schema.get("const") {
            Some(constant) => constant.is_string() && names.contains(&"string"),
            None => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::Timestamp;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Job {
        created_at: Timestamp,
        state: State,
        attempt: u32,
        ratio: Option<f64>,
        tags: Vec<String>,
        owner: Option<Owner>,
        labels: BTreeMap<String, String>,
        result: Value,
    }

    #[derive(Deserialize, JsonSchema)]
    enum State {
        /// It waits.
        Queued,
        Done,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Owner {
        name: String,
        done: bool,
    }

    #[test]
    fn fields_that_are_there_are_taken() {
        let shape = Shape::of::<Job>();
        for (pointer, field_type) in [
            ("/createdAt", FieldType::Timestamp),
            ("/state", FieldType::Text),
            ("/attempt", FieldType::Integer),
            ("/attempt", FieldType::Number),
            ("/ratio", FieldType::Number),
            ("/tags", FieldType::Texts),
            ("/owner", FieldType::Json),
            ("/owner/name", FieldType::Text),
            ("/owner/done", FieldType::Boolean),
            ("/labels/any", FieldType::Text),
            ("/result/any/thing", FieldType::Integer),
            ("/tags/*", FieldType::Text),
        ] {
            assert_eq!(shape.fault_of(pointer, field_type), None, "{pointer} {field_type:?}");
        }
    }

    #[test]
    fn other_fields_are_faults() {
        let shape = Shape::of::<Job>();
        for (pointer, field_type) in [
            ("/created_at", FieldType::Timestamp),
            ("/state", FieldType::Integer),
            ("/attempt", FieldType::Text),
            ("/ratio", FieldType::Integer),
            ("/tags", FieldType::Text),
            ("/owner/title", FieldType::Text),
            ("/owner/name", FieldType::Boolean),
            ("/attempt/x", FieldType::Text),
            ("/labels/any", FieldType::Number),
        ] {
            assert!(shape.fault_of(pointer, field_type).is_some(), "{pointer} {field_type:?}");
        }
        let fault = shape.fault_of("/owner/title", FieldType::Text).expect("a fault");
        assert_eq!(fault, "leads to a member title that Job has not: name, done");
    }

    #[test]
    fn any_json_has_every_field_and_no_schema() {
        let shape = Shape::of::<Value>();
        assert_eq!(shape.fault_of("/a/b", FieldType::Texts), None);
        assert_eq!(shape.into_schema(), None);
        assert!(Shape::of::<Owner>().into_schema().is_some());
    }
}
