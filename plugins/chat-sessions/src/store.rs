//! Where sessions are stored, and what decides about replacing one.
//!
//! A session is one document of the collection `session`; a long history lies in documents of the
//! collection `chunk` beside it, which go when it goes.

use loggia_plugin_sdk::manifest::{self, FieldType, OnDelete, Param};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Problem, Select, Version, declare, digest_id};
use serde::{Deserialize, Serialize};

use crate::record::chunk_count;

declare! { STORAGE:
    pub(crate) const SESSIONS: Collection = collection("session").with(session);

    pub(crate) const CHUNKS: Collection = collection("chunk").with(chunk);

    /// What decides whether a session may be replaced, without its body.
    const STORED: Select<Ids<'_>, Stored> = select(
        "stored",
        "SELECT id, _version AS revision, version, created, turn_count, base_turns, base_chunks \
         FROM session WHERE id = ANY(:ids)",
    )
    .generic_plan();
}

fn session(session: manifest::Collection) -> manifest::Collection {
    session
        // In version 1 the history stood in the session, and nothing was counted.
        .schema_version(2)
        .field_at("state", FieldType::Text, &["/session/state"])
        .field_at("user_id", FieldType::Text, &["/session/metadata/userId"])
        .field_at("created", FieldType::Timestamp, &["/session/createdAt"])
        .field_at("updated", FieldType::Timestamp, &["/session/updatedAt"])
        .field_at("expires_on", FieldType::Timestamp, &["/session/expiresAt"])
        .field_at("agent_count", FieldType::Integer, &["/agentCount"])
        .field_at("turn_count", FieldType::Integer, &["/turnCount"])
        .field_at("last_sequence", FieldType::Integer, &["/lastSequence"])
        .field_at("base_turns", FieldType::Integer, &["/baseTurns"])
        .field_at("base_chunks", FieldType::Integer, &["/baseChunks"])
        .field("bytes", FieldType::Integer)
        .field_at("history_bytes", FieldType::Integer, &["/historyBytes"])
        .field("agents", FieldType::Texts)
        .field_at("tags", FieldType::Texts, &["/session/metadata/tags"])
        .field_at("version", FieldType::Integer, &["/session/version"])
        .field_at("metadata", FieldType::Json, &["/session/metadata"])
        // Both orders by `updated` are one index, read forwards or backwards. By `created` and a
        // filter there is none: a user has few sessions, and a state is shared by many.
        .index("by_updated", &["-updated"])
        .index("by_created", &["-created"])
        .index("by_state", &["state", "-updated"])
        .index("by_user", &["user_id", "-updated"])
        .contains_index("by_tags", "tags")
        .contains_index("by_agents", "agents")
        .search_index(
            "words",
            &[
                "/session/metadata/title",
                "/history/*/userMessage",
                "/history/*/agentResponses/*/response",
            ],
        )
}

fn chunk(chunk: manifest::Collection) -> manifest::Collection {
    chunk
        .field("session", FieldType::Text)
        .field("place", FieldType::Integer)
        .index("by_session", &["session", "place"])
        .reference("session", "session", "session", OnDelete::Cascade)
        .search_index("words", &["/turns/*/userMessage", "/turns/*/agentResponses/*/response"])
}

#[derive(Serialize)]
struct Ids<'a> {
    ids: &'a [&'a str],
}

/// A stored session without its body.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    pub(crate) id: String,
    /// The document's version, which the gateway counts.
    pub(crate) revision: Version,
    /// The session's own version.
    pub(crate) version: u64,
    /// When the client says that it was created.
    pub(crate) created: String,
    turn_count: usize,
    base_turns: usize,
    base_chunks: usize,
}

impl Stored {
    /// How many documents its history has besides.
    pub(crate) fn chunks(&self) -> usize {
        chunk_count(self.turn_count, self.base_turns, self.base_chunks)
    }
}

/// Look a session up.
pub(crate) fn find(id: &str) -> Result<Option<Stored>, Error> {
    Ok(find_all(&[id])?.pop())
}

/// Look sessions up, of which those that are there come in any order.
pub(crate) fn find_all(ids: &[&str]) -> Result<Vec<Stored>, Error> {
    STORED.rows(&Ids { ids })
}

/// The id of a part of a session's history.
pub(crate) fn chunk_id(session: &str, place: usize) -> String {
    format!("{}.{place}", digest_id([session]))
}

/// The parameter of a path that names a session.
pub(crate) fn id() -> Param {
    Param::string().describe("The session's id.")
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("there is no such session")
}
