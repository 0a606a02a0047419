//! What time does: leases and timeouts end, retries become due, what nobody can run is rejected, and
//! what has ended goes.

use loggia::config::Config;
use serde_json::{Value, json};

use super::{Jobs, exact, ids, set};
use crate::harness::{TestGateway, on_both_databases, until};

on_both_databases! {
    a_lease_that_ends_gives_the_job_to_another with exact,
    ten_jobs_of_a_dead_worker_are_completed_once_each with exact,
    timeouts_follow_the_engine_and_the_duration with exact,
    a_job_that_is_not_started_times_out with exact,
    rests_are_doubled_up_to_five_minutes with exact,
    retries_end_in_failure with exact,
    a_worker_without_a_heartbeat_loses_its_jobs with exact,
    a_job_that_no_worker_could_run_is_rejected with exact,
    a_job_for_later_comes_when_its_time_has_come with exact,
    a_job_that_has_ended_goes_after_its_days with two_days,
    more_than_a_batch_is_due_at_once with exact,
    the_gateway_does_it_by_itself with scheduled,
}

fn two_days(config: &mut Config) {
    set(config, json!({"keep_ended_days": 2}));
}

fn scheduled(config: &mut Config) {
    exact(config);
    config.server.schedules = true;
}

async fn a_lease_that_ends_gives_the_job_to_another(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    let claim = json!({"worker_id": "w", "lease_seconds": 10});
    jobs.claim_by(&claim).await;
    jobs.in_seconds(9);
    assert_eq!(jobs.maintain().await["lost"], 0);
    jobs.in_seconds(1);
    assert_eq!(jobs.maintain().await["lost"], 1);
    let job = jobs.get("jobs/j").await;
    let expected = [json!("retrying"), json!("worker_died"), json!(null), json!(1)];
    assert_eq!(
        ["status", "retry_reason", "worker_id", "retry_count"].map(|name| job[name].clone()),
        expected
    );
    jobs.in_seconds(5);
    assert_eq!(jobs.maintain().await["queued"], 1);
    let again = &jobs.claim_by(&claim).await[0];
    assert_eq!((&again["attempt"], &again["lease"]["token"]), (&json!(2), &json!(2)));
}

async fn ten_jobs_of_a_dead_worker_are_completed_once_each(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("dies").await;
    jobs.worker("lives").await;
    jobs.create_many(10, &json!({})).await;
    let taken = ids(&jobs.claim("dies", 10).await);
    for id in &taken[..5] {
        jobs.post(&format!("jobs/{id}:start"), &json!({"token": 1})).await.assert_status(200);
    }
    jobs.in_seconds(60);
    assert_eq!(jobs.maintain().await["lost"], 10);
    let late = async |id: &str| {
        for verb in ["start", "heartbeat", "complete", "fail"] {
            let answer = jobs.post(&format!("jobs/{id}:{verb}"), &json!({"token": 1})).await;
            answer.assert_problem(409, "lease-lost");
        }
    };
    late(&taken[0]).await;
    jobs.in_seconds(5);
    jobs.maintain().await;
    late(&taken[0]).await;
    let again = ids(&jobs.claim("lives", 10).await);
    assert_eq!(again.len(), 10);
    late(&taken[0]).await;
    for id in &taken {
        jobs.post(&format!("jobs/{id}:complete"), &json!({"token": 2})).await.assert_status(200);
        late(id).await;
        let way = jobs.way(id).await;
        assert_eq!(way.iter().filter(|state| *state == "completed").count(), 1, "{way:?}");
    }
}

