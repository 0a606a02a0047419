//! The members of a session, as types that check them.
//!
//! Members that are not listed are refused at the top level, and kept below it. `null` stands for
//! a member that is not there, except for those that the plugin fills in.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;

use loggia_plugin_sdk::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};

use crate::shape::{List, Map, Names, Object, Record, Text, Texts};

/// The states that a session can be in.
pub(crate) const STATES: [&str; 5] =
    ["active", "paused", "expired", "invalidated_pending_cleanup", "closed"];

/// The names of [`Members`], for the message about one that is not among them.
pub(super) const NAMES: [&str; 11] = [
    "id",
    "state",
    "createdAt",
    "updatedAt",
    "expiresAt",
    "agentIds",
    "agentStates",
    "conversationHistory",
    "sharedContext",
    "metadata",
    "version",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "some members are only checked")]
pub(super) struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "filled_in")]
    pub(super) id: Option<Cow<'a, str>>,
    state: State,
    #[serde(default, deserialize_with = "filled_in")]
    pub(super) created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "filled_in")]
    pub(super) updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "filled_in")]
    expires_at: Option<Option<Timestamp>>,
    agent_ids: Option<Texts>,
    agent_states: Option<Names<Record<AgentState>>>,
    conversation_history: Option<List<Record<StoredTurn>>>,
    shared_context: Option<Object>,
    metadata: Option<Record<Metadata>>,
    #[serde(default, deserialize_with = "filled_in")]
    pub(super) version: Option<NonZeroU64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only the shape is checked")]
pub(crate) struct AgentState {
    config: Option<Object>,
    context: Option<Record<Context>>,
    message_history: Option<List<Record<StoredTurn>>>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only the shape is checked")]
struct Context {
    #[serde(rename = "_metadata")]
    metadata: Option<Map<Record<ContextField>>>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only the shape is checked")]
struct ContextField {
    trimmable: Option<bool>,
}

/// A turn of a stored session.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only the shape is checked")]
struct StoredTurn {
    sequence: i64,
    timestamp: Option<Timestamp>,
    user_message: Option<Text>,
    agent_responses: Option<List<Record<AgentResponse>>>,
}

/// A turn that is appended: the plugin numbers it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Turn {
    pub(crate) sequence: Option<IgnoredAny>,
    pub(crate) timestamp: Option<Timestamp>,
    #[expect(dead_code, reason = "only the shape is checked")]
    user_message: Option<Text>,
    #[expect(dead_code, reason = "only the shape is checked")]
    agent_responses: Option<List<Record<AgentResponse>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only the shape is checked")]
struct AgentResponse {
    agent_id: Text,
    response: Text,
    timestamp: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only the shape is checked")]
struct Metadata {
    user_id: Option<Text>,
    tags: Option<List<Text>>,
    title: Option<Text>,
}

impl Members<'_> {
    /// How many agents take part: those that are listed, else those that have a state.
    pub(super) fn agent_count(&self) -> usize {
        let listed = self.agent_ids.as_ref().map(|ids| ids.0.len());
        listed.or(self.agent_states.as_ref().map(|states| states.names.len())).unwrap_or(0)
    }

    /// Who takes part: those that are listed, and those that have a state.
    pub(super) fn agents(&self) -> Vec<String> {
        let mut agents = self.agent_ids.as_ref().map_or_else(Vec::new, |ids| ids.0.clone());
        let states = self.agent_states.as_ref().map_or(&[][..], |states| &states.names);
        for name in states {
            if !agents.contains(name) {
                agents.push(name.clone());
            }
        }
        agents
    }

    /// Whether the client says when it expires; null is never.
    pub(super) fn has_expiry(&self) -> bool {
        self.expires_at.is_some()
    }
}

/// A member that the plugin fills in when it is missing. Taking `null` for missing would give the
/// stored session the member twice.
fn filled_in<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// One of [`STATES`].
#[derive(Debug)]
struct State;

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(StateVisitor)
    }
}

struct StateVisitor;

impl Visitor<'_> for StateVisitor {
    type Value = State;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a state")
    }

    fn visit_str<E: Error>(self, state: &str) -> Result<State, E> {
        if STATES.contains(&state) { Ok(State) } else { Err(E::unknown_variant(state, &STATES)) }
    }
}
