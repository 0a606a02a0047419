//! Who gets which job: the order, what workers can run, and nobody the same as another.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Jobs, exact, ids, send_to, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    jobs_come_in_the_order_of_queues_and_priorities with exact,
    waiting_raises_a_job_by_a_priority_in_five_minutes with exact,
    a_worker_gets_what_it_can_run_and_no_more with exact,
    a_gpu_job_at_the_head_blocks_nobody with exact,
    a_claim_may_name_queues with exact,
    a_paused_queue_gives_no_jobs with exact,
    a_claim_says_why_it_can_have_none with exact,
    ten_workers_claim_each_job_once with exact,
    a_hundred_workers_claim_each_job_once with exact,
    a_thousand_workers_claim_each_job_once with exact,
}

async fn jobs_come_in_the_order_of_queues_and_priorities(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    let mut expected = Vec::new();
    for queue in ["live", "default", "video", "batch"] {
        for priority in ["high", "medium", "low"] {
            expected.push(format!("{queue}-{priority}"));
        }
    }
    // Made in the order of the alphabet, which is neither.
    let mut made = expected.clone();
    made.sort();
    for name in &made {
        let (queue, priority) = name.split_once('-').unwrap();
        jobs.create(json!({"id": name, "queue": queue, "priority": priority})).await;
    }
    // A queue of another name is like the default one: by priority, then by who came first.
    let by_turns = [
        "live-high",
        "live-medium",
        "live-low",
        "default-high",
        "video-high",
        "default-medium",
        "video-medium",
        "default-low",
        "video-low",
        "batch-high",
        "batch-medium",
        "batch-low",
    ];
    let mut claimed = Vec::new();
    while let [job] = jobs.claim("w", 1).await.as_slice() {
        claimed.push(text(&job["id"]));
    }
    assert_eq!(claimed, by_turns);
}

async fn waiting_raises_a_job_by_a_priority_in_five_minutes(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    gateway.storage().freeze_clock(gateway.storage().now());
    jobs.worker("w").await;
    // Each pair: what came first, what came later, how many seconds later, and who is first.
    let cases = [
        (("default", "low"), ("default", "medium"), 299, 2),
        (("default", "low"), ("default", "medium"), 301, 1),
        (("default", "low"), ("default", "high"), 599, 2),
        (("default", "low"), ("default", "high"), 601, 1),
        (("batch", "low"), ("live", "high"), 92 * 300 - 1, 2),
        (("batch", "low"), ("live", "high"), 92 * 300 + 1, 1),
    ];
    for (number, ((queue, priority), (other_queue, other_priority), seconds, first)) in
        cases.into_iter().enumerate()
    {
        let id = |which: u32| format!("{number}-{which}");
        jobs.create(json!({"id": id(1), "queue": queue, "priority": priority})).await;
        jobs.in_seconds(seconds);
        let later = json!({"id": id(2), "queue": other_queue, "priority": other_priority});
        jobs.create(later).await;
        jobs.post("workers/w:heartbeat", &json!({})).await.assert_status(200);
        assert_eq!(ids(&jobs.claim("w", 2).await), [id(first), id(3 - first)], "case {number}");
    }
}

async fn a_worker_gets_what_it_can_run_and_no_more(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let gib = |n: u64| n << 30;
    jobs.worker_with("small", json!({"cpu_threads": 2, "ram_total_bytes": gib(2)})).await;
    jobs.worker_with("large", json!({"cpu_threads": 32, "ram_total_bytes": gib(64)})).await;
    jobs.worker_with("gpu", json!({"has_gpu": true, "ram_free_bytes": gib(1)})).await;
    let cases: [(Value, &[&str]); 11] = [
        (json!({}), &["small", "large", "gpu"]),
        (json!({"threads": 2}), &["small", "large", "gpu"]),
        (json!({"threads": 3}), &["large", "gpu"]),
        (json!({"threads": 33}), &[]),
        (json!({"memory_mb": 2_048}), &["small", "large"]),
        (json!({"memory_mb": 2_049}), &["large"]),
        (json!({"codec": "h264_nvenc"}), &["gpu"]),
        (json!({"codec": "hevc_qsv"}), &["gpu"]),
        (json!({"hwaccel": "vaapi"}), &["gpu"]),
        (json!({"hwaccel": "none"}), &["small", "large", "gpu"]),
        (json!({"codec": "h264_nvenc", "threads": 9}), &[]),
    ];
    for (parameters, able) in cases {
        for worker in ["small", "large", "gpu"] {
            let id = text(&jobs.create(json!({"parameters": parameters})).await["id"]);
            let claimed = ids(&jobs.claim(worker, 1).await);
            let expected: &[String] =
                if able.contains(&worker) { std::slice::from_ref(&id) } else { &[] };
            assert_eq!(claimed, expected, "{worker}, {parameters}");
            jobs.call(&format!("jobs/{id}:cancel")).await.assert_status(200);
        }
    }
    // With less memory left, it gets less.
    let free = json!({"ram_free_bytes": gib(1)});
    jobs.post("workers/large:heartbeat", &free).await.assert_status(200);
    jobs.create(json!({"parameters": {"memory_mb": 1_025}})).await;
    assert!(jobs.claim("large", 1).await.is_empty());
}

