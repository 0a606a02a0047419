//! Whatever a plugin does, others are served, and nothing of what it wrote is there.

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};

use crate::harness::faults::{document, patient, route, value};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_trap_after_a_write_rolls_back with patient,
    endless_recursion_is_a_trap with patient,
    a_trap_does_not_disturb_others with patient,
    reads_are_answered_while_plugins_loop with long_loops,
    writes_are_answered_while_plugins_loop with short_loops,
    idle_instances_leave_room_for_others with own_engine,
    a_write_in_a_read_is_denied with patient,
    a_wrong_call_is_told_its_error with patient,
    a_plugin_is_told_the_request with patient,
}

async fn a_trap_after_a_write_rolls_back(gateway: &TestGateway) {
    for _ in 0..10 {
        let problem = gateway.post(&route("trap")).await.assert_problem(502, "plugin-trap");
        // What the plugin said when it failed is for the operator.
        assert!(!problem.to_string().contains("told to"), "{problem}");
        gateway.assert_nothing_stored().await;
    }
    gateway.put_document("d", &json!({})).await.assert_status(201);
}

async fn endless_recursion_is_a_trap(gateway: &TestGateway) {
    for _ in 0..3 {
        gateway.post(&route("recurse")).await.assert_problem(502, "plugin-trap");
        gateway.assert_nothing_stored().await;
    }
    gateway.put_document("d", &json!({})).await.assert_status(201);
}

async fn a_trap_does_not_disturb_others(gateway: &TestGateway) {
    let requests = (0..60).map(|n| async move {
        let (id, body) = (format!("d{n:02}"), json!({"amount": n}));
        match n % 3 {
            0 => drop(gateway.post(&route("trap")).await.assert_problem(502, "plugin-trap")),
            1 => drop(gateway.put_document(&id, &body).await.assert_status(201)),
            _ => {
                let put = json!([{"id": id, "change": {"put": body}}]);
                gateway.applied(&put).await;
            }
        }
    });
    join_all(requests).await;
    assert_eq!(gateway.list("total=true").await["total"], 40);
    gateway.assert_absent("trap").await;
}

/// More than the runtime has threads.
const LOOPS: usize = 4;

fn long_loops(config: &mut Config) {
    patient(config);
    config.limits.guest_cpu_ms = 2_000;
}

async fn reads_are_answered_while_plugins_loop(gateway: &TestGateway) {
    let body = json!({"title": "t"});
    gateway.put_document("d", &body).await.assert_status(201);
    let looping = join_all((0..LOOPS).map(|_| async { gateway.post(&route("loop")).await }));
    let reading = join_all((0..50).map(|n| async move {
        let path = if n % 2 == 0 { document("d") } else { route("documents?title=t") };
        gateway.get(&path).await
    }));
    tokio::pin!(looping);
    let reads = tokio::select! {
        // Looked at first, so that the loops have begun.
        biased;
        stopped = &mut looping => panic!("the reads had to wait for the loops: {stopped:?}"),
        reads = reading => reads,
    };
    for (n, answer) in reads.into_iter().enumerate() {
        let got = answer.assert_status(200).json();
        assert_eq!(
            if n % 2 == 0 { &got } else { &got["items"][0]["title"] },
            if n % 2 == 0 { &body } else { &body["title"] }
        );
    }
    for answer in looping.await {
        assert_loop_stopped(&answer.assert_problem(504, "plugin-timeout"));
    }
    gateway.assert_absent("loop").await;
}

fn assert_loop_stopped(problem: &Value) {
    let limit = problem["limit"].as_str().expect("a limit");
    assert!(["guest_cpu_ms", "transaction_ms"].contains(&limit), "{problem}");
}

/// Far more than a write takes; on `SQLite` each loop holds all other writers up for so long.
fn short_loops(config: &mut Config) {
    patient(config);
    config.limits.transaction_ms = Some(500);
}

