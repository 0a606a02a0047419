//! `POST /maintenance:run`: what becomes of jobs and workers by the passing of time. The gateway
//! calls it each second for tenants that have something due.
//!
//! Each job knows when it has to be looked at next, `due_at`, so nothing else is read. Each batch
//! is a transaction of its own; a job that somebody else changes meanwhile is left as it is.

mod queued;
mod step;

use loggia_plugin_sdk::manifest::{Mode, Role};
use loggia_plugin_sdk::{
    Document, Failure, Outcome, Page, Request, Response, Route, Select, Timestamp, Update, Write,
    apply, declare,
};
use serde::{Deserialize, Serialize};

use crate::bell;
use crate::change::{makes_room, replacement};
use crate::job::{JOBS, Job};
use crate::machine::Rules;
use crate::settings::Settings;
use crate::worker::{Worker, held_by};
use step::{Step, step};

pub(crate) use queued::STORAGE as QUEUED_STORAGE;

/// How many jobs one transaction changes: less than a tenth of a second on either database.
const BATCH: u32 = 200;

/// How many batches one call makes of each kind; the next call goes on.
const BATCHES: usize = 10;

pub(crate) const OPERATION: &str = "run-maintenance";

pub(crate) const ROUTE: Route = Route::post(OPERATION, "/maintenance:run", "Do what is due.", run)
    .with(|operation| operation.mode(Mode::Autocommit).role(Role::Admin).request_ms(10_000));

pub(crate) const WORKERS_OPERATION: &str = "expire-workers";

/// A part of it, since the gateway calls an operation for what is due in one collection.
pub(crate) const WORKERS_ROUTE: Route = Route::post(
    WORKERS_OPERATION,
    "/workers:expire",
    "Take jobs from workers without a heartbeat.",
    expire_workers,
)
.with(|operation| operation.mode(Mode::Autocommit).role(Role::Admin).request_ms(10_000));

declare! { STORAGE:
    const DUE: Select<Due, Row> = select(
        "due-jobs",
        "SELECT id, due_at FROM job WHERE due_at <= :now AND status <> 'queued'",
    )
    .orders(&[("due", "due_at")]);

    const BURY: Update<Due, Worker> = update("bury-workers", "worker")
        .set(&[("offline", "TRUE"), ("due_at", "CAST(NULL AS timestamp)")])
        .filter("due_at <= :now")
        .order("due_at");
}

#[derive(Serialize)]
struct Due {
    now: Timestamp,
}

#[derive(Deserialize)]
struct Row {
    id: String,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Done {
    dead_workers: usize,
    /// Jobs whose worker died, or let the lease end.
    lost: usize,
    timed_out: usize,
    queued: usize,
    rejected: usize,
    deleted: usize,
}

impl Done {
    fn add(&mut self, step: Step) {
        match step {
            Step::Lost => self.lost += 1,
            Step::TimedOut => self.timed_out += 1,
            Step::Queued => self.queued += 1,
            Step::Rejected => self.rejected += 1,
            Step::Deleted => self.deleted += 1,
        }
    }
}

fn run(request: &Request) -> Result<Response, Failure> {
    let rules = Rules::of(request, Settings::read()?);
    let mut done = Done::default();
    bury_workers(&rules, &mut done)?;
    for _ in 0..BATCHES {
        let due = due(rules.now)?;
        let last = due.len() < BATCH as usize;
        change_all(due, &rules, &mut done, step)?;
        if last {
            break;
        }
    }
    queued::look(&rules, &mut done)?;
    Response::serialize(200, &done)
}

fn expire_workers(request: &Request) -> Result<Response, Failure> {
    let rules = Rules::of(request, Settings::read()?);
    let mut done = Done::default();
    bury_workers(&rules, &mut done)?;
    Response::serialize(200, &done)
}

/// Those without a heartbeat. They get no jobs from now on, and lose those that they have.
fn bury_workers(rules: &Rules, done: &mut Done) -> Result<(), Failure> {
    for worker in BURY.limit(BATCH).run_json(&Due { now: rules.now })? {
        done.dead_workers += 1;
        let mut held = held_by(&worker.id)?;
        while !held.is_empty() {
            let rest = held.split_off(held.len().min(BATCH as usize));
            change_all(held, rules, done, step::lose)?;
            held = rest;
        }
    }
    Ok(())
}

fn due(now: Timestamp) -> Result<Vec<Document<Job>>, Failure> {
    let page = Page { limit: BATCH, ..Page::default() };
    let rows = DUE.page(&Due { now }, &page)?.decode()?;
    read_all(rows)
}

fn read_all(rows: Vec<Row>) -> Result<Vec<Document<Job>>, Failure> {
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    Ok(JOBS.get_many(&ids)?.into_iter().flatten().collect())
}

/// Change jobs, and count those that nobody else has changed meanwhile.
fn change_all(
    jobs: Vec<Document<Job>>,
    rules: &Rules,
    done: &mut Done,
    step: fn(&mut Job, &Rules) -> Option<Step>,
) -> Result<(), Failure> {
    let (mut steps, mut writes): (Vec<Step>, Vec<Write>) = (Vec::new(), Vec::new());
    let mut wakes = false;
    for mut job in jobs {
        let Some(step) = step(&mut job.body, rules) else { continue };
        wakes |= makes_room(&job.body, &rules.settings);
        steps.push(step);
        writes.push(match step {
            Step::Deleted => JOBS.delete(&job.id).when(job.precondition()).or_skip(),
            _ => replacement(&job).or_skip(),
        });
    }
    if wakes {
        writes.push(bell::ring());
    }
    let outcomes = if writes.is_empty() { Vec::new() } else { apply(writes)? };
    for (step, outcome) in steps.into_iter().zip(outcomes) {
        if !matches!(outcome, Outcome::Skipped(_)) {
            done.add(step);
        }
    }
    Ok(())
}
