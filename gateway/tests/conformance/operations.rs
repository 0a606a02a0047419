//! What the gateway checks of a request before a plugin is called, as the operation's declaration
//! says: its path, its parameters, its body.

use serde_json::{Value, json};

use crate::harness::faults::route;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    a_body_of_the_declared_form_reaches_the_plugin,
    a_body_of_another_form_is_refused_with_its_place,
    unknown_members_of_a_closed_body_are_named,
    an_operation_takes_one_of_several_media_types,
    each_line_of_a_body_is_a_value_by_itself,
    a_verb_is_told_from_a_colon_of_the_value,
    bytes_of_any_kind_reach_the_plugin_encoded,
    a_percent_without_digits_is_refused,
    a_declared_response_header_is_sent,
    a_header_that_proxies_act_on_is_refused,
}

const JSON: &str = "application/json";

async fn check_body(gateway: &TestGateway, content_type: &str, body: &str) -> Answer {
    let headers = [("content-type", content_type)];
    gateway.send("POST", &route("check-body"), &headers, body.to_owned()).await
}

async fn told(gateway: &TestGateway, path: &str) -> Value {
    gateway.get(&route(path)).await.assert_status(200).json()
}

async fn a_body_of_the_declared_form_reaches_the_plugin(gateway: &TestGateway) {
    let body = r#" {"items": [{"id": "a"}, {"id": "b"}]} "#;
    let answer = check_body(gateway, JSON, body).await.assert_status(200);
    assert_eq!(answer.json()["body"], body);
}

async fn a_body_of_another_form_is_refused_with_its_place(gateway: &TestGateway) {
    let table = [
        ("[]", ""),
        ("{}", ""),
        (r#"{"items": 1}"#, "/items"),
        (r#"{"items": [{"id": "a"}, {}]}"#, "/items/1"),
        (r#"{"items": [{"id": "secret1"}]}"#, "/items/0/id"),
    ];
    for (body, pointer) in table {
        let problem = check_body(gateway, JSON, body).await.assert_problem(422, "schema-mismatch");
        assert_eq!(problem["pointer"], pointer, "{body}");
        assert!(!problem.to_string().contains("secret1"), "{problem}");
    }
    check_body(gateway, JSON, r#"{"items":"#).await.assert_problem(400, "invalid-json");
}

async fn unknown_members_of_a_closed_body_are_named(gateway: &TestGateway) {
    let body = r#"{"items": [{"id": "a", "nmae": 1}], "limit": 1}"#;
    let problem = check_body(gateway, JSON, body).await.assert_problem(400, "unknown-member");
    let mut members = problem["members"].as_array().unwrap().clone();
    members.sort_by_key(Value::to_string);
    assert_eq!(members, [json!("/items/0/nmae"), json!("/limit")]);
    assert!(problem["detail"].as_str().unwrap().contains("nmae"), "{problem}");
}

async fn an_operation_takes_one_of_several_media_types(gateway: &TestGateway) {
    // The schema is for JSON.
    let lines = "{\"any\": 1}\nthing\n";
    let answer = check_body(gateway, "application/x-ndjson", lines).await.assert_status(200);
    assert_eq!(answer.json()["content_type"], "application/x-ndjson");
    assert_eq!(answer.json()["body"], lines);
    let refused = check_body(gateway, "text/csv", "a").await;
    let problem = refused.assert_problem(415, "unsupported-media-type");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(JSON) && detail.contains("application/x-ndjson"), "{detail}");
}

async fn each_line_of_a_body_is_a_value_by_itself(gateway: &TestGateway) {
    let body = "{\"id\": \"a\"}\n{\"id\": 1}\n\n{\"id\": \"b\"}\n";
    let headers = [("content-type", "application/x-ndjson")];
    let answer = gateway.send("POST", &route("lines"), &headers, body.to_owned()).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&told[0]["id"], &told[2]["id"]), (&json!("a"), &json!("b")));
    assert_eq!(told[1], json!({"code": "invalid-json", "line": 2}));
    assert_eq!(told.len(), 3);
}

async fn a_verb_is_told_from_a_colon_of_the_value(gateway: &TestGateway) {
    for (path, operation, value) in [
        ("a", "value", "a"),
        ("a:b", "value", "a:b"),
        ("a:verb", "value-verb", "a"),
        ("a:verbs", "value", "a:verbs"),
        ("a:Verb", "value", "a:Verb"),
        ("a%3Averb", "value", "a:verb"),
        ("a:b:verb", "value-verb", "a:b"),
        ("a:verb:b", "value", "a:verb:b"),
        ("a%2Fb:verb", "value-verb", "a/b"),
    ] {
        let told = told(gateway, &format!("values/{path}")).await;
        let expected = (&json!(operation), &json!(value));
        assert_eq!((&told["operation"], &told["path"]), expected, "{path}");
    }
}

async fn bytes_of_any_kind_reach_the_plugin_encoded(gateway: &TestGateway) {
    let told = told(gateway, "bytes/%00%ff:%2F?prefix=%FF").await;
    assert_eq!((&told["path"], &told["prefix"]), (&json!("AP86Lw"), &json!("_w")));
}

async fn a_percent_without_digits_is_refused(gateway: &TestGateway) {
    for path in ["bytes/%zz", "bytes/a?prefix=%f", "values/%", "values/%2"] {
        let answer = gateway.get(&route(path)).await;
        answer.assert_problem(400, "invalid-encoding");
    }
}

async fn a_declared_response_header_is_sent(gateway: &TestGateway) {
    let answer = gateway.get(&route("declared-header")).await.assert_status(204);
    assert_eq!(answer.header("deprecation"), Some("@1798761600"));
}

async fn a_header_that_proxies_act_on_is_refused(gateway: &TestGateway) {
    let answer = gateway.get(&route("proxy-header")).await;
    answer.assert_problem(502, "plugin-bad-output");
}
