//! What an event is, and how it is stored: its document is the event itself, as clients see it.
//!
//! [`Event`] has the members of all kinds; `event/check.rs` says which of them a kind has.

mod check;

use loggia_plugin_sdk::manifest::{self, FieldType};
use loggia_plugin_sdk::{Collection, Problem, Timestamp, Write, declare, digest_id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

declare! { STORAGE:
    pub(crate) const EVENTS: Collection = collection("event").with(event);
}

fn event(event: manifest::Collection) -> manifest::Collection {
    event
        .field("type", FieldType::Text)
        .field("username", FieldType::Text)
        .field("channel", FieldType::Text)
        .field_at("guild_id", FieldType::Text, &["/guildId"])
        .field_at("user_id", FieldType::Text, &["/userId"])
        .field_at("created_at", FieldType::Timestamp, &["/createdAt"])
        .field_at("channel_id", FieldType::Text, &["/channelId"])
        .field_at("message_id", FieldType::Text, &["/messageId"])
        .field_at("account_age_days", FieldType::Integer, &["/accountAgeDays"])
        // They are sorted, and each is there once.
        .field_at("first_client", FieldType::Text, &["/clients/0"])
        .field_at("second_client", FieldType::Text, &["/clients/1"])
        .field_at("third_client", FieldType::Text, &["/clients/2"])
        .field_at("actor_id", FieldType::Text, &["/actorId"])
        .field_at("delta_ms", FieldType::Integer, &["/deltaMs"])
        .long_text("content", "/content", check::MAX_CONTENT_BYTES)
        .index("by_time", &["guild_id", "created_at"])
        // What analytics count stands in these, so that they need not read the documents.
        .index("by_type", &["guild_id", "type", "created_at", "user_id"])
        .index_where(
            "by_typing",
            &["guild_id", "created_at", "user_id", "channel_id"],
            json!({"type": ["typing"]}),
        )
        .index_where(
            "by_presence",
            &["guild_id", "created_at", "user_id", "first_client", "second_client", "third_client"],
            json!({"type": ["presence"]}),
        )
        .index("by_user", &["user_id", "guild_id", "created_at", "id", "type"])
        .index("by_channel", &["guild_id", "channel_id", "created_at"])
        .index_where("by_message", &["message_id"], json!({"type": ["message"]}))
        .search_index("words", &["content"])
}

/// What stands where nobody knows a name.
pub(crate) const UNKNOWN: &str = "unknown";

/// The kinds of events by their names.
pub(crate) const KINDS: [&str; 7] =
    ["presence", "typing", "message", "join", "deleted_message", "reaction_time", "role_change"];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Presence,
    Typing,
    Message,
    Join,
    DeletedMessage,
    ReactionTime,
    RoleChange,
}

/// Where a user is online.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Client {
    Desktop,
    Mobile,
    Web,
}

/// An event with the members of every kind, as it is sent and as it is stored.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Event {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Kind>,
    pub(crate) guild_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clients: Option<Vec<Client>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_age_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observer_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delta_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) added_roles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) removed_roles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Map<String, Value>>,
}

/// An event that is as its kind demands, ready to be stored.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    document: String,
}

impl Event {
    /// Check it, and give it an id of its content where it has none.
    pub(crate) fn make(mut self) -> Result<Made, Problem> {
        self.check()?;
        let id = match self.id.take() {
            Some(id) => id,
            None => digest_id([self.to_json()?]),
        };
        self.id = Some(id.clone());
        Ok(Made { document: self.to_json()?, id })
    }

    fn to_json(&self) -> Result<String, Problem> {
        serde_json::to_string(self)
            .map_err(|fault| Problem::new(422, "invalid-event", fault.to_string()))
    }
}

impl Made {
    /// Store it where no event has its id: the same event twice is one event.
    pub(crate) fn insert(self) -> Write {
        let precondition = loggia_plugin_sdk::Precondition::Absent;
        EVENTS.put_json(&self.id, self.document).when(precondition).into()
    }
}

/// Times are kept to the millisecond, as Discord tells them.
pub(crate) fn to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis())
}
