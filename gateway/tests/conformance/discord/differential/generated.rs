//! Events of all seven kinds, made of a fixed seed: several guilds, users who are renamed, channels that
//! are renamed, and events that are delivered more than once.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::super::{MINUTE, ago, merge};

pub(super) const GUILDS: [&str; 3] = ["g0", "g1", "g2"];

/// So many different events.
pub(super) const EVENTS: usize = 4_000;

/// No two events have the same time: one every ten minutes makes 27.8 days.
const EVERY_MS: i64 = 10 * MINUTE;

const BATCH: usize = 500;

/// What is sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// Each once, with the time in milliseconds before now.
    pub(super) events: Vec<(i64, Value)>,
    /// The order of delivery, in which some come again.
    order: Vec<usize>,
}

impl Sent {
    pub(super) fn generate() -> Self {
        let mut random = StdRng::seed_from_u64(0x10_66_1a);
        let mut times: Vec<i64> =
            (0..EVENTS).map(|n| i64::try_from(n).unwrap() * EVERY_MS + 1).collect();
        times.shuffle(&mut random);
        let events: Vec<(i64, Value)> = times
            .into_iter()
            .enumerate()
            .map(|(number, time)| (time, event(&mut random, number, time)))
            .collect();
        let mut order: Vec<usize> = (0..EVENTS).chain((0..EVENTS).step_by(5)).collect();
        order.shuffle(&mut random);
        Self { events, order }
    }

    pub(super) fn batches(&self) -> Vec<Vec<Value>> {
        let batch = |part: &[usize]| part.iter().map(|n| self.events[*n].1.clone()).collect();
        self.order.chunks(BATCH).map(batch).collect()
    }

    /// How many were sent again.
    pub(super) fn repeated(&self) -> u64 {
        (self.order.len() - self.events.len()) as u64
    }
}

/// Users do different things, so that each analytic finds some: the first ones only watch, others
/// never send, and half of them have a quiet week.
fn event(random: &mut StdRng, number: usize, milliseconds: i64) -> Value {
    let user_number: usize = random.random_range(0..30);
    let user = format!("u{user_number:02}");
    let week = milliseconds / super::super::DAY / 7;
    let kinds: &[&str] = match user_number {
        0..4 => &["presence", "presence", "join"],
        4..8 => &["presence", "typing", "reaction_time", "role_change"],
        8..14 if week == 0 => &["typing", "typing", "typing", "presence"],
        8..14 => &["typing", "message", "message", "presence"],
        _ => &[
            "presence",
            "typing",
            "message",
            "message",
            "join",
            "deleted_message",
            "reaction_time",
            "role_change",
        ],
    };
    let kind = *kinds.choose(random).unwrap();
    let channel = format!("c{}", random.random_range(0..8));
    // Names change from week to week.
    let name = format!("{user} of week {week}");
    let place = json!({"channelId": channel, "channel": format!("{channel} of week {week}")});
    let mut event = json!({
        "type": kind, "guildId": GUILDS.choose(random).unwrap(), "userId": user,
        "username": name, "createdAt": ago(milliseconds),
    });
    if random.random_bool(0.5) {
        event["id"] = json!(format!("event-{number}"));
    }
    if random.random_bool(0.1) {
        event["metadata"] = json!({"number": number});
    }
    merge(&mut event, &members(random, kind, number, (&user, &name), &place));
    event
}

fn members(
    random: &mut StdRng,
    kind: &str,
    number: usize,
    (user, name): (&str, &str),
    place: &Value,
) -> Value {
    let mut members = match kind {
        "presence" => {
            let clients = ["web", "desktop", "mobile", "web", "desktop"];
            let count = random.random_range(0..4);
            json!({"clients": clients.sample(random, count).collect::<Vec<_>>()})
        }
        "join" => json!({"accountAgeDays": random.random_range(0..30)}),
        "reaction_time" => json!({
            "observerId": user, "observerName": name, "actorId": "u29", "actorName": "somebody",
            "deltaMs": random.random_range(0..6_000), "channelId": place["channelId"],
        }),
        "role_change" => json!({"addedRoles": [format!("r{number}")], "removedRoles": []}),
        _ => place.clone(),
    };
    if kind == "message" {
        merge(
            &mut members,
            &json!({"messageId": format!("m{number}"), "content": format!("text {number}")}),
        );
    }
    members
}
