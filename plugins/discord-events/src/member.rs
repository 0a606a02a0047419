//! What dispatches have told of a member that no event tells: the last known roles and name, and who is
//! a bot.

use loggia_plugin_sdk::manifest::{self, FieldType};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Collection, Timestamp, declare, digest_id};
use serde::{Deserialize, Serialize};

declare! { STORAGE:
    pub(crate) const MEMBERS: Collection<Member> = collection("member").with(member);
}

fn member(member: manifest::Collection) -> manifest::Collection {
    member
        .field("username", FieldType::Text)
        .field_at("guild_id", FieldType::Text, &["/guildId"])
        .field_at("user_id", FieldType::Text, &["/userId"])
        .field_at("named_at", FieldType::Timestamp, &["/namedAt"])
        .index("by_user", &["user_id", "guild_id", "named_at"])
        .index("by_guild", &["guild_id", "user_id"])
}

/// A member of a guild.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) guild_id: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    /// When it had this name.
    pub(crate) named_at: String,
    /// None before a dispatch has told them.
    pub(crate) roles: Option<Vec<String>>,
    pub(crate) bot: bool,
}

impl Member {
    pub(crate) fn id(guild: &str, user: &str) -> String {
        digest_id([guild, user])
    }

    pub(crate) fn named_at(&self) -> Option<Timestamp> {
        self.named_at.parse().ok()
    }
}
