//! What a schedule must hold to: the gateway can call its operation by itself.

use std::collections::HashSet;

use serde_json::json;

use super::super::schedule::{DueDeclaration, LONGEST, SHORTEST};
use super::super::{
    FieldType, Manifest, OperationDeclaration, RequestDeclaration, compile_schema, is_json,
};
use super::Faults;

pub(super) fn check(manifest: &Manifest, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for (number, schedule) in manifest.schedules.iter().enumerate() {
        let (place, name) = (format!("/schedules/{number}"), &schedule.operation);
        let operation = manifest.operations.iter().find(|operation| operation.name == *name);
        let why = match operation {
            None => Some(format!("there is no operation {name}")),
            Some(_) if !seen.insert(name) => Some(format!("{name} has a schedule already")),
            Some(operation) => needs(operation),
        };
        if let Some(why) = why {
            faults.add(format!("{place}/operation"), why);
        }
        if !(SHORTEST..=LONGEST).contains(&schedule.every) {
            faults.add(format!("{place}/every"), "it must be from 100ms to 720h");
        }
        if let Some(due) = &schedule.due
            && !has_time(manifest, due)
        {
            let DueDeclaration { collection, field } = due;
            let what = format!("{field} is not a declared timestamp field of {collection}");
            faults.add(format!("{place}/due"), what);
        }
    }
}

/// What the operation would have to be told that a schedule does not know.
fn needs(operation: &OperationDeclaration) -> Option<String> {
    let name = &operation.name;
    if let [parameter, ..] = operation.path_params().as_slice() {
        return Some(format!("{name} needs {parameter} in its path, which a schedule has not"));
    }
    if let [parameter, ..] = operation.required.as_slice() {
        return Some(format!("{name} needs the parameter {parameter}, which a schedule has not"));
    }
    let takes_nothing = operation.request.as_ref().is_none_or(takes_an_empty_object);
    (!takes_nothing).then(|| format!("{name} needs a body, and a schedule sends {{}} at most"))
}

fn takes_an_empty_object(request: &RequestDeclaration) -> bool {
    let compiled = request.schema.as_ref().map(compile_schema);
    request.content_types.iter().any(|content_type| is_json(content_type))
        // A schema that does not compile is a fault of its own.
        && compiled.is_none_or(|schema| schema.is_ok_and(|schema| schema.is_valid(&json!({}))))
}

fn has_time(manifest: &Manifest, due: &DueDeclaration) -> bool {
    let collection = manifest.collections.iter().find(|known| known.name == due.collection);
    let mut fields = collection.into_iter().flat_map(|collection| &collection.fields.0);
    fields.any(|field| field.name == due.field && field.field_type == FieldType::Timestamp)
}