async fn writes_are_answered_while_plugins_loop(gateway: &TestGateway) {
    let looping = join_all((0..LOOPS).map(|_| async { gateway.post(&route("loop")).await }));
    let writing = join_all((0..50).map(|n| async move {
        let (id, body) = (format!("d{n:02}"), json!({"amount": n}));
        if n % 2 == 0 {
            (id.clone(), gateway.put_document(&id, &body).await, 201)
        } else {
            (id.clone(), gateway.apply(&json!([{"id": id, "change": {"put": body}}])).await, 200)
        }
    }));
    let (loops, writes) = tokio::join!(looping, writing);
    for answer in loops {
        assert_loop_stopped(&answer.assert_problem(504, "plugin-timeout"));
    }
    gateway.assert_absent("loop").await;
    for (id, answer, status) in writes {
        let stored = gateway.get(&document(&id)).await.status;
        assert_eq!(answer.status.as_u16(), status, "{id}, which is stored: {stored}: {answer:?}");
        assert_eq!(stored, 200);
    }
}

/// One connection, for which requests wait with their instances.
fn own_engine(config: &mut Config) {
    patient(config);
    config.storage.pool_size = 1;
    // Another one than that of all other gateways of the suite.
    config.limits.plugin_memory_bytes = 16 << 20;
}

/// An engine holds 256 instances; those that one plugin keeps warm give way to those that the
/// other one needs.
async fn idle_instances_leave_room_for_others(gateway: &TestGateway) {
    let lists = (0..64).map(|_| gateway.get("/v1/chat-sessions/sessions"));
    for answer in join_all(lists).await {
        answer.assert_status(200);
    }
    let writes: Vec<_> =
        (0..256).map(|n| json!([{"id": format!("d{n}"), "change": {"put": {}}}])).collect();
    let answers = join_all(writes.iter().map(|write| gateway.apply(write))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(refused.is_empty(), "{} of 256, such as {:?}", refused.len(), refused[0]);
}

async fn a_write_in_a_read_is_denied(gateway: &TestGateway) {
    gateway.put_document("a", &json!({"title": "kept"})).await.assert_status(201);
    for probe in ["write-in-read", "delete-in-read", "sweep-in-read"] {
        let answer = gateway.get(&route(probe)).await.assert_status(200);
        assert_eq!(answer.json(), json!({"error": "denied"}), "{probe}");
    }
    gateway.assert_stored("a", &json!({"title": "kept"})).await;
}

async fn a_wrong_call_is_told_its_error(gateway: &TestGateway) {
    for (probe, error) in [
        ("unknown-collection", "unknown-name"),
        ("empty-id", "invalid-id"),
        ("long-id", "invalid-id"),
        ("select-unknown-statement", "unknown-name"),
        ("select-unknown-argument", "unknown-name"),
        ("select-wrong-type", "parameter-type"),
        ("select-unknown-order", "unknown-name"),
        ("select-limit-0", "invalid-page"),
    ] {
        let answer = gateway.get(&route(probe)).await.assert_status(200);
        assert_eq!(answer.json(), json!({"error": error}), "{probe}");
    }
}

async fn a_plugin_is_told_the_request(gateway: &TestGateway) {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [
        ("content-type", "text/plain"),
        ("x-test", "shown"),
        ("x-other", "hidden"),
        ("authorization", "hidden"),
        ("traceparent", &format!("00-{id}-00f067aa0ba902b7-01")),
    ];
    let path = route("echo/a%20b%2Fc/%C3%A4?text=x%26y+z&tag=1&tag=2");
    let answer = gateway.send("POST", &path, &headers, "a body").await.assert_status(200);
    let mut echo = answer.json();
    let object = echo.as_object_mut().expect("an object");
    let (received, now) = (object.remove("received_at").unwrap(), object.remove("now").unwrap());
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time(&received) <= time(&now), "{received} {now}");
    let ids = object.remove("ids").unwrap();
    assert_ne!(ids[0], ids[1]);
    let expected = r#"{
        "operation": "echo", "path": ["a b/c", "ä"], "text": "x&y z", "tags": ["1", "2"],
        "number": "7", "content_type": "text/plain", "x_test": "shown", "authorization": null,
        "body": "a body", "subject": "anonymous", "roles": ["reader", "writer", "admin"],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"
    }"#;
    assert_eq!(echo, value(expected));
    let again = gateway.send("POST", &path, &headers, "a body").await.assert_status(200).json();
    assert_ne!(again["ids"], ids);
}
