//! What an operator can set for each tenant.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// The largest session that an operator can allow.
pub(crate) const MAX_SESSION_BYTES: u64 = 10 << 20;

#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// When a session expires whose client says nothing of it: so long after it was stored. 0 is
    /// never.
    pub(crate) session_ttl_seconds: u32,
    /// Answer 410 for a session whose `expiresAt` has passed.
    pub(crate) enforce_expiry: bool,
    /// The largest session, in bytes of JSON.
    #[schemars(range(min = 1, max = 10_485_760))]
    pub(crate) max_session_bytes: u64,
    /// How many sessions there can be; 0 is any number.
    pub(crate) max_sessions: u32,
    /// How many earlier versions of a session are kept.
    #[schemars(range(max = 100))]
    pub(crate) keep_versions: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session_ttl_seconds: 0,
            enforce_expiry: false,
            max_session_bytes: MAX_SESSION_BYTES,
            max_sessions: 0,
            keep_versions: 0,
        }
    }
}
