//! Which members each kind of event has, and what may stand in them.

use loggia_plugin_sdk::{InvalidTimestamp, Problem, Timestamp};
use serde_json::Value;

use super::{Event, Kind, to_millis};

/// The largest content of a message.
pub(super) const MAX_CONTENT_BYTES: u32 = 16_384;
/// The longest id of an event.
const MAX_ID_BYTES: usize = 256;
/// The longest id of a guild, a user, a channel or a message.
const MAX_SNOWFLAKE_BYTES: usize = 128;
/// The longest name, and the longest role.
const MAX_NAME_BYTES: usize = 512;
/// Discord has 250 roles in a guild.
const MAX_ROLES: usize = 250;

impl Kind {
    /// The members that it has besides those of all kinds.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Presence => &["clients"],
            Self::Typing => &["channelId", "channel"],
            Self::Message => &["messageId", "channelId", "channel", "content"],
            Self::Join => &["accountAgeDays"],
            Self::DeletedMessage => &["messageId", "channelId", "channel"],
            Self::ReactionTime => {
                &["observerId", "observerName", "actorId", "actorName", "channelId", "deltaMs"]
            }
            Self::RoleChange => &["addedRoles", "removedRoles"],
        }
    }

    /// Whether it may be without a member that it has.
    fn can_lack(self, member: &str) -> bool {
        self == Self::DeletedMessage && member == "messageId"
    }
}

impl Event {
    /// See to it that it is as its kind demands, in one form alone.
    pub(super) fn check(&mut self) -> Result<(), Problem> {
        let kind = self.kind.ok_or_else(|| missing("type"))?;
        if kind == Kind::ReactionTime {
            self.observe()?;
        }
        self.check_members(kind)?;
        self.check_lengths()?;
        for (name, number) in
            [("accountAgeDays", self.account_age_days), ("deltaMs", self.delta_ms)]
        {
            if number.is_some_and(|number| number < 0) {
                return Err(fault("out-of-range", format!("{name} is less than 0")));
            }
        }
        self.settle()
    }

    /// The observer is the user.
    fn observe(&mut self) -> Result<(), Problem> {
        let observer = self.observer_id.clone().ok_or_else(|| missing("observerId"))?;
        let name = self.observer_name.clone().ok_or_else(|| missing("observerName"))?;
        if self.user_id.as_ref().is_some_and(|user| *user != observer) {
            return Err(fault("observer-differs", "userId is another one than observerId"));
        }
        (self.user_id, self.username) = (Some(observer), Some(name));
        Ok(())
    }

