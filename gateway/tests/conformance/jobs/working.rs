//! What workers say of the jobs that they have, one by one and in batches.

use serde_json::{Value, json};

use super::{Jobs, exact};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    each_verb_takes_the_right_token_alone with exact,
    a_heartbeat_extends_the_lease with exact,
    what_a_worker_says_is_kept with exact,
    a_failure_is_retried_or_not with exact,
    batches_have_a_result_for_each with exact,
    what_is_too_large_is_refused with exact,
    only_a_job_that_has_ended_is_deleted with exact,
}

const VERBS: [&str; 4] = ["start", "heartbeat", "complete", "fail"];

async fn each_verb_takes_the_right_token_alone(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for verb in VERBS {
        jobs.create(json!({"id": verb, "max_retries": 0})).await;
        jobs.claim("w", 1).await;
        let path = format!("jobs/{verb}:{verb}");
        for stale in [0, 2] {
            let refused = jobs.post(&path, &json!({"token": stale})).await;
            assert_eq!(refused.assert_problem(409, "lease-lost")["token"], stale, "{verb}");
        }
        jobs.post(&path, &json!({})).await.assert_problem(422, "schema-mismatch");
        jobs.post(&path, &json!({"token": "1"})).await.assert_problem(422, "schema-mismatch");
        assert_eq!(jobs.way(verb).await, ["queued", "assigned"], "{verb}");
        let outcome = jobs.post(&path, &json!({"token": 1})).await.assert_status(200).json();
        assert_eq!(outcome["changed"], true, "{verb}");
        jobs.post(&format!("jobs/none:{verb}"), &json!({"token": 1}))
            .await
            .assert_problem(404, "not-found");
    }
    let token = json!({"to": "canceled", "token": 7});
    jobs.post("jobs/start:transition", &token).await.assert_problem(409, "lease-lost");
    let token = json!({"to": "canceled", "token": 1});
    jobs.post("jobs/start:transition", &token).await.assert_status(200);
}

async fn a_heartbeat_extends_the_lease(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    let claim = json!({"worker_id": "w", "lease_seconds": 7});
    let job = &jobs.claim_by(&claim).await[0];
    assert_eq!(job["lease"], json!({"token": 1, "expires_at": "2026-11-26T20:00:07.000Z"}));
    jobs.in_seconds(5);
    let outcome = jobs.post("jobs/j:heartbeat", &json!({"token": 1})).await.json();
    assert_eq!(outcome["lease"]["expires_at"], "2026-11-26T20:00:12.000Z");
    jobs.in_seconds(6);
    jobs.maintain().await;
    let outcome = jobs.post("jobs/j:start", &json!({"token": 1})).await.json();
    assert_eq!(outcome["lease"]["expires_at"], "2026-11-26T20:00:18.000Z");
    jobs.in_seconds(7);
    jobs.maintain().await;
    jobs.post("jobs/j:heartbeat", &json!({"token": 1})).await.assert_problem(409, "lease-lost");
}

async fn what_a_worker_says_is_kept(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j", "parameters": {"codec": "libx264"}})).await;
    jobs.claim("w", 1).await;
    let said = json!({"token": 1, "progress": 40.5, "logs": "frame 1"});
    jobs.post("jobs/j:heartbeat", &said).await.assert_status(200);
    assert_eq!(jobs.get("jobs/j").await["progress"], 40.5);
    let said = json!({"token": 1, "logs": "done", "result": {"bytes": 7}});
    jobs.post("jobs/j:complete", &said).await.assert_status(200);
    let job = jobs.get("jobs/j").await;
    assert_eq!((&job["progress"], &job["result"]), (&json!(100.0), &json!({"bytes": 7})));
    assert_eq!((&job["worker_id"], &job["lease"]), (&json!("w"), &json!(null)));
    assert_eq!(job["parameters"], json!({"codec": "libx264"}));
    let logs = jobs.get("jobs/j/logs").await;
    let said: Vec<&Value> =
        logs["items"].as_array().unwrap().iter().map(|entry| &entry["text"]).collect();
    assert_eq!(said, ["frame 1", "done"]);
    // The same again is the same answer, and changes nothing.
    let again = json!({"token": 1, "result": {"bytes": 8}});
    let outcome = jobs.post("jobs/j:complete", &again).await.assert_status(200).json();
    assert_eq!(outcome["changed"], false);
    assert_eq!(jobs.get("jobs/j").await, job);
}

