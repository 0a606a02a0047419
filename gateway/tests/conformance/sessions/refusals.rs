//! What each route refuses alike: parameters that it does not have, other methods, and conditions
//! that do not hold.

use serde_json::{Value, json};

use super::{path, session};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_parameter_that_a_route_has_not_is_refused,
    a_change_under_a_stale_tag_changes_nothing,
    head_answers_where_get_does,
}

const CHAT: &str = "/v1/chat-sessions";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Each route with a body that it takes.
fn routes() -> Vec<(&'static str, String, Option<Value>)> {
    let sessions = |rest: &str| format!("{CHAT}/sessions{rest}");
    let of_one = |rest: &str| format!("{}{rest}", path("s"));
    vec![
        ("PUT", of_one(""), Some(session("s", Some(2)))),
        ("GET", of_one(""), None),
        ("PATCH", of_one(""), Some(json!({}))),
        ("DELETE", of_one(""), None),
        ("GET", sessions(""), None),
        ("POST", sessions(":batchSave"), Some(json!({"sessions": []}))),
        ("POST", sessions(":batchGet"), Some(json!({"ids": []}))),
        ("POST", sessions(":batchDelete"), Some(json!({"ids": ["s"]}))),
        ("POST", sessions(":clear"), Some(json!({}))),
        ("POST", sessions(":cleanup"), None),
        ("POST", of_one("/messages"), Some(json!({}))),
        ("GET", of_one("/messages"), None),
        ("PUT", of_one("/agents/a"), Some(json!({}))),
        ("POST", of_one(":transition"), Some(json!({"state": "closed"}))),
        ("POST", of_one(":trim"), Some(json!({"max_bytes": 0}))),
        ("POST", of_one(":fork"), Some(json!({"sequence": 1, "id": "f"}))),
        ("GET", of_one("/versions"), None),
        ("GET", of_one("/versions/1"), None),
        ("PUT", format!("{CHAT}/kv/k"), Some(json!(1))),
        ("GET", format!("{CHAT}/kv/k"), None),
        ("DELETE", format!("{CHAT}/kv/k"), None),
        ("GET", format!("{CHAT}/kv"), None),
        ("GET", format!("{CHAT}/stats"), None),
    ]
}

async fn send(
    gateway: &TestGateway,
    method: &str,
    path: &str,
    body: Option<&Value>,
    condition: Option<(&str, &str)>,
) -> crate::harness::Answer {
    let headers: Vec<_> = body.map(|_| JSON).into_iter().chain(condition).collect();
    let body = body.map(Value::to_string).unwrap_or_default();
    gateway.send(method, path, &headers, body).await
}

async fn fill(gateway: &TestGateway) {
    gateway.put(&path("s"), &session("s", Some(1))).await.assert_status(201);
    gateway.put(&format!("{CHAT}/kv/k"), &json!(0)).await.assert_status(201);
}

async fn a_parameter_that_a_route_has_not_is_refused(gateway: &TestGateway) {
    fill(gateway).await;
    for (method, path, body) in routes() {
        let unknown = format!("{path}?colour=red");
        let answer = send(gateway, method, &unknown, body.as_ref(), None).await;
        let problem = answer.assert_problem(400, "unknown-parameter");
        assert_eq!(problem["parameter"], "colour", "{method} {path}");
    }
    assert_eq!(gateway.get(&path("s")).await.assert_status(200).json(), session("s", Some(1)));
    assert_eq!(gateway.get(&format!("{CHAT}/kv/k")).await.assert_status(200).json(), 0);
}

async fn a_change_under_a_stale_tag_changes_nothing(gateway: &TestGateway) {
    fill(gateway).await;
    let changes = routes().into_iter().filter(|(method, path, _)| {
        let is_of_one = path.contains("/sessions/s") && !path.ends_with(":fork");
        *method != "GET" && (is_of_one || path.contains("/kv/"))
    });
    let mut tried = 0;
    for (method, path, body) in changes {
        for stale in [("if-match", "\"0\""), ("if-none-match", "*")] {
            // Nobody can ask that nothing be deleted.
            if (method, stale.1) == ("DELETE", "*") {
                continue;
            }
            let answer = send(gateway, method, &path, body.as_ref(), Some(stale)).await;
            answer.assert_problem(412, "precondition-failed");
            tried += 1;
        }
    }
    assert_eq!(tried, 16);
    assert_eq!(gateway.get(&path("s")).await.assert_status(200).json(), session("s", Some(1)));
    assert_eq!(gateway.get(&format!("{CHAT}/kv/k")).await.assert_status(200).json(), 0);
}

async fn head_answers_where_get_does(gateway: &TestGateway) {
    fill(gateway).await;
    for (_, path, _) in routes().into_iter().filter(|(method, ..)| *method == "GET") {
        let got = gateway.get(&path).await;
        let head = gateway.send("HEAD", &path, &[], "").await;
        assert_eq!(
            (head.status, head.header("etag"), head.body.len()),
            (got.status, got.header("etag"), 0),
            "{path}"
        );
    }
}
