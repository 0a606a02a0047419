//! The plugin `discord-events` over HTTP: every route and analytic, with values worked out by hand, and
//! in `discord/differential.rs` against SQL on ordinary tables.

mod analytics;
mod differential;
mod dispatch;
mod ingest;
mod lists;
mod removal;
mod score;
mod search;
mod timeline;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Answer, TestGateway};

const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// What time it is in these tests.
const NOW: &str = "2026-06-15T12:00:00Z";

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So many milliseconds before now.
fn ago(milliseconds: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    let time = now - SignedDuration::from_millis(milliseconds);
    format!("{time:.3}")
}

/// An event in the guild `g`, so many milliseconds ago.
fn event(kind: &str, user: &str, milliseconds: i64, more: &Value) -> Value {
    let mut event = json!({
        "type": kind, "guildId": "g", "userId": user, "username": format!("{user}'s name"),
        "createdAt": ago(milliseconds),
    });
    merge(&mut event, more);
    event
}

fn merge(event: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
}

fn typing(user: &str, milliseconds: i64, channel: &str) -> Value {
    let more = json!({"channelId": channel, "channel": format!("#{channel}")});
    event("typing", user, milliseconds, &more)
}

fn message(user: &str, milliseconds: i64, content: &str) -> Value {
    let more = json!({
        "messageId": format!("m-{user}-{milliseconds}"), "channelId": "c", "channel": "#c",
        "content": content,
    });
    event("message", user, milliseconds, &more)
}

fn presence(user: &str, milliseconds: i64, clients: &[&str]) -> Value {
    event("presence", user, milliseconds, &json!({"clients": clients}))
}

fn join(user: &str, milliseconds: i64, days: i64) -> Value {
    event("join", user, milliseconds, &json!({"accountAgeDays": days}))
}

fn deleted_message(user: &str, milliseconds: i64) -> Value {
    event("deleted_message", user, milliseconds, &json!({"channelId": "c", "channel": "#c"}))
}

fn reaction(user: &str, milliseconds: i64, delta_ms: i64) -> Value {
    let more = json!({
        "observerId": user, "observerName": format!("{user}'s name"), "actorId": "actor",
        "actorName": "actor's name", "channelId": "c", "deltaMs": delta_ms,
    });
    event("reaction_time", user, milliseconds, &more)
}

fn role_change(user: &str, milliseconds: i64) -> Value {
    event("role_change", user, milliseconds, &json!({"addedRoles": ["r"], "removedRoles": []}))
}

/// One event of each kind of a user, an hour apart.
fn one_of_each(user: &str) -> Vec<Value> {
    vec![
        presence(user, HOUR, &["web"]),
        typing(user, 2 * HOUR, "c"),
        message(user, 3 * HOUR, "hello"),
        join(user, 4 * HOUR, 100),
        deleted_message(user, 5 * HOUR),
        reaction(user, 6 * HOUR, 1_000),
        role_change(user, 7 * HOUR),
    ]
}

/// A route of the plugin.
fn route(path: &str) -> String {
    format!("/v1/discord-events/{path}")
}

impl TestGateway {
    /// Let it be [`NOW`].
    fn at_noon(&self) -> &Self {
        let now: Timestamp = NOW.parse().unwrap();
        self.storage().freeze_clock(now.as_microsecond());
        self
    }

    /// Send events, whatever comes of it.
    async fn send_events(&self, query: &str, events: &[Value]) -> Answer {
        let path = route(&format!("events{query}"));
        self.send("POST", &path, &[JSON], json!(events).to_string()).await
    }

    /// Store events that are new and good.
    async fn ingest(&self, events: &[Value]) {
        let answer = self.send_events("", events).await.assert_status(200).json();
        let expected = json!({"ingested": events.len(), "duplicates": 0, "rejected": []});
        assert_eq!(answer, expected);
    }

    /// Send dispatches, whatever comes of it.
    async fn send_dispatches(&self, dispatches: &Value) -> Answer {
        self.send("POST", &route("dispatch"), &[JSON], dispatches.to_string()).await
    }

    /// What a route of the plugin tells.
    async fn seen(&self, path: &str) -> Value {
        self.get(&route(path)).await.assert_status(200).json()
    }

    /// All events of the guild, the newest first.
    async fn all_events(&self) -> Vec<Value> {
        let page = self.seen("guilds/g/events?limit=1000").await;
        page["items"].as_array().unwrap().clone()
    }
}

/// A member of each item.
fn each(items: &Value, member: &str) -> Vec<Value> {
    items.as_array().unwrap().iter().map(|item| item[member].clone()).collect()
}
