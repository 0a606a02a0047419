//! The operator's listener.

use serde_json::{Value, json};

use super::{file, metric, reloaded, version};
use crate::harness::component::ATTACK;
use crate::harness::plugin_list::Plugin;
use crate::harness::{TestGateway, on_both_databases, send};

on_both_databases! {
    a_gateway_that_serves_is_alive_and_ready,
    what_is_served_is_told_with_versions_and_digests with by_hand,
    requests_are_counted_by_operation_and_status with by_hand,
    an_unknown_page_is_a_problem_that_names_the_others,
    a_page_of_another_site_is_refused,
}

use super::by_hand;

async fn ask(gateway: &TestGateway, method: &str, path: &str) -> crate::harness::Answer {
    send(gateway.admin, method, path, &[], "").await
}

async fn a_gateway_that_serves_is_alive_and_ready(gateway: &TestGateway) {
    for path in ["/livez", "/readyz"] {
        ask(gateway, "GET", path).await.assert_status(200);
        // Clients have no such pages.
        gateway.get(path).await.assert_problem(404, "no-such-route");
    }
}

async fn what_is_served_is_told_with_versions_and_digests(gateway: &TestGateway) {
    let served = async || ask(gateway, "GET", "/admin/v1/plugins").await.assert_status(200).json();
    let first = served().await;
    assert_eq!(first["generation"], 1);
    let names: Vec<_> = first["plugins"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    let mut all: Vec<_> = Plugin::ALL.iter().map(|plugin| plugin.name()).collect();
    all.push("by-hand");
    all.sort_unstable();
    assert_eq!(names, all);
    let digest = |served: &Value| served["plugins"][0]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(digest(&first).len(), 64);

    std::fs::write(file(gateway), version(1)).unwrap();
    assert_eq!(reloaded(gateway).await, 2);
    let second = served().await;
    assert_eq!(
        (&second["generation"], &second["plugins"][0]["version"]),
        (&json!(2), &json!("0.1.1"))
    );
    assert_ne!(digest(&second), digest(&first));
    assert_eq!(second["plugins"][1], first["plugins"][1]);
    let info = format!(
        "loggia_plugin_info{{plugin=\"by-hand\",version=\"0.1.1\",sha256=\"{}\"}}",
        digest(&second)
    );
    assert_eq!(metric(gateway, &info).await, 1);
}

async fn requests_are_counted_by_operation_and_status(gateway: &TestGateway) {
    for _ in 0..3 {
        gateway.post(ATTACK).await.assert_status(204);
    }
    gateway.get("/v1/by-hand/stored?x=1").await.assert_status(400);
    gateway.get("/nowhere").await.assert_status(404);
    gateway.post("/v1/faults/trap").await.assert_problem(502, "plugin-trap");
    // Numbers go on in another generation.
    reloaded(gateway).await;
    gateway.post(ATTACK).await.assert_status(204);
    for (name, value) in [
        (r#"loggia_requests_total{plugin="by-hand",operation="attack",status="2xx"}"#, 4),
        (r#"loggia_requests_total{plugin="by-hand",operation="is-stored",status="4xx"}"#, 1),
        (r#"loggia_requests_total{plugin="",operation="",status="4xx"}"#, 1),
        (r#"loggia_request_duration_seconds_count{plugin="by-hand",operation="attack"}"#, 4),
        (r#"loggia_plugin_traps_total{plugin="faults"}"#, 1),
        (r#"loggia_reloads_total{outcome="done"}"#, 1),
        ("loggia_generation", 2),
        ("loggia_calls", 0),
        ("loggia_pool_size", if gateway.is_sqlite() { 0 } else { 10 }),
    ] {
        assert_eq!(metric(gateway, name).await, value, "{name}");
    }
    let answer = ask(gateway, "GET", "/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(answer.body.ends_with(b"# EOF\n"));
}

async fn an_unknown_page_is_a_problem_that_names_the_others(gateway: &TestGateway) {
    let problem = ask(gateway, "GET", "/metric").await.assert_problem(404, "no-such-route");
    assert!(problem["detail"].as_str().unwrap().contains("GET /metrics"), "{problem}");
    let answer = ask(gateway, "GET", "/admin/v1/reload").await;
    answer.assert_problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
}

async fn a_page_of_another_site_is_refused(gateway: &TestGateway) {
    let origin = [("origin", "https://example.org")];
    let answer = send(gateway.admin, "POST", "/admin/v1/reload", &origin, "").await;
    answer.assert_problem(403, "cross-origin");
    assert_eq!(metric(gateway, "loggia_generation").await, 1);
}
