//! What is wrong with a JSON body that does not satisfy the schema of its operation.
//!
//! Members that are not known are 400, as parameters are that are not known, and all of them are
//! named: a client has most likely misspelled them. Everything else is 422.

use hyper::StatusCode;
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::problem::Problem;

/// One fault of a body.
struct Cause {
    pointer: String,
    detail: String,
    /// Pointers to members that no schema knows.
    unknown_members: Vec<String>,
}

/// The problem of a value that does not satisfy the schema.
pub(super) fn problem(schema: &Validator, body: &Value) -> Problem {
    let causes: Vec<Cause> = schema.iter_errors(body).flat_map(|fault| causes(&fault)).collect();
    let unknown: Vec<&String> = causes.iter().flat_map(|cause| &cause.unknown_members).collect();
    if let Some(first) = unknown.first() {
        let list = unknown.iter().map(|pointer| pointer.as_str()).collect::<Vec<_>>();
        return Problem::bad_request(
            "unknown-member",
            format!("the body has unknown members: {}", list.join(", ")),
        )
        .with("pointer", first.as_str())
        .with("members", list);
    }
    let Cause { pointer, detail, .. } =
        causes.into_iter().next().expect("a value that is not valid has a fault");
    let place = if pointer.is_empty() { "the body" } else { &pointer };
    let detail = format!("{place}: {detail}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "schema-mismatch", detail)
        .with("pointer", pointer)
}

impl Cause {
    fn new(fault: &ValidationError<'_>) -> Self {
        let pointer = fault.instance_path().to_string();
        let unknown_members = match fault.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let names = unexpected.iter().map(|n| n.replace('~', "~0").replace('/', "~1"));
                names.map(|name| format!("{pointer}/{name}")).collect()
            }
            _ => Vec::new(),
        };
        // Without the value, which may be long, and is the client's own.
        Self { pointer, detail: fault.masked().to_string(), unknown_members }
    }
}

/// Where a value could have been one of several things and has the type of only one of them, what
/// keeps it from being that one is what is wrong.
fn causes(fault: &ValidationError<'_>) -> Vec<Cause> {
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = fault.kind() else {
        return vec![Cause::new(fault)];
    };
    let is_of_its_type = |branch: &&Vec<ValidationError<'static>>| {
        !branch.iter().any(|cause| {
            matches!(cause.kind(), Kind::Type { .. })
                && cause.instance_path() == fault.instance_path()
        })
    };
    let branches: Vec<_> = context.iter().filter(is_of_its_type).collect();
    match branches.as_slice() {
        [only] => only.iter().flat_map(causes).collect(),
        _ => vec![Cause::new(fault)],
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;
    use crate::manifest::compile_schema;

    fn answer(body: &Value) -> Value {
        let schema = json!({
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "maxLength": 5},
                "place": {"anyOf": [{"$ref": "#/$defs/place"}, {"type": "null"}]},
                "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            },
            "$defs": {"place": {
                "type": "object", "additionalProperties": false,
                "properties": {"city": {"type": "string"}, "a/b": {"type": "integer"}},
            }},
        });
        let schema = compile_schema(&schema).expect("a schema");
        let response = problem(&schema, body).into_response("trace").into_body();
        let body = response.collect().now_or_never().expect("it is there").expect("it is whole");
        serde_json::from_slice(&body.to_bytes()).expect("JSON")
    }

    #[test]
    fn unknown_members_are_named_with_their_places() {
        let answer = answer(&json!({"nam": 1, "x/y": 1, "place": {"town": 1, "city": 2}}));
        assert_eq!((&answer["status"], &answer["code"]), (&json!(400), &json!("unknown-member")));
        let mut members: Vec<&str> = answer["members"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        members.sort_unstable();
        assert_eq!(members, ["/nam", "/place/town", "/x~1y"]);
    }

    #[test]
    fn what_does_not_match_is_told_with_its_place_and_without_its_value() {
        let table = [
            (json!({"name": "abcdef"}), "/name"),
            (json!({"name": 1}), "/name"),
            (json!({}), ""),
            (json!("secret"), ""),
            (json!({"name": "a", "place": {"a/b": "secret"}}), "/place/a~1b"),
            (json!({"name": "a", "either": ["secret"]}), "/either"),
        ];
        for (body, pointer) in table {
            let answer = answer(&body);
            let told = (&answer["status"], &answer["code"], &answer["pointer"]);
            assert_eq!(told, (&json!(422), &json!("schema-mismatch"), &json!(pointer)), "{body}");
            let detail = answer["detail"].as_str().expect("text");
            assert!(!detail.contains("secret") && !detail.contains("abcdef"), "{detail}");
        }
    }
}
