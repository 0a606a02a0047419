//! What a client says of a new job, and the job that it becomes.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Problem, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::job::needs::Needs;
use crate::job::{Classification, Confidence, Job, Transition};
use crate::order::{Priority, order_key};
use crate::state::State;

/// The largest parameters, and the largest result, in bytes of JSON. A job holds both, and must not
/// come to what a document may have, or it could not be claimed.
pub(crate) const MAX_OBJECT_BYTES: usize = 512 << 10;

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewJob {
    #[schemars(length(min = 1, max = 255))]
    pub(crate) id: Option<String>,
    #[schemars(length(max = 255))]
    user_id: Option<String>,
    #[schemars(length(max = 255))]
    scenario: Option<String>,
    #[serde(default)]
    confidence: Confidence,
    /// `auto`, `ffmpeg`, `gstreamer` or another one.
    #[serde(default = "auto")]
    #[schemars(length(min = 1, max = 255))]
    engine: String,
    #[serde(default)]
    classification: Classification,
    #[serde(default)]
    parameters: Map<String, Value>,
    /// `live`, `default`, `batch` or another one.
    #[serde(default = "default_queue")]
    #[schemars(length(min = 1, max = 255))]
    queue: String,
    #[serde(default)]
    priority: Priority,
    #[serde(default = "default_retries")]
    #[schemars(range(min = 0, max = 100))]
    max_retries: u32,
    /// Not before this time.
    run_at: Option<Timestamp>,
    /// Jobs of one key run one at a time, in their order.
    #[schemars(length(min = 1, max = 255))]
    key: Option<String>,
    /// While a job with it has not ended, that job is answered in place of a new one.
    #[schemars(length(min = 1, max = 255))]
    pub(crate) unique_key: Option<String>,
}

fn auto() -> String {
    "auto".to_owned()
}

fn default_queue() -> String {
    "default".to_owned()
}

fn default_retries() -> u32 {
    3
}

impl NewJob {
    /// Refuse what a job cannot hold.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        check_object("parameters", &self.parameters)
    }

    pub(crate) fn into_job(self, sequence_number: i64, now: Timestamp) -> Job {
        let run_at = self.run_at.map_or(now, |at| at.max(now));
        let mut job = Job {
            sequence_number,
            needs: Needs::of(&self.parameters),
            order_key: order_key(&self.queue, self.priority, run_at),
            user_id: self.user_id,
            scenario: self.scenario,
            confidence: self.confidence,
            engine: self.engine,
            classification: self.classification,
            parameters: self.parameters,
            queue: self.queue,
            priority: self.priority,
            status: State::Queued,
            progress: 0.0,
            worker_id: None,
            attempt: 0,
            retry_count: 0,
            max_retries: self.max_retries,
            retry_reason: None,
            run_at,
            created_at: now,
            started_at: None,
            last_activity_at: now,
            completed_at: None,
            timeout_at: None,
            error: None,
            failure_reason: None,
            result: None,
            logs: Vec::new(),
            key: self.key,
            unique_key: self.unique_key,
            lease: None,
            due_at: None,
            duration_ms: None,
            transitions: vec![Transition {
                to: State::Queued,
                at: now,
                reason: Some("created".to_owned()),
                worker_id: None,
            }],
        };
        job.due_at = job.queued_due(now);
        job
    }
}

/// Refuse an object that is too large for a job.
pub(crate) fn check_object(name: &str, object: &Map<String, Value>) -> Result<(), Problem> {
    let bytes = serde_json::to_vec(object).map_or(usize::MAX, |json| json.len());
    if bytes <= MAX_OBJECT_BYTES {
        return Ok(());
    }
    let detail = format!("{name} may have {MAX_OBJECT_BYTES} bytes of JSON");
    Err(Problem::new(422, "too-large", detail).with("pointer", format!("/{name}")))
}
