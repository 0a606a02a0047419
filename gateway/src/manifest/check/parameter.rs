//! What a parameter of a path or a query must hold to.

use serde_json::Value;

use super::super::compile_schema;
use super::Faults;

pub(super) fn check(place: &str, schema: &Value, in_path: bool, faults: &mut Faults) {
    if in_path && schema["type"] == "array" {
        faults.add(format!("{place}/type"), "a parameter of the path cannot be repeated");
    }
    encoding(place, schema, faults);
    match (compile_schema(schema), schema.get("default")) {
        (Err(fault), _) => faults.add(place, fault),
        (Ok(compiled), Some(default)) => {
            if let Err(fault) = compiled.validate(default) {
                faults.add(format!("{place}/default"), fault);
            }
        }
        (Ok(_), None) => {}
    }
}

fn encoding(place: &str, schema: &Value, faults: &mut Faults) {
    let Some(encoding) = schema.get("contentEncoding") else { return };
    let place = format!("{place}/contentEncoding");
    if encoding != "base64url" {
        faults.add(&place, format!("{encoding} is not known; base64url is"));
    }
    if schema["type"] != "string" {
        faults.add(&place, "only a parameter of the type string can be bytes");
    }
}
