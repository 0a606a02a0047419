//! What one operation must hold to.

use std::collections::HashSet;

use super::super::operation::{Mode, OperationDeclaration, TransactionIsolation, is_json};
use super::{Faults, parameter};

pub(super) fn check(place: &str, operation: &OperationDeclaration, faults: &mut Faults) {
    isolation(place, operation, faults);
    path(place, operation, faults);
    for (name, schema) in &operation.params {
        let place = format!("{place}/params/{name}");
        let in_path = operation.path_params().contains(&name.as_str());
        parameter::check(&place, schema, in_path, faults);
        if name.ends_with('*') && schema.get("default").is_some() {
            faults.add(format!("{place}/default"), "parameters of a family have no default");
        }
    }
    required(place, operation, faults);
    bodies(place, operation, faults);
}

/// A snapshot needs no stricter isolation, and a call by itself has nothing to isolate.
fn isolation(place: &str, operation: &OperationDeclaration, faults: &mut Faults) {
    let serializable = operation.isolation() == TransactionIsolation::Serializable;
    if serializable && operation.mode() != Mode::Write {
        let name = &operation.name;
        let what =
            format!("serializable is for operations of the mode write, and {name} has another");
        faults.add(format!("{place}/isolation"), what);
    }
}

fn path(place: &str, operation: &OperationDeclaration, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for name in operation.path_params().into_iter().filter(|name| !seen.insert(*name)) {
        faults.add(format!("{place}/path"), format!("the parameter {name} stands in it twice"));
    }
}

fn required(place: &str, operation: &OperationDeclaration, faults: &mut Faults) {
    for (number, name) in operation.required.iter().enumerate() {
        let what = match operation.params.contains_key(name) {
            false => format!("the required parameter {name} is not declared in params"),
            true if name.ends_with('*') => format!("{name} is a family, and cannot be required"),
            true => continue,
        };
        faults.add(format!("{place}/required/{number}"), what);
    }
}

fn bodies(place: &str, operation: &OperationDeclaration, faults: &mut Faults) {
    if let Some(request) = &operation.request
        && let Some(schema) = &request.schema
    {
        let place = format!("{place}/request/schema");
        if !request.content_types.iter().any(|content_type| is_json(content_type)) {
            faults.add(&place, "no content_type of the operation is JSON, so nothing is checked");
        }
        faults.check_schema(place, schema);
    }
    for (status, response) in &operation.response {
        if let Some(schema) = &response.schema {
            faults.check_schema(format!("{place}/response/{status}/schema"), schema);
        }
    }
}
