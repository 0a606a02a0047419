//! Chat sessions: a small session has 1.9 kB, a large one 1,000 turns and 249 kB.

use anyhow::{Result, ensure};
use loggia_benches::replay::{Request, bare, json};
use serde_json::{Value, json};

use crate::Bench;
use crate::report::Report;

const SESSIONS: &str = "/v1/chat-sessions/sessions";
const KV: &str = "/v1/chat-sessions/kv";

const SMALL_TURNS: usize = 5;
const LARGE_TURNS: usize = 1_000;
/// A turn has some 247 bytes.
const TEXT_BYTES: usize = 42;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let [small_bytes, large_bytes] =
        [SMALL_TURNS, LARGE_TURNS].map(|turns| session("one-1", turns).to_string().len());
    ensure!((1_800..2_000).contains(&small_bytes), "a small session has {small_bytes} bytes");
    ensure!((240_000..260_000).contains(&large_bytes), "a large session has {large_bytes} bytes");
    small(bench, report)?;
    large(bench, report)?;
    batches(bench, report)?;
    let lists = vec![bare("GET", &format!("{SESSIONS}?state=active&limit=50")); bench.times(200)];
    let measured = bench.client.send(lists, 1)?;
    report.latency(
        "S7",
        "list 50 by state, newest first, large ones among them",
        "10.7 ms",
        measured,
    );
    pairs(bench, report)?;
    appends(bench, report)
}

fn small(bench: &Bench, report: &mut Report) -> Result<()> {
    let names = names("one", bench.times(2_000));
    let measured =
        bench.client.send(names.iter().map(|name| save(name, SMALL_TURNS)).collect(), 1)?;
    report.latency("S1", "save a new small session, one at a time", "0.41 ms", measured);
    let measured = bench.client.send(gets(&names), 1)?;
    report.latency("S2", "get a small session, one at a time", "0.12 ms", measured);
    let names = self::names("many", bench.times(10_000));
    let measured =
        bench.client.send(names.iter().map(|name| save(name, SMALL_TURNS)).collect(), 32)?;
    report.rate("S3", "save new small sessions, 32 in flight", "6,692/s", measured);
    let names = names.iter().chain(&names).cloned().collect::<Vec<_>>();
    let measured = bench.client.send(gets(&names), 32)?;
    report.rate("S4", "get small sessions, 32 in flight", "21,795/s", measured);
    Ok(())
}

fn large(bench: &Bench, report: &mut Report) -> Result<()> {
    let names = names("large", bench.times(50));
    let saves = names.iter().map(|name| save(name, LARGE_TURNS)).collect();
    report.latency("S5", "save a large session", "7.3 ms", bench.client.send(saves, 1)?);
    let text = bench.client.ask(&gets(&names)[0])?;
    let session: Value = serde_json::from_slice(&text)?;
    let turns = session["conversationHistory"].as_array().map_or(0, Vec::len);
    ensure!(turns == LARGE_TURNS, "a large session came back with {turns} turns");
    report.latency("S5", "get a large session", "3.2 ms", bench.client.send(gets(&names), 1)?);
    Ok(())
}

fn batches(bench: &Bench, report: &mut Report) -> Result<()> {
    let sessions = |prefix: &str| -> Vec<Vec<Value>> {
        let batch = |number| (0..10).map(move |place| (number, place));
        let one = |(number, place)| session(&format!("{prefix}-{number}-{place}"), SMALL_TURNS);
        (0..bench.times(50)).map(|number| batch(number).map(one).collect()).collect()
    };
    let (by_one, at_once) = (sessions("by-one"), sessions("at-once"));
    let put = |session: &Value| {
        json("PUT", &format!("{SESSIONS}/{}", session["id"].as_str().unwrap_or_default()), session)
    };
    let by_one = by_one.iter().map(|batch| batch.iter().map(put).collect()).collect();
    let save = |batch| json("POST", &format!("{SESSIONS}:batchSave"), &json!({"sessions": batch}));
    let at_once = at_once.into_iter().map(save).collect();
    let measured = bench.client.send_steps(by_one, 1)?;
    report.latency("S6", "10 small sessions one by one", "3.9 ms", measured);
    report.latency("S6", "one batch of 10", "2.1 ms", bench.client.send(at_once, 1)?);
    Ok(())
}

