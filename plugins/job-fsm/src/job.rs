//! A job as it is stored, and its collection.
//!
//! Its log of transitions lies in it, so that a change of state and its entry are one write:
//! `machine.rs` makes both.

pub(crate) mod needs;
pub(crate) mod shown;

use loggia_plugin_sdk::manifest::{self, FieldType};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Collection, Timestamp, declare};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::order::Priority;
use crate::state::State;
use needs::Needs;

declare! { STORAGE:
    pub(crate) const JOBS: Collection<Job> = collection("job").with(job);
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Job {
    /// Counts up within the tenant, from 1.
    pub(crate) sequence_number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scenario: Option<String>,
    pub(crate) confidence: Confidence,
    pub(crate) engine: String,
    pub(crate) classification: Classification,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) queue: String,
    pub(crate) priority: Priority,
    pub(crate) status: State,
    pub(crate) progress: f64,
    /// Who has it, or had it when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worker_id: Option<String>,
    /// How often it was given to a worker.
    pub(crate) attempt: u64,
    pub(crate) retry_count: u32,
    pub(crate) max_retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_reason: Option<String>,
    /// Not before this time.
    pub(crate) run_at: Timestamp,
    pub(crate) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) last_activity_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure_reason: Option<FailureReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<LogEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unique_key: Option<String>,
    /// While a worker has it, and after that worker has ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<Lease>,
    pub(crate) needs: Needs,
    pub(crate) order_key: i64,
    /// When maintenance has to look at it next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_at: Option<Timestamp>,
    /// From its start to its completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<i64>,
    /// All of its changes of state; the first made it.
    pub(crate) transitions: Vec<Transition>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Confidence {
    #[default]
    Auto,
    High,
    Medium,
    Low,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Classification {
    #[default]
    Production,
    Test,
    Benchmark,
    Debug,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureReason {
    CapabilityMismatch,
    RuntimeError,
    Timeout,
    UserError,
    NetworkError,
    InputError,
    PlatformError,
    ResourceError,
}

/// Until when a job is a worker's.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Lease {
    /// What a heartbeat extends it by.
    pub(crate) seconds: f64,
    pub(crate) expires_at: Timestamp,
}

/// What a worker has said.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct LogEntry {
    pub(crate) at: Timestamp,
    pub(crate) attempt: u64,
    pub(crate) text: String,
}

/// A change of state, as it is stored: what it began from and in which attempt follows from those
/// before it, see [`Job::log`].
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Transition {
    pub(crate) to: State,
    pub(crate) at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worker_id: Option<String>,
}

fn job(job: manifest::Collection) -> manifest::Collection {
    let not_ended = json!({"status": [
        "queued", "assigned", "running", "timed_out", "retrying", "paused",
    ]});
    let held = json!({"status": ["assigned", "running"]});
    let queued = json!({"status": ["queued"]});
    let text = |job: manifest::Collection, name| job.field(name, FieldType::Text);
    let integer = |job: manifest::Collection, name| job.field(name, FieldType::Integer);
    let time = |job: manifest::Collection, name| job.field(name, FieldType::Timestamp);
    let value = |job: manifest::Collection, name| job.field(name, FieldType::Json);
    let texts =
        ["user_id", "engine", "queue", "priority", "status", "worker_id", "key", "unique_key"];
    let integers = ["sequence_number", "attempt", "order_key", "duration_ms"];
    let times = ["run_at", "created_at", "due_at"];
    // Set by a claim, and looked for by nothing: as JSON they need no conversion.
    let values = ["last_activity_at", "timeout_at", "lease", "transitions"];
    let job = texts.into_iter().fold(job, text);
    let job = integers.into_iter().fold(job, integer);
    let job = times.into_iter().fold(job, time);
    values
        .into_iter()
        .fold(job, value)
        .field_at("needs_gpu", FieldType::Boolean, &["/needs/gpu"])
        .field_at("threads", FieldType::Integer, &["/needs/threads"])
        .field_at("memory_mb", FieldType::Integer, &["/needs/memory_mb"])
        .unique_index("by_sequence", &["sequence_number"])
        // Two jobs of a key never run at once, whatever else is.
        .unique_index_where("running_key", &["key"], held.clone())
        .unique_index_where("unique_key", &["unique_key"], not_ended.clone())
        .index_where("claimable", &["order_key", "sequence_number"], queued.clone())
        .index_where("oldest", &["queue", "created_at"], queued)
        .sparse_index_where("of_key", &["key", "sequence_number"], not_ended)
        .index_where("of_worker", &["worker_id"], held)
        .index("by_time", &["created_at", "sequence_number"])
        .index("by_status", &["status", "created_at", "sequence_number"])
        .sparse_index("by_user", &["user_id", "created_at", "sequence_number"])
        .sparse_index("by_worker", &["worker_id", "created_at", "sequence_number"])
}
