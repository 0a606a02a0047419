//! The table of states: what follows what, and what stands in the log.

use serde_json::{Value, json};

use super::{Jobs, exact, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    each_of_the_100_pairs_is_as_the_table_says with exact,
    the_old_names_mean_queued_and_running with exact,
    a_state_that_is_there_is_no_change with exact,
    completing_from_assigned_is_written_as_two_steps with exact,
    the_log_says_who_and_why with exact,
    operators_pause_resume_cancel_and_retry with exact,
    a_job_cannot_go_round_for_ever with exact,
}

/// Each state, the way to it from where a job begins, and what may follow.
const TABLE: [(&str, &[&str], &[&str]); 10] = [
    ("queued", &[], &["assigned", "canceled", "retrying", "rejected", "paused"]),
    (
        "assigned",
        &["assigned"],
        &["running", "retrying", "failed", "canceled", "timed_out", "paused"],
    ),
    ("paused", &["paused"], &["queued", "canceled"]),
    (
        "running",
        &["assigned", "running"],
        &["completed", "failed", "timed_out", "retrying", "canceled"],
    ),
    ("retrying", &["retrying"], &["queued", "failed", "canceled"]),
    ("timed_out", &["assigned", "timed_out"], &["retrying", "failed"]),
    ("completed", &["assigned", "running", "completed"], &[]),
    ("failed", &["assigned", "failed"], &[]),
    ("canceled", &["canceled"], &[]),
    ("rejected", &["rejected"], &[]),
];

async fn in_state(jobs: &Jobs<'_>, way: &[&str]) -> String {
    let id = text(&jobs.create(json!({})).await["id"]);
    for state in way {
        to(jobs, &id, state).await.assert_status(200);
    }
    id
}

async fn to(jobs: &Jobs<'_>, id: &str, state: &str) -> crate::harness::Answer {
    jobs.post(&format!("jobs/{id}:transition"), &json!({"to": state, "reason": "test"})).await
}

async fn each_of_the_100_pairs_is_as_the_table_says(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    for (from, way, next) in TABLE {
        for (other, ..) in TABLE {
            let id = in_state(&jobs, way).await;
            let before = jobs.way(&id).await;
            let answer = to(&jobs, &id, other).await;
            if from == other {
                assert_eq!(answer.assert_status(200).json()["changed"], false, "{from}");
                assert_eq!(jobs.way(&id).await, before);
            } else if next.contains(&other) {
                let outcome = answer.assert_status(200).json();
                assert_eq!(outcome["changed"], true, "{from} to {other}");
                assert_eq!(outcome["status"], other);
                assert_eq!(jobs.way(&id).await, [before, vec![other.to_owned()]].concat());
            } else {
                let problem = answer.assert_problem(409, "invalid-transition");
                assert_eq!((&problem["from"], &problem["to"]), (&json!(from), &json!(other)));
                assert_eq!(jobs.way(&id).await, before);
                assert_eq!(jobs.status(&id).await, from);
            }
        }
    }
}

async fn the_old_names_mean_queued_and_running(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    let id = in_state(&jobs, &["paused"]).await;
    assert_eq!(to(&jobs, &id, "pending").await.assert_status(200).json()["status"], "queued");
    to(&jobs, &id, "assigned").await.assert_status(200);
    assert_eq!(to(&jobs, &id, "processing").await.assert_status(200).json()["status"], "running");
    for name in ["processing", "running"] {
        let page = jobs.get(&format!("jobs?status={name}")).await;
        assert_eq!(page["items"][0]["status"], "running", "{name}");
    }
    let page = jobs.get("jobs?status=pending&total=true").await;
    assert_eq!(page["total"], 0);
    to(&jobs, &id, "done").await.assert_problem(422, "schema-mismatch");
}

async fn a_state_that_is_there_is_no_change(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    for (verb, way) in [("pause", &["paused"][..]), ("resume", &[]), ("cancel", &["canceled"])] {
        let id = in_state(&jobs, way).await;
        let before = jobs.get(&format!("jobs/{id}")).await;
        let outcome = jobs.call(&format!("jobs/{id}:{verb}")).await.assert_status(200).json();
        assert_eq!(outcome["changed"], false, "{verb}");
        assert_eq!(jobs.get(&format!("jobs/{id}")).await, before);
    }
}

async fn completing_from_assigned_is_written_as_two_steps(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    assert_eq!(jobs.claim("w", 1).await[0]["lease"]["token"], 1);
    jobs.post("jobs/j:complete", &json!({"token": 1})).await.assert_status(200);
    assert_eq!(jobs.way("j").await, ["queued", "assigned", "running", "completed"]);
}

async fn the_log_says_who_and_why(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    jobs.in_seconds(1);
    jobs.claim("w", 1).await;
    jobs.in_seconds(1);
    let fail = json!({"token": 1, "error": "exit 1"});
    jobs.post("jobs/j:fail", &fail).await.assert_status(200);
    let log = jobs.get("jobs/j/transitions").await;
    let entry = |seq: u32, from: Value, to: &str, second: u32, reason: &str, worker: Value| {
        json!({
            "job_id": "j", "seq": seq, "from": from, "to": to, "reason": reason,
            "at": format!("2026-11-26T20:00:0{second}.000Z"), "worker_id": worker,
            "attempt": u32::from(seq > 1),
        })
    };
    let expected = json!([
        entry(1, json!(null), "queued", 0, "created", json!(null)),
        entry(2, json!("queued"), "assigned", 1, "claimed", json!("w")),
        entry(3, json!("assigned"), "retrying", 2, "exit 1", json!("w")),
    ]);
    assert_eq!(log["items"], expected);
}

async fn operators_pause_resume_cancel_and_retry(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.worker("w").await;
    jobs.create(json!({"id": "j"})).await;
    jobs.claim("w", 1).await;
    let verb = async |verb: &str| jobs.call(&format!("jobs/j:{verb}")).await;
    verb("pause").await.assert_status(200);
    // It was taken from its worker, who cannot speak for it any more.
    jobs.post("jobs/j:start", &json!({"token": 1})).await.assert_problem(409, "lease-lost");
    assert!(jobs.claim("w", 1).await.is_empty());
    verb("retry").await.assert_problem(409, "invalid-transition");
    verb("resume").await.assert_status(200);
    assert_eq!(jobs.claim("w", 1).await[0]["lease"]["token"], 2);
    verb("resume").await.assert_problem(409, "invalid-transition");
    verb("cancel").await.assert_status(200);
    verb("pause").await.assert_problem(409, "invalid-transition");
    let outcome = verb("retry").await.assert_status(200).json();
    assert_eq!((&outcome["status"], &outcome["changed"]), (&json!("queued"), &json!(true)));
    let way = jobs.way("j").await;
    assert_eq!(way[way.len() - 3..], ["canceled", "retrying", "queued"]);
    assert_eq!(jobs.claim("w", 1).await[0]["lease"]["token"], 3);
    for verb in ["pause", "resume", "cancel", "retry"] {
        jobs.call(&format!("jobs/none:{verb}")).await.assert_problem(404, "not-found");
    }
}

async fn a_job_cannot_go_round_for_ever(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.create(json!({"id": "j"})).await;
    let verbs = ["jobs/j:pause", "jobs/j:resume"].into_iter().cycle();
    for verb in verbs.clone().take(999) {
        jobs.call(verb).await.assert_status(200);
    }
    jobs.call("jobs/j:resume").await.assert_problem(409, "too-many-transitions");
    jobs.call("jobs/j:cancel").await.assert_status(200);
}
