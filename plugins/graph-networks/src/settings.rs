//! What an operator can set for each tenant.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, settings};
use serde::{Deserialize, Serialize};

/// The largest network that an operator can allow.
pub(crate) const MAX_NETWORK_BYTES: u64 = 64 << 20;

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// How many contacts a group can have.
    #[schemars(range(min = 1))]
    pub(crate) max_contacts_per_group: u32,
    /// How many groups a network can have; 0 is any number.
    pub(crate) max_groups_per_network: u32,
    /// How many bytes the groups, contacts and wires of a network can have together, as JSON.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(crate) max_network_bytes: u64,
    /// How many bytes a contact can have, as JSON.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub(crate) max_contact_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_contacts_per_group: 10_000,
            max_groups_per_network: 1_000,
            max_network_bytes: MAX_NETWORK_BYTES,
            max_contact_bytes: 1 << 20,
        }
    }
}

impl Settings {
    pub(crate) fn read() -> Result<Self, Failure> {
        Ok(settings()?)
    }
}
