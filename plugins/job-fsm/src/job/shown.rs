//! A job as clients see it.

use loggia_plugin_sdk::Failure;
use loggia_plugin_sdk::storage::Error;
use serde_json::{Map, Value, json};

use super::{Job, Transition};
use crate::state::State;

/// What is the plugin's own, and what has routes of its own.
const HIDDEN: [&str; 7] =
    ["lease", "needs", "order_key", "due_at", "duration_ms", "logs", "transitions"];

impl Job {
    /// Without what is the plugin's own. `lease` is there while a worker has it.
    pub(crate) fn shown(&self, id: &str) -> Result<Value, Failure> {
        let value = serde_json::to_value(self);
        let value = value.map_err(|fault| Error::Other(format!("a job: {fault}")))?;
        let mut shown = Map::new();
        shown.insert("id".to_owned(), id.into());
        if let Value::Object(members) = value {
            let told = |(name, _): &(String, Value)| !HIDDEN.contains(&name.as_str());
            shown.extend(members.into_iter().filter(told));
        }
        if let Some(lease) = self.shown_lease() {
            shown.insert("lease".to_owned(), lease);
        }
        Ok(Value::Object(shown))
    }

    /// The log, in which each entry says all of its change.
    pub(crate) fn log(&self, id: &str) -> Vec<Value> {
        let (mut from, mut attempt) = (None, 0);
        let mut log = Vec::with_capacity(self.transitions.len());
        for (Transition { to, at, reason, worker_id }, seq) in self.transitions.iter().zip(1..) {
            attempt += u64::from(*to == State::Assigned);
            log.push(json!({
                "job_id": id, "seq": seq, "from": from, "to": to, "at": at, "reason": reason,
                "worker_id": worker_id, "attempt": attempt,
            }));
            from = Some(*to);
        }
        log
    }

    /// What the worker that has it must know.
    pub(crate) fn shown_lease(&self) -> Option<Value> {
        let lease = self.lease.filter(|_| self.status.is_held())?;
        Some(json!({"token": self.attempt, "expires_at": lease.expires_at}))
    }
}
