//! What an operator can set for each tenant.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Problem, settings};
use serde::{Deserialize, Serialize};

/// The largest value that a setting can allow. It grows by a third in its document, and stands in the
/// plugin's memory of 64 MiB several times; what encodes it takes less than 8 MiB.
pub(crate) const MAX_VALUE_BYTES: u64 = 8_000_000;

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The largest value.
    #[schemars(range(min = 1, max = MAX_VALUE_BYTES))]
    max_value_bytes: u64,
    /// How many checkpoints are kept: a new one takes the place of the oldest.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) max_checkpoints: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_value_bytes: 1024 * 1024, max_checkpoints: 100 }
    }
}

impl Settings {
    pub(crate) fn read() -> Result<Self, Failure> {
        Ok(settings()?)
    }

    /// Refuse a value that is too large.
    pub(crate) fn check_value(&self, bytes: usize) -> Result<(), Problem> {
        if bytes as u64 <= self.max_value_bytes {
            return Ok(());
        }
        let limit = self.max_value_bytes;
        let detail = format!("the value has {bytes} bytes; the setting max_value_bytes is {limit}");
        Err(Problem::new(413, "value-too-large", detail).with("limit", limit))
    }
}
