//! Every limit of `[limits]`, hit: its own problem, and nothing stored. And what a plugin may not
//! answer.

use loggia::config::Config;
use serde_json::{Value, json};

use crate::harness::faults::{DOCUMENTS, document, patient, route};
use crate::harness::{TestGateway, log, on_both_databases};

on_both_databases! {
    a_body_over_its_limit_is_refused with small_body,
    a_document_over_its_limit_is_refused with small_document,
    a_response_over_its_limit_is_not_sent with small_response,
    storage_calls_end_at_their_limit with few_calls,
    documents_read_end_at_their_limit with few_reads,
    documents_written_end_at_their_limit with few_writes,
    a_plugin_cannot_take_more_memory with small_memory,
    a_plugin_that_computes_too_long_is_stopped with little_cpu,
    a_request_that_takes_too_long_is_stopped with short_request,
    a_transaction_that_takes_too_long_is_undone with short_transaction,
    a_flood_of_log_lines_is_cut with small_log,
    a_status_that_is_none_is_not_sent with patient,
    a_header_of_two_lines_is_not_sent with patient,
}

fn small_body(config: &mut Config) {
    patient(config);
    config.limits.body_bytes = 100;
}

async fn a_body_over_its_limit_is_refused(gateway: &TestGateway) {
    let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    gateway.put_text(&document("d"), &body(100)).await.assert_status(201);
    for (method, path) in
        [("PUT", document("e")), ("PATCH", document("d")), ("POST", route("apply"))]
    {
        for length in [101, 10_000, 1_000_000] {
            let headers = [("content-type", "application/json")];
            let answer = gateway.send(method, &path, &headers, body(length)).await;
            let problem = answer.assert_problem(413, "body-too-large");
            assert_eq!(problem["limit"], 100, "{problem}");
        }
    }
    gateway.assert_absent("e").await;
    gateway.assert_stored("d", &serde_json::from_str(&body(100)).unwrap()).await;
    assert_eq!(gateway.counted("default", "body_bytes"), 9);
}

fn small_document(config: &mut Config) {
    patient(config);
    config.limits.document_bytes = 100;
}

async fn a_document_over_its_limit_is_refused(gateway: &TestGateway) {
    // The white space of a text does not count.
    let body = |length: usize| json!({"a": "x".repeat(length - 8)});
    gateway.put_text(&document("d"), &format!(" {} ", body(100))).await.assert_status(201);
    for length in [101, 1_000, 1_000_000] {
        let answer = gateway.put_document("e", &body(length)).await;
        let problem = answer.assert_problem(422, "too-large");
        assert!(problem["detail"].as_str().unwrap().contains("100"), "{problem}");
    }
    // 13 bytes as a text, and 309 digits in PostgreSQL.
    gateway.put_text(&document("e"), "{\"a\":1e300}").await.assert_problem(422, "too-large");
    gateway.patch_document("d", &json!({"b": 1})).await.assert_problem(422, "too-large");
    let batch = json!([
        {"id": "f", "change": {"put": {}}},
        {"id": "e", "change": {"put": body(101)}},
    ]);
    gateway.apply(&batch).await.assert_problem(422, "too-large");
    gateway.assert_absent("e").await;
    gateway.assert_absent("f").await;
    gateway.assert_stored("d", &body(100)).await;
    assert_eq!(gateway.counted("default", "document_bytes"), 6);
}

fn small_response(config: &mut Config) {
    patient(config);
    config.limits.response_bytes = 1_000;
}

async fn a_response_over_its_limit_is_not_sent(gateway: &TestGateway) {
    let answer = gateway.get(&route("big-response?bytes=1000")).await.assert_status(200);
    assert_eq!(answer.json(), json!("x".repeat(998)));
    for bytes in [1_001, 1_000_000] {
        let answer = gateway.get(&route(&format!("big-response?bytes={bytes}"))).await;
        assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "response_bytes");
    }
    // A write whose answer cannot be sent is undone.
    let skipped = |n: usize| json!({"id": format!("{n:02}"), "change": {"put": {}}});
    let batch: Vec<Value> = (0..100).map(skipped).collect();
    let answer = gateway.apply(&json!(batch)).await;
    assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "response_bytes");
    gateway.assert_nothing_stored().await;
    assert_eq!(gateway.counted("default", "response_bytes"), 3);
}

#[track_caller]
fn assert_limit(problem: &Value, limit: &str) {
    assert_eq!(problem["limit"], limit, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(limit), "{problem}");
    assert_eq!(problem["retryable"], false, "{problem}");
}

fn few_calls(config: &mut Config) {
    patient(config);
    config.limits.storage_calls = 10;
}

async fn storage_calls_end_at_their_limit(gateway: &TestGateway) {
    // It writes first, which is one more.
    let answer = gateway.post(&route("many-calls?calls=9")).await.assert_status(200);
    assert_eq!(answer.json(), json!({"calls": 9}));
    gateway.delete(&document("many-calls")).await.assert_status(204);
    for calls in [10, 1_000] {
        let answer = gateway.post(&route(&format!("many-calls?calls={calls}"))).await;
        assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "storage_calls");
        gateway.assert_nothing_stored().await;
    }
    assert_eq!(gateway.counted("default", "storage_calls"), 2);
}

