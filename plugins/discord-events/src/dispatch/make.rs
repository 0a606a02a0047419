//! The events that are made of a dispatch.

use std::collections::BTreeSet;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{InvalidTimestamp, Problem, Timestamp};

use super::known::{Known, NewMessage, Sent};
use super::payload::{
    ClientStatus, Deletion, GuildMember, MessageCreate, Payload, PresenceUpdate, TypingStart, User,
};
use super::snowflake;
use crate::event::{Client, Event, Kind, UNKNOWN, to_millis};
use crate::member::Member;

/// How long after another user's message typing is a reaction to it.
const REACTION_MS: i64 = 5_000;

/// Why no event is made.
#[derive(Debug)]
pub(super) enum Refused {
    /// The dispatch has been taken before.
    Duplicate,
    Problem(Problem),
    Storage(Error),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Storage(error)
    }
}

/// Makes the events of one dispatch.
pub(super) struct Maker<'a> {
    pub(super) known: &'a mut Known,
    /// When the request came, for dispatches that tell no time.
    pub(super) now: Timestamp,
    /// Of the first event.
    pub(super) id: &'a str,
}

impl Maker<'_> {
    /// None where the dispatch is a bot's, or tells nothing new.
    pub(super) fn events(&mut self, payload: Payload) -> Result<Vec<Event>, Refused> {
        match payload {
            Payload::Presence(presence) => self.presence(presence),
            Payload::Typing(typing) => self.typing(typing),
            Payload::Message(message) => self.message(message),
            Payload::Deletion(deletion) => self.deletion(deletion),
            Payload::Join(member) => self.join(member),
            Payload::Update(member) => self.update(member),
        }
    }

    fn presence(&mut self, presence: PresenceUpdate) -> Result<Vec<Event>, Refused> {
        let PresenceUpdate { guild_id, user, client_status } = presence;
        if self.is_bot(&guild_id, &user)? {
            return Ok(Vec::new());
        }
        let username = self.known.name(&guild_id, &user.id, user.username)?;
        let event = Event {
            clients: Some(clients(&client_status)),
            ..self.event(Kind::Presence, guild_id, (user.id, username), self.now)
        };
        Ok(vec![event])
    }

    fn typing(&mut self, typing: TypingStart) -> Result<Vec<Event>, Refused> {
        let TypingStart { guild_id, channel_id, user_id, timestamp, member } = typing;
        let Some(guild_id) = guild_id else { return Ok(Vec::new()) };
        let told = member.and_then(|member| member.user);
        let user = told.unwrap_or(User { id: user_id, username: None, bot: false });
        if self.is_bot(&guild_id, &user)? {
            return Ok(Vec::new());
        }
        let username = self.known.name(&guild_id, &user.id, user.username)?;
        let at = timestamp.checked_mul(1_000).map(Timestamp::from_millis);
        let at = at.ok_or_else(|| invalid("timestamp is no time"))?;
        let reaction = self.reaction(&guild_id, &channel_id, (&user.id, &username), at)?;
        let event = Event {
            channel: Some(self.known.channel(&guild_id, &channel_id)?),
            channel_id: Some(channel_id),
            ..self.event(Kind::Typing, guild_id, (user.id, username), at)
        };
        Ok(std::iter::once(event).chain(reaction).collect())
    }

    /// Typing that follows soon after the latest message of others.
    fn reaction(
        &self,
        guild: &str,
        channel: &str,
        (user, username): (&str, &str),
        at: Timestamp,
    ) -> Result<Option<Event>, Error> {
        let since = at.plus_millis(-REACTION_MS);
        let message = self.known.latest_of_others((guild, channel), user, since, at)?;
        Ok(message.map(|message| Event {
            observer_id: Some(user.to_owned()),
            observer_name: Some(username.to_owned()),
            delta_ms: Some(at.as_millis() - message.created_at.as_millis()),
            actor_id: Some(message.user_id),
            actor_name: Some(message.username),
            channel_id: Some(channel.to_owned()),
            ..self.event(
                Kind::ReactionTime,
                guild.to_owned(),
                (user.to_owned(), username.to_owned()),
                at,
            )
        }))
    }

    fn message(&mut self, message: MessageCreate) -> Result<Vec<Event>, Refused> {
        let MessageCreate { id, guild_id, channel_id, author, content, timestamp, webhook_id } =
            message;
        let (Some(guild_id), None) = (guild_id, webhook_id) else { return Ok(Vec::new()) };
        if self.is_bot(&guild_id, &author)? {
            return Ok(Vec::new());
        }
        let at = to_millis(parse_time("timestamp", &timestamp)?);
        let username = self.known.name(&guild_id, &author.id, author.username)?;
        self.known.add_message(NewMessage {
            guild: guild_id.clone(),
            channel: channel_id.clone(),
            id: id.clone(),
            sent: Sent { user_id: author.id.clone(), username: username.clone(), created_at: at },
        });
        let event = Event {
            message_id: Some(id),
            channel: Some(self.known.channel(&guild_id, &channel_id)?),
            channel_id: Some(channel_id),
            content: Some(content),
            ..self.event(Kind::Message, guild_id, (author.id, username), at)
        };
        Ok(vec![event])
    }

    fn deletion(&mut self, deletion: Deletion) -> Result<Vec<Event>, Refused> {
        let Deletion { guild_id, channel_id, message_ids } = deletion;
        let Some(guild_id) = guild_id else { return Ok(Vec::new()) };
        let channel = self.known.channel(&guild_id, &channel_id)?;
        let authors = self.known.authors(&guild_id, &message_ids)?;
        let unknown = (UNKNOWN.to_owned(), UNKNOWN.to_owned());
        let events = message_ids.into_iter().map(|id| {
            let author = authors.get(&id).unwrap_or(&unknown).clone();
            Event {
                message_id: Some(id),
                channel_id: Some(channel_id.clone()),
                channel: Some(channel.clone()),
                ..self.event(Kind::DeletedMessage, guild_id.clone(), author, self.now)
            }
        });
        Ok(events.collect())
    }

    fn join(&mut self, joined: GuildMember) -> Result<Vec<Event>, Refused> {
        if self.is_bot(&joined.guild_id, &joined.user)? {
            return Ok(Vec::new());
        }
        self.refuse_duplicate()?;
        let at = match &joined.joined_at {
            Some(text) => to_millis(parse_time("joined_at", text)?),
            None => self.now,
        };
        let age = snowflake::age_in_days(&joined.user.id, at);
        let age = age.ok_or_else(|| invalid("user.id is no snowflake"))?;
        let member = self.remember(&joined)?;
        let author = (member.user_id, member.username);
        let event = Event {
            account_age_days: Some(age),
            ..self.event(Kind::Join, joined.guild_id, author, at)
        };
        Ok(vec![event])
    }

    /// It tells the roles as they are now; what was known before tells what has changed.
    fn update(&mut self, update: GuildMember) -> Result<Vec<Event>, Refused> {
        if self.is_bot(&update.guild_id, &update.user)? {
            return Ok(Vec::new());
        }
        self.refuse_duplicate()?;
        let before = self.known.member(&update.guild_id, &update.user.id)?;
        let before = before.and_then(|member| member.roles.clone());
        let member = self.remember(&update)?;
        let Some(before) = before else { return Ok(Vec::new()) };
        let after = member.roles.unwrap_or_default();
        let (added, removed) = (missing_in(&before, &after), missing_in(&after, &before));
        if added.is_empty() && removed.is_empty() {
            return Ok(Vec::new());
        }
        let event = Event {
            added_roles: Some(added),
            removed_roles: Some(removed),
            ..self.event(
                Kind::RoleChange,
                update.guild_id,
                (member.user_id, member.username),
                self.now,
            )
        };
        Ok(vec![event])
    }

    /// What changes a member may not do so again when it comes once more, and late.
    fn refuse_duplicate(&self) -> Result<(), Refused> {
        if self.known.has_event(self.id)? { Err(Refused::Duplicate) } else { Ok(()) }
    }

    fn remember(&mut self, told: &GuildMember) -> Result<Member, Error> {
        let (guild, user) = (&told.guild_id, &told.user);
        let member = Member {
            guild_id: guild.clone(),
            user_id: user.id.clone(),
            username: self.known.name(guild, &user.id, user.username.clone())?,
            named_at: self.now.to_string(),
            roles: Some(told.roles.clone()),
            bot: false,
        };
        self.known.set_member(member.clone())?;
        Ok(member)
    }

    /// Some dispatches do not tell, so what others have told of it is kept.
    fn is_bot(&mut self, guild: &str, user: &User) -> Result<bool, Error> {
        let is_known = self.known.member(guild, &user.id)?.is_some_and(|member| member.bot);
        if user.bot && !is_known {
            self.known.set_member(Member {
                guild_id: guild.to_owned(),
                user_id: user.id.clone(),
                username: user.username.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
                named_at: self.now.to_string(),
                roles: None,
                bot: true,
            })?;
        }
        Ok(user.bot || is_known)
    }

    /// An event with the members of all kinds but its id.
    fn event(
        &self,
        kind: Kind,
        guild_id: String,
        (user_id, username): (String, String),
        at: Timestamp,
    ) -> Event {
        Event {
            kind: Some(kind),
            guild_id: Some(guild_id),
            user_id: Some(user_id),
            username: Some(username),
            created_at: Some(at.to_string()),
            ..Event::default()
        }
    }
}

fn clients(status: &ClientStatus) -> Vec<Client> {
    let all = [
        (Client::Desktop, &status.desktop),
        (Client::Mobile, &status.mobile),
        (Client::Web, &status.web),
    ];
    let is_there = |status: &Option<String>| status.as_ref().is_some_and(|how| how != "offline");
    all.into_iter().filter(|(_, status)| is_there(status)).map(|(client, _)| client).collect()
}

/// The roles that are in the second list and not in the first, sorted.
fn missing_in(one: &[String], other: &[String]) -> Vec<String> {
    let new: BTreeSet<&String> = other.iter().filter(|role| !one.contains(role)).collect();
    new.into_iter().cloned().collect()
}

fn parse_time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|fault: InvalidTimestamp| invalid(&format!("{name}: {fault}")))
}

fn invalid(detail: &str) -> Problem {
    Problem::new(422, "invalid-payload", format!("d: {detail}"))
}
