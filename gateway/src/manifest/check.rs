//! What a manifest must hold to beyond its schema. Begin reading at [`faults`].
//!
//! Collections, counts and statements are checked by the storage layer, which compiles them.

mod operation;
mod parameter;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use serde_json::{Value, json};

use super::{Manifest, OperationDeclaration, compile_schema};

/// All faults, each as a JSON Pointer and what is wrong there.
pub(super) fn faults(manifest: &Manifest) -> Vec<String> {
    let mut faults = Faults::default();
    shared_schemas(manifest, &mut faults);
    operations(manifest, &mut faults);
    schedule::check(manifest, &mut faults);
    settings::check(manifest, &mut faults);
    faults.0
}

/// What was found so far.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, pointer: impl Display, what: impl Display) {
        self.0.push(format!("{pointer}: {what}"));
    }

    /// A schema that does not compile is a fault.
    fn check_schema(&mut self, pointer: impl Display, schema: &Value) {
        if let Err(fault) = compile_schema(schema) {
            self.add(pointer, fault);
        }
    }
}

/// Each as whoever refers to it sees it.
fn shared_schemas(manifest: &Manifest, faults: &mut Faults) {
    for name in manifest.schemas.keys() {
        let place = format!("/schemas/{name}");
        let schema = json!({"$ref": format!("#{place}"), "schemas": &manifest.schemas});
        faults.check_schema(place, &schema);
    }
}

fn operations(manifest: &Manifest, faults: &mut Faults) {
    let (mut names, mut routes) = (HashSet::new(), HashMap::new());
    for (place, operation) in manifest.operations.iter().enumerate() {
        let place = format!("/operations/{place}");
        if !names.insert(&operation.name) {
            faults.add(format!("{place}/name"), format!("{} is declared twice", operation.name));
        }
        if let Some(other) = routes.insert(route(operation), &operation.name) {
            let (method, path) = (&operation.method, &operation.path);
            faults.add(format!("{place}/path"), format!("{method} {path} is answered by {other}"));
        }
        operation::check(&place, operation, faults);
    }
}

/// What two operations cannot both answer, whatever they call their parameters.
fn route(operation: &OperationDeclaration) -> (&str, String) {
    let template = operation.path.split('{').enumerate().map(|(number, part)| match number {
        0 => part,
        _ => part.split_once('}').map_or(part, |(_, rest)| rest),
    });
    (&operation.method, template.collect::<Vec<_>>().join("{}"))
}