fn few_reads(config: &mut Config) {
    patient(config);
    config.limits.documents_read = 10;
}

async fn documents_read_end_at_their_limit(gateway: &TestGateway) {
    let write = |n: usize| json!({"id": format!("d{n:02}"), "change": {"put": {}}});
    gateway.applied(&json!((0..11).map(write).collect::<Vec<_>>())).await;
    assert_eq!(gateway.list("limit=10").await["count"], 10);
    assert_eq!(gateway.list("limit=11&offset=1").await["count"], 10);
    for limit in [11, 1_000] {
        let answer = gateway.get(&format!("{DOCUMENTS}?limit={limit}")).await;
        assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "documents_read");
    }
    gateway.post(&route("many-calls?calls=10")).await.assert_status(200);
    gateway.delete(&document("many-calls")).await.assert_status(204);
    let answer = gateway.post(&route("many-calls?calls=11")).await;
    assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "documents_read");
    gateway.assert_absent("many-calls").await;
    assert_eq!(gateway.counted("default", "documents_read"), 3);
}

fn few_writes(config: &mut Config) {
    patient(config);
    config.limits.documents_written = 10;
}

async fn documents_written_end_at_their_limit(gateway: &TestGateway) {
    let batch = |writes: usize| {
        let write = |n: usize| json!({"id": format!("d{n:02}"), "change": {"put": {}}});
        json!((0..writes).map(write).collect::<Vec<_>>())
    };
    for writes in [11, 100] {
        let answer = gateway.apply(&batch(writes)).await;
        assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "documents_written");
        gateway.assert_nothing_stored().await;
    }
    assert_eq!(gateway.applied(&batch(10)).await.len(), 10);
    assert_eq!(gateway.counted("default", "documents_written"), 2);
}

fn small_memory(config: &mut Config) {
    patient(config);
    config.limits.plugin_memory_bytes = 8 << 20;
}

async fn a_plugin_cannot_take_more_memory(gateway: &TestGateway) {
    for _ in 0..3 {
        let answer = gateway.post(&route("grow")).await;
        assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "plugin_memory_bytes");
        gateway.assert_nothing_stored().await;
    }
    // What there is of it is enough for others.
    gateway.get(&route("big-response?bytes=2000000")).await.assert_status(200);
    let answer = gateway.get(&route("big-response?bytes=9000000")).await;
    assert_limit(&answer.assert_problem(502, "plugin-resource-limit"), "plugin_memory_bytes");
    assert_eq!(gateway.counted("default", "plugin_memory_bytes"), 4);
}

fn little_cpu(config: &mut Config) {
    patient(config);
    config.limits.guest_cpu_ms = 50;
}

async fn a_plugin_that_computes_too_long_is_stopped(gateway: &TestGateway) {
    assert_stopped(gateway, "guest_cpu_ms").await;
}

fn short_request(config: &mut Config) {
    patient(config);
    // Enough for what comes before the loop, or it would end as the database's fault.
    config.limits.request_ms = 2_000;
}

async fn a_request_that_takes_too_long_is_stopped(gateway: &TestGateway) {
    assert_stopped(gateway, "request_ms").await;
}

fn short_transaction(config: &mut Config) {
    patient(config);
    config.limits.transaction_ms = Some(50);
}

async fn a_transaction_that_takes_too_long_is_undone(gateway: &TestGateway) {
    assert_stopped(gateway, "transaction_ms").await;
}

/// A loop ends at this limit, and leaves nothing behind.
async fn assert_stopped(gateway: &TestGateway, limit: &str) {
    for _ in 0..2 {
        let answer = gateway.post(&route("loop")).await;
        assert_limit(&answer.assert_problem(504, "plugin-timeout"), limit);
        gateway.assert_absent("loop").await;
    }
    assert_eq!(gateway.counted("default", limit), 2);
}

fn small_log(config: &mut Config) {
    patient(config);
    config.limits.log_bytes = 10 * 1024;
}

async fn a_flood_of_log_lines_is_cut(gateway: &TestGateway) {
    log::capture();
    for (lines, kept) in [(3, 3), (10, 10), (11, 10), (5_000, 10)] {
        let trace_id = format!("{:032x}", rand::random::<u128>());
        let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
        let path = route(&format!("log-flood?lines={lines}"));
        let answer = gateway.send("POST", &path, &[("traceparent", &traceparent)], "").await;
        answer.assert_status(204);
        assert_eq!(log::lines(&trace_id), vec!["x".repeat(1_024); kept], "{lines} lines");
    }
    assert_eq!(gateway.counted("default", "log_bytes"), 2);
}

async fn a_status_that_is_none_is_not_sent(gateway: &TestGateway) {
    assert_not_sent(gateway, "bad-status").await;
}

async fn a_header_of_two_lines_is_not_sent(gateway: &TestGateway) {
    assert_not_sent(gateway, "bad-header").await;
}

async fn assert_not_sent(gateway: &TestGateway, path: &str) {
    let answer = gateway.get(&route(path)).await;
    answer.assert_problem(502, "plugin-bad-output");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("x-")), "{answer:?}");
    gateway.get(&route("nothing")).await.assert_status(204);
}
