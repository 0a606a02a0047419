//! The newest known names of users and channels, within a guild.
//!
//! Events hold names as they were; so does a member, whose name may be newer than all events of it.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Page, Select, Timestamp, declare};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::UNKNOWN;
use crate::member::{MEMBERS, Member};

/// The newest name of the user that an expression gives, in a statement with the parameter `:guild`.
macro_rules! username {
    ($user:literal) => {
        concat!(
            "coalesce((SELECT m.username FROM member AS m \
             WHERE m.guild_id = :guild AND m.user_id = ",
            $user,
            " AND NOT EXISTS (SELECT 1 FROM event AS n WHERE n.user_id = m.user_id \
             AND n.guild_id = m.guild_id AND n.created_at > m.named_at) \
             ORDER BY m.named_at DESC LIMIT 1), \
             (SELECT e.username FROM event AS e WHERE e.user_id = ",
            $user,
            " AND e.guild_id = :guild ORDER BY e.created_at DESC LIMIT 1))"
        )
    };
}
pub(crate) use username;

declare! { STORAGE:
    const OF_USER: Select<User<'_>, Named> = select(
        "name-of-user",
        "SELECT username AS name, created_at AS at FROM event \
         WHERE user_id = :user AND guild_id = :guild",
    )
    .orders(&[("newest", "created_at DESC")]);

    const OF_CHANNEL: Select<Channel<'_>, Named> = select(
        "name-of-channel",
        "SELECT channel AS name, created_at AS at FROM event \
         WHERE guild_id = :guild AND channel_id = :channel \
         AND type IN ('typing', 'message', 'deleted_message')",
    )
    .orders(&[("newest", "created_at DESC")]);
}

#[derive(Serialize)]
struct User<'a> {
    guild: &'a str,
    user: &'a str,
}

#[derive(Serialize)]
struct Channel<'a> {
    guild: &'a str,
    channel: &'a str,
}

#[derive(serde::Deserialize)]
struct Named {
    name: String,
    at: Timestamp,
}

/// The newest name of a user, if one is known.
pub(crate) fn of_user(guild: &str, user: &str) -> Result<Option<String>, Error> {
    let member = MEMBERS.get(&Member::id(guild, user))?.map(|member| member.body);
    of_member(guild, user, member.as_ref())
}

/// The same where it is known what dispatches have told.
pub(crate) fn of_member(
    guild: &str,
    user: &str,
    member: Option<&Member>,
) -> Result<Option<String>, Error> {
    let event = first(&OF_USER, &User { guild, user })?;
    let newer = member.filter(|member| match (&event, member.named_at()) {
        (Some(event), Some(at)) => event.at <= at,
        _ => true,
    });
    let name = newer.map(|member| member.username.clone());
    Ok(name.or_else(|| event.map(|event| event.name)))
}

/// The newest name of a channel.
pub(crate) fn of_channel(guild: &str, channel: &str) -> Result<String, Error> {
    let newest = first(&OF_CHANNEL, &Channel { guild, channel })?;
    Ok(newest.map_or_else(|| UNKNOWN.to_owned(), |newest| newest.name))
}

/// The first row in a statement's order.
pub(crate) fn first<A: Serialize, R: DeserializeOwned>(
    statement: &Select<A, R>,
    args: &A,
) -> Result<Option<R>, Error> {
    let page = Page { limit: 1, ..Page::default() };
    Ok(statement.page(args, &page)?.decode()?.into_iter().next())
}
