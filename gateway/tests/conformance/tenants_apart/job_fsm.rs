//! Jobs, workers and queues of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case { store, params: &[], conditional: &[], body };

fn store(text: &str) -> Vec<Request> {
    let job = |id: &str| {
        let job = json!({
            "id": id, "user_id": text, "scenario": text, "parameters": {"text": text}, "key": text,
        });
        Request::new("POST", "/jobs").json(&job)
    };
    let worker = |id: &str| {
        let labels = json!({"text": text});
        let worker = json!({
            "id": id, "name": text, "address": format!("{text}-{id}"), "cpu_threads": 4,
            "labels": labels,
        });
        Request::new("POST", "/workers").json(&worker)
    };
    vec![
        job("a"),
        job("b"),
        worker("w"),
        worker("v"),
        Request::new("POST", "/jobs:claim").json(&json!({"worker_id": "w"})),
        Request::new("POST", "/jobs/a:heartbeat").json(&json!({"token": 1, "logs": text})),
        // What is queued is told with its age, which is another one each time.
        Request::new("POST", "/jobs/b:pause"),
        Request::new("GET", "/jobs/a"),
        Request::new("GET", "/jobs?limit=1"),
        Request::new("GET", "/workers?limit=1"),
    ]
}

/// What the other may do with ids and tokens that it has heard of.
fn body(operation: &str) -> Value {
    match operation {
        "create-job" => json!({"unique_key": "k"}),
        "create-jobs" => json!({"jobs": [{}]}),
        "claim-jobs" => json!({"worker_id": "w"}),
        "start-job" | "heartbeat-job" | "complete-job" | "fail-job" => json!({"token": 1}),
        "start-jobs" | "heartbeat-jobs" | "complete-jobs" => {
            json!({"jobs": [{"id": "a", "token": 1}, {"id": "b", "token": 1}]})
        }
        "transition-job" => json!({"to": "canceled"}),
        "register-worker" => json!({"name": "o", "address": "o", "cpu_threads": 1}),
        _ => json!({}),
    }
}
