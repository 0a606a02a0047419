//! Claims that wait for a job: they are woken by what brings one within reach, and by little else.

use futures_util::future::{join, join_all};
use loggia::config::Config;
use serde_json::{Value, json};

use super::{Jobs, exact, ids, set};
use crate::harness::{TestGateway, on_both_databases, until};
use crate::waits::until_waiting;

on_both_databases! {
    a_new_job_wakes_a_claim with exact,
    each_of_ten_jobs_wakes_one_of_ten_claims with exact,
    what_comes_back_wakes_a_claim with exact,
    the_end_of_a_job_wakes_who_waits_for_its_key with exact,
    the_end_of_a_job_wakes_who_waits_for_the_quota with one_running,
    heartbeats_wake_nobody with exact,
    a_wait_in_vain_ends with exact,
}

fn one_running(config: &mut Config) {
    set(config, json!({"max_running": 1}));
}

async fn waiting_claim(jobs: &Jobs<'_>, worker: &str) -> Vec<Value> {
    jobs.claim_by(&json!({"worker_id": worker, "wait_seconds": 30})).await
}

/// What a claim gets that waits while this is done.
async fn woken_by(jobs: &Jobs<'_>, done: impl AsyncFnOnce()) -> Vec<String> {
    let wakes = async {
        until_waiting(jobs.gateway, 1).await;
        done().await;
    };
    let (claimed, ()) = join(waiting_claim(jobs, "w"), wakes).await;
    ids(&claimed)
}

async fn a_new_job_wakes_a_claim(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    let claimed = woken_by(&jobs, async || drop(jobs.create(json!({"id": "j"})).await)).await;
    assert_eq!(claimed, ["j"]);
    let batch = json!({"jobs": [{"id": "k"}]});
    let create = async || drop(jobs.post("jobs:batchCreate", &batch).await.assert_status(201));
    assert_eq!(woken_by(&jobs, create).await, ["k"]);
}

async fn each_of_ten_jobs_wakes_one_of_ten_claims(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    for worker in 0..10 {
        jobs.worker(&format!("w{worker}")).await;
    }
    let claims = (0..10).map(|worker| {
        let jobs = jobs.clone();
        async move { waiting_claim(&jobs, &format!("w{worker}")).await }
    });
    let creates = async {
        until_waiting(gateway, 10).await;
        for left in (0..10).rev() {
            jobs.create(json!({})).await;
            until(|| gateway.waiting() == left && gateway.under_way().1 == 0).await;
        }
    };
    let (claimed, ()) = join(join_all(claims), creates).await;
    let mut numbers: Vec<u64> =
        claimed.concat().iter().map(|job| job["sequence_number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
}

async fn what_comes_back_wakes_a_claim(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    jobs.call("jobs/j:pause").await.assert_status(200);
    let resume = async || drop(jobs.call("jobs/j:resume").await.assert_status(200));
    assert_eq!(woken_by(&jobs, resume).await, ["j"]);
    jobs.call("jobs/j:cancel").await.assert_status(200);
    let retry = async || drop(jobs.call("jobs/j:retry").await.assert_status(200));
    assert_eq!(woken_by(&jobs, retry).await, ["j"]);
    jobs.post("jobs/j:complete", &json!({"token": 2})).await.assert_status(200);
    jobs.call("queues/default:pause").await.assert_status(200);
    jobs.create(json!({"id": "k"})).await;
    let resume = async || drop(jobs.call("queues/default:resume").await.assert_status(200));
    assert_eq!(woken_by(&jobs, resume).await, ["k"]);
}

async fn the_end_of_a_job_wakes_who_waits_for_its_key(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for id in ["k1", "k2"] {
        jobs.create(json!({"id": id, "key": "k"})).await;
    }
    jobs.claim("w", 1).await;
    let complete =
        async || drop(jobs.post("jobs/k1:complete", &json!({"token": 1})).await.assert_status(200));
    assert_eq!(woken_by(&jobs, complete).await, ["k2"]);
}

async fn the_end_of_a_job_wakes_who_waits_for_the_quota(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create_many(2, &json!({})).await;
    let first = ids(&jobs.claim("w", 2).await);
    assert_eq!(first.len(), 1);
    let path = format!("jobs/{}:complete", first[0]);
    let complete = async || drop(jobs.post(&path, &json!({"token": 1})).await.assert_status(200));
    assert_eq!(woken_by(&jobs, complete).await.len(), 1);
}

/// A claim that was woken would get the job whose time has come in the meantime.
async fn heartbeats_wake_nobody(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    jobs.worker("w").await;
    jobs.create(json!({"id": "runs"})).await;
    jobs.claim("w", 1).await;
    jobs.create(json!({"id": "later", "run_at": "2026-11-26T20:01:00Z"})).await;
    let others = async {
        until_waiting(gateway, 1).await;
        jobs.in_seconds(60);
        for _ in 0..20 {
            let beat = jobs.post("jobs/runs:heartbeat", &json!({"token": 1})).await;
            beat.assert_status(200);
        }
        assert_eq!(gateway.waiting(), 1);
        jobs.create(json!({})).await;
    };
    let (claimed, ()) = join(waiting_claim(&jobs, "w"), others).await;
    assert_eq!(ids(&claimed), ["later"]);
}

async fn a_wait_in_vain_ends(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    let claim = json!({"worker_id": "w", "wait_seconds": 0.1});
    assert!(jobs.claim_by(&claim).await.is_empty());
    assert_eq!(gateway.waiting(), 0);
}