async fn timeouts_follow_the_engine_and_the_duration(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    let cases = [
        ("ffmpeg", json!({"duration": 60}), 120),
        ("auto", json!({"duration": 30}), 60),
        ("gstreamer", json!({"duration": 60}), 90),
        ("blender", json!({"duration": 60}), 60),
        ("ffmpeg", json!({}), 1_800),
    ];
    for (number, (engine, parameters, seconds)) in cases.into_iter().enumerate() {
        let (id, worker) = (format!("j{number}"), format!("w{number}"));
        jobs.worker(&worker).await;
        jobs.create(json!({"id": id, "engine": engine, "parameters": parameters})).await;
        let claim = json!({"worker_id": worker, "lease_seconds": 86_400});
        assert_eq!(ids(&jobs.claim_by(&claim).await), [id.as_str()]);
        jobs.post(&format!("jobs/{id}:start"), &json!({"token": 1})).await.assert_status(200);
        jobs.in_seconds(seconds - 1);
        jobs.post(&format!("workers/{worker}:heartbeat"), &json!({})).await.assert_status(200);
        jobs.maintain().await;
        assert_eq!(jobs.status(&id).await, "running", "{engine} {parameters}");
        jobs.in_seconds(1);
        assert_eq!(jobs.maintain().await["timed_out"], 1, "{engine} {parameters}");
        let way = jobs.way(&id).await;
        assert_eq!(way[way.len() - 3..], ["running", "timed_out", "retrying"]);
        assert_eq!(jobs.get(&format!("jobs/{id}")).await["failure_reason"], "timeout");
        let late = jobs.post(&format!("jobs/{id}:complete"), &json!({"token": 1})).await;
        late.assert_problem(409, "lease-lost");
        jobs.call(&format!("jobs/{id}:cancel")).await.assert_status(200);
    }
}

async fn a_job_that_is_not_started_times_out(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    jobs.create(json!({"id": "j", "max_retries": 0})).await;
    jobs.claim_by(&json!({"worker_id": "w", "lease_seconds": 3_600})).await;
    jobs.in_seconds(299);
    jobs.post("workers/w:heartbeat", &json!({})).await.assert_status(200);
    jobs.maintain().await;
    assert_eq!(jobs.status("j").await, "assigned");
    jobs.in_seconds(1);
    jobs.maintain().await;
    assert_eq!(jobs.way("j").await, ["queued", "assigned", "timed_out", "failed"]);
}

async fn rests_are_doubled_up_to_five_minutes(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    jobs.create(json!({"id": "j", "max_retries": 8})).await;
    for (attempt, rest) in (1..).zip([5, 10, 20, 40, 80, 160, 300, 300]) {
        jobs.post("workers/w:heartbeat", &json!({})).await.assert_status(200);
        assert_eq!(jobs.claim("w", 1).await.len(), 1, "attempt {attempt}");
        jobs.post("jobs/j:fail", &json!({"token": attempt})).await.assert_status(200);
        jobs.in_seconds(rest - 1);
        assert_eq!(jobs.maintain().await["queued"], 0, "attempt {attempt}");
        jobs.in_seconds(1);
        assert_eq!(jobs.maintain().await["queued"], 1, "attempt {attempt}");
    }
}

async fn retries_end_in_failure(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    jobs.create(json!({"id": "j", "max_retries": 2})).await;
    for attempt in 1..=3 {
        assert_eq!(jobs.claim("w", 1).await.len(), 1, "attempt {attempt}");
        // Dying counts as failing does.
        jobs.in_seconds(60);
        jobs.maintain().await;
        jobs.in_seconds(20);
        jobs.post("workers/w:heartbeat", &json!({})).await.assert_status(200);
        jobs.maintain().await;
    }
    let job = jobs.get("jobs/j").await;
    assert_eq!((&job["status"], &job["retry_count"]), (&json!("failed"), &json!(2)));
    assert_eq!((&job["failure_reason"], &job["attempt"]), (&json!("platform_error"), &json!(3)));
}

async fn a_worker_without_a_heartbeat_loses_its_jobs(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    jobs.claim_by(&json!({"worker_id": "w", "lease_seconds": 3_600})).await;
    jobs.in_seconds(89);
    assert_eq!(jobs.maintain().await["dead_workers"], 0);
    assert_eq!(jobs.get("workers/w").await["status"], "busy");
    jobs.in_seconds(1);
    let done = jobs.call("workers:expire").await.assert_status(200).json();
    assert_eq!((&done["dead_workers"], &done["lost"]), (&json!(1), &json!(1)));
    assert_eq!(jobs.get("workers/w").await["status"], "offline");
    assert_eq!(jobs.status("j").await, "retrying");
    jobs.post("workers/w:heartbeat", &json!({})).await.assert_status(200);
    assert_eq!(jobs.get("workers/w").await["status"], "available");
}

