//! A `PostgreSQL` server that freezes, stops and crashes under load: no acknowledged write is
//! lost, nothing is done twice, and what is said about the rest is so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use loggia::manifest::Mode;
use loggia::storage::{Error, Location, Outcome, PostgresOptions, SessionOptions};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::Database;
use crate::harness::cluster::Cluster;
use crate::harness::store::{TestStore, options, put};
use crate::postgres_commit::notes;

/// Freezes are shorter than this, crashes are not.
const REQUEST: Duration = Duration::from_secs(2);

/// What became of the writes of one worker.
#[derive(Debug, Default)]
struct Told {
    /// The amount of the worker's counter that was acknowledged last.
    amount: i64,
    /// Documents that are there, are not, and may be there.
    stored: Vec<String>,
    refused: Vec<String>,
    unknown: Vec<String>,
}

async fn read_amount(session: &mut loggia::storage::Session, id: &str) -> Result<i64, Error> {
    let found = session.get("note", &[id.to_owned()]).await?;
    let Some(Some(document)) = found.into_iter().next() else {
        return Ok(0);
    };
    let body: Json = serde_json::from_str(&document.body).unwrap();
    Ok(body["amount"].as_i64().unwrap())
}

fn session(store: &TestStore, mode: Mode) -> loggia::storage::Session {
    let options = options(mode, store.storage.now());
    store.session_with(SessionOptions { deadline: Instant::now() + REQUEST, ..options })
}

/// Add one to a counter and store a document, both or none.
async fn both(store: &TestStore, counter: &str, id: &str) -> Result<i64, Error> {
    let mut session = session(store, Mode::Write);
    let amount = read_amount(&mut session, counter).await? + 1;
    let body = json!({"amount": amount});
    session.apply(&[put("note", counter, &body), put("note", id, &body)]).await?;
    session.commit().await?;
    Ok(amount)
}

async fn one(store: &TestStore, id: &str) -> Result<Vec<Outcome>, Error> {
    let mut session = session(store, Mode::Autocommit);
    session.apply(&[put("note", id, &json!({"amount": 0}))]).await
}

async fn work(
    store: Arc<TestStore>,
    worker: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
) -> Told {
    let (counter, mut told) = (format!("counter-{worker}"), Told::default());
    for n in 0.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let (first, second) = (format!("{worker}-{n}-a"), format!("{worker}-{n}-b"));
        let answer = both(&store, &counter, &first).await;
        if let Ok(amount) = answer {
            // Whoever finds a document that was not acknowledged and is unknown may go on from it.
            assert!(amount > told.amount, "{counter}: {amount} after {}", told.amount);
            told.amount = amount;
        }
        if answer.is_err() {
            // Refusals come at once; their number says nothing.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        note(&mut told, first, answer.map(drop));
        note(&mut told, second.clone(), one(&store, &second).await.map(drop));
        done.fetch_add(1, Ordering::AcqRel);
    }
    told
}

fn note(told: &mut Told, id: String, answer: Result<(), Error>) {
    match answer {
        Ok(()) => told.stored.push(id),
        Err(Error::OutcomeUnknown) => told.unknown.push(id),
        Err(_) => told.refused.push(id),
    }
}

/// Work on a server that `disturb` disturbs, and check each word that was said.
async fn under_load(disturb: impl AsyncFn(&Cluster, &dyn Fn() -> u32)) {
    let cluster = Cluster::start("max_connections = 50", &[]).await;
    let database = Database::on_server(cluster.url()).await;
    let location = Location::Postgres(PostgresOptions::new(database.url()));
    let store = Arc::new(TestStore::open_at(&location, database, &notes()).await);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        workers.spawn(work(Arc::clone(&store), worker, Arc::clone(&stop), Arc::clone(&done)));
    }
    disturb(&cluster, &|| done.load(Ordering::Acquire)).await;
    stop.store(true, Ordering::Release);
    let mut all = Vec::new();
    while let Some(told) = workers.join_next().await {
        all.push(told.unwrap());
    }
    check(&store, &all).await;
}

async fn check(store: &TestStore, all: &[Told]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let rows = loop {
        match store.try_select("all", &[], None).await {
            Ok(rows) => break rows,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let rows: Vec<Json> = serde_json::from_str(&rows.json).unwrap();
    let found: BTreeMap<&str, i64> = rows
        .iter()
        .map(|row| (row["id"].as_str().unwrap(), row["amount"].as_i64().unwrap()))
        .collect();
    let (mut stored, mut unknown) = (0, 0);
    for (worker, told) in all.iter().enumerate() {
        assert!(
            told.stored.iter().all(|id| found.contains_key(id.as_str())),
            "{worker}: one is lost"
        );
        assert!(
            told.refused.iter().all(|id| !found.contains_key(id.as_str())),
            "{worker}: one is there"
        );
        stored += told.stored.len();
        unknown += told.unknown.len();
    }
    // Each addition has a document of its own, and no addition was made twice.
    for (id, amount) in found.iter().filter(|(id, _)| id.starts_with("counter-")) {
        let worker = id.trim_start_matches("counter-");
        let additions = found
            .keys()
            .filter(|key| key.starts_with(&format!("{worker}-")) && key.ends_with("-a"))
            .count();
        assert_eq!(usize::try_from(*amount).unwrap(), additions, "{id}");
    }
    let refused: usize = all.iter().map(|told| told.refused.len()).sum();
    eprintln!("{stored} stored, {refused} refused, {unknown} unknown");
    assert!(stored > 0);
}

/// Until so much more was done than now.
async fn go_on(done: &dyn Fn() -> u32) {
    let (before, deadline) = (done(), Instant::now() + Duration::from_secs(60));
    while done() < before + 40 {
        assert!(Instant::now() < deadline, "the work does not go on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_loses_nothing() {
    under_load(async |cluster, done| {
        for _ in 0..3 {
            go_on(done).await;
            cluster.crash();
            cluster.launch();
        }
        go_on(done).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_loses_nothing() {
    under_load(async |cluster, done| {
        for _ in 0..3 {
            go_on(done).await;
            cluster.stop();
            cluster.launch();
        }
        go_on(done).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_freezes_loses_nothing() {
    under_load(async |cluster, done| {
        for pause in [200, 500, 4_000] {
            go_on(done).await;
            cluster.signal("STOP");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            cluster.signal("CONT");
        }
        go_on(done).await;
    })
    .await;
}
