//! Entries, checkpoints and locks of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case {
    store,
    // An object, percent-encoded.
    params: &[("metadata", "%7B%7D")],
    conditional: &["PUT /entries/", "DELETE /entries/", "DELETE /checkpoints/"],
    body,
};

/// Values that are JSON, so that the test finds the ids in them: those of the entries.
fn store(text: &str) -> Vec<Request> {
    let put = |key: &str| Request {
        headers: vec![
            ("content-type", "application/octet-stream".to_owned()),
            ("x-metadata", json!({"text": text}).to_string()),
        ],
        body: json!({"id": key, "text": text}).to_string(),
        ..Request::new("PUT", &format!("/entries/{key}"))
    };
    let take = json!({"owner": text, "ttl_seconds": 3_600});
    let checkpoint = json!({"label": text});
    vec![
        put("a"),
        put("b"),
        Request::new("GET", "/entries/a"),
        Request::new("GET", "/entries/b"),
        Request::new("GET", "/entries?limit=1"),
        Request::new("GET", "/entries:query?metadata=%7B%7D&limit=1"),
        Request::new("POST", "/locks/a:acquire").json(&take),
        Request::new("POST", "/checkpoints").json(&checkpoint),
        Request::new("POST", "/checkpoints").json(&checkpoint),
        Request::new("GET", "/checkpoints?limit=1"),
    ]
}

/// What the other may do with ids and tokens that it has heard of.
fn body(operation: &str) -> Value {
    match operation {
        "batch-put" => json!({"items": [{"key": "YQ", "value": "YQ", "if_match": "*"}]}),
        "batch-get" => json!({"keys": ["YQ", "Yg"]}),
        "batch-delete" => json!({"items": [{"key": "YQ"}]}),
        "acquire-lock" => json!({"owner": "other", "ttl_seconds": 3_600}),
        "renew-lock" => json!({"token": 1, "ttl_seconds": 3_600}),
        "release-lock" => json!({"token": 1}),
        _ => json!({}),
    }
}
