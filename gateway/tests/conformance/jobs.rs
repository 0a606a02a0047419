//! The plugin `job-fsm` over HTTP: its states, who gets which job, what becomes of jobs by time and
//! by workers that die, and its quotas. `jobs/storm.rs` does all of it at once.

mod claiming;
mod creating;
mod example;
mod keys;
mod listing;
mod quotas;
mod states;
mod storm;
mod timing;
mod waiting;
mod workers;
mod working;

use loggia::config::{Config, Settings};
use serde_json::{Value, json};

use crate::harness::faults::patient;
use crate::harness::tenants::{Client, add};
use crate::harness::{Answer, TestGateway, send};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A route of the plugin.
fn route(path: &str) -> String {
    format!("/v1/job-fsm/{path}")
}

/// Settings of the tenant `one`, whom the cases are of that have any; nothing is left to chance.
fn set(config: &mut Config, settings: Value) {
    patient(config);
    let Value::Object(mut settings) = settings else { panic!("{settings}") };
    settings.entry("retry_jitter").or_insert(json!(0));
    add(config, "one").settings.insert("job-fsm".to_owned(), Settings(settings));
}

/// The tenant without quotas.
fn exact(config: &mut Config) {
    set(config, json!({}));
}

/// The plugin as the tenant `one` sees it.
#[derive(Clone, Debug)]
struct Jobs<'a> {
    gateway: &'a TestGateway,
    client: Client<'a>,
}

impl<'a> Jobs<'a> {
    fn of(gateway: &'a TestGateway) -> Self {
        Self { gateway, client: gateway.with_key("one") }
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.send("POST", &route(path), &[JSON], body.to_string()).await
    }

    /// A call without a body.
    async fn call(&self, path: &str) -> Answer {
        self.client.send("POST", &route(path), &[], "").await
    }

    async fn get(&self, path: &str) -> Value {
        self.client.send("GET", &route(path), &[], "").await.assert_status(200).json()
    }

    async fn delete(&self, path: &str) -> Answer {
        self.client.send("DELETE", &route(path), &[], "").await
    }

    async fn create(&self, job: Value) -> Value {
        self.post("jobs", &job).await.assert_status(201).json()
    }

    /// So many jobs like this one.
    async fn create_many(&self, count: usize, job: &Value) {
        for _ in 0..count.div_ceil(500) {
            let jobs = vec![job.clone(); count.min(500)];
            self.post("jobs:batchCreate", &json!({"jobs": jobs})).await.assert_status(201);
        }
    }

    /// A worker that can run what needs no GPU.
    async fn worker(&self, id: &str) {
        self.worker_with(id, json!({})).await;
    }

    async fn worker_with(&self, id: &str, about: Value) {
        let mut worker = json!({
            "id": id, "name": id, "address": format!("{id}:1"), "cpu_threads": 8,
            "ram_total_bytes": 16_u64 << 30,
        });
        let Value::Object(about) = about else { panic!("{about}") };
        worker.as_object_mut().unwrap().extend(about);
        self.post("workers", &worker).await.assert_status(201);
    }

    async fn claim(&self, worker: &str, max: usize) -> Vec<Value> {
        let claim = json!({"worker_id": worker, "max": max, "lease_seconds": 60});
        self.claim_by(&claim).await
    }

    async fn claim_by(&self, claim: &Value) -> Vec<Value> {
        let answer = self.post("jobs:claim", claim).await.assert_status(200).json();
        answer["jobs"].as_array().unwrap().clone()
    }

    async fn status(&self, id: &str) -> String {
        text(&self.get(&format!("jobs/{id}")).await["status"])
    }

    /// What the log of a job says, from the first state on.
    async fn way(&self, id: &str) -> Vec<String> {
        let log = self.get(&format!("jobs/{id}/transitions")).await;
        log["items"].as_array().unwrap().iter().map(|entry| text(&entry["to"])).collect()
    }

    async fn maintain(&self) -> Value {
        self.call("maintenance:run").await.assert_status(200).json()
    }

    /// Let the clock stand still, so many seconds from now.
    fn in_seconds(&self, seconds: i64) {
        let storage = self.gateway.storage();
        storage.freeze_clock(storage.now() + seconds * 1_000_000);
    }
}

/// A request of the tenant `one` to a gateway that may be another process.
async fn send_to(address: std::net::SocketAddr, path: &str, body: &Value) -> Answer {
    let authorization = format!("Bearer {}", crate::harness::tenants::key("one"));
    let headers = [JSON, ("authorization", authorization.as_str())];
    send(address, "POST", &route(path), &headers, body.to_string()).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn ids(jobs: &[Value]) -> Vec<String> {
    jobs.iter().map(|job| text(&job["id"])).collect()
}
