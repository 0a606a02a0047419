//! Documents and checkpoints of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case {
    store,
    params: &[
        ("title", "shared"),
        ("by", "1"),
        ("calls", "1"),
        ("lines", "1"),
        ("bytes", "100"),
        ("ms", "1"),
        ("ids", "1"),
        ("id", "a"),
        ("count", "1"),
        ("writes", "1"),
        ("backwards", "x"),
    ],
    conditional: &[
        "PUT /documents/",
        "PUT /uncounted/",
        "PATCH /documents/",
        "DELETE /documents/",
        "POST /together",
    ],
    body,
};

fn store(text: &str) -> Vec<Request> {
    let document = json!({"title": "shared", "amount": 1, "extra": text, "unique_key": text});
    let checkpoint = format!("/checkpoints?title=shared&label={text}");
    vec![
        Request::new("PUT", "/documents/a").json(&document),
        Request::new("PUT", "/documents/b").json(&json!({"title": "shared", "extra": text})),
        Request::new("PUT", "/documents/c").json(&json!({"title": text, "extra": text})),
        Request::new("PUT", "/uncounted/a").json(&document),
        Request::new("GET", "/documents?limit=1"),
        Request::new("GET", "/documents?limit=1&title=shared&order=newest"),
        Request::new("POST", &checkpoint),
        Request::new("GET", "/checkpoints"),
    ]
}

/// Those that would wait, loop or write are sent as they are: what they do is their tenant's.
fn body(operation: &str) -> Value {
    match operation {
        "apply" => json!([
            {"id": "a", "change": {"merge": {"amount": 2}}, "skip": true},
            {"id": "b", "change": "delete", "when": {"version": 1}, "skip": true},
        ]),
        "check-body" => json!({"items": [{"id": "a"}]}),
        _ => json!({"title": "shared"}),
    }
}