fn pairs(bench: &Bench, report: &mut Report) -> Result<()> {
    let names = names("pair", bench.times(2_000));
    let path = |name: &String| format!("{KV}/{name}");
    let value = json!({"theme": "dark", "size": 12});
    let puts = names.iter().map(|name| json("PUT", &path(name), &value)).collect();
    report.latency("S8", "set a key-value pair", "0.23 ms", bench.client.send(puts, 1)?);
    let gets = names.iter().map(|name| bare("GET", &path(name))).collect();
    report.latency("S8", "get a key-value pair", "0.09 ms", bench.client.send(gets, 1)?);
    Ok(())
}

fn appends(bench: &Bench, report: &mut Report) -> Result<()> {
    for (name, turns) in [("append-long", LARGE_TURNS), ("append-empty", 0), ("append-many", 0)] {
        bench.client.ask(&save(name, turns))?;
    }
    let times = bench.times(200);
    for (name, what) in [
        ("append-long", "append a turn to a session of 1,000"),
        ("append-empty", "append a turn to a new session"),
    ] {
        let measured = bench.client.send(vec![append(name); times], 1)?;
        report.latency("S9", what, "rewrites the session", measured);
    }
    let at_once = bench.times(100);
    let measured = bench.client.send(vec![append("append-many"); at_once], at_once)?;
    report.elapsed("S9", "100 appends at once to one session", "", measured);
    let text = bench.client.ask(&gets(&["append-many".to_owned()])[0])?;
    let session: Value = serde_json::from_slice(&text)?;
    let turns = session["conversationHistory"].as_array().map_or(0, Vec::len);
    ensure!(turns == at_once, "{turns} of {at_once} appended turns are there");
    Ok(())
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

fn save(name: &str, turns: usize) -> Request {
    json("PUT", &format!("{SESSIONS}/{name}"), &session(name, turns))
}

fn gets(names: &[String]) -> Vec<Request> {
    names.iter().map(|name| bare("GET", &format!("{SESSIONS}/{name}"))).collect()
}

fn append(name: &str) -> Request {
    let mut turn = turn(0);
    turn.as_object_mut().map(|turn| turn.remove("sequence"));
    json("POST", &format!("{SESSIONS}/{name}/messages"), &turn)
}

fn session(id: &str, turns: usize) -> Value {
    // Hardly two have the same time.
    let at = id.bytes().fold(7_u32, |at, byte| at.wrapping_mul(31).wrapping_add(byte.into()));
    json!({
        "id": id,
        "state": "active",
        "version": 1,
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": format!("2026-03-01T12:{:02}:{:02}.{:03}Z", at / 60_000 % 60, at / 1_000 % 60, at % 1_000),
        "agentIds": ["guide", "critic"],
        "agentStates": {
            "guide": {
                "config": {"model": "large", "temperature": 0.7},
                "context": {"topic": text(80), "_metadata": {"topic": {"trimmable": true}}},
                "messageHistory": [],
            },
        },
        "conversationHistory": (1..=turns).map(turn).collect::<Vec<_>>(),
        "sharedContext": {"goal": text(120)},
        "metadata": {"userId": format!("user-{}", id.len()), "title": text(40), "tags": ["bench"]},
    })
}

fn turn(sequence: usize) -> Value {
    json!({
        "sequence": sequence,
        "timestamp": "2026-03-01T12:30:00.000Z",
        "userMessage": text(TEXT_BYTES),
        "agentResponses": [{
            "agentId": "guide",
            "response": text(TEXT_BYTES),
            "timestamp": "2026-03-01T12:30:01.000Z",
        }],
    })
}

/// Words, of which many are the same, as in a conversation.
fn text(bytes: usize) -> String {
    let words = "the session keeps what was said and the agent answers with what it knows ";
    words.chars().cycle().take(bytes).collect()
}
