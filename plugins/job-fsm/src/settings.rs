//! What an operator can set for each tenant.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, settings};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// After so long without a heartbeat a worker is dead, and its jobs are tried again.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) heartbeat_timeout_s: u32,
    /// How long a job that has ended is kept.
    #[schemars(range(min = 0, max = 36_500))]
    pub(crate) keep_ended_days: u32,
    /// What share is added to the rest before a retry, at most, by chance.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) retry_jitter: f64,
    /// How many jobs may be queued; 0 is any number.
    pub(crate) max_queued: u32,
    /// How many jobs workers may have; 0 is any number.
    pub(crate) max_running: u32,
    /// How many jobs may be created in an hour of the clock; 0 is any number.
    pub(crate) max_jobs_per_hour: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat_timeout_s: 90,
            keep_ended_days: 7,
            retry_jitter: 0.1,
            max_queued: 0,
            max_running: 0,
            max_jobs_per_hour: 0,
        }
    }
}

impl Settings {
    pub(crate) fn read() -> Result<Self, Failure> {
        Ok(settings()?)
    }
}
