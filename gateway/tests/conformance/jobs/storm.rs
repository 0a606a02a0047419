//! Workers that die at random, and a gateway that is killed twice: no job is lost, and of each
//! exactly one completion is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{JSON, text};
use crate::harness::tenants::key;
use crate::harness::{Answer, Database, plugin_path, try_send};
use crate::process::Program;

/// How many jobs there are, unless `LOGGIA_STORM_JOBS` says otherwise.
const JOBS: usize = 300;
const WORKERS: usize = 20;
/// One claim of so many is a worker's last one.
const DEATHS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_in_a_storm_on_sqlite() {
    weather(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_in_a_storm_on_postgres() {
    weather(Database::postgres().await).await;
}

/// What all workers share.
struct Storm {
    address: Mutex<SocketAddr>,
    jobs: usize,
    /// The tokens by which a completion of a job was answered with success.
    completed: Mutex<BTreeMap<String, BTreeSet<u64>>>,
}

async fn weather(database: Database) {
    let jobs = std::env::var("LOGGIA_STORM_JOBS").map_or(JOBS, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let configuration = configure(&folder, &database.url());
    let mut program = Program::start(&configuration);
    let address = Mutex::new(program.address);
    let storm = Arc::new(Storm { address, jobs, completed: Mutex::default() });
    for _ in 0..jobs.div_ceil(1_000) {
        let batch = vec![json!({"max_retries": 50}); jobs.min(1_000)];
        let made = storm.send("jobs:batchCreate", &json!({"jobs": batch})).await;
        made.assert_status(201);
    }
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let storm = Arc::clone(&storm);
        workers.spawn(async move { storm.work(worker as u64).await });
    }
    for third in 1..=2 {
        while storm.done() < jobs * third / 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        program.kill();
        program = Program::start(&configuration);
        *storm.address.lock().unwrap() = program.address;
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    storm.check().await;
    program.stop();
}

pub(super) fn configure(folder: &TempDir, url: &str) -> PathBuf {
    let digest = loggia::tenant::Digest::of_key(&key("one")).unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[storage]\nurl = \"{url}\"\n\
         acquire_timeout_ms = 30_000\n[limits]\nrequest_ms = 60_000\ntransaction_ms = 60_000\n\
         [plugins.job-fsm]\npath = {:?}\n\
         [[tenants.one.keys]]\nname = \"k\"\nsha256 = \"{digest}\"\nroles = [\"admin\"]\n",
        plugin_path("job-fsm"),
    );
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    path
}

impl Storm {
    fn done(&self) -> usize {
        self.completed.lock().unwrap().len()
    }

    /// Ask until there is an answer: the gateway may be gone, and come back elsewhere.
    async fn ask(&self, method: &str, path: &str, body: String) -> Answer {
        let authorization = format!("Bearer {}", key("one"));
        let path = super::route(path);
        loop {
            let address = *self.address.lock().unwrap();
            let mut headers = vec![("authorization", authorization.as_str())];
            headers.extend((!body.is_empty()).then_some(JSON));
            let answer = try_send(address, method, &path, &headers, body.clone()).await.ok();
            if let Some(answer) = answer.filter(|answer| answer.status != 503) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, body.to_string()).await
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, String::new()).await.assert_status(200).json()
    }

    /// One worker after the other, each until it dies.
    async fn work(&self, seed: u64) {
        let mut dice = Dice(seed + 1);
        for life in 0.. {
            let id = format!("w{seed}-{life}");
            let about = json!({"id": id, "name": id, "address": id, "cpu_threads": 1});
            let answer = self.send("workers", &about).await;
            assert!(answer.status.is_success(), "{answer:?}");
            if self.live(&id, &mut dice).await {
                return;
            }
        }
    }

    /// Whether it has lived to see the end of all jobs.
    async fn live(&self, worker: &str, dice: &mut Dice) -> bool {
        let claim = json!({
            "worker_id": worker, "max": 3, "lease_seconds": 1, "wait_seconds": 0.5,
        });
        while self.done() < self.jobs {
            let answer = self.send("jobs:claim", &claim).await;
            // Who waits too long for a claim is no longer one who lives.
            if answer.status != 200 {
                answer.assert_problem(409, "worker-offline");
                return false;
            }
            let claimed = answer.json()["jobs"].as_array().unwrap().clone();
            let dies = !claimed.is_empty() && dice.throw(DEATHS);
            let done = if dies { claimed.len() / 2 } else { claimed.len() };
            for job in &claimed[..done] {
                self.run(job).await;
            }
            if dies {
                return false;
            }
        }
        true
    }

    async fn run(&self, job: &Value) {
        let (id, token) = (text(&job["id"]), &job["lease"]["token"]);
        let path = format!("jobs/{id}:complete");
        let answer = self.send(&path, &json!({"token": token})).await;
        if answer.status == 200 {
            let token = token.as_u64().unwrap();
            self.completed.lock().unwrap().entry(id).or_default().insert(token);
            return;
        }
        // It came too late: the job is another's.
        answer.assert_problem(409, "lease-lost");
    }

    async fn check(&self) {
        let completed = self.completed.lock().unwrap().clone();
        assert_eq!(completed.len(), self.jobs);
        for (id, tokens) in &completed {
            assert_eq!(tokens.len(), 1, "{id} was completed by {tokens:?}");
            let log = self.get(&format!("jobs/{id}/transitions")).await;
            let log = log["items"].as_array().unwrap();
            let ends: Vec<&Value> = log.iter().filter(|entry| entry["to"] == "completed").collect();
            assert_eq!(ends.len(), 1, "{log:?}");
            assert_eq!(ends[0]["attempt"], *tokens.first().unwrap(), "{log:?}");
            assert!(log.windows(2).all(|two| two[0]["to"] == two[1]["from"]), "{log:?}");
        }
        let stats = self.get("stats").await;
        assert_eq!(
            (&stats["total"], &stats["by_state"]["completed"]),
            (&json!(self.jobs), &json!(self.jobs))
        );
        let last = self.get("jobs?order=-created_at&limit=1").await;
        assert_eq!(last["items"][0]["sequence_number"], self.jobs);
    }
}

/// Chance that is the same in each run.
struct Dice(u64);

impl Dice {
    /// Once in so many times.
    fn throw(&mut self, sides: u64) -> bool {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(sides)
    }
}
