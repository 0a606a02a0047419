//! Transactions: what fails is undone, what races is run again or told, and nothing is lost.

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::faults::{document, ids, patient, route};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_problem_after_a_write_rolls_back with patient,
    a_retry_for_ever_ends_in_contention with two_retries,
    a_retry_that_may_not_be_is_contention with no_retries,
    no_increment_is_lost with patient,
    increments_that_may_run_again_all_succeed with many_retries,
    one_of_64_writers_of_a_version_succeeds with patient,
    one_of_64_creators_succeeds with patient,
    batches_in_different_orders_do_not_block_each_other with many_retries,
    waiting_for_a_turn_is_no_time_of_a_transaction with one_at_a_time,
    a_client_that_leaves_does_not_disturb with patient,
    a_body_that_ends_early_is_not_stored with patient,
    every_request_is_answered_with_two_connections with two_connections,
}

async fn a_problem_after_a_write_rolls_back(gateway: &TestGateway) {
    for _ in 0..3 {
        let answer = gateway.post(&route("problem")).await;
        let problem = answer.assert_problem(422, "told-to");
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(problem["reason"], "a test");
        assert_eq!(problem["numbers"], json!([1, 2]));
        assert_eq!(problem["title"], "Unprocessable Entity");
        assert_eq!(problem["retryable"], true);
        gateway.assert_nothing_stored().await;
    }
}

fn two_retries(config: &mut Config) {
    patient(config);
    config.storage.retries = 2;
    config.storage.retry_backoff_ms = 1;
}

fn no_retries(config: &mut Config) {
    patient(config);
    config.storage.retries = 0;
}

async fn a_retry_for_ever_ends_in_contention(gateway: &TestGateway) {
    assert_contention_after_runs(gateway, 3).await;
}

async fn a_retry_that_may_not_be_is_contention(gateway: &TestGateway) {
    assert_contention_after_runs(gateway, 1).await;
}

/// Each run writes a document, and takes a version for it that no rollback gives back.
async fn assert_contention_after_runs(gateway: &TestGateway, runs: u64) {
    let version = async || {
        let put = gateway.put_document("d", &json!({})).await.json();
        put["version"].as_u64().expect("a version")
    };
    version().await;
    // A replacement takes more than one number on PostgreSQL; how many is not the point.
    let (before, same) = (version().await, version().await);
    let answer = gateway.post(&route("retry")).await;
    let problem = answer.assert_problem(503, "contention");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(problem["retryable"], true);
    assert_eq!(version().await - same, same - before + runs);
    assert_eq!(ids(&gateway.list("").await), ["d"]);
}

async fn no_increment_is_lost(gateway: &TestGateway) {
    let path = route("increment/counter");
    let answers = join_all((0..100).map(|_| gateway.post(&path))).await;
    let mut amounts = Vec::new();
    for answer in &answers {
        match answer.status.as_u16() {
            200 => amounts.push(answer.json()["amount"].as_u64().expect("an amount")),
            _ => drop(answer.assert_problem(503, "contention")),
        }
    }
    amounts.sort_unstable();
    let all: Vec<u64> = (1..).take(amounts.len()).collect();
    assert!(!amounts.is_empty());
    assert_eq!(amounts, all, "each addition that was acknowledged has its own result");
    gateway.assert_stored("counter", &json!({"amount": amounts.len()})).await;
}

fn many_retries(config: &mut Config) {
    patient(config);
    config.storage.retries = 1_000;
    config.storage.retry_backoff_ms = 1;
}

async fn increments_that_may_run_again_all_succeed(gateway: &TestGateway) {
    gateway.put_document("counter", &json!({"amount": 5, "title": "kept"})).await;
    let path = route("increment/counter");
    for answer in join_all((0..50).map(|_| gateway.post(&path))).await {
        answer.assert_status(200);
    }
    gateway.assert_stored("counter", &json!({"amount": 55, "title": "kept"})).await;
}

async fn one_of_64_writers_of_a_version_succeeds(gateway: &TestGateway) {
    for method in ["PUT", "PATCH"] {
        let etag = gateway.put_document("d", &json!({})).await.etag();
        let writes = (0..64).map(|n| {
            let etag = etag.clone();
            async move {
                let body = json!({"amount": n});
                (n, gateway.conditional(method, "d", ("if-match", &etag), &body).await)
            }
        });
        let answers = join_all(writes).await;
        let (done, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answer)| answer.status == 200);
        assert_eq!((done.len(), refused.len()), (1, 63), "{method}: {refused:?}");
        let (winner, answer) = &done[0];
        for (_, refused) in &refused {
            refused.assert_problem(412, "precondition-failed");
            assert_eq!(refused.etag(), answer.etag());
        }
        let stored = gateway.assert_stored("d", &json!({"amount": winner})).await;
        assert_eq!(stored.etag(), answer.etag());
    }
}

async fn one_of_64_creators_succeeds(gateway: &TestGateway) {
    let puts = (0..64).map(|n| async move {
        let body = json!({"amount": n});
        (n, gateway.conditional("PUT", "d", ("if-none-match", "*"), &body).await)
    });
    let (created, refused): (Vec<_>, Vec<_>) =
        join_all(puts).await.into_iter().partition(|(_, answer)| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (1, 63), "{refused:?}");
    for (_, answer) in &refused {
        answer.assert_problem(412, "precondition-failed");
        assert_eq!(answer.etag(), created[0].1.etag());
    }
    gateway.assert_stored("d", &json!({"amount": created[0].0})).await;
}

