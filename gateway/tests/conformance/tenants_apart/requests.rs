//! Requests for every operation of a manifest, with what is known of another tenant.

use std::collections::BTreeSet;
use std::fmt;

use loggia::manifest::{Manifest, OperationDeclaration, is_json};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Case;
use crate::harness::Answer;

/// A request without a key, below the plugin's routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// What somebody else might have got hold of.
#[derive(Debug, Default)]
pub(super) struct Known {
    ids: BTreeSet<String>,
    etags: BTreeSet<String>,
    cursors: BTreeSet<String>,
}

impl Request {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.headers.push(("content-type", "application/json".to_owned()));
        Self { body: body.to_string(), ..self }
    }

    pub(super) fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|(name, _)| *name == header)
    }

    fn with(&self, name: &'static str, value: &str) -> Self {
        let mut request = self.clone();
        request.headers.push((name, value.to_owned()));
        request
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {}", self.method, self.path, self.headers, self.body)
    }
}

impl Answer {
    #[track_caller]
    pub(super) fn assert_success(self, request: &Request) -> Self {
        assert!(self.status.is_success(), "{request}: {self:?}");
        self
    }
}

impl Known {
    /// Take ids, versions and cursors out of an answer.
    pub(super) fn add(&mut self, answer: &Answer) {
        self.etags.extend(answer.header("etag").map(str::to_owned));
        if let Ok(body) = serde_json::from_slice(&answer.body) {
            self.add_from(&body);
        }
    }

    fn add_from(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                self.ids.extend(members.get("id").and_then(Value::as_str).map(str::to_owned));
                let cursor = members.get("next_cursor").and_then(Value::as_str);
                self.cursors.extend(cursor.map(str::to_owned));
                members.values().for_each(|value| self.add_from(value));
            }
            Value::Array(values) => values.iter().for_each(|value| self.add_from(value)),
            _ => {}
        }
    }
}

/// Each operation with each id in its path, each version and each cursor.
pub(super) fn requests(manifest: &Manifest, case: &Case, known: &Known) -> Vec<Request> {
    assert!(!known.ids.is_empty() && !known.cursors.is_empty(), "{known:?}");
    assert!(case.conditional.is_empty() || !known.etags.is_empty(), "{known:?}");
    manifest.operations.iter().flat_map(|operation| of_operation(operation, case, known)).collect()
}

fn of_operation(operation: &OperationDeclaration, case: &Case, known: &Known) -> Vec<Request> {
    let query = query(operation, case);
    let mut requests = Vec::new();
    for path in paths(operation, known) {
        let request = Request::new(&operation.method, &(path.clone() + "?" + &query.join("&")));
        let request = with_body(request, operation, case);
        if !operation.path_params().is_empty() {
            for etag in &known.etags {
                requests.push(request.with("if-match", etag));
                requests.push(request.with("if-none-match", etag));
            }
        }
        requests.push(request);
    }
    if operation.params.contains_key("cursor") {
        for (path, cursor) in paths(operation, known)
            .iter()
            .flat_map(|path| known.cursors.iter().map(move |cursor| (path, cursor)))
        {
            let cursor = utf8_percent_encode(cursor, NON_ALPHANUMERIC);
            let path = format!("{path}?{}&cursor={cursor}", query.join("&"));
            requests.push(Request::new(&operation.method, &path));
        }
    }
    requests
}

/// The template, with each id in the places of all parameters.
fn paths(operation: &OperationDeclaration, known: &Known) -> Vec<String> {
    let names = operation.path_params();
    if names.is_empty() {
        return vec![operation.path.clone()];
    }
    let paths = known.ids.iter().map(|id| {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
        names
            .iter()
            .fold(operation.path.clone(), |path, name| path.replace(&format!("{{{name}}}"), &id))
    });
    paths.collect()
}

fn with_body(mut request: Request, operation: &OperationDeclaration, case: &Case) -> Request {
    let Some(content_type) = operation.request.as_ref().map(|taken| &taken.content_types[0]) else {
        return request;
    };
    if is_json(content_type) {
        request.body = (case.body)(&operation.name).to_string();
    }
    request.with("content-type", content_type)
}

/// A value for each query parameter that the case has one for.
fn query(operation: &OperationDeclaration, case: &Case) -> Vec<String> {
    let in_path = operation.path_params();
    let declared = case
        .params
        .iter()
        .filter(|(name, _)| operation.params.contains_key(*name) && !in_path.contains(name));
    let query: Vec<String> = declared.map(|(name, value)| format!("{name}={value}")).collect();
    for name in &operation.required {
        let given = query.iter().any(|text| text.starts_with(&format!("{name}=")));
        assert!(given, "{}: the case has no value for {name}", operation.name);
    }
    query
}