async fn a_failure_is_retried_or_not(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    let cases = [
        (json!({}), "retrying"),
        (json!({"error": "exit 1", "failure_reason": "network_error"}), "retrying"),
        (json!({"failure_reason": "input_error"}), "retrying"),
        (json!({"failure_reason": "capability_mismatch"}), "failed"),
        (json!({"error": "this is non-retryable"}), "failed"),
    ];
    for (number, (said, expected)) in cases.into_iter().enumerate() {
        let id = format!("j{number}");
        jobs.create(json!({"id": id})).await;
        jobs.claim("w", 1).await;
        let mut body = said.clone();
        body["token"] = json!(1);
        let outcome = jobs.post(&format!("jobs/{id}:fail"), &body).await.json();
        assert_eq!(outcome["status"], expected, "{said}");
        assert_eq!(outcome["run_at"].is_string(), expected == "retrying");
        let job = jobs.get(&format!("jobs/{id}")).await;
        let reason = said.get("failure_reason").cloned().unwrap_or(json!("runtime_error"));
        assert_eq!(job["failure_reason"], reason);
        assert_eq!(job["error"], *said.get("error").unwrap_or(&json!(null)));
    }
    jobs.create(json!({"id": "none", "max_retries": 0})).await;
    jobs.claim("w", 1).await;
    let outcome = jobs.post("jobs/none:fail", &json!({"token": 1})).await.json();
    assert_eq!(outcome["status"], "failed");
}

async fn batches_have_a_result_for_each(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    for id in ["a", "b", "c"] {
        jobs.create(json!({"id": id})).await;
    }
    assert_eq!(jobs.claim("w", 10).await.len(), 3);
    let batch = json!({"jobs": [
        {"id": "a", "token": 1}, {"id": "b", "token": 9}, {"id": "x", "token": 1},
        {"id": "c", "token": 1}, {"id": "a", "token": 1},
    ]});
    for (verb, status) in
        [("start", "running"), ("heartbeat", "running"), ("complete", "completed")]
    {
        let answer = jobs.post(&format!("jobs:{verb}"), &batch).await.assert_status(200).json();
        let results = answer["jobs"].as_array().unwrap();
        let shown: Vec<&Value> = results
            .iter()
            .map(|result| result.get("status").unwrap_or(&result["problem"]["code"]))
            .collect();
        assert_eq!(shown, [status, "lease-lost", "not-found", status, "duplicate-id"], "{verb}");
        assert_eq!(jobs.status("b").await, "assigned");
        assert_eq!(jobs.status("c").await, status);
    }
    let too_many: Vec<Value> = (0..101).map(|n| json!({"id": n.to_string(), "token": 1})).collect();
    let refused = jobs.post("jobs:complete", &json!({"jobs": too_many})).await;
    refused.assert_problem(422, "schema-mismatch");
}

async fn what_is_too_large_is_refused(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    let large = json!({"text": "x".repeat(512 << 10)});
    let refused = jobs.post("jobs", &json!({"parameters": large})).await;
    assert_eq!(refused.assert_problem(422, "too-large")["pointer"], "/parameters");
    let batch = json!({"jobs": [{}, {"parameters": large}]});
    let refused = jobs.post("jobs:batchCreate", &batch).await;
    assert_eq!(refused.assert_problem(422, "too-large")["pointer"], "/jobs/1/parameters");
    jobs.create(json!({"id": "j"})).await;
    jobs.claim("w", 1).await;
    let refused = jobs.post("jobs/j:complete", &json!({"token": 1, "result": large})).await;
    assert_eq!(refused.assert_problem(422, "too-large")["pointer"], "/result");
    for (body, code) in [
        (json!({"max_retries": 101}), "schema-mismatch"),
        (json!({"priority": "urgent"}), "schema-mismatch"),
        (json!({"queue": ""}), "schema-mismatch"),
    ] {
        jobs.post("jobs", &body).await.assert_problem(422, code);
    }
    jobs.post("jobs", &json!({"prio": 1})).await.assert_problem(400, "unknown-member");
}

async fn only_a_job_that_has_ended_is_deleted(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.create(json!({"id": "j"})).await;
    let refused = jobs.delete("jobs/j").await;
    assert_eq!(refused.assert_problem(409, "not-ended")["state"], "queued");
    jobs.call("jobs/j:cancel").await.assert_status(200);
    jobs.delete("jobs/j").await.assert_status(204);
    jobs.delete("jobs/j").await.assert_problem(404, "not-found");
}
