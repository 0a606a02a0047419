//! The queue of jobs.
//!
//! Of a claim with its completion the rate is that of jobs, and the percentiles are those of the
//! claim.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use loggia_benches::database::Database;
use loggia_benches::load::Measured;
use loggia_benches::replay::{Client, Conversation, Request, bare, json};
use loggia_benches::server::{Kind, Server};
use serde_json::{Value, json};

use crate::Bench;
use crate::report::Report;

const JOBS: &str = "/v1/job-fsm";

/// The largest batch of new jobs.
const BATCH: usize = 1_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    creates(bench, report)?;
    drain(bench, None)?;
    for (workers, before) in [(1, "-"), (10, "1,175/s"), (100, "-"), (1_000, "-")] {
        let measured =
            work(bench, workers, bench.times(if workers == 1 { 2_000 } else { 10_000 }), 1)?;
        let what = format!("claim and complete one at a time, {workers} workers");
        report.rate("J2a", &what, before, measured);
    }
    let measured = work(bench, 10, bench.times(50_000), 100)?;
    report.rate("J2b", "claim and complete 100 at a time, 10 workers", "-", measured);
    // Else the database does so in the midst of what follows, where nothing else is to go on.
    bench.database.vacuum()?;
    pickups(bench, report)?;
    ended(bench, report)
}

fn creates(bench: &Bench, report: &mut Report) -> Result<()> {
    let create = json("POST", &format!("{JOBS}/jobs"), &json!({}));
    let measured = bench.client.send(vec![create; bench.times(3_000)], 10)?;
    report.rate("J1", "create one by one, 10 in flight", "2,061/s", measured);
    let (batches, size) = (bench.times(20), bench.times(BATCH));
    let mut measured = bench.client.send(vec![new_jobs(size); batches], 1)?;
    // Of jobs, and not of batches.
    let each = measured.latencies.clone();
    measured.latencies = each.iter().flat_map(|batch| std::iter::repeat_n(*batch, size)).collect();
    report.rate("J1", "create in batches of 1,000, one in flight", "-", measured);
    Ok(())
}

fn new_jobs(count: usize) -> Request {
    let jobs = vec![json!({"parameters": {"input": "a.mov", "codec": "libx264"}}); count];
    json("POST", &format!("{JOBS}/jobs:batchCreate"), &json!({"jobs": jobs}))
}

fn fill(bench: &Bench, jobs: usize) -> Result<()> {
    let batches = (0..jobs).step_by(BATCH).map(|made| new_jobs(BATCH.min(jobs - made)));
    bench.client.send(batches.collect(), 1).map(drop)
}

fn register(worker: usize) -> Request {
    let name = format!("w{worker}");
    let about = json!({"id": name, "name": name, "address": name, "cpu_threads": 8});
    json("POST", &format!("{JOBS}/workers"), &about)
}

fn claim(worker: usize, max: usize, wait_seconds: u32) -> Request {
    let claim = json!({
        "worker_id": format!("w{worker}"), "max": max, "wait_seconds": wait_seconds,
        "lease_seconds": 600,
    });
    json("POST", &format!("{JOBS}/jobs:claim"), &claim)
}

/// One by the route for one, more by the route for more.
fn complete(jobs: &[Value]) -> Result<Request> {
    let id = |job: &Value| job["id"].as_str().map(str::to_owned).context("a job has an id");
    let report = |job: &Value| Ok(json!({"id": id(job)?, "token": job["lease"]["token"]}));
    if let [job] = jobs {
        let body = json!({"token": job["lease"]["token"]});
        return Ok(json("POST", &format!("{JOBS}/jobs/{}:complete", id(job)?), &body));
    }
    let reports: Result<Vec<Value>> = jobs.iter().map(report).collect();
    Ok(json("POST", &format!("{JOBS}/jobs:complete"), &json!({"jobs": reports?})))
}

/// Claim, and say how long that took.
async fn take(conversation: &mut Conversation, claim: &Request) -> Result<(Vec<Value>, u64)> {
    let began = Instant::now();
    let answer = conversation.ask(claim).await?;
    let nanoseconds = u64::try_from(began.elapsed().as_nanos())?;
    let mut answer: Value = serde_json::from_slice(answer)?;
    match answer["jobs"].take() {
        Value::Array(jobs) => Ok((jobs, nanoseconds)),
        other => anyhow::bail!("a claim of {other}"),
    }
}

/// Let workers complete so many jobs that are queued before.
fn work(bench: &Bench, workers: usize, jobs: usize, at_a_time: usize) -> Result<Measured> {
    let workers = bench.times(workers);
    fill(bench, jobs)?;
    bench.client.send((0..workers).map(register).collect(), 8)?;
    drain(bench, Some((workers, at_a_time, jobs)))
}

