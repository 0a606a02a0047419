//! Sessions, their turns and values of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case {
    store,
    params: &[
        ("ttl_seconds", "600"),
        ("history", "last:1"),
        ("q", "canary"),
        ("tag", "shared"),
        ("user_id", "ada"),
        ("prefix", "a"),
    ],
    conditional: &[
        "PUT /sessions/",
        "PATCH /sessions/",
        "DELETE /sessions/",
        "PUT /kv/",
        "DELETE /kv/",
    ],
    body,
};

fn session(text: &str) -> Value {
    json!({
        "state": "active",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
        "conversationHistory": [{"sequence": 1, "userMessage": text}],
        "metadata": {"userId": "ada", "title": text, "tags": ["shared"]},
    })
}

fn body(operation: &str) -> Value {
    let named = |id: &str| {
        let mut session = session("text");
        session["id"] = id.into();
        session["version"] = 1.into();
        session
    };
    match operation {
        "save-sessions" => json!({"sessions": [named("a"), named("b")]}),
        "get-sessions" | "delete-sessions" => json!({"ids": ["a", "b"]}),
        "append-message" => json!({"userMessage": "text"}),
        "put-agent" | "clear-sessions" => json!({}),
        "transition-session" => json!({"state": "paused"}),
        "trim-session" => json!({"max_bytes": 1}),
        "fork-session" => json!({"sequence": 1, "id": "forked"}),
        _ => session("text"),
    }
}

fn store(text: &str) -> Vec<Request> {
    let put = |id: &str| Request::new("PUT", &format!("/sessions/{id}")).json(&session(text));
    vec![
        put("a"),
        put("b"),
        Request::new("POST", "/sessions/a/messages").json(&json!({"userMessage": text})),
        Request::new("PUT", "/sessions/b/agents/a").json(&json!({"config": {"of": text}})),
        Request::new("PUT", "/kv/a").json(&json!({"of": text})),
        Request::new("PUT", "/kv/b").json(&json!(text)),
        Request::new("GET", "/kv?limit=1"),
        Request::new("GET", "/sessions/a"),
        Request::new("GET", "/sessions/a/messages?limit=1"),
        Request::new("GET", "/sessions?limit=1"),
        Request::new("GET", "/sessions?limit=1&user_id=ada&order=updatedAt"),
    ]
}
