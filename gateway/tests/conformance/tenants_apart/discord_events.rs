//! Events and members of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case { store, params: &[("q", "words")], conditional: &[], body };

/// A guild, a user and an event, since the test puts each id that it finds into all places of a path;
/// and an analytic, which has its place in a path as well.
const ID: &str = "suspicion";

/// Of each kind one event, so that each list and analytic has something to tell.
fn store(text: &str) -> Vec<Request> {
    vec![
        Request::new("POST", "/events").json(&json!([
            event(ID, "presence", text, &json!({"clients": ["desktop", "web"]})),
            event("b", "typing", text, &json!({"channelId": "c", "channel": text})),
            event(
                "c",
                "message",
                text,
                &json!({
                    "messageId": "m", "channelId": "c", "channel": text,
                    "content": format!("words of {text}"),
                })
            ),
            event("d", "join", text, &json!({"accountAgeDays": 1})),
            event("e", "role_change", text, &json!({"addedRoles": [text], "removedRoles": []})),
            event(
                "f",
                "reaction_time",
                text,
                &json!({
                    "observerId": ID, "observerName": text, "actorId": "v", "actorName": text,
                    "channelId": "c", "deltaMs": 100,
                })
            ),
        ])),
        Request::new("POST", "/dispatch").json(&json!({
            "op": 0, "t": "GUILD_MEMBER_UPDATE", "s": 1,
            "d": {"guild_id": ID, "user": {"id": ID, "username": text}, "roles": []},
        })),
        Request::new("GET", &format!("/guilds/{ID}/events?limit=1")),
        Request::new("GET", &format!("/guilds/{ID}/users/{ID}/timeline?limit=1")),
    ]
}

fn event(id: &str, kind: &str, text: &str, more: &Value) -> Value {
    let mut event = json!({
        "id": id, "type": kind, "guildId": ID, "userId": ID, "username": text, "createdAt": TIME,
    });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// In the last week, whenever that is.
const TIME: &str = "2090-01-01T00:00:00Z";

/// What the other may send with ids that it has heard of.
fn body(operation: &str) -> Value {
    match operation {
        "ingest" => json!([event(ID, "join", "text-of-two", &json!({"accountAgeDays": 2}))]),
        "dispatch" => json!({
            "op": 0, "t": "GUILD_MEMBER_UPDATE", "s": 2,
            "d": {"guild_id": ID, "user": {"id": ID}, "roles": ["r"]},
        }),
        _ => json!({}),
    }
}
