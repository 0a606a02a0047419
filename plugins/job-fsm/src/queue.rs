//! Queues: they come with the jobs in them, and can be paused.

use std::collections::BTreeMap;

use loggia_plugin_sdk::manifest::{FieldType, Mode, Operation, Param};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{
    Collection, Failure, Problem, Request, Response, Route, Select, Timestamp, declare,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bell;
use crate::order::Priority;

/// As long as a job may name one.
const MAX_NAME_CHARS: usize = 255;

pub(crate) const PAUSE: Route = Route::post(
    "pause-queue",
    "/queues/{queue}:pause",
    "Give out no jobs of a queue.",
    |request| set_paused(request, true),
)
.with(describe);

pub(crate) const RESUME: Route = Route::post(
    "resume-queue",
    "/queues/{queue}:resume",
    "Give out jobs of a queue again.",
    |request| set_paused(request, false),
)
.with(describe);

pub(crate) const LIST_ROUTE: Route =
    Route::get("list-queues", "/queues", "What is queued, by queue.", list);

declare! { STORAGE:
    const QUEUES: Collection<Queue> =
        collection("queue").with(|queue| queue.field("paused", FieldType::Boolean));

    const PAUSED: Select<(), Named> =
        select("paused-queues", "SELECT id AS queue FROM queue WHERE paused = TRUE");

    pub(crate) const DEPTHS: Select<(), Depth> = select(
        "queue-depths",
        "SELECT queue, priority, sum(documents) AS depth FROM count_jobs \
         WHERE status = 'queued' GROUP BY queue, priority",
    );

    /// One look at the index for each queue, however many jobs it has.
    pub(crate) const OLDEST: Select<(), Oldest> = select(
        "queue-oldest",
        "SELECT c.queue AS queue, (SELECT min(j.created_at) FROM job AS j \
         WHERE j.status = 'queued' AND j.queue = c.queue) AS oldest FROM count_jobs AS c \
         WHERE c.status = 'queued' GROUP BY c.queue",
    );
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Queue {
    paused: bool,
}

#[derive(Deserialize)]
struct Named {
    queue: String,
}

#[derive(Deserialize)]
pub(crate) struct Depth {
    pub(crate) queue: String,
    pub(crate) priority: Priority,
    pub(crate) depth: u64,
}

#[derive(Deserialize)]
pub(crate) struct Oldest {
    pub(crate) queue: String,
    pub(crate) oldest: Option<Timestamp>,
}

/// What is told of one queue.
#[derive(Default)]
struct About {
    paused: bool,
    depth: u64,
    by_priority: [u64; 3],
    oldest: Option<Timestamp>,
}

fn describe(operation: Operation) -> Operation {
    // One call writes.
    operation.mode(Mode::Autocommit).param("queue", Param::string().describe("The queue's name."))
}

fn set_paused(request: &Request, paused: bool) -> Result<Response, Failure> {
    let queue = request.path("queue");
    if queue.is_empty() || queue.chars().count() > MAX_NAME_CHARS {
        let detail = format!("the name of a queue has 1 to {MAX_NAME_CHARS} characters");
        return Err(Problem::new(400, "invalid-parameter", detail)
            .with("parameter", "queue")
            .into());
    }
    let mut writes = vec![QUEUES.put(queue, &Queue { paused }).into()];
    if !paused {
        writes.push(bell::ring());
    }
    loggia_plugin_sdk::apply(writes)?;
    Response::serialize(200, &json!({"queue": queue, "paused": paused}))
}

fn list(request: &Request) -> Result<Response, Failure> {
    let mut queues: BTreeMap<String, About> = BTreeMap::new();
    for Depth { queue, priority, depth } in DEPTHS.rows(&())? {
        let about = queues.entry(queue).or_default();
        about.depth += depth;
        about.by_priority[priority as usize] += depth;
    }
    queues.retain(|_, about| about.depth > 0);
    for Oldest { queue, oldest } in OLDEST.rows(&())? {
        if let Some(about) = queues.get_mut(&queue) {
            about.oldest = oldest;
        }
    }
    for Named { queue } in PAUSED.rows(&())? {
        queues.entry(queue).or_default().paused = true;
    }
    let now = request.now();
    let items: Vec<Value> = queues.iter().map(|(queue, about)| about.shown(queue, now)).collect();
    Response::serialize(200, &json!({"items": items}))
}

impl About {
    fn shown(&self, queue: &str, now: Timestamp) -> Value {
        let by_priority: serde_json::Map<String, Value> = Priority::ALL
            .iter()
            .map(|priority| {
                (priority.name().to_owned(), self.by_priority[*priority as usize].into())
            })
            .collect();
        json!({
            "queue": queue, "paused": self.paused, "depth": self.depth,
            "oldest_s": self.oldest.map(|oldest| seconds_between(oldest, now)),
            "by_priority": by_priority,
        })
    }
}

pub(crate) fn seconds_between(start: Timestamp, end: Timestamp) -> f64 {
    let millis = (end.as_millis() - start.as_millis()).max(0);
    std::time::Duration::from_millis(millis.unsigned_abs()).as_secs_f64()
}
