//! What a Discord bot sees: events of 1,000 users in 50 channels and 3 guilds, in 28 days. Their numbers
//! are those of the forerunner's workload: 1,000,000 messages, 200,000 typing, 100,000 presences, 20,000
//! reaction times, 5,000 joins and 5,000 changes of roles.

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use loggia_benches::replay::{Request, bare, request};
use serde_json::{Value, json};

use crate::Bench;
use crate::report::Report;

const DISCORD: &str = "/v1/discord-events";

/// Of all events so many are of each kind.
const KINDS: [(&str, usize); 6] = [
    ("message", 1_000_000),
    ("typing", 200_000),
    ("presence", 100_000),
    ("reaction_time", 20_000),
    ("join", 5_000),
    ("role_change", 5_000),
];
const EVENTS: usize = 1_330_000;
const BATCH: usize = 1_000;
const DAYS_MS: usize = 28 * 24 * 3_600 * 1_000;

/// The analytics with their numbers and how long the forerunner took for them on a fifth of this data.
const ANALYTICS: [(&str, &str, &str); 10] = [
    ("D1", "ghosts", "20 ms"),
    ("D2", "lurkers", "26 ms"),
    ("D3", "heatmap", "11 ms"),
    ("D4", "channels", "8 ms"),
    ("D5", "presence", "11 ms"),
    ("D6", "clients", ""),
    ("D7", "shifts", "34 ms"),
    ("D8", "reactions", "3 ms"),
    ("D9", "roles", "1 ms"),
    ("D10", "suspicion", "359 ms"),
];

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let end = Timestamp::now();
    ingest(bench, report, end)?;
    bench.database.vacuum()?;
    let stats: Value =
        serde_json::from_slice(&bench.client.ask(&bare("GET", &format!("{DISCORD}/stats")))?)?;
    let stored = bench.times(EVENTS / BATCH) * BATCH;
    ensure!(stats["count"] == stored, "{} events of {stored} are stored", stats["count"]);
    for in_flight in [1, 16] {
        analytics(bench, report, end, in_flight)?;
    }
    search(bench, report)
}

/// A part of all batches with one request at a time, and the rest with eight.
fn ingest(bench: &Bench, report: &mut Report, end: Timestamp) -> Result<()> {
    let batches = bench.times(EVENTS / BATCH);
    let alone = (batches / 5).max(1);
    for (from, to, in_flight) in [(0, alone, 1), (alone, batches, 8)] {
        let requests = (from..to).map(|number| batch(number, batches, end)).collect();
        let what = format!("ingest events in batches of 1,000, {in_flight} in flight");
        report.events("D11", &what, "7,751/s", BATCH, bench.client.send(requests, in_flight)?);
    }
    for in_flight in [1, 8] {
        let number = bench.times(100).min(batches);
        let requests = (0..number).map(|number| batch(number, batches, end)).collect();
        let measured = bench.client.send(requests, in_flight)?;
        let what = format!("the same again as duplicates, {in_flight} in flight");
        report.events("D11", &what, "", BATCH, measured);
    }
    Ok(())
}

fn analytics(bench: &Bench, report: &mut Report, end: Timestamp, in_flight: usize) -> Result<()> {
    let since = end - SignedDuration::from_hours(7 * 24);
    for (id, name, before) in ANALYTICS {
        // Some are always of the last two weeks.
        let period = if ["clients", "shifts"].contains(&name) {
            String::new()
        } else {
            format!("?since={since:.3}")
        };
        let get = bare("GET", &format!("{DISCORD}/guilds/g0/analytics/{name}{period}"));
        let rows: Value = serde_json::from_slice(&bench.client.ask(&get)?)?;
        rows.as_array().context("an analytic has rows")?;
        let times = bench.times(if in_flight == 1 { 50 } else { 160 });
        let measured = bench.client.send(vec![get; times], in_flight)?;
        let what = format!("{name}, {in_flight} at a time");
        let before = if in_flight == 1 { before } else { "" };
        report.latency(id, &what, before, measured);
    }
    Ok(())
}

fn search(bench: &Bench, report: &mut Report) -> Result<()> {
    // A word of all, of which few have both, and one of a hundredth.
    let queries = ["word1%20word2", "word7", "rare3"];
    for query in queries {
        let get = bare("GET", &format!("{DISCORD}/guilds/g0/messages?q={query}"));
        let measured = bench.client.send(vec![get; bench.times(50)], 1)?;
        let what = format!("search for {}", query.replace("%20", " "));
        report.latency("D12", &what, "1.2 ms", measured);
    }
    Ok(())
}

/// Events in the order of their times, as they are when a bot sends them.
fn batch(number: usize, batches: usize, end: Timestamp) -> Request {
    let all = batches * BATCH;
    let events = number * BATCH..(number + 1) * BATCH;
    let lines: Vec<String> = events.map(|place| event(place, all, end).to_string()).collect();
    let body = lines.join("\n");
    request("POST", &format!("{DISCORD}/events"), "application/x-ndjson", body.as_bytes())
}

fn event(place: usize, all: usize, end: Timestamp) -> Value {
    let mut random = Random::of(place);
    let kind = kind(random.below(EVENTS));
    let user = random.below(1_000);
    let channel = random.below(50);
    let before = i64::try_from(DAYS_MS - DAYS_MS / all * place).unwrap_or_default();
    let time = end - SignedDuration::from_millis(before);
    let mut event = json!({
        "id": format!("event-{place}"), "type": kind, "guildId": format!("g{}", random.below(3)),
        "userId": format!("user-{user}"), "username": format!("name of {user}"),
        "createdAt": format!("{time:.3}"),
    });
    let place_of =
        json!({"channelId": format!("channel-{channel}"), "channel": format!("#{channel}")});
    let more = match kind {
        "typing" => place_of,
        "message" => {
            let mut more = place_of;
            more["messageId"] = json!(format!("message-{place}"));
            more["content"] = json!(content(&mut random));
            more
        }
        "presence" => json!({"clients": &["desktop", "mobile", "web"][random.below(3)..]}),
        "reaction_time" => json!({
            "observerId": event["userId"], "observerName": event["username"],
            "actorId": format!("user-{}", random.below(1_000)), "actorName": "another",
            "channelId": format!("channel-{channel}"), "deltaMs": random.below(5_000),
        }),
        "join" => json!({"accountAgeDays": random.below(1_000)}),
        _ => json!({"addedRoles": ["role"], "removedRoles": []}),
    };
    for (name, value) in more.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    event
}

fn kind(mut place: usize) -> &'static str {
    for (kind, number) in KINDS {
        if place < number {
            return kind;
        }
        place -= number;
    }
    KINDS[0].0
}

/// Ten words of a thousand, and now and then one of ten that are rare.
fn content(random: &mut Random) -> String {
    let mut words: Vec<String> = (0..10).map(|_| format!("word{}", random.below(1_000))).collect();
    if random.below(1_000) == 0 {
        words.push(format!("rare{}", random.below(10)));
    }
    words.join(" ")
}

/// Numbers that are the same in each run, of each event by itself.
struct Random(u64);

impl Random {
    fn of(place: usize) -> Self {
        Self(place as u64)
    }

    /// By `SplitMix64`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}
