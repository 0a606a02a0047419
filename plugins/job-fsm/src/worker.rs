//! Workers: what they are and can, and whether they live.
//!
//! What a worker has is not stored with it: it is said by the jobs that it holds.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod heartbeat;
pub(crate) mod register;

use loggia_plugin_sdk::manifest::{self, FieldType, Param};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Collection, Document, Failure, Page, Problem, Select, Timestamp, declare};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::store;
use crate::job::{FailureReason, JOBS, Job};
use crate::machine::{InvalidTransition, Rules};
use crate::settings::Settings;

const BYTES_PER_MB: u64 = 1 << 20;

declare! { STORAGE:
    pub(crate) const WORKERS: Collection<Worker> = collection("worker").with(worker);

    /// The jobs that a worker holds.
    const HELD: Select<Held<'_>, Row> = select(
        "held-by-worker",
        "SELECT id FROM job WHERE worker_id = :worker_id AND status IN ('assigned', 'running')",
    );
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Worker {
    #[serde(flatten)]
    pub(crate) about: About,
    pub(crate) registered_at: Timestamp,
    pub(crate) last_heartbeat_at: Timestamp,
    pub(crate) offline: bool,
    /// When it is dead without another heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_at: Option<Timestamp>,
    /// What a job may need of it now, and could ever need of it.
    pub(crate) free_mb: u64,
    pub(crate) total_mb: u64,
}

/// What a worker says of itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct About {
    #[schemars(length(min = 1, max = 255))]
    pub(crate) name: String,
    /// Where it is: no two workers have the same.
    #[schemars(length(min = 1, max = 255))]
    pub(crate) address: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: Kind,
    #[schemars(range(min = 1, max = 65_536))]
    pub(crate) cpu_threads: u32,
    #[schemars(length(max = 255))]
    pub(crate) cpu_model: Option<String>,
    #[serde(default)]
    pub(crate) has_gpu: bool,
    #[schemars(length(max = 255))]
    pub(crate) gpu_type: Option<String>,
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub(crate) gpu_capabilities: Vec<String>,
    /// Where it is not said, the worker gets no job that says what memory it needs.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub(crate) ram_total_bytes: Option<u64>,
    /// Where it is not said, all of it.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub(crate) ram_free_bytes: Option<u64>,
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100))]
    pub(crate) labels: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    #[default]
    Server,
    Desktop,
    Laptop,
}

#[derive(Serialize)]
struct Held<'a> {
    worker_id: &'a str,
}

#[derive(Deserialize)]
struct Row {
    id: String,
}

fn worker(worker: manifest::Collection) -> manifest::Collection {
    worker
        .field("address", FieldType::Text)
        .field("name", FieldType::Text)
        .field("cpu_threads", FieldType::Integer)
        .field("has_gpu", FieldType::Boolean)
        .field("free_mb", FieldType::Integer)
        .field("total_mb", FieldType::Integer)
        .field("offline", FieldType::Boolean)
        .field("last_heartbeat_at", FieldType::Timestamp)
        .field("due_at", FieldType::Timestamp)
        .unique_index("by_address", &["address"])
        .index("by_name", &["name"])
}

impl Worker {
    pub(crate) fn new(about: About, now: Timestamp, settings: &Settings) -> Self {
        let mut worker = Self {
            about,
            registered_at: now,
            last_heartbeat_at: now,
            offline: false,
            due_at: None,
            free_mb: 0,
            total_mb: 0,
        };
        worker.beat(now, settings);
        worker
    }

    /// It lives, and has the memory that it says.
    pub(crate) fn beat(&mut self, now: Timestamp, settings: &Settings) {
        let total = self.about.ram_total_bytes.or(self.about.ram_free_bytes);
        let free = self.about.ram_free_bytes.or(total);
        self.total_mb = total.unwrap_or_default() / BYTES_PER_MB;
        self.free_mb = free.unwrap_or_default() / BYTES_PER_MB;
        self.last_heartbeat_at = now;
        self.offline = false;
        self.due_at = Some(now.plus_seconds(settings.heartbeat_timeout_s.into()));
    }
}

impl Job {
    /// Its worker is dead, or has forgotten it.
    pub(crate) fn lose_worker(&mut self, rules: &Rules) -> Result<(), InvalidTransition> {
        let error = "the worker died".to_owned();
        self.fail(FailureReason::PlatformError, Some(error), "worker_died", rules).map(drop)
    }
}

/// Try again, or fail, what a worker held that is dead. What one call cannot take is left to the
/// ends of the leases.
pub(crate) fn take_jobs_from(worker_id: &str, rules: &Rules) -> Result<usize, Failure> {
    let mut jobs = held_by(worker_id)?;
    for job in &mut jobs {
        job.body.lose_worker(rules).map_err(Problem::from)?;
    }
    store(&jobs, &rules.settings)?;
    Ok(jobs.len())
}

/// At most 1,000 of them.
pub(crate) fn held_by(worker_id: &str) -> Result<Vec<Document<Job>>, Failure> {
    let page = Page { limit: 1_000, ..Page::default() };
    let rows = HELD.page(&Held { worker_id }, &page)?.decode()?;
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    let jobs = JOBS.get_many(&ids)?.into_iter().flatten();
    // One may have changed since.
    let still = |job: &Document<Job>| {
        job.body.status.is_held() && job.body.worker_id.as_deref() == Some(worker_id)
    };
    Ok(jobs.filter(still).collect())
}

fn id() -> Param {
    Param::string().describe("The worker's id.")
}

fn read(id: &str) -> Result<Document<Worker>, Failure> {
    Ok(WORKERS.get(id)?.ok_or_else(no_such_worker)?)
}

pub(crate) fn no_such_worker() -> Problem {
    Problem::not_found("there is no such worker")
}
