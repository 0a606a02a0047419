//! The listener: methods, timeouts, limits, and stopping in order.

use std::time::Duration;

use loggia::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    an_unknown_route_is_a_problem,
    a_wrong_method_is_told_the_right_ones,
    options_lists_the_methods,
    a_trace_id_is_taken_over,
    a_body_that_is_announced_too_large_is_refused_unread,
    a_body_without_a_length_is_refused_at_the_limit,
    a_body_of_another_type_is_refused,
    a_body_where_none_is_taken_is_refused,
    slow_headers_end_the_connection with short_timeouts,
    a_slow_body_is_refused with short_timeouts,
    connections_beyond_the_limit_wait with two_connections,
}

const SESSIONS: &str = "/v1/chat-sessions/sessions";

fn short_timeouts(config: &mut Config) {
    config.server.header_timeout_ms = 200;
    config.server.body_timeout_ms = 200;
}

fn two_connections(config: &mut Config) {
    config.server.max_connections = 2;
}

async fn an_unknown_route_is_a_problem(gateway: &TestGateway) {
    for path in
        ["/", "/v1", "/v1/nobody/sessions", "/v1/chat-sessions", "/v1/chat-sessions/sessions/"]
    {
        gateway.get(path).await.assert_problem(404, "no-such-route");
    }
}

async fn a_wrong_method_is_told_the_right_ones(gateway: &TestGateway) {
    let answer = gateway.post(&format!("{SESSIONS}/s")).await;
    answer.assert_problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("DELETE, GET, PATCH, PUT, HEAD, OPTIONS"));
}

async fn options_lists_the_methods(gateway: &TestGateway) {
    let answer = gateway.send("OPTIONS", SESSIONS, &[], "").await.assert_status(204);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    gateway.send("OPTIONS", "/nowhere", &[], "").await.assert_problem(404, "no-such-route");
}

async fn a_trace_id_is_taken_over(gateway: &TestGateway) {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{id}-00f067aa0ba902b7-01");
    let answer = gateway.send("GET", "/nowhere", &[("traceparent", &traceparent)], "").await;
    assert_eq!(answer.json()["trace_id"], id);
}

async fn a_body_that_is_announced_too_large_is_refused_unread(gateway: &TestGateway) {
    let head = format!(
        "PUT {SESSIONS}/s HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: 99999999999\r\n\r\n"
    );
    let answer = exchange(gateway, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("body-too-large"), "{answer}");
}

async fn a_body_without_a_length_is_refused_at_the_limit(gateway: &TestGateway) {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = "PUT /v1/faults/documents/s HTTP/1.1\r\nhost: t\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // One chunk more than the limit of 2 MiB, and no end.
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..=32 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    gateway.get("/v1/faults/documents/s").await.assert_problem(404, "not-found");
}

async fn a_body_of_another_type_is_refused(gateway: &TestGateway) {
    let one = format!("{SESSIONS}/s");
    for headers in [&[("content-type", "text/plain")][..], &[]] {
        let answer = gateway.send("PUT", &one, headers, "{}").await;
        answer.assert_problem(415, "unsupported-media-type");
    }
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    gateway.send("PUT", &one, &headers, "{").await.assert_problem(400, "invalid-json");
}

async fn a_body_where_none_is_taken_is_refused(gateway: &TestGateway) {
    let answer = gateway.send("GET", SESSIONS, &[], "{}").await;
    answer.assert_problem(400, "unexpected-body");
}

/// hyper closes such a connection without an answer.
async fn slow_headers_end_the_connection(gateway: &TestGateway) {
    assert_eq!(exchange(gateway, "GET / HTTP/1.1\r\nhost:").await, "");
}

async fn a_slow_body_is_refused(gateway: &TestGateway) {
    let head = format!(
        "PUT {SESSIONS}/s HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: 10\r\n\r\n{{"
    );
    let answer = exchange(gateway, &head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body-timeout"), "{answer}");
}

async fn connections_beyond_the_limit_wait(gateway: &TestGateway) {
    let first = TcpStream::connect(gateway.address).await.unwrap();
    let second = TcpStream::connect(gateway.address).await.unwrap();
    let third = gateway.get("/nowhere");
    tokio::pin!(third);
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut third).await;
    assert!(waited.is_err(), "a third connection was served");
    drop(first);
    third.await.assert_problem(404, "no-such-route");
    drop(second);
}

/// Send raw bytes, and read until the gateway closes the connection.
pub(crate) async fn exchange(gateway: &TestGateway, text: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    read_all(&mut stream).await
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    // A reset after the answer is the same end as a close.
    let _end = reading.await.expect("the gateway closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}
