//! New jobs: their numbers, which have neither gaps nor repetitions, and requests that come twice.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};

use super::{JSON, Jobs, exact, route, send_to, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_job_has_what_was_said_and_defaults with exact,
    numbers_have_no_gaps_and_no_repetitions with exact,
    twenty_at_once_get_the_numbers_to_20 with exact,
    a_thousand_at_once_from_two_gateways_get_the_numbers_to_1000 with many_wait,
    a_batch_is_made_as_a_whole_or_not_at_all with exact,
    a_unique_key_stands_for_one_job_until_it_has_ended with exact,
    a_hundred_at_once_with_a_unique_key_make_one_job with many_wait,
    a_request_that_is_sent_again_creates_nothing_again with exact,
    a_tenant_has_numbers_of_its_own with two,
}

fn many_wait(config: &mut Config) {
    exact(config);
    config.storage.max_waiters = 2_000;
    config.limits.queued_requests = 2_000;
}

fn two(config: &mut Config) {
    exact(config);
    crate::harness::tenants::add(config, "two");
}

async fn a_job_has_what_was_said_and_defaults(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    let now = "2026-11-26T20:00:00.000Z";
    let answer = jobs.post("jobs", &json!({"id": "a/b"})).await.assert_status(201);
    assert_eq!(answer.header("location"), Some("/v1/job-fsm/jobs/a%2Fb"));
    let expected = json!({
        "id": "a/b", "sequence_number": 1, "confidence": "auto", "engine": "auto",
        "classification": "production", "parameters": {}, "queue": "default",
        "priority": "medium", "status": "queued", "progress": 0.0, "attempt": 0,
        "retry_count": 0, "max_retries": 3, "run_at": now, "created_at": now,
        "last_activity_at": now,
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(jobs.get("jobs/a%2Fb").await, expected);
    let said = json!({
        "user_id": "u", "scenario": "s", "confidence": "high", "engine": "ffmpeg",
        "classification": "test", "parameters": {"a": [1]}, "queue": "live",
        "priority": "low", "max_retries": 0, "key": "k", "unique_key": "q",
        "run_at": "2026-11-26T21:00:00Z",
    });
    let job = jobs.create(said.clone()).await;
    for (name, value) in said.as_object().unwrap() {
        if name != "run_at" {
            assert_eq!(&job[name], value, "{name}");
        }
    }
    assert_eq!(job["run_at"], "2026-11-26T21:00:00.000Z");
    jobs.post("jobs", &json!({"id": "a/b"})).await.assert_problem(409, "already-exists");
}

async fn numbers_have_no_gaps_and_no_repetitions(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    for number in 1..=5 {
        let id = number.to_string();
        let job = jobs.create(json!({"id": id})).await;
        assert_eq!(job["sequence_number"], number);
        // A request that fails takes no number.
        jobs.post("jobs", &json!({"id": id})).await.assert_problem(409, "already-exists");
    }
    assert_eq!(jobs.get("jobs?sequence_number=3").await["items"][0]["id"], "3");
}

fn numbers(answers: Vec<Value>) -> BTreeSet<u64> {
    answers.iter().map(|job| job["sequence_number"].as_u64().unwrap()).collect()
}

async fn twenty_at_once_get_the_numbers_to_20(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let made = join_all((0..20).map(|_| jobs.create(json!({})))).await;
    assert_eq!(numbers(made), (1..=20).collect());
}

/// Each tenth of them fails.
async fn a_thousand_at_once_from_two_gateways_get_the_numbers_to_1000(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.create(json!({"id": "taken"})).await;
    let second = gateway.second().await;
    // SQLite has one gateway.
    let addresses = match &second {
        Ok(second) => [gateway.address, second.address],
        Err(_) => [gateway.address; 2],
    };
    assert_eq!(second.is_err(), gateway.is_sqlite());
    let requests = (0..1_111).map(|number: usize| async move {
        let address = addresses[number % 2];
        let fails = number % 10 == 9;
        let body = if fails { json!({"id": "taken"}) } else { json!({}) };
        let answer = send_to(address, "jobs", &body).await;
        if fails {
            answer.assert_problem(409, "already-exists");
            return None;
        }
        Some(answer.assert_status(201).json())
    });
    let made: Vec<Value> = join_all(requests).await.into_iter().flatten().collect();
    assert_eq!(made.len(), 1_000);
    assert_eq!(numbers(made), (2..=1_001).collect());
}

async fn a_batch_is_made_as_a_whole_or_not_at_all(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.create(json!({"id": "taken"})).await;
    let batch = json!({"jobs": [{"id": "a"}, {"id": "taken"}]});
    let refused = jobs.post("jobs:batchCreate", &batch).await;
    assert_eq!(refused.assert_problem(409, "already-exists")["pointer"], "/jobs/1/id");
    let batch = json!({"jobs": [{"id": "a"}, {"unique_key": "u", "id": "b"}, {"unique_key": "u"}]});
    let made = jobs.post("jobs:batchCreate", &batch).await.assert_status(201).json();
    let expected = json!({"jobs": [
        {"id": "a", "sequence_number": 2, "created": true},
        {"id": "b", "sequence_number": 3, "created": true},
        {"id": "b", "sequence_number": 3, "created": false},
    ]});
    assert_eq!(made, expected);
    let batch = json!({"jobs": [{"unique_key": "u"}]});
    let found = jobs.post("jobs:batchCreate", &batch).await.assert_status(200).json();
    assert_eq!(found["jobs"][0]["id"], "b");
    let none = jobs.post("jobs:batchCreate", &json!({"jobs": []})).await;
    none.assert_problem(422, "schema-mismatch");
}

async fn a_unique_key_stands_for_one_job_until_it_has_ended(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let job = jobs.create(json!({"unique_key": "u"})).await;
    let again = jobs.post("jobs", &json!({"unique_key": "u"})).await.assert_status(200).json();
    assert_eq!(again, job);
    let id = text(&job["id"]);
    jobs.call(&format!("jobs/{id}:cancel")).await.assert_status(200);
    let other = jobs.create(json!({"unique_key": "u"})).await;
    assert_eq!(other["sequence_number"], 2);
    // The first one cannot come back beside it.
    let refused = jobs.call(&format!("jobs/{id}:retry")).await;
    assert_eq!(refused.assert_problem(409, "already-exists")["index"], "unique_key");
}

async fn a_hundred_at_once_with_a_unique_key_make_one_job(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let body = json!({"unique_key": "u"});
    let made = join_all((0..100).map(|_| jobs.post("jobs", &body))).await;
    let statuses: Vec<u16> = made.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 201)), "{statuses:?}");
    assert_eq!(numbers(made.iter().map(|answer| answer.json()).collect()), BTreeSet::from([1]));
}

