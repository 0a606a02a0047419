//! How a job goes from one state to another: [`Job::enter`] is the one way, and it keeps the log.
//!
//! All is decided here without a storage call; `change.rs` reads and writes. The one change that
//! is not made here is a claim, whose statement in `claim.rs` chooses and changes in one step; it
//! sets what [`Job::assign`] sets.

use loggia_plugin_sdk::{Problem, Request, Timestamp};

use crate::job::{FailureReason, Job, Lease, Transition};
use crate::settings::Settings;
use crate::state::State;
use crate::timing::{self, ASSIGNED_SECONDS};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// How long a job is a worker's where nobody says.
pub(crate) const LEASE_SECONDS: f64 = 30.0;

/// An error with this text in it is not tried again.
const NON_RETRYABLE: &str = "non-retryable";

/// When and by which settings a change is made.
pub(crate) struct Rules {
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    /// From 0 to 1, by chance.
    pub(crate) luck: f64,
}

/// Why a job does not go where it was told to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InvalidTransition {
    pub(crate) from: State,
    pub(crate) to: State,
}

/// Whether there was anything to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Entered {
    Changed,
    WasThere,
}

impl Rules {
    pub(crate) fn of(request: &Request, settings: Settings) -> Self {
        // The first 8 digits of a random id are as good as any random number.
        let digits = request.uuid();
        let random = digits.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let luck = f64::from(random.unwrap_or_default()) / f64::from(u32::MAX);
        Self { now: request.now(), settings, luck }
    }
}

impl From<InvalidTransition> for Problem {
    fn from(InvalidTransition { from, to }: InvalidTransition) -> Self {
        let (from, to) = (from.name(), to.name());
        let detail = format!("a job that is {from} does not become {to}");
        Self::new(409, "invalid-transition", detail).with("from", from).with("to", to)
    }
}

impl Job {
    /// Go to a state, where the present one allows it.
    pub(crate) fn enter(
        &mut self,
        to: State,
        reason: Option<&str>,
        rules: &Rules,
    ) -> Result<Entered, InvalidTransition> {
        let from = self.status;
        if from == to {
            return Ok(Entered::WasThere);
        }
        if !from.next().contains(&to) {
            return Err(InvalidTransition { from, to });
        }
        self.go(to, reason, rules);
        Ok(Entered::Changed)
    }

    /// An operator's new attempt at a job that has failed or was canceled.
    pub(crate) fn reopen(
        &mut self,
        reason: Option<&str>,
        rules: &Rules,
    ) -> Result<Entered, InvalidTransition> {
        if !matches!(self.status, State::Failed | State::Canceled) {
            return Err(InvalidTransition { from: self.status, to: State::Retrying });
        }
        self.go(State::Retrying, reason, rules);
        self.run_at = rules.now;
        self.enter(State::Queued, reason, rules)
    }

    /// End, or be tried again where that is of use.
    pub(crate) fn fail(
        &mut self,
        failure: FailureReason,
        error: Option<String>,
        reason: &str,
        rules: &Rules,
    ) -> Result<Entered, InvalidTransition> {
        let hopeless = failure == FailureReason::CapabilityMismatch
            || error.as_ref().is_some_and(|error| error.contains(NON_RETRYABLE))
            || self.retry_count >= self.max_retries;
        let to = if hopeless { State::Failed } else { State::Retrying };
        let entered = self.enter(to, Some(reason), rules)?;
        self.failure_reason = Some(failure);
        self.error = error.or(self.error.take());
        Ok(entered)
    }

    /// Go, whatever the table says, and write it into the log.
    fn go(&mut self, to: State, reason: Option<&str>, rules: &Rules) {
        self.status = to;
        self.last_activity_at = rules.now;
        // Who had it stands in the entry by which it is taken away.
        let worker_id = self.worker_id.clone();
        match to {
            State::Queued => self.queue(rules),
            State::Assigned => self.assign(rules),
            State::Running => self.run(rules),
            State::Retrying => self.rest(reason, rules),
            State::TimedOut => {
                self.release();
                self.due_at = Some(rules.now);
            }
            State::Paused => self.release(),
            State::Completed | State::Failed | State::Canceled | State::Rejected => {
                self.end(rules);
            }
        }
        self.transitions.push(Transition {
            to,
            at: rules.now,
            reason: reason.map(str::to_owned),
            worker_id,
        });
    }

    fn queue(&mut self, rules: &Rules) {
        self.due_at = self.queued_due(rules.now);
    }

    /// When maintenance looks at it while it is queued: at once whether anybody could run it, and
    /// when its time has come, to wake those who wait for jobs.
    pub(crate) fn queued_due(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.needs.is_nothing() {
            return Some(now);
        }
        (self.run_at > now).then_some(self.run_at)
    }

    /// By an operator: nobody has it who could be named.
    fn assign(&mut self, rules: &Rules) {
        self.attempt += 1;
        self.timeout_at = Some(rules.now.plus_seconds(ASSIGNED_SECONDS));
        self.lend(LEASE_SECONDS, rules.now);
    }

    fn run(&mut self, rules: &Rules) {
        self.started_at = Some(rules.now);
        let millis = timing::running_millis(&self.engine, &self.parameters);
        self.timeout_at = Some(rules.now.plus_millis(millis));
        self.extend_lease(rules.now);
    }

    fn rest(&mut self, reason: Option<&str>, rules: &Rules) {
        self.release();
        let jitter = rules.settings.retry_jitter;
        self.run_at = timing::retry_at(rules.now, self.retry_count, jitter, rules.luck);
        self.due_at = Some(self.run_at);
        self.retry_count += 1;
        self.retry_reason = reason.map(str::to_owned);
        self.started_at = None;
        self.completed_at = None;
        self.progress = 0.0;
    }

    fn end(&mut self, rules: &Rules) {
        let (lease, worker_id) = (self.lease, self.worker_id.take());
        self.release();
        self.worker_id = worker_id;
        self.completed_at = Some(rules.now);
        let keep = MILLIS_PER_DAY * i64::from(rules.settings.keep_ended_days);
        self.due_at = Some(rules.now.plus_millis(keep));
        if self.status == State::Completed {
            // A worker that asks again is told the same.
            self.lease = lease;
            self.progress = 100.0;
            self.duration_ms =
                self.started_at.map(|start| rules.now.as_millis() - start.as_millis());
        }
    }

    /// Take it from its worker, who cannot speak for it any more.
    fn release(&mut self) {
        self.lease = None;
        self.worker_id = None;
        self.timeout_at = None;
        self.due_at = None;
    }

    /// Whether the worker that has the token may speak for it.
    pub(crate) fn is_lent_by(&self, token: u64) -> bool {
        self.lease.is_some() && self.attempt == token
    }

    pub(crate) fn lend(&mut self, seconds: f64, now: Timestamp) {
        let expires_at = lease_end(now, seconds);
        self.lease = Some(Lease { seconds, expires_at });
        self.due_at = Some(self.timeout_at.map_or(expires_at, |timeout| timeout.min(expires_at)));
    }

    /// By as long as it was lent for.
    pub(crate) fn extend_lease(&mut self, now: Timestamp) {
        let seconds = self.lease.map_or(LEASE_SECONDS, |lease| lease.seconds);
        self.lend(seconds, now);
    }
}

/// When what is lent now comes back.
#[expect(clippy::cast_possible_truncation, reason = "a lease is at most a day")]
pub(crate) fn lease_end(now: Timestamp, seconds: f64) -> Timestamp {
    now.plus_millis((seconds * 1_000.0).round() as i64)
}

#[cfg(test)]
pub(crate) mod tests;
