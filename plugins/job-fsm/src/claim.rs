//! `POST /jobs:claim`: jobs for a worker that it can run, the first in order.
//!
//! One statement chooses and changes them: jobs that another claim is about to take are passed
//! over, so nobody waits and none is given twice.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::{Error, Json};
use loggia_plugin_sdk::{
    Document, Failure, Problem, Request, Response, Route, Select, Timestamp, Update, declare,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bell;
use crate::job::{Job, Lease, Transition};
use crate::machine::{LEASE_SECONDS, lease_end};
use crate::settings::Settings;
use crate::state::State;
use crate::timing::ASSIGNED_SECONDS;
use crate::worker::{WORKERS, Worker, no_such_worker};

/// The longest wait: most clients give up an answer that takes longer.
const MAX_WAIT_SECONDS: f64 = 30.0;

/// How often a claim that others came in the way of tries again at once.
const TRIES: usize = 5;

pub(crate) const ROUTE: Route =
    Route::post("claim-jobs", "/jobs:claim", "Give a worker jobs that it can run.", claim).with(
        |operation| {
            operation
                // One call writes, and it does all.
                .mode(Mode::Autocommit)
                .body::<Claim>()
                // The longest wait, and time to answer.
                .request_ms(35_000)
        },
    );

declare! { STORAGE:
    /// It does what `Job::go` does with a job that is assigned.
    const CLAIM: Update<Take<'_>, Job> = update("claim", "job")
        .set(&[
            ("status", "'assigned'"),
            ("attempt", "attempt + 1"),
            ("worker_id", ":worker_id"),
            ("last_activity_at", ":at"),
            ("lease", ":lease"),
            ("timeout_at", ":timeout_at"),
            ("due_at", ":due_at"),
            ("transitions", "json_append(transitions, :entry)"),
        ])
        .conditions(&[
            "status = 'queued'",
            "run_at <= :now",
            "queue = ANY(:queues)",
            "NOT queue IN (SELECT q.id FROM queue AS q WHERE q.paused = TRUE)",
            "needs_gpu = :needs_gpu",
            "threads <= :threads",
            "memory_mb <= :memory_mb",
            // Of a key the first that has not ended, and none while another one runs.
            "(key IS NULL OR NOT EXISTS (SELECT o.id FROM job AS o \
              WHERE o.key = job.key AND o.id <> job.id AND o.status IN \
              ('queued', 'assigned', 'running', 'timed_out', 'retrying', 'paused') AND \
              (o.sequence_number < job.sequence_number OR o.status IN ('assigned', 'running'))))",
        ])
        .order("order_key, sequence_number")
        .skip_locked();

    const HELD: Select<(), Held> = select(
        "count-held",
        "SELECT coalesce(sum(documents), 0) AS documents FROM count_held",
    )
    .generic_plan();
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Claim {
    #[schemars(length(min = 1, max = 255))]
    worker_id: String,
    /// How many at most.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000))]
    max: u32,
    /// Of these queues alone.
    #[schemars(length(min = 1, max = 100))]
    queues: Option<Vec<String>>,
    /// How long they are the worker's without a heartbeat.
    #[serde(default = "lease_seconds")]
    #[schemars(range(min = 1.0, max = 86_400.0))]
    lease_seconds: f64,
    /// How long to wait for a job where there is none.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = MAX_WAIT_SECONDS))]
    wait_seconds: f64,
}

fn one() -> u32 {
    1
}

fn lease_seconds() -> f64 {
    LEASE_SECONDS
}

#[derive(Serialize)]
struct Take<'a> {
    worker_id: &'a str,
    queues: Option<&'a [String]>,
    /// Only jobs that need none, where the worker has none.
    needs_gpu: Option<bool>,
    threads: u32,
    memory_mb: u64,
    now: Timestamp,
    /// The same, as it stands in a job.
    at: Json<Timestamp>,
    lease: Json<Lease>,
    timeout_at: Json<Timestamp>,
    due_at: Timestamp,
    entry: Json<Transition>,
}

#[derive(Deserialize)]
struct Held {
    documents: i64,
}

impl<'a> Take<'a> {
    fn new(claim: &'a Claim, worker: &Worker, now: Timestamp) -> Self {
        let Claim { worker_id, queues, lease_seconds, .. } = claim;
        let lease = Lease { seconds: *lease_seconds, expires_at: lease_end(now, *lease_seconds) };
        let timeout_at = now.plus_seconds(ASSIGNED_SECONDS);
        let entry = Transition {
            to: State::Assigned,
            at: now,
            reason: Some("claimed".to_owned()),
            worker_id: Some(worker_id.clone()),
        };
        Self {
            worker_id,
            queues: queues.as_deref(),
            needs_gpu: (!worker.about.has_gpu).then_some(false),
            threads: worker.about.cpu_threads,
            memory_mb: worker.free_mb,
            now,
            at: Json(now),
            lease: Json(lease),
            timeout_at: Json(timeout_at),
            due_at: timeout_at.min(lease.expires_at),
            entry: Json(entry),
        }
    }
}

fn claim(request: &Request) -> Result<Response, Failure> {
    let claim: Claim = request.json()?;
    let now = request.now();
    let worker = worker(&claim.worker_id)?;
    let claimed = take(&Take::new(&claim, &worker, now), claim.max)?;
    let end = lease_end(request.received_at(), claim.wait_seconds);
    if claimed.is_empty() && end > now {
        return Err(bell::wait(end).into());
    }
    let shown: Result<Vec<Value>, Failure> =
        claimed.iter().map(|job| job.body.shown(&job.id)).collect();
    Response::serialize(200, &json!({"jobs": shown?}))
}

/// One that may have jobs.
fn worker(id: &str) -> Result<Worker, Failure> {
    let worker = WORKERS.get(id)?.ok_or_else(no_such_worker)?.body;
    if worker.offline {
        let detail = "the worker is offline: send a heartbeat first";
        return Err(Problem::new(409, "worker-offline", detail).into());
    }
    Ok(worker)
}

/// As many as there are, and as the quota leaves.
fn take(take: &Take<'_>, max: u32) -> Result<Vec<Document<Job>>, Failure> {
    let settings = Settings::read()?;
    for _ in 0..TRIES {
        let max = max.min(room(&settings)?);
        if max == 0 {
            break;
        }
        match CLAIM.limit(max).run(take) {
            Ok(claimed) => return Ok(claimed),
            // Other claims came to the quota, or to the key, in between.
            Err(Error::LimitExceeded(_) | Error::Duplicate(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Vec::new())
}

/// How many more jobs workers may have.
fn room(settings: &Settings) -> Result<u32, Failure> {
    if settings.max_running == 0 {
        return Ok(u32::MAX);
    }
    let held = HELD.first(&())?.map_or(0, |held| held.documents);
    Ok(u32::try_from(i64::from(settings.max_running) - held).unwrap_or(0))
}