async fn a_request_that_is_sent_again_creates_nothing_again(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let send = async |path: &str, key: &str, body: &Value| {
        let headers = [JSON, ("idempotency-key", key)];
        jobs.client.send("POST", &route(path), &headers, body.to_string()).await
    };
    let body = json!({"user_id": "u"});
    let job = send("jobs", "one", &body).await.assert_status(201).json();
    assert_eq!(send("jobs", "one", &body).await.assert_status(200).json(), job);
    let refused = send("jobs", "one", &json!({})).await;
    refused.assert_problem(422, "idempotency-key-reused");
    let batch = json!({"jobs": [{}, {}]});
    let made = send("jobs:batchCreate", "one", &batch).await.assert_status(201).json();
    let again = send("jobs:batchCreate", "one", &batch).await.assert_status(200).json();
    let ids = |answer: &Value| {
        answer["jobs"].as_array().unwrap().iter().map(|job| text(&job["id"])).collect::<Vec<_>>()
    };
    assert_eq!(ids(&again), ids(&made));
    send("jobs", &"k".repeat(256), &body).await.assert_problem(400, "invalid-header");
    assert_eq!(jobs.get("stats").await["total"], 3);
    // At once, one of them makes it.
    let at_once = join_all((0..10).map(|_| send("jobs", "two", &body))).await;
    let made = at_once.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((made, jobs.get("stats").await["total"].clone()), (1, json!(4)));
    jobs.in_seconds(86_401);
    send("jobs", "one", &body).await.assert_status(201);
}

async fn a_tenant_has_numbers_of_its_own(gateway: &TestGateway) {
    for tenant in ["one", "two"] {
        let client = gateway.with_key(tenant);
        for number in 1..=2 {
            let answer = client.send("POST", &route("jobs"), &[JSON], "{}").await;
            assert_eq!(answer.assert_status(201).json()["sequence_number"], number, "{tenant}");
        }
    }
}
