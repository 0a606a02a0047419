//! Where sessions are stored, and what decides about replacing one.

use loggia_plugin_sdk::manifest::{self, FieldType, Param};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Select, Version, declare};
use serde::{Deserialize, Serialize};

declare! { STORAGE:
    pub(crate) const SESSIONS: Collection = collection("session").with(session);

    /// What decides whether a session may be replaced, without its body.
    const STORED: Select<Id<'_>, Stored> = select(
        "stored",
        "SELECT _version AS revision, version, created FROM session WHERE id = :id",
    );
}

fn session(session: manifest::Collection) -> manifest::Collection {
    session
        .field_at("state", FieldType::Text, &["/session/state"])
        .field_at("user_id", FieldType::Text, &["/session/metadata/userId"])
        .field_at("created", FieldType::Timestamp, &["/session/createdAt"])
        .field_at("updated", FieldType::Timestamp, &["/session/updatedAt"])
        .field_at("expires_on", FieldType::Timestamp, &["/session/expiresAt"])
        .field_at("agent_count", FieldType::Integer, &["/agentCount"])
        .field_at("turn_count", FieldType::Integer, &["/turnCount"])
        .field_at("version", FieldType::Integer, &["/session/version"])
        .field_at("metadata", FieldType::Json, &["/session/metadata"])
        // Both orders by `updated` are one index, read forwards or backwards. By `created` and a
        // filter there is none: a user has few sessions, and a state is shared by many.
        .index("by_updated", &["-updated"])
        .index("by_created", &["-created"])
        .index("by_state", &["state", "-updated"])
        .index("by_user", &["user_id", "-updated"])
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

/// A stored session without its body.
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
    STORED.first(&Id { id })
}

/// The parameter of a path that names a session.
pub(crate) fn id() -> Param {
    Param::string().describe("The session's id.")
}