    fn check_members(&self, kind: Kind) -> Result<(), Problem> {
        for (name, given) in [
            ("guildId", self.guild_id.is_some()),
            ("userId", self.user_id.is_some()),
            ("username", self.username.is_some()),
            ("createdAt", self.created_at.is_some()),
        ] {
            if !given {
                return Err(missing(name));
            }
        }
        let members = kind.members();
        for (name, given) in [
            ("clients", self.clients.is_some()),
            ("messageId", self.message_id.is_some()),
            ("channelId", self.channel_id.is_some()),
            ("channel", self.channel.is_some()),
            ("content", self.content.is_some()),
            ("accountAgeDays", self.account_age_days.is_some()),
            ("observerId", self.observer_id.is_some()),
            ("observerName", self.observer_name.is_some()),
            ("actorId", self.actor_id.is_some()),
            ("actorName", self.actor_name.is_some()),
            ("deltaMs", self.delta_ms.is_some()),
            ("addedRoles", self.added_roles.is_some()),
            ("removedRoles", self.removed_roles.is_some()),
        ] {
            match (members.contains(&name), given) {
                (true, false) if !kind.can_lack(name) => return Err(missing(name)),
                (false, true) => {
                    let detail = format!("an event of this type has no {name}");
                    return Err(fault("unexpected-member", detail));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_lengths(&self) -> Result<(), Problem> {
        for (name, text, max) in [
            ("id", &self.id, MAX_ID_BYTES),
            ("guildId", &self.guild_id, MAX_SNOWFLAKE_BYTES),
            ("userId", &self.user_id, MAX_SNOWFLAKE_BYTES),
            ("channelId", &self.channel_id, MAX_SNOWFLAKE_BYTES),
            ("messageId", &self.message_id, MAX_SNOWFLAKE_BYTES),
            ("actorId", &self.actor_id, MAX_SNOWFLAKE_BYTES),
        ] {
            if text.as_ref().is_some_and(String::is_empty) {
                return Err(fault("empty-member", format!("{name} is empty")));
            }
            check_length(name, text.as_deref(), max)?;
        }
        for (name, text) in [
            ("username", &self.username),
            ("channel", &self.channel),
            ("actorName", &self.actor_name),
        ] {
            check_length(name, text.as_deref(), MAX_NAME_BYTES)?;
        }
        check_length("content", self.content.as_deref(), MAX_CONTENT_BYTES as usize)?;
        for (name, roles) in
            [("addedRoles", &self.added_roles), ("removedRoles", &self.removed_roles)]
        {
            let roles = roles.as_deref().unwrap_or_default();
            if roles.len() > MAX_ROLES {
                let detail = format!("{name} has more than {MAX_ROLES} roles");
                return Err(fault("too-many-roles", detail));
            }
            roles.iter().try_for_each(|role| check_length(name, Some(role), MAX_NAME_BYTES))?;
        }
        Ok(())
    }

    /// Bring what can be written in several ways into one, so that equal events have equal texts.
    fn settle(&mut self) -> Result<(), Problem> {
        let text = self.created_at.take().unwrap_or_default();
        let time: Timestamp = text.parse().map_err(|reason: InvalidTimestamp| {
            fault("invalid-time", format!("createdAt: {reason}"))
        })?;
        self.created_at = Some(to_millis(time).to_string());
        if let Some(clients) = &mut self.clients {
            clients.sort_unstable();
            clients.dedup();
        }
        if let Some(metadata) = self.metadata.take() {
            let mut metadata = Value::Object(metadata);
            metadata.sort_all_objects();
            self.metadata = metadata.as_object_mut().map(std::mem::take);
        }
        Ok(())
    }
}

fn check_length(name: &str, text: Option<&str>, max: usize) -> Result<(), Problem> {
    match text {
        Some(text) if text.len() > max => {
            Err(fault("too-long", format!("{name} has {} bytes; {max} are allowed", text.len())))
        }
        _ => Ok(()),
    }
}

fn missing(name: &str) -> Problem {
    fault("missing-member", format!("the event has no {name}"))
}

fn fault(code: &str, detail: impl Into<String>) -> Problem {
    Problem::new(422, code, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Made;

    fn made(event: &Value) -> Result<Made, Problem> {
        serde_json::from_value::<Event>(event.clone()).unwrap().make()
    }

    /// An event with these members in place of its own; null takes one away.
    fn event(kind: &str, others: &Value) -> Value {
        let mut event = json!({
            "type": kind, "guildId": "g", "userId": "u", "username": "ann",
            "createdAt": "2026-01-01T00:00:00.000Z",
        });
        let kind_of: Kind = serde_json::from_value(json!(kind)).unwrap();
        for member in kind_of.members() {
            event[member] = match *member {
                "clients" => json!(["web"]),
                "accountAgeDays" | "deltaMs" => json!(1),
                "addedRoles" | "removedRoles" => json!([]),
                "observerId" => json!("u"),
                _ => json!("x"),
            };
        }
        for (name, value) in others.as_object().unwrap() {
            match value {
                Value::Null => drop(event.as_object_mut().unwrap().remove(name)),
                value => event[name] = value.clone(),
            }
        }
        event
    }

    fn code(kind: &str, others: &Value) -> Option<String> {
        made(&event(kind, others)).err().map(|problem| problem.code)
    }

    #[test]
    fn each_kind_has_its_own_members() {
        for kind in crate::event::KINDS {
            assert_eq!(code(kind, &json!({})), None, "{kind}");
            let members = serde_json::from_value::<Kind>(json!(kind)).unwrap().members();
            for member in members {
                let expected = (kind != "deleted_message" || *member != "messageId")
                    .then_some("missing-member");
                let came = code(kind, &json!({ *member: null }));
                assert_eq!(came.as_deref(), expected, "{kind} {member}");
            }
            let stranger = if kind == "join" { "channel" } else { "accountAgeDays" };
            let value = if kind == "join" { json!("c") } else { json!(1) };
            let came = code(kind, &json!({ stranger: value }));
            assert_eq!(came.as_deref(), Some("unexpected-member"), "{kind}");
        }
        for member in ["type", "guildId", "userId", "username", "createdAt"] {
            let came = code("typing", &json!({ member: null }));
            assert_eq!(came.as_deref(), Some("missing-member"), "{member}");
        }
    }

    #[test]
    fn what_members_hold_has_limits() {
        let check = |kind: &str, others: Value, expected: Option<&str>| {
            assert_eq!(code(kind, &others).as_deref(), expected, "{kind} {others}");
        };
        let text = |length: usize| "x".repeat(length);
        check("typing", json!({"id": text(256)}), None);
        check("typing", json!({"id": text(257)}), Some("too-long"));
        check("typing", json!({"id": ""}), Some("empty-member"));
        check("typing", json!({"guildId": text(128)}), None);
        check("typing", json!({"guildId": text(129)}), Some("too-long"));
        check("typing", json!({"userId": ""}), Some("empty-member"));
        check("typing", json!({"username": text(512)}), None);
        check("typing", json!({"username": text(513)}), Some("too-long"));
        check("message", json!({"content": text(16_384)}), None);
        check("message", json!({"content": text(16_385)}), Some("too-long"));
        check("role_change", json!({"addedRoles": vec!["r"; 250]}), None);
        check("role_change", json!({"addedRoles": vec!["r"; 251]}), Some("too-many-roles"));
        check("role_change", json!({"removedRoles": [text(513)]}), Some("too-long"));
        check("join", json!({"accountAgeDays": -1}), Some("out-of-range"));
        check("reaction_time", json!({"deltaMs": -1}), Some("out-of-range"));
        check("reaction_time", json!({"userId": "other"}), Some("observer-differs"));
        check("reaction_time", json!({"userId": null, "username": null}), None);
        check("typing", json!({"createdAt": "yesterday"}), Some("invalid-time"));
    }

    #[test]
    fn equal_events_have_equal_ids_however_they_are_written() {
        let id = |kind: &str, others: Value| made(&event(kind, &others)).unwrap().id;
        let one = json!({"metadata": {"a": 1, "b": 2}, "createdAt": "2026-01-01T00:00:00.000Z"});
        let same = json!({"metadata": {"b": 2, "a": 1}, "createdAt": "2026-01-01T01:00:00+01:00"});
        assert_eq!(id("typing", one.clone()), id("typing", same));
        assert_ne!(id("typing", one), id("typing", json!({"metadata": {"a": 1}})));
        let (one, same) =
            (json!({"clients": ["web", "desktop", "web"]}), json!({"clients": ["desktop", "web"]}));
        assert_eq!(id("presence", one), id("presence", same));
        assert_eq!(id("typing", json!({"id": "mine"})), "mine");
        assert_ne!(id("typing", json!({})), id("typing", json!({"guildId": "h"})));
    }
}
