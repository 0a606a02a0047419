//! What becomes of one job that is due.

use crate::job::{FailureReason, Job};
use crate::machine::Rules;
use crate::state::State;

/// What was done with a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Lost,
    TimedOut,
    Queued,
    Rejected,
    Deleted,
}

/// None where it is not due any more. None of the changes can be refused, since each is made from a
/// state that allows it.
pub(super) fn step(job: &mut Job, rules: &Rules) -> Option<Step> {
    if job.due_at.is_none_or(|due| due > rules.now) {
        return None;
    }
    match job.status {
        State::Assigned | State::Running => held(job, rules),
        State::TimedOut => end_timeout(job, rules),
        State::Retrying => {
            job.enter(State::Queued, Some("due"), rules).ok()?;
            Some(Step::Queued)
        }
        State::Completed | State::Failed | State::Canceled | State::Rejected => Some(Step::Deleted),
        State::Queued | State::Paused => None,
    }
}

/// Of a worker that is dead, whatever the lease says.
pub(super) fn lose(job: &mut Job, rules: &Rules) -> Option<Step> {
    job.lose_worker(rules).ok()?;
    Some(Step::Lost)
}

fn held(job: &mut Job, rules: &Rules) -> Option<Step> {
    if job.timeout_at.is_some_and(|timeout| timeout <= rules.now) {
        job.enter(State::TimedOut, Some("timeout"), rules).ok()?;
        return end_timeout(job, rules);
    }
    lose(job, rules)
}

fn end_timeout(job: &mut Job, rules: &Rules) -> Option<Step> {
    let error = "the job took longer than it may".to_owned();
    job.fail(FailureReason::Timeout, Some(error), "timeout", rules).ok()?;
    Some(Step::TimedOut)
}

/// No registered worker could ever run it.
pub(super) fn reject(job: &mut Job, rules: &Rules) -> Option<Step> {
    if job.status != State::Queued {
        return None;
    }
    job.enter(State::Rejected, Some("capability_mismatch"), rules).ok()?;
    job.failure_reason = Some(FailureReason::CapabilityMismatch);
    job.error = Some("no registered worker can run it".to_owned());
    Some(Step::Rejected)
}
