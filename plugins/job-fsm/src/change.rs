//! Reading jobs, changing them by the rules of `machine.rs` and `work.rs`, and storing them.
//!
//! A job is stored under the version that was read. Where another request was faster, this one is
//! run again.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Document, Failure, Problem, Response, Write, apply};
use serde_json::{Value, json};

use crate::bell;
use crate::job::{JOBS, Job};
use crate::machine::Entered;
use crate::settings::Settings;
use crate::state::State;

pub(crate) fn id() -> Param {
    Param::string().describe("The job's id.")
}

pub(crate) fn read(id: &str) -> Result<Document<Job>, Failure> {
    Ok(JOBS.get(id)?.ok_or_else(no_such_job)?)
}

pub(crate) fn no_such_job() -> Problem {
    Problem::not_found("there is no such job")
}

/// Change a job, and answer what it is then.
pub(crate) fn change(
    id: &str,
    settings: &Settings,
    change: impl FnOnce(&mut Job) -> Result<Entered, Problem>,
) -> Result<Response, Failure> {
    let mut job = read(id)?;
    let entered = change(&mut job.body)?;
    if entered == Entered::Changed {
        store(std::slice::from_ref(&job), settings)?;
    }
    Response::serialize(200, &outcome(id, &job.body, entered))
}

/// Store jobs that were read and changed, all or none, and wake who may have waited for it.
pub(crate) fn store(jobs: &[Document<Job>], settings: &Settings) -> Result<(), Failure> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut writes: Vec<Write> = jobs.iter().map(replacement).collect();
    if jobs.iter().any(|job| makes_room(&job.body, settings)) {
        writes.push(bell::ring());
    }
    apply(writes).map_err(Error::or_retry)?;
    Ok(())
}

pub(crate) fn replacement(job: &Document<Job>) -> Write {
    JOBS.replace(&job.id, job.version, &job.body).into()
}

/// Whether a claim that found nothing may find something now: this job, the next one of its key, or
/// one that the quota kept back.
pub(crate) fn makes_room(job: &Job, settings: &Settings) -> bool {
    let frees = !job.status.is_held() && (job.key.is_some() || settings.max_running > 0);
    job.status == State::Queued || frees
}

/// What is answered to who has changed a job.
pub(crate) fn outcome(id: &str, job: &Job, entered: Entered) -> Value {
    let changed = entered == Entered::Changed;
    let status = job.status.name();
    let mut outcome =
        json!({"id": id, "changed": changed, "status": status, "attempt": job.attempt});
    if let Some(lease) = job.shown_lease() {
        outcome["lease"] = lease;
    }
    if job.status == State::Retrying {
        outcome["run_at"] = json!(job.run_at);
    }
    outcome
}
