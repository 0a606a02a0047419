//! Workers: they register, renew, live, are listed and go.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Jobs, exact, ids, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_worker_registers_and_renews with exact,
    a_worker_that_renews_loses_what_it_ran with exact,
    an_address_belongs_to_one_worker with exact,
    workers_are_listed_with_what_they_have with exact,
    a_busy_worker_is_not_deleted with exact,
    what_a_worker_says_of_itself_is_checked with exact,
}

async fn a_worker_registers_and_renews(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    let about = json!({
        "id": "w", "name": "one", "address": "10.0.0.1:9", "type": "laptop", "cpu_threads": 4,
        "cpu_model": "c", "has_gpu": true, "gpu_type": "g", "gpu_capabilities": ["nvenc"],
        "ram_total_bytes": 1_000, "ram_free_bytes": 500, "labels": {"zone": "a"},
    });
    let worker = jobs.post("workers", &about).await.assert_status(201).json();
    for (name, value) in about.as_object().unwrap() {
        assert_eq!(&worker[name], value, "{name}");
    }
    let now = "2026-11-26T20:00:00.000Z";
    assert_eq!(
        (&worker["registered_at"], &worker["last_heartbeat_at"]),
        (&json!(now), &json!(now))
    );
    assert_eq!((&worker["status"], &worker["current_jobs"]), (&json!("available"), &json!(0)));
    jobs.in_seconds(60);
    let about = json!({"name": "two", "address": "10.0.0.1:9", "cpu_threads": 2});
    let worker = jobs.post("workers", &about).await.assert_status(200).json();
    let shown = ["id", "name", "type", "registered_at", "last_heartbeat_at"];
    let expected = ["w", "two", "server", now, "2026-11-26T20:01:00.000Z"];
    assert_eq!(shown.map(|name| text(&worker[name])), expected);
    jobs.in_seconds(60);
    let beat = json!({"ram_free_bytes": 7});
    let worker = jobs.post("workers/w:heartbeat", &beat).await.assert_status(200).json();
    assert_eq!(worker["ram_free_bytes"], 7);
    assert_eq!(worker["last_heartbeat_at"], "2026-11-26T20:02:00.000Z");
    jobs.post("workers/x:heartbeat", &json!({})).await.assert_problem(404, "not-found");
}

async fn a_worker_that_renews_loses_what_it_ran(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create_many(3, &json!({})).await;
    let held = ids(&jobs.claim("w", 2).await);
    let about = json!({"name": "w", "address": "w:1", "cpu_threads": 8});
    jobs.post("workers", &about).await.assert_status(200);
    for id in &held {
        assert_eq!(jobs.get(&format!("jobs/{id}")).await["retry_reason"], "worker_died");
        let late = jobs.post(&format!("jobs/{id}:complete"), &json!({"token": 1})).await;
        late.assert_problem(409, "lease-lost");
    }
    assert_eq!(jobs.get("stats").await["by_state"]["retrying"], 2);
    assert_eq!(jobs.claim("w", 2).await.len(), 1);
}

async fn an_address_belongs_to_one_worker(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let about = json!({"name": "w", "address": "a", "cpu_threads": 1});
    let answers = join_all((0..10).map(|_| jobs.post("workers", &about))).await;
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
    assert_eq!((new, jobs.get("workers?total=true").await["total"].clone()), (1, json!(1)));
    let id = text(&answers[0].json()["id"]);
    let other = json!({"id": id, "name": "w", "address": "b", "cpu_threads": 1});
    jobs.post("workers", &other).await.assert_problem(409, "already-exists");
}

async fn workers_are_listed_with_what_they_have(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    for worker in ["a", "b", "c"] {
        jobs.worker(worker).await;
    }
    jobs.create_many(3, &json!({})).await;
    let mut held = ids(&jobs.claim("b", 2).await);
    held.sort();
    let list = async |query: &str| -> Vec<(String, String, Value)> {
        let page = jobs.get(&format!("workers{query}")).await;
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|one| (text(&one["id"]), text(&one["status"]), one["current_jobs"].clone()))
            .collect()
    };
    let row = |id: &str, status: &str, jobs: u64| (id.to_owned(), status.to_owned(), json!(jobs));
    let expected = [row("a", "available", 0), row("b", "busy", 2), row("c", "available", 0)];
    assert_eq!(list("").await, expected);
    let worker = jobs.get("workers/b").await;
    assert_eq!(worker["jobs"], json!(held));
    jobs.in_seconds(60);
    jobs.post("workers/b:heartbeat", &json!({})).await.assert_status(200);
    jobs.in_seconds(31);
    jobs.maintain().await;
    assert_eq!(list("?offline=true").await, [row("a", "offline", 0), row("c", "offline", 0)]);
    assert_eq!(list("?offline=false").await.len(), 1);
}

async fn a_busy_worker_is_not_deleted(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    jobs.claim("w", 1).await;
    let refused = jobs.delete("workers/w").await;
    assert_eq!(refused.assert_problem(409, "worker-busy")["current_jobs"], 1);
    jobs.post("jobs/j:complete", &json!({"token": 1})).await.assert_status(200);
    jobs.delete("workers/w").await.assert_status(204);
    jobs.delete("workers/w").await.assert_problem(404, "not-found");
}

async fn what_a_worker_says_of_itself_is_checked(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    for wrong in [
        json!({"name": "w", "address": "a"}),
        json!({"name": "w", "cpu_threads": 1}),
        json!({"name": "w", "address": "a", "cpu_threads": 0}),
        json!({"name": "w", "address": "a", "cpu_threads": 1, "type": "phone"}),
        json!({"name": "w", "address": "a", "cpu_threads": 1, "ram_total_bytes": -1}),
    ] {
        jobs.post("workers", &wrong).await.assert_problem(422, "schema-mismatch");
    }
    let unknown = json!({"name": "w", "address": "a", "cpu_threads": 1, "gpu": true});
    jobs.post("workers", &unknown).await.assert_problem(400, "unknown-member");
}
