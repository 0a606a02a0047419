//! What every route refuses: parameters and members that it does not know, and bodies of another kind.

use serde_json::json;

use super::{JSON, entry, route};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    an_unknown_parameter_is_named,
    a_limit_is_from_1_to_1000,
    an_unknown_member_is_named,
    a_body_is_of_the_kind_that_the_route_takes,
    a_method_that_a_route_lacks_is_refused,
}

/// Every route, with a body where it takes one.
const ROUTES: [(&str, &str, Option<&str>); 22] = [
    ("PUT", "entries/a", Some("")),
    ("GET", "entries/a", None),
    ("DELETE", "entries/a", None),
    ("GET", "entries", None),
    ("GET", "entries:query?metadata={}", None),
    ("POST", "entries:batchPut", Some(r#"{"items":[]}"#)),
    ("POST", "entries:batchGet", Some(r#"{"keys":[]}"#)),
    ("POST", "entries:batchDelete", Some(r#"{"items":[]}"#)),
    ("POST", "entries:clear", None),
    ("GET", "count", None),
    ("POST", "entries:cleanup", None),
    ("POST", "checkpoints", Some("{}")),
    ("GET", "checkpoints", None),
    ("GET", "checkpoints/a", None),
    ("DELETE", "checkpoints/a", None),
    ("POST", "checkpoints/a:restore", None),
    ("GET", "checkpoints/a:diff", None),
    ("POST", "locks/a:acquire", Some(r#"{"owner":"a","ttl_seconds":1}"#)),
    ("POST", "locks/a:renew", Some(r#"{"token":1,"ttl_seconds":1}"#)),
    ("POST", "locks/a:release", Some(r#"{"token":1}"#)),
    ("GET", "locks/a", None),
    ("GET", "stats", None),
];

async fn an_unknown_parameter_is_named(gateway: &TestGateway) {
    for (method, path, body) in ROUTES {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = route(&format!("{path}{sign}colour=red"));
        let kind = if method == "PUT" { super::BYTES } else { JSON };
        let headers = [kind];
        let headers = if body.is_some() { &headers[..] } else { &[] };
        let answer = gateway.send(method, &path, headers, body.unwrap_or_default()).await;
        let problem = answer.assert_problem(400, "unknown-parameter");
        assert_eq!(problem["parameter"], "colour", "{path}");
    }
    gateway.assert_entries(&[]).await;
}

async fn a_limit_is_from_1_to_1000(gateway: &TestGateway) {
    for list in ["entries?", "entries:query?metadata={}&", "checkpoints?", "checkpoints/a:diff?"] {
        for (name, wrong) in [
            ("limit", "0"),
            ("limit", "1001"),
            ("limit", "-1"),
            ("limit", "two"),
            ("limit", "1.5"),
            ("total", "yes"),
            ("order", "value"),
        ] {
            let answer = gateway.get(&route(&format!("{list}{name}={wrong}"))).await;
            let problem = answer.assert_problem(400, "invalid-parameter");
            assert_eq!(problem["parameter"], name, "{list}");
        }
    }
    let twice = gateway.get(&route("entries?limit=1&limit=2")).await;
    twice.assert_problem(400, "invalid-parameter");
    let answer = gateway.delete(&format!("{}?report=maybe", entry("a"))).await;
    answer.assert_problem(400, "invalid-parameter");
}

async fn an_unknown_member_is_named(gateway: &TestGateway) {
    for (_, path, body) in ROUTES.iter().filter(|(method, ..)| *method == "POST") {
        let Some(body) = body else { continue };
        let comma = if *body == "{}" { "" } else { "," };
        let body = format!("{{\"colour\":1{comma}{}", &body[1..]);
        let answer = gateway.send("POST", &route(path), &[JSON], body).await;
        let problem = answer.assert_problem(400, "unknown-member");
        assert_eq!(problem["members"], json!(["/colour"]), "{path}");
    }
    for (verb, item) in [
        ("batchPut", json!({"key": "YQ", "value": "", "colour": 1})),
        ("batchDelete", json!({"key": "YQ", "colour": 1})),
    ] {
        let answer = gateway.ask(&format!("entries:{verb}"), &json!({"items": [item]})).await;
        let problem = answer.assert_problem(400, "unknown-member");
        assert_eq!(problem["members"], json!(["/items/0/colour"]), "{verb}");
    }
    gateway.assert_entries(&[]).await;
}

async fn a_body_is_of_the_kind_that_the_route_takes(gateway: &TestGateway) {
    for (method, path, body) in ROUTES {
        let path = route(path);
        let xml = [("content-type", "text/xml")];
        let answer = gateway.send(method, &path, &xml, "<a/>").await;
        if body.is_none() {
            answer.assert_problem(400, "unexpected-body");
            continue;
        }
        answer.assert_problem(415, "unsupported-media-type");
        let answer = gateway.send(method, &path, &[], "{}").await;
        answer.assert_problem(415, "unsupported-media-type");
        if method == "POST" {
            for no_json in ["", "{", "{}{}", "\u{feff}{}"] {
                let answer = gateway.send(method, &path, &[JSON], no_json).await;
                answer.assert_problem(400, "invalid-json");
            }
            let answer = gateway.send(method, &path, &[JSON], "[]").await;
            answer.assert_problem(422, "schema-mismatch");
        }
    }
    gateway.assert_entries(&[]).await;
}

async fn a_method_that_a_route_lacks_is_refused(gateway: &TestGateway) {
    for (method, path, allow) in [
        ("POST", "entries/a", "DELETE, GET, PUT, HEAD, OPTIONS"),
        ("PATCH", "entries/a", "DELETE, GET, PUT, HEAD, OPTIONS"),
        ("DELETE", "entries", "GET, HEAD, OPTIONS"),
        ("GET", "entries:clear", "POST, OPTIONS"),
        ("PUT", "locks/a", "GET, HEAD, OPTIONS"),
        ("PUT", "checkpoints/a", "DELETE, GET, HEAD, OPTIONS"),
    ] {
        let answer = gateway.send(method, &route(path), &[], "").await;
        answer.assert_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
}
