//! No update is lost and none counts twice, however many write at once; and a transaction that
//! ends badly takes nothing of its neighbours along.

use std::sync::Arc;

use futures_util::future::join_all;
use loggia::manifest::Mode;
use loggia::storage::{Error, Outcome, Precondition, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, put};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring counters:
    increments_that_run_again_all_count,
    increments_that_do_not_run_again_count_where_they_succeed,
    sessions_that_share_a_commit_roll_back_alone,
}

fn counters() -> Json {
    json!({"collections": [{
        "name": "counter", "fields": {"key": "text"},
        "indexes": [{"name": "one_key", "fields": ["key"], "unique": true}],
    }]})
}

const WRITERS: usize = 64;
const INCREMENTS: usize = 1_000;
/// Two writers for each: with fewer counters most tries would only find that they came late.
const COUNTERS: usize = 32;

/// Each writer is a task of its own. Says how many increments they made, by counter.
async fn increment_all(store: &Arc<TestStore>, again: bool) -> Vec<usize> {
    for counter in 0..COUNTERS {
        store.put("counter", &counter.to_string(), &json!({"n": 0})).await;
    }
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(store);
        tokio::spawn(async move { write(&store, &(writer % COUNTERS).to_string(), again).await })
    });
    let made = join_all(writers.collect::<Vec<_>>()).await;
    let mut by_counter = vec![0; COUNTERS];
    for (writer, made) in made.into_iter().enumerate() {
        by_counter[writer % COUNTERS] += made.unwrap();
    }
    by_counter
}

async fn write(store: &TestStore, counter: &str, again: bool) -> usize {
    let mut made = 0;
    for _ in 0..INCREMENTS {
        while !increment(store, counter).await {
            if !again {
                made -= 1_isize;
                break;
            }
        }
        made += 1_isize;
    }
    usize::try_from(made).unwrap()
}

/// Read, add one, and write what was read; whether nobody came in between.
async fn increment(store: &TestStore, counter: &str) -> bool {
    let mut session = store.session(Mode::Autocommit);
    let found = session.get("counter", &[counter.to_owned()]).await.unwrap();
    let found = found.into_iter().next().flatten().unwrap();
    let body: Json = serde_json::from_str(&found.body).unwrap();
    let body = json!({"n": body["n"].as_u64().unwrap() + 1});
    let condition = Precondition::Version(found.version);
    match session.apply(&[Write { condition, ..put("counter", counter, &body) }]).await {
        Ok(_) => true,
        Err(Error::PreconditionFailed(_)) => false,
        Err(error) => panic!("{error:?}"),
    }
}

async fn assert_counted(store: &TestStore, expected: &[usize]) {
    for (counter, expected) in expected.iter().enumerate() {
        let found = store.get("counter", &counter.to_string()).await.unwrap();
        let body: Json = serde_json::from_str(&found.body).unwrap();
        assert_eq!(body["n"], *expected, "counter {counter}");
    }
}

async fn increments_that_run_again_all_count(store: TestStore) {
    let store = Arc::new(store);
    let made = increment_all(&store, true).await;
    assert_eq!(made, [WRITERS / COUNTERS * INCREMENTS; COUNTERS]);
    assert_counted(&store, &made).await;
}

async fn increments_that_do_not_run_again_count_where_they_succeed(store: TestStore) {
    let store = Arc::new(store);
    let made = increment_all(&store, false).await;
    let all: usize = made.iter().sum();
    assert!((COUNTERS..WRITERS * INCREMENTS).contains(&all), "{all}: some came late");
    assert_counted(&store, &made).await;
}

/// On `SQLite` those that wait for the writer are committed together, each in a savepoint. Every
/// way to end stands beside every other one.
async fn sessions_that_share_a_commit_roll_back_alone(store: TestStore) {
    const SESSIONS: usize = 200;
    store.put("counter", "holder", &json!({"key": "held"})).await;
    let store = Arc::new(store);
    let sessions = (0..SESSIONS).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { end_in_one_way(&store, n).await })
    });
    for done in join_all(sessions.collect::<Vec<_>>()).await {
        done.unwrap();
    }
    for n in 0..SESSIONS {
        for part in ["a", "b"] {
            let found = store.get("counter", &format!("{n}{part}")).await;
            assert_eq!(found.is_some(), matches!(n % 5, 0 | 4), "session {n}, document {part}");
        }
    }
    // A thread answers before it gives its place back.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    while store.storage.in_use().connections > 0 {
        assert!(tokio::time::Instant::now() < deadline, "a connection is still in use");
        tokio::task::yield_now().await;
    }
}

async fn end_in_one_way(store: &TestStore, n: usize) {
    let mut session = store.session(Mode::Write);
    let documents = ["a", "b"].map(|part| put("counter", &format!("{n}{part}"), &json!({})));
    let outcomes = session.apply(&documents).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Written { .. }, Outcome::Written { .. }]));
    match n % 5 {
        0 => session.commit().await.unwrap(),
        1 => session.rollback().await,
        2 => drop(session),
        remainder => {
            // A call that fails undoes itself, and the session goes on.
            let taken = [put("counter", &format!("{n}c"), &json!({"key": "held"}))];
            let refused = session.apply(&taken).await;
            assert!(matches!(refused, Err(Error::Duplicate(_))), "{refused:?}");
            match remainder {
                3 => session.rollback().await,
                _ => session.commit().await.unwrap(),
            }
        }
    }
}
