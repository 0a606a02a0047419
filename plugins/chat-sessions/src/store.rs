//! Where sessions are stored, and what decides about replacing one.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Version, select};
use serde::Deserialize;

pub(crate) const SESSIONS: Collection = Collection::new("session");

/// A stored session without its body: a row of the statement `stored`.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    /// The document's version, which the gateway counts.
    pub(crate) revision: Version,
    /// The session's own version.
    pub(crate) version: u64,
    /// When the client says that it was created.
    pub(crate) created: String,
}

/// Look a session up.
pub(crate) fn find(id: &str) -> Result<Option<Stored>, Error> {
    Ok(select("stored").arg("id", id).run()?.decode()?.pop())
}