async fn a_job_that_no_worker_could_run_is_rejected(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    for (id, parameters) in [
        ("plain", json!({})),
        ("gpu", json!({"codec": "h264_nvenc"})),
        ("wide", json!({"threads": 9})),
        ("fits", json!({"threads": 8, "memory_mb": 16_384})),
        ("large", json!({"memory_mb": 16_385})),
    ] {
        jobs.create(json!({"id": id, "parameters": parameters})).await;
    }
    let rejected = async || -> Vec<String> {
        ids(jobs.get("jobs?status=rejected").await["items"].as_array().unwrap())
    };
    // Without a worker there is nobody to say it of.
    assert_eq!(jobs.maintain().await["rejected"], 0);
    jobs.in_seconds(1_000);
    assert_eq!(jobs.maintain().await["rejected"], 0);
    // What it has free at the moment does not count.
    jobs.worker_with("w", json!({"ram_free_bytes": 0})).await;
    assert_eq!(jobs.maintain().await["rejected"], 3);
    assert_eq!(rejected().await, ["gpu", "wide", "large"]);
    let job = jobs.get("jobs/gpu").await;
    assert_eq!(job["failure_reason"], "capability_mismatch");
    assert_eq!(jobs.way("gpu").await, ["queued", "rejected"]);
    // Where the worker goes that could, another look finds it.
    jobs.delete("workers/w").await.assert_status(204);
    jobs.worker_with("v", json!({"cpu_threads": 2})).await;
    jobs.in_seconds(61);
    jobs.maintain().await;
    assert_eq!(rejected().await, ["gpu", "wide", "fits", "large"]);
    assert_eq!(jobs.status("plain").await, "queued");
}

async fn a_job_for_later_comes_when_its_time_has_come(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j", "run_at": "2026-11-26T20:01:00Z"})).await;
    jobs.in_seconds(59);
    assert!(jobs.claim("w", 1).await.is_empty());
    jobs.in_seconds(1);
    assert_eq!(ids(&jobs.claim("w", 1).await), ["j"]);
}

async fn a_job_that_has_ended_goes_after_its_days(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    for id in ["old", "new", "kept"] {
        jobs.create(json!({"id": id})).await;
    }
    jobs.call("jobs/old:cancel").await.assert_status(200);
    jobs.in_seconds(60);
    jobs.call("jobs/new:cancel").await.assert_status(200);
    jobs.in_seconds(2 * 86_400 - 60);
    assert_eq!(jobs.maintain().await["deleted"], 1);
    let page = jobs.get("jobs").await;
    assert_eq!(ids(page["items"].as_array().unwrap()), ["new", "kept"]);
}

async fn more_than_a_batch_is_due_at_once(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    jobs.create_many(1_000, &json!({})).await;
    assert_eq!(jobs.claim("w", 1_000).await.len(), 1_000);
    jobs.in_seconds(60);
    assert_eq!(jobs.maintain().await["lost"], 1_000);
    jobs.in_seconds(5);
    assert_eq!(jobs.maintain().await["queued"], 1_000);
    assert_eq!(jobs.get("stats").await["queue_length"], 1_000);
}

async fn the_gateway_does_it_by_itself(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "gpu", "parameters": {"hwaccel": "cuda"}})).await;
    jobs.create(json!({"id": "j"})).await;
    jobs.claim_by(&json!({"worker_id": "w", "lease_seconds": 1})).await;
    let claim = json!({"worker_id": "w", "wait_seconds": 30});
    // The lease ends after a second, the retry is due after five more, and a claim that waits has it.
    let again: Vec<Value> = jobs.claim_by(&claim).await;
    assert_eq!((ids(&again), &again[0]["attempt"]), (vec!["j".to_owned()], &json!(2)));
    assert_eq!(jobs.status("gpu").await, "rejected");
    until(|| gateway.under_way().1 == 0).await;
}
