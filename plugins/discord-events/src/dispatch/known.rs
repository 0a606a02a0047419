//! What is known beside a dispatch: members, names, and messages, those of the same request among them.

use std::collections::HashMap;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Document, Precondition, Select, Timestamp, Write, declare};
use serde::{Deserialize, Serialize};

use crate::event::{EVENTS, UNKNOWN};
use crate::member::{MEMBERS, Member};
use crate::name;

declare! { STORAGE:
    const LATEST: Select<Latest<'_>, Sent> = select(
        "latest-message",
        "SELECT user_id, username, created_at FROM event \
         WHERE guild_id = :guild AND channel_id = :channel AND type = 'message' \
         AND user_id <> :user AND created_at >= :since AND created_at <= :until",
    )
    .orders(&[("newest", "created_at DESC")]);

    const AUTHORS: Select<Authors<'_>, Author> = select(
        "authors",
        "SELECT message_id, guild_id, user_id, username FROM event \
         WHERE message_id = ANY(:messages) AND type = 'message'",
    )
    .orders(&[("message", "message_id")]);
}

#[derive(Serialize)]
struct Latest<'a> {
    guild: &'a str,
    channel: &'a str,
    user: &'a str,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Serialize)]
struct Authors<'a> {
    messages: &'a [String],
}

#[derive(Deserialize)]
struct Author {
    guild_id: String,
    message_id: String,
    user_id: String,
    username: String,
}

/// Who has sent a message, and when.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sent {
    pub(super) user_id: String,
    pub(super) username: String,
    pub(super) created_at: Timestamp,
}

/// A message of the same request.
#[derive(Debug)]
pub(super) struct NewMessage {
    pub(super) guild: String,
    pub(super) channel: String,
    pub(super) id: String,
    pub(super) sent: Sent,
}

/// A guild, and a user or a channel in it.
type Place = (String, String);

#[derive(Debug, Default)]
pub(super) struct Known {
    members: HashMap<Place, Slot>,
    names: HashMap<Place, String>,
    channels: HashMap<Place, String>,
    messages: Vec<NewMessage>,
}

/// A member as it is stored, and as it is to be.
#[derive(Debug)]
struct Slot {
    stored: Precondition,
    member: Option<Member>,
    is_changed: bool,
}

impl Slot {
    fn of(stored: Option<Document<Member>>) -> Self {
        let precondition = stored.as_ref().map(Document::precondition);
        Self {
            stored: precondition.unwrap_or(Precondition::Absent),
            member: stored.map(|stored| stored.body),
            is_changed: false,
        }
    }
}

fn place(guild: &str, other: &str) -> Place {
    (guild.to_owned(), other.to_owned())
}

impl Known {
    /// Whether an event is stored already.
    pub(super) fn has_event(&self, id: &str) -> Result<bool, Error> {
        Ok(EVENTS.get_json(id)?.is_some())
    }

    fn slot(&mut self, guild: &str, user: &str) -> Result<&mut Slot, Error> {
        let key = place(guild, user);
        if !self.members.contains_key(&key) {
            let stored = MEMBERS.get(&Member::id(guild, user))?;
            self.members.insert(key.clone(), Slot::of(stored));
        }
        Ok(self.members.get_mut(&key).expect("it was put there if it was missing"))
    }

    pub(super) fn member(&mut self, guild: &str, user: &str) -> Result<Option<&Member>, Error> {
        Ok(self.slot(guild, user)?.member.as_ref())
    }

    pub(super) fn set_member(&mut self, member: Member) -> Result<(), Error> {
        let key = place(&member.guild_id, &member.user_id);
        self.names.insert(key, member.username.clone());
        let slot = self.slot(&member.guild_id, &member.user_id)?;
        slot.member = Some(member);
        slot.is_changed = true;
        Ok(())
    }

    /// The name of a user: what the dispatch says, else the newest known.
    pub(super) fn name(
        &mut self,
        guild: &str,
        user: &str,
        told: Option<String>,
    ) -> Result<String, Error> {
        let key = place(guild, user);
        if let Some(told) = told {
            self.names.insert(key, told.clone());
            return Ok(told);
        }
        if let Some(name) = self.names.get(&key) {
            return Ok(name.clone());
        }
        let member = self.member(guild, user)?;
        let found = name::of_member(guild, user, member)?.unwrap_or_else(|| UNKNOWN.to_owned());
        self.names.insert(key, found.clone());
        Ok(found)
    }

    pub(super) fn channel(&mut self, guild: &str, channel: &str) -> Result<String, Error> {
        let key = place(guild, channel);
        if let Some(name) = self.channels.get(&key) {
            return Ok(name.clone());
        }
        let name = name::of_channel(guild, channel)?;
        self.channels.insert(key, name.clone());
        Ok(name)
    }

    pub(super) fn add_message(&mut self, message: NewMessage) {
        self.messages.push(message);
    }

    /// The latest message of others in a channel from one time to another, both included.
    pub(super) fn latest_of_others(
        &self,
        (guild, channel): (&str, &str),
        user: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Sent>, Error> {
        let stored = name::first(&LATEST, &Latest { guild, channel, user, since, until })?;
        let new = self.messages.iter().filter(|message| {
            let at = message.sent.created_at;
            (message.guild.as_str(), message.channel.as_str()) == (guild, channel)
                && message.sent.user_id != user
                && (since..=until).contains(&at)
        });
        let all = stored.into_iter().chain(new.map(|message| message.sent.clone()));
        Ok(all.max_by_key(|sent| sent.created_at))
    }

    /// Who has sent these messages: the id and the name, for those that are known.
    pub(super) fn authors(
        &self,
        guild: &str,
        messages: &[String],
    ) -> Result<HashMap<String, (String, String)>, Error> {
        let stored = AUTHORS.rows(&Authors { messages })?.into_iter();
        let stored = stored
            .filter(|author| author.guild_id == guild)
            .map(|author| (author.message_id, (author.user_id, author.username)));
        let new = self.messages.iter().filter(|message| message.guild == guild).map(|message| {
            let Sent { user_id, username, .. } = message.sent.clone();
            (message.id.clone(), (user_id, username))
        });
        Ok(stored.chain(new).collect())
    }

    /// The writes of members that have changed, where nobody else has changed them since.
    pub(super) fn writes(&self) -> impl Iterator<Item = Write> + '_ {
        let changed = self.members.values().filter(|slot| slot.is_changed);
        changed.filter_map(|slot| {
            let member = slot.member.as_ref()?;
            let id = Member::id(&member.guild_id, &member.user_id);
            Some(MEMBERS.put(&id, member).when(slot.stored).into())
        })
    }
}