async fn a_gpu_job_at_the_head_blocks_nobody(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("cpu").await;
    jobs.worker_with("gpu", json!({"has_gpu": true})).await;
    let gpu = json!({"queue": "live", "priority": "high", "parameters": {"hwaccel": "cuda"}});
    jobs.create_many(500, &gpu).await;
    jobs.create(json!({"id": "plain", "queue": "batch"})).await;
    assert_eq!(ids(&jobs.claim("cpu", 10).await), ["plain"]);
    assert_eq!(jobs.claim("gpu", 10).await.len(), 10);
}

async fn a_claim_may_name_queues(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for queue in ["live", "default", "batch"] {
        jobs.create(json!({"id": queue, "queue": queue})).await;
    }
    let claim = json!({"worker_id": "w", "max": 5, "queues": ["batch", "default", "none"]});
    assert_eq!(ids(&jobs.claim_by(&claim).await), ["default", "batch"]);
}

async fn a_paused_queue_gives_no_jobs(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "l", "queue": "live"})).await;
    jobs.create(json!({"id": "d"})).await;
    jobs.call("queues/live:pause").await.assert_status(200);
    assert_eq!(ids(&jobs.claim("w", 5).await), ["d"]);
    let queues = jobs.get("queues").await;
    assert_eq!(
        (&queues["items"][0]["queue"], &queues["items"][0]["paused"]),
        (&json!("live"), &json!(true))
    );
    assert_eq!(queues["items"][0]["depth"], 1);
    jobs.call("queues/live:resume").await.assert_status(200);
    assert_eq!(ids(&jobs.claim("w", 5).await), ["l"]);
}

async fn a_claim_says_why_it_can_have_none(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let claim = |worker: &str| json!({"worker_id": worker});
    jobs.post("jobs:claim", &claim("none")).await.assert_problem(404, "not-found");
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    jobs.in_seconds(91);
    jobs.maintain().await;
    jobs.post("jobs:claim", &claim("w")).await.assert_problem(409, "worker-offline");
    jobs.post("workers/w:heartbeat", &json!({})).await.assert_status(200);
    assert_eq!(ids(&jobs.claim("w", 1).await), ["j"]);
    for wrong in [
        json!({}),
        json!({"worker_id": "w", "max": 0}),
        json!({"worker_id": "w", "max": 1_001}),
        json!({"worker_id": "w", "lease_seconds": 0.5}),
        json!({"worker_id": "w", "wait_seconds": 31}),
        json!({"worker_id": "w", "queues": []}),
    ] {
        jobs.post("jobs:claim", &wrong).await.assert_problem(422, "schema-mismatch");
    }
}

/// How many jobs there are for them: enough for each to come several times.
const JOBS: usize = 10_000;

/// Each worker claims until there is nothing left, a few at a time.
async fn claim_all(gateway: &TestGateway, workers: usize, at_a_time: usize) {
    let jobs = Jobs::of(gateway);
    for worker in 0..workers {
        jobs.worker(&format!("w{worker}")).await;
    }
    jobs.create_many(JOBS, &json!({})).await;
    let address = gateway.address;
    // More at once would be more connections than a process may open.
    let places = Arc::new(tokio::sync::Semaphore::new(100));
    let mut tasks = JoinSet::new();
    for worker in 0..workers {
        let places = Arc::clone(&places);
        tasks.spawn(async move {
            let claim = json!({"worker_id": format!("w{worker}"), "max": at_a_time});
            let mut claims: Vec<Vec<Value>> = Vec::new();
            loop {
                let place = places.acquire().await.unwrap();
                let answer = send_to(address, "jobs:claim", &claim).await.assert_status(200);
                drop(place);
                match answer.json()["jobs"].as_array().unwrap() {
                    none if none.is_empty() => return claims,
                    some => claims.push(some.clone()),
                }
            }
        });
    }
    let mut numbers: Vec<u64> = Vec::new();
    while let Some(claims) = tasks.join_next().await {
        for claim in claims.unwrap() {
            let in_it: Vec<u64> =
                claim.iter().map(|job| job["sequence_number"].as_u64().unwrap()).collect();
            assert!(in_it.is_sorted(), "{in_it:?}");
            numbers.extend(in_it);
        }
    }
    let different: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!((numbers.len(), different.len()), (JOBS, JOBS), "each once, and none left");
    assert_eq!(jobs.get("stats").await["by_state"]["assigned"], JOBS);
}

async fn ten_workers_claim_each_job_once(gateway: &TestGateway) {
    claim_all(gateway, 10, 20).await;
}

async fn a_hundred_workers_claim_each_job_once(gateway: &TestGateway) {
    claim_all(gateway, 100, 10).await;
}

async fn a_thousand_workers_claim_each_job_once(gateway: &TestGateway) {
    claim_all(gateway, 1_000, 10).await;
}
