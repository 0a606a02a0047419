//! Sessions of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case {
    store,
    params: &[],
    conditional: &["PUT /sessions/", "DELETE /sessions/"],
    body: |_| session("text"),
};

fn session(text: &str) -> Value {
    json!({
        "state": "active",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
        "conversationHistory": [{"sequence": 1, "userMessage": text}],
        "metadata": {"userId": "ada", "title": text},
    })
}

fn store(text: &str) -> Vec<Request> {
    let put = |id: &str| Request::new("PUT", &format!("/sessions/{id}")).json(&session(text));
    vec![
        put("a"),
        put("b"),
        Request::new("GET", "/sessions/a"),
        Request::new("GET", "/sessions?limit=1"),
        Request::new("GET", "/sessions?limit=1&user_id=ada&order=updatedAt"),
    ]
}
