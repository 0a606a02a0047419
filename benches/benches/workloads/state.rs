//! The byte store.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_benches::load::Measured;
use loggia_benches::replay::{Request, bare, json, request};
use serde_json::{Value, json};

use crate::Bench;
use crate::report::Report;

const STATE: &str = "/v1/state";

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    for (bytes, before) in
        [(64, "0.29"), (256, "0.32"), (1_024, "0.29"), (4_096, "0.30"), (16_384, "0.36")]
    {
        let puts =
            (0..bench.times(500)).map(|number| put(&format!("size-{bytes}-{number}"), bytes));
        let measured = bench.client.send(puts.collect(), 1)?;
        report.latency("K1", &format!("put {bytes} B"), &format!("{before} ms"), measured);
    }
    reads(bench, report)?;
    batches(bench, report)?;
    lists(bench, report)?;
    checkpoints(bench, report)?;
    tasks(bench, report)
}

fn reads(bench: &Bench, report: &mut Report) -> Result<()> {
    let keys: Vec<String> = (0..bench.times(1_000)).map(|n| format!("read-{n}")).collect();
    bench.client.send(keys.iter().map(|key| put(key, 1_024)).collect(), 8)?;
    let gets = keys.iter().map(|key| get(key)).collect();
    report.latency("K2", "get 1,000 keys of 1 kB in turn", "0.116 ms", bench.client.send(gets, 1)?);
    Ok(())
}

fn batches(bench: &Bench, report: &mut Report) -> Result<()> {
    for (size, before) in [(10, "1.1"), (50, "4.2"), (100, "7.3"), (500, "39.6")] {
        let batch = |number: usize| {
            let entry = |place| {
                let key = base64url(format!("batch-{size}-{number}-{place}").as_bytes());
                json!({"key": key, "value": base64url(&value(256))})
            };
            let entries: Vec<Value> = (0..size).map(entry).collect();
            json("POST", &format!("{STATE}/entries:batchPut"), &json!({"items": entries}))
        };
        let measured = bench.client.send((0..bench.times(20)).map(batch).collect(), 1)?;
        report.latency(
            "K4",
            &format!("batch put of {size} x 256 B"),
            &format!("{before} ms"),
            measured,
        );
    }
    Ok(())
}

fn lists(bench: &Bench, report: &mut Report) -> Result<()> {
    let entry = |number: usize| {
        let prefix = if number.is_multiple_of(3) { "list-b" } else { "list-a" };
        put(&format!("{prefix}-{number:04}"), 64)
    };
    bench.client.send((0..1_500).map(entry).collect(), 8)?;
    let first = format!("{STATE}/entries?prefix=list-&limit=1000");
    let page: Value = serde_json::from_slice(&bench.client.ask(&bare("GET", &first))?)?;
    let cursor = page["next_cursor"].as_str().context("1,500 keys have one page")?;
    let both = vec![bare("GET", &first), bare("GET", &format!("{first}&cursor={cursor}"))];
    let times = bench.times(50);
    let measured = bench.client.send_steps(vec![both; times], 1)?;
    report.latency("K5", "list 1,500 keys, in two pages", "0.72 ms", measured);
    for (prefix, keys, before) in [("list-a", 1_000, "0.60 ms"), ("list-b", 500, "0.36 ms")] {
        let list = bare("GET", &format!("{STATE}/entries?prefix={prefix}&limit=1000"));
        let page: Value = serde_json::from_slice(&bench.client.ask(&list)?)?;
        let listed = page["items"].as_array().map_or(0, Vec::len);
        ensure!(listed == keys, "{listed} keys of {keys} are listed");
        let measured = bench.client.send(vec![list; times], 1)?;
        report.latency("K5", &format!("list {keys} keys by prefix"), before, measured);
    }
    Ok(())
}

fn checkpoints(bench: &Bench, report: &mut Report) -> Result<()> {
    let puts = (0..100).map(|number| put(&format!("check-{number:03}"), 1_024));
    bench.client.send(puts.collect(), 8)?;
    let body = json!({"prefix": base64url(b"check-")});
    let create = json("POST", &format!("{STATE}/checkpoints"), &body);
    let made: Value = serde_json::from_slice(&bench.client.ask(&create)?)?;
    ensure!(made["row_count"] == 100, "a checkpoint of {made}");
    let times = bench.times(20);
    let measured = bench.client.send(vec![create; times], 1)?;
    report.latency("K6", "checkpoint of 100 x 1 kB", "5.1 ms", measured);
    let id = made["id"].as_str().context("a checkpoint has an id")?;
    let restore = bare("POST", &format!("{STATE}/checkpoints/{id}:restore"));
    // What is restored has changed, or there would be nothing to do.
    let change = |number: usize| put(&format!("check-{:03}", number % 100), 1_025);
    let mut latencies = Measured::default();
    for _ in 0..times {
        bench.client.send((0..100).map(change).collect(), 8)?;
        latencies.add(bench.client.send(vec![restore.clone()], 1)?);
    }
    report.latency("K7", "restore it, all of it changed", "9.2 ms", latencies);
    Ok(())
}

fn tasks(bench: &Bench, report: &mut Report) -> Result<()> {
    for (tasks, before) in [(1, "0.36"), (5, "0.85"), (10, "1.42"), (20, "2.99")] {
        let steps = |number: usize| {
            let key = format!("task-{tasks}-{number}");
            vec![put(&key, 256), get(&key)]
        };
        // The time of all tasks is the figure, so each round is a measurement.
        let mut rounds = Measured::default();
        for _ in 0..bench.times(50) {
            let measured = bench.client.send_steps((0..tasks).map(steps).collect(), tasks)?;
            let nanoseconds = u64::try_from(measured.elapsed.as_nanos())?;
            rounds.add(Measured { latencies: vec![nanoseconds], elapsed: measured.elapsed });
        }
        let what = format!("{tasks} at once: each puts 256 B, then gets");
        report.latency("K8", &what, &format!("{before} ms"), rounds);
    }
    Ok(())
}

fn put(key: &str, bytes: usize) -> Request {
    let path = format!("{STATE}/entries/{key}");
    request("PUT", &path, "application/octet-stream", &value(bytes))
}

fn get(key: &str) -> Request {
    bare("GET", &format!("{STATE}/entries/{key}"))
}

/// Bytes of every kind.
fn value(bytes: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(bytes).collect()
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
