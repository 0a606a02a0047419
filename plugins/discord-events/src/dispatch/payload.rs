//! The payloads of dispatches, with the members of them that are needed, as Discord documents them.

use loggia_plugin_sdk::Problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Debug)]
pub(super) enum Payload {
    Presence(PresenceUpdate),
    Typing(TypingStart),
    Message(MessageCreate),
    Deletion(Deletion),
    Join(GuildMember),
    Update(GuildMember),
}

/// A user; of some dispatches it has its id alone.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: Option<String>,
    #[serde(default)]
    pub(super) bot: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct PresenceUpdate {
    pub(super) guild_id: String,
    pub(super) user: User,
    #[serde(default)]
    pub(super) client_status: ClientStatus,
}

/// How the user is there, for each client with which it is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ClientStatus {
    pub(super) desktop: Option<String>,
    pub(super) mobile: Option<String>,
    pub(super) web: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TypingStart {
    /// Absent in a direct message.
    pub(super) guild_id: Option<String>,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    /// In seconds since 1970.
    pub(super) timestamp: i64,
    pub(super) member: Option<TypingMember>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TypingMember {
    pub(super) user: Option<User>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MessageCreate {
    pub(super) id: String,
    /// Absent in a direct message.
    pub(super) guild_id: Option<String>,
    pub(super) channel_id: String,
    pub(super) author: User,
    #[serde(default)]
    pub(super) content: String,
    pub(super) timestamp: String,
    /// There where the author is no user.
    pub(super) webhook_id: Option<String>,
}

/// One message or several.
#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) guild_id: Option<String>,
    pub(super) channel_id: String,
    pub(super) message_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct MessageDelete {
    id: String,
    guild_id: Option<String>,
    channel_id: String,
}

#[derive(Debug, Deserialize)]
struct MessageDeleteBulk {
    ids: Vec<String>,
    guild_id: Option<String>,
    channel_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct GuildMember {
    pub(super) guild_id: String,
    pub(super) user: User,
    pub(super) roles: Vec<String>,
    pub(super) joined_at: Option<String>,
}

impl Payload {
    /// The payload of a dispatch of this name, if it is one of those that make events.
    pub(super) fn read(name: &str, payload: Value) -> Result<Option<Self>, Problem> {
        Ok(Some(match name {
            "PRESENCE_UPDATE" => Self::Presence(parse(payload)?),
            "TYPING_START" => Self::Typing(parse(payload)?),
            "MESSAGE_CREATE" => Self::Message(parse(payload)?),
            "MESSAGE_DELETE" => {
                let MessageDelete { id, guild_id, channel_id } = parse(payload)?;
                Self::Deletion(Deletion { guild_id, channel_id, message_ids: vec![id] })
            }
            "MESSAGE_DELETE_BULK" => {
                let MessageDeleteBulk { ids, guild_id, channel_id } = parse(payload)?;
                Self::Deletion(Deletion { guild_id, channel_id, message_ids: ids })
            }
            "GUILD_MEMBER_ADD" => Self::Join(parse(payload)?),
            "GUILD_MEMBER_UPDATE" => Self::Update(parse(payload)?),
            _ => return Ok(None),
        }))
    }
}

fn parse<T: DeserializeOwned>(payload: Value) -> Result<T, Problem> {
    serde_json::from_value(payload)
        .map_err(|fault| Problem::new(422, "invalid-payload", format!("d: {fault}")))
}
