//! Quotas: each is hit, holds under many at once, and makes room again. Statistics agree with a
//! full count after all of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};

use super::{Jobs, ids, set, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    no_more_jobs_are_queued_than_may_be with ten_queued,
    no_more_jobs_run_than_may with seven_running,
    no_more_jobs_are_created_in_an_hour_than_may_be with twenty_an_hour,
    statistics_agree_with_a_full_count with seven_running,
}

fn ten_queued(config: &mut Config) {
    set(config, json!({"max_queued": 10}));
}

fn seven_running(config: &mut Config) {
    set(config, json!({"max_running": 7}));
}

fn twenty_an_hour(config: &mut Config) {
    set(config, json!({"max_jobs_per_hour": 20}));
}

fn created(answers: &[crate::harness::Answer], limit: &str) -> usize {
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        let problem = answer.assert_problem(429, "quota-exceeded");
        assert_eq!((&problem["limit"], &problem["retryable"]), (&json!(limit), &json!(true)));
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    answers.iter().filter(|answer| answer.status == 201).count()
}

async fn no_more_jobs_are_queued_than_may_be(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let body = json!({});
    let answers = join_all((0..100).map(|_| jobs.post("jobs", &body))).await;
    assert_eq!(created(&answers, "max_queued"), 10);
    let batch = json!({"jobs": [{}, {}]});
    jobs.worker("w").await;
    let claimed = jobs.claim("w", 1).await;
    jobs.post("jobs:batchCreate", &batch).await.assert_problem(429, "quota-exceeded");
    jobs.create(json!({})).await;
    // What was let in before comes back, whatever the quota.
    let path = format!("jobs/{}:fail", text(&claimed[0]["id"]));
    jobs.post(&path, &json!({"token": 1})).await.assert_status(200);
    jobs.in_seconds(5);
    assert_eq!(jobs.maintain().await["queued"], 1);
    assert_eq!(jobs.get("stats").await["queue_length"], 11);
    // Numbers were given for what was created alone.
    assert_eq!(jobs.get("jobs?order=-created_at").await["items"][0]["sequence_number"], 11);
}

async fn no_more_jobs_run_than_may(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.create_many(200, &json!({})).await;
    let claim = async |worker: usize| {
        let worker = format!("w{worker}");
        jobs.worker(&worker).await;
        jobs.claim(&worker, 1 + worker.len() % 3).await
    };
    let claimed: Vec<Value> = join_all((0..100).map(claim)).await.concat();
    // One that met others at the quota may have got none, but there are never more.
    assert!(claimed.len() <= 7, "{}", claimed.len());
    let more = jobs.claim("w0", 100).await;
    assert_eq!(claimed.len() + more.len(), 7);
    assert!(jobs.claim("w1", 100).await.is_empty());
    let queued = jobs.get("jobs?status=queued&limit=1").await;
    let id = text(&queued["items"][0]["id"]);
    let refused = jobs.post(&format!("jobs/{id}:transition"), &json!({"to": "assigned"})).await;
    assert_eq!(refused.assert_problem(429, "quota-exceeded")["limit"], "max_running");
    let id = ids(&more).into_iter().chain(ids(&claimed)).next().unwrap();
    jobs.post(&format!("jobs/{id}:complete"), &json!({"token": 1})).await.assert_status(200);
    assert_eq!(jobs.claim("w1", 100).await.len(), 1);
}

async fn no_more_jobs_are_created_in_an_hour_than_may_be(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:10:00Z
    gateway.storage().freeze_clock(1_795_723_800_000_000);
    let body = json!({});
    let answers = join_all((0..100).map(|_| jobs.post("jobs", &body))).await;
    assert_eq!(created(&answers, "max_jobs_per_hour"), 20);
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(refused.header("retry-after"), Some("3001"));
    jobs.in_seconds(50 * 60);
    jobs.create(json!({})).await;
}

/// By reading each job.
async fn counted(jobs: &Jobs<'_>, member: &str) -> BTreeMap<String, u64> {
    let page = jobs.get("jobs?limit=1000").await;
    assert_eq!(page["next_cursor"], json!(null));
    let mut counts = BTreeMap::new();
    for job in page["items"].as_array().unwrap() {
        *counts.entry(text(&job[member])).or_default() += 1;
    }
    counts
}

async fn statistics_agree_with_a_full_count(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    let empty = jobs.get("stats").await;
    assert_eq!((&empty["total"], &empty["avg_duration_s"]), (&json!(0), &json!(null)));
    assert_eq!(empty["oldest_queued_s"], json!(null));
    let new = |number: usize| {
        let queue = ["live", "default", "batch", "other"][number % 4];
        let priority = ["high", "medium", "low"][number % 3];
        let engine = ["auto", "ffmpeg", "blender"][number % 3];
        json!({"queue": queue, "priority": priority, "engine": engine, "max_retries": number % 2})
    };
    let made = join_all((0..60).map(|number| jobs.create(new(number)))).await;
    for job in &made[..9] {
        let verb =
            ["cancel", "pause", "cancel"][job["sequence_number"].as_u64().unwrap() as usize % 3];
        jobs.call(&format!("jobs/{}:{verb}", text(&job["id"]))).await.assert_status(200);
    }
    // Seven run at once, so that each of the three verbs is heard.
    let claimed = AtomicUsize::new(0);
    let work = async |worker: usize| {
        let worker = format!("w{worker}");
        jobs.worker(&worker).await;
        for job in jobs.claim(&worker, 2).await {
            let id = text(&job["id"]);
            jobs.post(&format!("jobs/{id}:start"), &json!({"token": 1})).await.assert_status(200);
            let place = claimed.fetch_add(1, Ordering::Relaxed);
            let verb = ["complete", "fail", "heartbeat"][place % 3];
            jobs.post(&format!("jobs/{id}:{verb}"), &json!({"token": 1})).await.assert_status(200);
        }
    };
    join_all((0..8).map(work)).await;
    jobs.worker("idle").await;
    jobs.in_seconds(20);
    let stats = jobs.get("stats").await;
    let shown = |name: &str| -> BTreeMap<String, u64> {
        let counts = stats[name].as_object().unwrap().iter();
        counts
            .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
            .filter(|(_, count)| *count > 0)
            .collect()
    };
    let by_state = counted(&jobs, "status").await;
    assert_eq!(shown("by_state"), by_state);
    assert_eq!(shown("by_queue"), counted(&jobs, "queue").await);
    assert_eq!(shown("by_priority"), counted(&jobs, "priority").await);
    assert_eq!(shown("by_engine"), counted(&jobs, "engine").await);
    let of = |state: &str| by_state.get(state).copied().unwrap_or_default();
    assert_eq!(stats["total"], 60);
    assert_eq!(stats["active"], of("assigned") + of("running"));
    assert_eq!(stats["queue_length"], of("queued"));
    assert_eq!(stats["oldest_queued_s"], 20.0);
    assert!(of("completed") > 0 && stats["avg_duration_s"] == 0.0, "{stats}");
    let workers = &stats["workers"];
    assert_eq!((&workers["total"], &workers["offline"]), (&json!(9), &json!(0)));
    let page = jobs.get("workers?limit=100").await;
    let busy = page["items"].as_array().unwrap().iter().filter(|one| one["status"] == "busy");
    assert_eq!(workers["busy"], busy.count());
    let queues = jobs.get("queues").await;
    let depth: u64 = queues["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|queue| queue["depth"].as_u64().unwrap())
        .sum();
    assert_eq!(depth, of("queued"));
}
