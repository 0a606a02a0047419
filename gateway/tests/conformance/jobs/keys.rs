//! Jobs of one key: one at a time, in their order, and no key in another's way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures_util::future::join_all;
use serde_json::json;

use super::{Jobs, exact, ids, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    jobs_of_a_key_run_one_at_a_time_in_order with exact,
    a_job_that_is_stuck_blocks_its_key_alone with exact,
    a_job_that_comes_back_waits_for_the_one_that_runs with exact,
    under_many_workers_no_two_of_a_key_run_at_once with exact,
}

async fn jobs_of_a_key_run_one_at_a_time_in_order(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for id in ["k1", "k2", "k3"] {
        // What is urgent does not go before an earlier one of its key.
        let priority = if id == "k1" { "low" } else { "high" };
        jobs.create(json!({"id": id, "key": "k", "priority": priority})).await;
    }
    jobs.create(json!({"id": "free"})).await;
    assert_eq!(ids(&jobs.claim("w", 10).await), ["free", "k1"]);
    for (ended, next) in [("k1", "k2"), ("k2", "k3")] {
        assert!(jobs.claim("w", 10).await.is_empty());
        jobs.post(&format!("jobs/{ended}:complete"), &json!({"token": 1})).await.assert_status(200);
        assert_eq!(ids(&jobs.claim("w", 10).await), [next]);
    }
}

async fn a_job_that_is_stuck_blocks_its_key_alone(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for id in ["a1", "a2", "b1", "b2"] {
        jobs.create(json!({"id": id, "key": &id[..1]})).await;
    }
    jobs.claim("w", 1).await;
    jobs.post("jobs/a1:fail", &json!({"token": 1})).await.assert_status(200);
    assert_eq!(jobs.status("a1").await, "retrying");
    assert_eq!(ids(&jobs.claim("w", 10).await), ["b1"], "a2 waits for the retry of a1");
    jobs.call("jobs/a1:cancel").await.assert_status(200);
    assert_eq!(ids(&jobs.claim("w", 10).await), ["a2"]);
}

async fn a_job_that_comes_back_waits_for_the_one_that_runs(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for id in ["k1", "k2"] {
        jobs.create(json!({"id": id, "key": "k"})).await;
    }
    jobs.call("jobs/k1:cancel").await.assert_status(200);
    assert_eq!(ids(&jobs.claim("w", 10).await), ["k2"]);
    jobs.call("jobs/k1:retry").await.assert_status(200);
    assert!(jobs.claim("w", 10).await.is_empty());
    // Nor does an operator get both to run.
    let assigned = json!({"to": "assigned"});
    let refused = jobs.post("jobs/k1:transition", &assigned).await;
    assert_eq!(refused.assert_problem(409, "already-exists")["index"], "running_key");
    jobs.post("jobs/k2:complete", &json!({"token": 1})).await.assert_status(200);
    assert_eq!(ids(&jobs.claim("w", 10).await), ["k1"]);
}

async fn under_many_workers_no_two_of_a_key_run_at_once(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    const KEYS: usize = 8;
    const OF_A_KEY: usize = 25;
    let new = |number: usize| json!({"key": format!("k{}", number % KEYS)});
    let batch: Vec<_> = (0..KEYS * OF_A_KEY).map(new).collect();
    jobs.post("jobs:batchCreate", &json!({"jobs": batch})).await.assert_status(201);
    let running = Mutex::new(BTreeSet::new());
    let done: Mutex<BTreeMap<String, Vec<u64>>> = Mutex::default();
    let work = async |worker: usize| {
        let worker = format!("w{worker}");
        jobs.worker(&worker).await;
        while done.lock().unwrap().values().map(Vec::len).sum::<usize>() < KEYS * OF_A_KEY {
            for job in jobs.claim(&worker, 3).await {
                let key = text(&job["key"]);
                assert!(running.lock().unwrap().insert(key.clone()), "two of {key} run");
                let path = format!("jobs/{}:start", text(&job["id"]));
                jobs.post(&path, &json!({"token": 1})).await.assert_status(200);
                let number = job["sequence_number"].as_u64().unwrap();
                done.lock().unwrap().entry(key.clone()).or_default().push(number);
                // Before it is completed, since the next one may come at that moment.
                running.lock().unwrap().remove(&key);
                let path = format!("jobs/{}:complete", text(&job["id"]));
                jobs.post(&path, &json!({"token": 1})).await.assert_status(200);
            }
        }
    };
    join_all((0..16).map(work)).await;
    for (key, numbers) in done.into_inner().unwrap() {
        assert_eq!(numbers.len(), OF_A_KEY, "{key}");
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
}
