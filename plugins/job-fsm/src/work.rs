//! What a worker may do with a job that it has: start, keep, complete and fail it.
//!
//! `work/single.rs` and `work/batch.rs` have the routes. Each call names the token of its claim. One that is not in force is refused, whatever the job's
//! state: a worker that was thought dead cannot speak for another's attempt.

pub(crate) mod batch;
pub(crate) mod single;

use loggia_plugin_sdk::Problem;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::job::{FailureReason, Job, LogEntry};
use crate::machine::{Entered, Rules};
use crate::state::State;

/// What is kept of what workers say of one job: the end of it.
const MAX_LOG_BYTES: usize = 65_536;

/// What can be said at once. Each character takes 4 bytes at most, so this is always kept.
const MAX_LOG_CHARS: u32 = 16_384;

/// The longest error that is kept.
const MAX_ERROR_CHARS: u32 = 4_096;

/// Which of the calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Start,
    Heartbeat,
    Complete,
    Fail,
}

/// What a worker says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) token: u64,
    #[schemars(range(min = 0.0, max = 100.0))]
    pub(crate) progress: Option<f64>,
    #[schemars(length(max = MAX_LOG_CHARS))]
    pub(crate) logs: Option<String>,
    pub(crate) result: Option<Map<String, Value>>,
    #[schemars(length(max = MAX_ERROR_CHARS))]
    pub(crate) error: Option<String>,
    pub(crate) failure_reason: Option<FailureReason>,
}

impl Job {
    /// Do what the worker asks for.
    pub(crate) fn work(
        &mut self,
        verb: Verb,
        report: Report,
        rules: &Rules,
    ) -> Result<Entered, Problem> {
        if !self.is_lent_by(report.token) {
            return Err(lease_lost(report.token));
        }
        let entered = match verb {
            Verb::Start => self.enter(State::Running, Some("started"), rules)?,
            Verb::Heartbeat => self.keep(rules)?,
            Verb::Complete => self.complete(&report, rules)?,
            Verb::Fail => self.give_up(&report, rules)?,
        };
        if entered == Entered::Changed {
            self.take_down(report, rules);
        }
        Ok(entered)
    }

    fn keep(&mut self, rules: &Rules) -> Result<Entered, Problem> {
        if !self.status.is_held() {
            let from = self.status.name();
            let detail = format!("a job that is {from} has no lease to extend");
            return Err(Problem::new(409, "invalid-transition", detail)
                .with("from", from)
                .with("to", State::Running.name()));
        }
        self.last_activity_at = rules.now;
        self.extend_lease(rules.now);
        Ok(Entered::Changed)
    }

    /// From assigned it goes by way of running, as if it had been started now.
    fn complete(&mut self, report: &Report, rules: &Rules) -> Result<Entered, Problem> {
        if self.status == State::Assigned {
            self.enter(State::Running, Some("started"), rules)?;
        }
        let entered = self.enter(State::Completed, Some("completed"), rules)?;
        if entered == Entered::Changed {
            self.error = None;
            self.failure_reason = None;
            self.result.clone_from(&report.result);
        }
        Ok(entered)
    }

    fn give_up(&mut self, report: &Report, rules: &Rules) -> Result<Entered, Problem> {
        if self.status == State::Failed {
            return Ok(Entered::WasThere);
        }
        let failure = report.failure_reason.unwrap_or(FailureReason::RuntimeError);
        let reason = report.error.as_deref().unwrap_or("failed");
        let reason: String = reason.chars().take(200).collect();
        let lease = self.lease;
        let entered = self.fail(failure, report.error.clone(), &reason, rules)?;
        if self.status == State::Failed {
            // A worker that asks again is told the same.
            self.lease = lease;
        }
        Ok(entered)
    }

    /// Keep what the worker says besides.
    fn take_down(&mut self, report: Report, rules: &Rules) {
        if let Some(progress) = report.progress
            && self.status.is_held()
        {
            self.progress = progress;
        }
        let Some(text) = report.logs.filter(|text| !text.is_empty()) else { return };
        self.logs.push(LogEntry { at: rules.now, attempt: report.token, text });
        let mut bytes = 0;
        let kept = self.logs.iter().rev().take_while(|entry| {
            bytes += entry.text.len();
            bytes <= MAX_LOG_BYTES
        });
        let dropped = self.logs.len() - kept.count();
        self.logs.drain(..dropped);
    }
}

pub(crate) fn lease_lost(token: u64) -> Problem {
    let detail = "the token is not in force: the job was given to another, taken back or ended";
    Problem::new(409, "lease-lost", detail).with("token", token)
}

#[cfg(test)]
mod tests;