/// Complete all that is queued; where it is said by whom, it must be so many jobs.
fn drain(bench: &Bench, by: Option<(usize, usize, usize)>) -> Result<Measured> {
    let (workers, at_a_time, expected) = by.unwrap_or((1, 100, 0));
    if by.is_none() {
        bench.client.send(vec![register(0)], 1)?;
    }
    let done = Cell::new(0);
    let mut measured = bench.client.converse(workers, async |worker, mut conversation| {
        let claim = claim(worker, at_a_time, 0);
        let mut latencies = Vec::new();
        loop {
            let (jobs, nanoseconds) = take(&mut conversation, &claim).await?;
            if jobs.is_empty() {
                return Ok(latencies);
            }
            conversation.ask(&complete(&jobs)?).await?;
            done.set(done.get() + jobs.len());
            latencies.extend(jobs.iter().map(|_| nanoseconds));
        }
    })?;
    ensure!(by.is_none() || done.get() == expected, "{} jobs were completed", done.get());
    measured.latencies.truncate(done.get());
    Ok(measured)
}

/// From the moment that a client begins to create a job until a worker that waits has it.
fn pickups(bench: &Bench, report: &mut Report) -> Result<()> {
    bench.client.send(vec![register(0)], 1)?;
    let began = Cell::new(Instant::now());
    let (claim, create) = (claim(0, 1, 20), json("POST", &format!("{JOBS}/jobs"), &json!({})));
    let times = bench.times(200);
    let measured = bench.client.converse(2, async |client, mut conversation| {
        let mut latencies = Vec::new();
        for _ in 0..times {
            if client == 1 {
                // The other one waits by then.
                tokio::time::sleep(Duration::from_millis(15)).await;
                began.set(Instant::now());
                conversation.ask(&create).await?;
                continue;
            }
            let (jobs, _) = take(&mut conversation, &claim).await?;
            latencies.push(u64::try_from(began.get().elapsed().as_nanos())?);
            conversation.ask(&complete(&jobs)?).await?;
        }
        Ok(latencies)
    })?;
    report.latency("J3", "pickup by a worker that waits", "-", measured);
    match bench.database {
        Database::Postgres { .. } => pickups_between(bench, report),
        Database::Sqlite(_) => Ok(()),
    }
}

/// The same where the job is created at another gateway on the same database.
fn pickups_between(bench: &Bench, report: &mut Report) -> Result<()> {
    let other = Server::start(Kind::InUse, &bench.database.url())?;
    let (creator, began) = (Client::new(other.address)?, Mutex::new(Instant::now()));
    let (claim, create) = (claim(0, 1, 20), json("POST", &format!("{JOBS}/jobs"), &json!({})));
    let times = bench.times(200);
    let (picked, next) = mpsc::channel();
    let (began_at, create) = (&began, &create);
    let measured = std::thread::scope(|scope| {
        let creating = scope.spawn(move || {
            for _ in 0..times {
                // The worker waits by then.
                std::thread::sleep(Duration::from_millis(15));
                *began_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                creator.ask(create)?;
                next.recv_timeout(Duration::from_secs(30))?;
            }
            anyhow::Ok(())
        });
        let measured = bench.client.converse(1, async |_, mut conversation| {
            let mut latencies = Vec::new();
            for _ in 0..times {
                let (jobs, _) = take(&mut conversation, &claim).await?;
                let began = *began.lock().unwrap_or_else(PoisonError::into_inner);
                latencies.push(u64::try_from(began.elapsed().as_nanos())?);
                picked.send(())?;
                conversation.ask(&complete(&jobs)?).await?;
            }
            Ok(latencies)
        });
        creating.join().map_err(|_| anyhow::anyhow!("the creator has failed"))??;
        measured
    })?;
    report.latency("J3", "the same, created at another gateway", "-", measured);
    Ok(())
}

/// A claim does not take longer when many jobs have ended.
fn ended(bench: &Bench, report: &mut Report) -> Result<()> {
    for more in [0, 50_000] {
        work(bench, 10, bench.times(more), 100)?;
        let measured = work(bench, 1, bench.times(300), 1)?;
        let stats = bench.client.ask(&bare("GET", &format!("{JOBS}/stats")))?;
        let stats: Value = serde_json::from_slice(&stats)?;
        let what = format!("a claim beside {} ended jobs", stats["by_state"]["completed"]);
        report.latency("J2a", &what, "-", measured);
    }
    Ok(())
}
