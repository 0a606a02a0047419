//! `GET /stats`: how many jobs there are of each kind, by counts that the gateway keeps.

use std::collections::BTreeMap;

use loggia_plugin_sdk::manifest::Count;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::JOBS;
use crate::order::Priority;
use crate::queue::{OLDEST, seconds_between};
use crate::state::State;
use crate::worker::WORKERS;

pub(crate) const ROUTE: Route =
    Route::get("stats", "/stats", "Numbers of jobs and workers.", stats);

declare! { STORAGE:
    const JOBS_BY: Select<(), Jobs> = select(
        "count-jobs",
        "SELECT status, queue, priority, engine, documents, sum_duration_ms AS duration_ms \
         FROM count_jobs",
    );

    const WORKERS_BY: Select<(), Workers> =
        select("count-workers", "SELECT offline, documents FROM count_workers");

    /// What workers hold is little beside all that there is.
    const BUSY: Select<(), Busy> = select(
        "count-busy",
        "SELECT count(*) AS workers FROM worker AS w WHERE w.offline = FALSE AND EXISTS \
         (SELECT j.id FROM job AS j WHERE j.worker_id = w.id AND j.status IN ('assigned', 'running'))",
    );
}

/// What the gateway counts.
pub(crate) fn counts() -> [Count; 3] {
    let held = [State::Assigned, State::Running].map(State::name);
    [
        Count::new("jobs")
            .collection(JOBS.name())
            .by("status")
            .by("queue")
            .by("priority")
            .by("engine")
            .sum("duration_ms"),
        Count::new("held").collection(JOBS.name()).only("status", json!(held)).limit("max_running"),
        Count::new("workers").collection(WORKERS.name()).by("offline"),
    ]
}

#[derive(Deserialize)]
struct Jobs {
    status: State,
    queue: String,
    priority: Priority,
    engine: String,
    documents: i64,
    duration_ms: i64,
}

#[derive(Deserialize)]
struct Workers {
    offline: bool,
    documents: i64,
}

#[derive(Deserialize)]
struct Busy {
    workers: i64,
}

/// What is added up of the rows.
#[derive(Default)]
struct Stats {
    by_state: BTreeMap<&'static str, i64>,
    by_queue: BTreeMap<String, i64>,
    by_priority: BTreeMap<&'static str, i64>,
    by_engine: BTreeMap<String, i64>,
    total: i64,
    duration_ms: i64,
}

impl Stats {
    fn new() -> Self {
        Self {
            by_state: State::ALL.map(|state| (state.name(), 0)).into(),
            by_priority: Priority::ALL.map(|priority| (priority.name(), 0)).into(),
            ..Self::default()
        }
    }

    fn add(&mut self, row: Jobs) {
        let Jobs { status, queue, priority, engine, documents, duration_ms } = row;
        *self.by_state.entry(status.name()).or_default() += documents;
        *self.by_priority.entry(priority.name()).or_default() += documents;
        *self.by_queue.entry(queue).or_default() += documents;
        *self.by_engine.entry(engine).or_default() += documents;
        self.total += documents;
        self.duration_ms += duration_ms;
    }

    fn of(&self, state: State) -> i64 {
        self.by_state[state.name()]
    }
}

fn stats(request: &Request) -> Result<Response, Failure> {
    let mut stats = Stats::new();
    for row in JOBS_BY.rows(&())? {
        stats.add(row);
    }
    // A key may have come to nothing.
    stats.by_queue.retain(|_, jobs| *jobs != 0);
    stats.by_engine.retain(|_, jobs| *jobs != 0);
    let oldest = OLDEST.rows(&())?.into_iter().filter_map(|row| row.oldest).min();
    let answer = json!({
        "by_state": stats.by_state,
        "by_queue": stats.by_queue,
        "by_priority": stats.by_priority,
        "by_engine": stats.by_engine,
        "active": stats.of(State::Assigned) + stats.of(State::Running),
        "queue_length": stats.of(State::Queued),
        "avg_duration_s": average_seconds(stats.duration_ms, stats.of(State::Completed)),
        "total": stats.total,
        "oldest_queued_s": oldest.map(|oldest| seconds_between(oldest, request.now())),
        "workers": workers()?,
    });
    Response::serialize(200, &answer)
}

/// Nothing where no job has completed.
fn average_seconds(millis: i64, jobs: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "sums of durations are far from 2^53")]
    (jobs > 0).then(|| millis as f64 / jobs as f64 / 1_000.0)
}

fn workers() -> Result<Value, Failure> {
    let rows = WORKERS_BY.rows(&())?;
    let count = |offline: bool| -> i64 {
        rows.iter().filter(|row| row.offline == offline).map(|row| row.documents).sum()
    };
    let (online, offline) = (count(false), count(true));
    let busy = BUSY.first(&())?.map_or(0, |busy| busy.workers);
    Ok(json!({
        "total": online + offline, "available": online - busy, "busy": busy, "offline": offline,
    }))
}