async fn batches_in_different_orders_do_not_block_each_other(gateway: &TestGateway) {
    const DOCUMENTS: usize = 10;
    let batch = |round: usize| {
        let mut writes: Vec<Value> = (0..DOCUMENTS)
            .map(|n| {
                // Half of them read what they change.
                let change = if round.is_multiple_of(2) { "put" } else { "merge" };
                json!({"id": format!("d{n}"), "change": {change: {"amount": round}}})
            })
            .collect();
        writes.rotate_left(round % DOCUMENTS);
        if round.is_multiple_of(3) {
            writes.reverse();
        }
        json!(writes)
    };
    gateway.applied(&batch(0)).await;
    let batches: Vec<Value> = (1..=40).map(batch).collect();
    for answer in join_all(batches.iter().map(|batch| gateway.apply(batch))).await {
        answer.assert_status(200);
    }
    // Whichever was last, all of it is there.
    let page = gateway.list("").await;
    let amounts: Vec<&Value> =
        page["items"].as_array().expect("items").iter().map(|item| &item["amount"]).collect();
    assert_eq!(amounts, vec![amounts[0]; DOCUMENTS]);
}

/// One connection, as on `SQLite`, and the time that a transaction may take on `PostgreSQL` when
/// nothing is configured.
fn one_at_a_time(config: &mut Config) {
    patient(config);
    config.storage.pool_size = 1;
    config.limits.transaction_ms = Some(500);
}

/// Each of these takes a few milliseconds, and all of them together more than a transaction may.
async fn waiting_for_a_turn_is_no_time_of_a_transaction(gateway: &TestGateway) {
    const CLIENTS: usize = 64;
    // A write that costs no round trip is shorter.
    let writes = if gateway.is_sqlite() { 200 } else { 30 };
    let batch = |client: usize| {
        let write = |n: usize| json!({"id": format!("{client}-{n}"), "change": {"put": {}}});
        json!((0..writes).map(write).collect::<Vec<_>>())
    };
    let batches: Vec<Value> = (0..CLIENTS).map(batch).collect();
    let answers = join_all(batches.iter().map(|batch| gateway.apply(batch))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(refused.is_empty(), "{} of {CLIENTS}, such as {:?}", refused.len(), refused[0]);
    assert_eq!(gateway.list("limit=1&total=true").await["total"], CLIENTS * writes);
}

fn raw_put(path: &str, body: &str) -> String {
    format!(
        "PUT {path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What becomes of their writes nobody can say; that no document is half there, no connection is
/// lost and everybody else is served, the rest of the case and the harness see.
async fn a_client_that_leaves_does_not_disturb(gateway: &TestGateway) {
    let body = json!({"title": "t", "padding": "x".repeat(10_000)});
    let batch: Vec<Value> =
        (0..50).map(|n| json!({"id": format!("b{n}"), "change": {"put": body}})).collect();
    let batch = json!(batch).to_string();
    let requests = (0..40).map(|n| {
        let put = raw_put(&document(&format!("d{n}")), &body.to_string());
        let apply = raw_put(&route("apply"), &batch).replacen("PUT", "POST", 1);
        let increment = format!("POST {} HTTP/1.1\r\nhost: t\r\n\r\n", route("increment/c"));
        async move {
            let request = [put, apply, increment].into_iter().nth(n % 3).expect("three");
            let mut stream = TcpStream::connect(gateway.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            if n % 2 == 0 {
                stream.shutdown().await.unwrap();
            }
            drop(stream);
        }
    });
    join_all(requests).await;
    for n in 0..40 {
        let put = gateway.put_document(&format!("d{n}"), &body).await;
        assert!(matches!(put.status.as_u16(), 200 | 201), "{put:?}");
    }
    let batch = serde_json::from_str(&batch).unwrap();
    assert_eq!(gateway.applied(&batch).await.len(), 50);
    gateway.post(&route("increment/c")).await.assert_status(200);
}

async fn a_body_that_ends_early_is_not_stored(gateway: &TestGateway) {
    let whole = raw_put(&document("d"), r#"{"title": "t"}  "#);
    // Two blanks are missing: the document is complete, the body is not.
    let early = &whole[..whole.len() - 2];
    for _ in 0..10 {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(early.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
    }
    gateway.put_document("e", &json!({})).await.assert_status(201);
    gateway.assert_absent("d").await;
}

fn two_connections(config: &mut Config) {
    patient(config);
    config.storage.pool_size = 2;
    config.storage.acquire_timeout_ms = 500;
}

/// `SQLite` has no pool; there all of them succeed.
async fn every_request_is_answered_with_two_connections(gateway: &TestGateway) {
    let mut stored = Vec::new();
    let answers = join_all((0..50).map(|n| async move {
        let (id, body) = (format!("d{n:02}"), json!({"amount": n}));
        let answer = if n % 2 == 0 {
            gateway.put_document(&id, &body).await
        } else {
            gateway.apply(&json!([{"id": id, "change": {"put": body}}])).await
        };
        (id, answer)
    }))
    .await;
    for (id, answer) in answers {
        match answer.status.as_u16() {
            200 | 201 => stored.push(id),
            _ => {
                assert!(!gateway.is_sqlite(), "{answer:?}");
                answer.assert_problem(503, "pool-exhausted");
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
        }
    }
    // What was acknowledged is there, what was refused is not.
    assert!(!stored.is_empty());
    assert_eq!(ids(&gateway.list("").await), stored);
}
