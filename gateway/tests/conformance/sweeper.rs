//! The sweeper and retention: what is over is deleted, what is not stays, and a plugin's count is
//! exact whoever was first.
//!
//! Every time is given, so that nothing waits for a clock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loggia::manifest::Mode;
use loggia::storage::{
    Background, Error, Expiry, InstallError, Outcome, Precondition, SessionOptions, Swept, Write,
};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::harness::faults::{patient, route, value};
use crate::harness::store::{TestStore, install, options, put};
use crate::harness::{TestGateway, on_both_databases, stores_on_both_databases};

stores_on_both_databases! { declaring collections:
    a_sweep_takes_what_has_expired_and_nothing_else,
    a_plugins_sweep_takes_its_own_tenants_documents,
    a_plugins_sweep_counts_what_the_gateway_took,
    a_sweep_that_is_rolled_back_has_not_counted,
    a_sweep_in_autocommit_mode_stays,
    a_sweep_deletes_no_more_than_may_be_written,
    a_sweep_of_an_unknown_collection_does_nothing,
    a_sweep_in_the_mode_read_is_denied,
    a_collection_that_does_not_expire_has_nothing_to_sweep,
    every_expired_document_is_counted_once,
    documents_past_their_retention_are_deleted,
    retention_counts_from_the_last_write_where_it_says_so,
    the_background_sweeps_by_itself_and_stops,
    a_time_that_is_none_cannot_be_a_retention,
    what_is_past_its_retention_cannot_be_held_back,
}

on_both_databases! {
    a_plugin_cleans_up_over_http with patient,
}

fn collections() -> Json {
    json!({"collections": [
        {"name": "entry", "expires": true},
        {"name": "note"},
        {"name": "event", "fields": {"at": "timestamp"}, "retention": {"field": "at", "days": 2}},
        {"name": "log", "retention": {"field": "_updated_at", "days": 1}, "ttl_seconds": 5},
    ]})
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Cases happen here: 2026-03-01T00:00:00Z.
const NOW: i64 = 1_772_323_200 * SECOND;

fn expiring(id: &str, at: i64) -> Write {
    Write { expiry: Expiry::At(at), ..put("entry", id, &json!({})) }
}

/// Store documents that have expired at `NOW`.
async fn put_expired(store: &TestStore, prefix: &str, count: usize) {
    for first in (0..count).step_by(500) {
        let ids = first..count.min(first + 500);
        let writes: Vec<Write> = ids.map(|n| expiring(&format!("{prefix}{n}"), NOW)).collect();
        store.apply(&writes).await.unwrap();
    }
}

/// A plugin's sweep at `NOW`, committed.
async fn sweep(store: &TestStore) -> u64 {
    let mut session = store.session_at(Mode::Write, NOW);
    let cleaned = session.sweep(&["entry".to_owned()]).await.unwrap();
    session.commit().await.unwrap();
    cleaned
}

async fn ids(store: &TestStore, collection: &str, now: i64, asked: &[&str]) -> Vec<String> {
    let asked: Vec<String> = asked.iter().map(|&id| id.to_owned()).collect();
    let mut session = store.session_at(Mode::Read, now);
    let found = session.get(collection, &asked).await.unwrap();
    session.rollback().await;
    found.into_iter().flatten().map(|document| document.id).collect()
}

const NOTHING: Swept = Swept { expired: 0, past_retention: 0 };

async fn a_sweep_takes_what_has_expired_and_nothing_else(store: TestStore) {
    let never = put("entry", "never", &json!({}));
    let writes = [expiring("now", NOW), expiring("later", NOW + 1), expiring("then", NOW - 1)];
    store.apply(&writes).await.unwrap();
    store.apply(&[never]).await.unwrap();
    assert_eq!(store.storage.sweep_expired(NOW - 2).await.unwrap(), NOTHING);
    let swept = store.storage.sweep_expired(NOW).await.unwrap();
    assert_eq!(swept, Swept { expired: 2, past_retention: 0 });
    assert_eq!(store.storage.sweep_expired(NOW).await.unwrap(), NOTHING);
    // Seen from a time when all of them were there: these are gone, not hidden.
    let before = ids(&store, "entry", 0, &["now", "later", "then", "never"]).await;
    assert_eq!(before, ["later", "never"]);
}

async fn a_plugins_sweep_takes_its_own_tenants_documents(store: TestStore) {
    let other = store.as_tenant("two").await;
    put_expired(&store, "mine", 3).await;
    put_expired(&other, "theirs", 5).await;
    assert_eq!(sweep(&store).await, 3);
    assert_eq!(sweep(&store).await, 0);
    assert_eq!(ids(&other, "entry", 0, &["theirs0", "theirs4"]).await.len(), 2);
    assert_eq!(sweep(&other).await, 5);
}

async fn a_plugins_sweep_counts_what_the_gateway_took(store: TestStore) {
    let other = store.as_tenant("two").await;
    put_expired(&other, "theirs", 2).await;
    // More than two batches of SQLite, and two sweeps.
    for (round, count) in [500, 3].into_iter().enumerate() {
        put_expired(&store, &format!("{round}-"), count).await;
        let swept = store.storage.sweep_expired(NOW).await.unwrap();
        assert_eq!(swept.expired, count as u64 + if round == 0 { 2 } else { 0 });
    }
    put_expired(&store, "last", 4).await;
    assert_eq!(sweep(&store).await, 507);
    assert_eq!(sweep(&store).await, 0);
    assert_eq!(sweep(&other).await, 2);
}

async fn a_sweep_that_is_rolled_back_has_not_counted(store: TestStore) {
    put_expired(&store, "a", 2).await;
    store.storage.sweep_expired(NOW).await.unwrap();
    put_expired(&store, "b", 3).await;
    let mut session = store.session_at(Mode::Write, NOW);
    assert_eq!(session.sweep(&["entry".to_owned()]).await.unwrap(), 5);
    assert_eq!(session.sweep(&["entry".to_owned()]).await.unwrap(), 0);
    assert!(session.first_write().is_some());
    session.rollback().await;
    assert_eq!(sweep(&store).await, 5);
}

async fn a_sweep_in_autocommit_mode_stays(store: TestStore) {
    put_expired(&store, "a", 2).await;
    let mut session = store.session_at(Mode::Autocommit, NOW);
    let twice = ["entry", "note", "entry"].map(str::to_owned);
    assert_eq!(session.sweep(&twice).await.unwrap(), 2);
    assert!(session.kept());
    session.rollback().await;
    let mut session = store.session_at(Mode::Autocommit, NOW);
    assert_eq!(session.sweep(&twice).await.unwrap(), 0);
    assert!(!session.kept());
}

async fn a_sweep_deletes_no_more_than_may_be_written(store: TestStore) {
    put_expired(&store, "a", 5).await;
    let few = SessionOptions { documents_written: 3, ..options(Mode::Write, NOW) };
    let mut session = store.session_with(few);
    session.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    assert_eq!(session.sweep(&["entry".to_owned()]).await.unwrap(), 2);
    assert_eq!(session.sweep(&["entry".to_owned()]).await.unwrap(), 0);
    let refused = session.apply(&[put("note", "2", &json!({}))]).await;
    assert!(matches!(refused, Err(Error::LimitExceeded("documents_written"))), "{refused:?}");
    session.rollback().await;
    let mut session = store.session_with(few);
    assert_eq!(session.sweep(&["entry".to_owned()]).await.unwrap(), 3);
    session.commit().await.unwrap();
    assert_eq!(sweep(&store).await, 2);
}

async fn a_sweep_of_an_unknown_collection_does_nothing(store: TestStore) {
    put_expired(&store, "a", 1).await;
    let mut session = store.session_at(Mode::Write, NOW);
    let refused = session.sweep(&["entry".to_owned(), "nothing".to_owned()]).await;
    assert!(matches!(refused, Err(Error::UnknownName(_))), "{refused:?}");
    session.commit().await.unwrap();
    assert_eq!(sweep(&store).await, 1);
}

async fn a_sweep_in_the_mode_read_is_denied(store: TestStore) {
    put_expired(&store, "a", 1).await;
    let mut session = store.session_at(Mode::Read, NOW);
    let refused = session.sweep(&["entry".to_owned()]).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    session.rollback().await;
    assert_eq!(sweep(&store).await, 1);
}

async fn a_collection_that_does_not_expire_has_nothing_to_sweep(store: TestStore) {
    store.put("note", "1", &json!({})).await;
    let mut session = store.session_at(Mode::Write, NOW);
    assert_eq!(session.sweep(&["note".to_owned()]).await.unwrap(), 0);
    assert_eq!(session.sweep(&[]).await.unwrap(), 0);
    session.commit().await.unwrap();
    assert!(store.get("note", "1").await.is_some());
}

/// Sweepers of two gateways, plugins that clean up, and writers that take ids over, all at once.
async fn every_expired_document_is_counted_once(store: TestStore) {
    const DOCUMENTS: usize = 3_000;
    put_expired(&store, "d", DOCUMENTS).await;
    let expired = |n| Write { expiry: Expiry::At(NOW), ..put("log", &format!("{n}"), &json!({})) };
    store.apply(&(0..TAKEN_OVER).map(expired).collect::<Vec<_>>()).await.unwrap();
    let store = Arc::new(store);
    let second = if store.is_sqlite() { None } else { Some(store.second().await.storage) };
    let storages = [Some(Arc::clone(&store.storage)), second].into_iter().flatten();
    let sweepers: Vec<_> = storages
        .map(|storage| tokio::spawn(async move { storage.sweep_expired(NOW).await.unwrap() }))
        .collect();
    let writer = tokio::spawn(take_over(Arc::clone(&store)));
    let cleaners = (0..4).map(|_| tokio::spawn(clean_in_small_steps(Arc::clone(&store))));
    let cleaners: Vec<_> = cleaners.collect();
    writer.await.unwrap();
    for swept in join_all(sweepers).await {
        swept.unwrap();
    }
    let cleaned: u64 = join_all(cleaners).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(cleaned + sweep(&store).await, DOCUMENTS as u64);
    assert_eq!(sweep(&store).await, 0);
    let kept: Vec<String> = (0..TAKEN_OVER).map(|n| n.to_string()).collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    assert_eq!(ids(&store, "log", NOW, &kept).await.len(), TAKEN_OVER, "what is written stays");
}

const TAKEN_OVER: usize = 300;

/// Sessions that roll back now and then.
async fn clean_in_small_steps(store: Arc<TestStore>) -> u64 {
    let few = SessionOptions { documents_written: 20, ..options(Mode::Write, NOW) };
    let mut cleaned = 0;
    for step in 0..30 {
        let mut session = store.session_with(few);
        let step_cleaned = session.sweep(&["entry".to_owned()]).await.unwrap();
        if step % 3 == 0 {
            session.rollback().await;
        } else {
            session.commit().await.unwrap();
            cleaned += step_cleaned;
        }
    }
    cleaned
}

/// Write documents that do not expire over those that have.
async fn take_over(store: Arc<TestStore>) {
    for n in 0..TAKEN_OVER {
        let new = Write {
            condition: Precondition::Absent,
            expiry: Expiry::Never,
            ..put("log", &n.to_string(), &json!({}))
        };
        let mut session = store.session_at(Mode::Write, NOW);
        let outcomes = session.apply(&[new]).await.unwrap();
        assert!(matches!(outcomes[0], Outcome::Written { created: true, .. }));
        session.commit().await.unwrap();
    }
}

async fn documents_past_their_retention_are_deleted(store: TestStore) {
    let at = |time: i64| {
        let time = jiff::Timestamp::from_microsecond(time).unwrap().to_string();
        json!({"at": time})
    };
    let times = [("old", NOW - 2 * DAY - 1), ("due", NOW - 2 * DAY), ("young", NOW - 2 * DAY + 1)];
    for (id, time) in times {
        store.put("event", id, &at(time)).await;
    }
    store.put("event", "timeless", &json!({})).await;
    let all = ["old", "due", "young", "timeless"];
    assert_eq!(ids(&store, "event", NOW, &all).await, all, "they are there until they are swept");
    let swept = store.storage.sweep_expired(NOW).await.unwrap();
    assert_eq!(swept, Swept { expired: 0, past_retention: 2 });
    assert_eq!(ids(&store, "event", NOW, &all).await, ["young", "timeless"]);
    // They had not expired, so they are not what a plugin counts.
    let mut session = store.session_at(Mode::Write, NOW);
    assert_eq!(session.sweep(&["event".to_owned()]).await.unwrap(), 0);
    session.rollback().await;
}

async fn retention_counts_from_the_last_write_where_it_says_so(store: TestStore) {
    let never = |id: &str| Write { expiry: Expiry::Never, ..put("log", id, &json!({})) };
    for (id, written_at) in [("old", NOW - DAY), ("young", NOW - DAY + 1)] {
        let mut session = store.session_at(Mode::Write, written_at);
        session.apply(&[never(id)]).await.unwrap();
        session.commit().await.unwrap();
    }
    let mut session = store.session_at(Mode::Write, NOW - DAY);
    // Expired long ago: counted as that, and not twice.
    session.apply(&[put("log", "expired", &json!({}))]).await.unwrap();
    session.commit().await.unwrap();
    let swept = store.storage.sweep_expired(NOW).await.unwrap();
    assert_eq!(swept, Swept { expired: 1, past_retention: 1 });
    assert_eq!(ids(&store, "log", NOW, &["old", "young", "expired"]).await, ["young"]);
}

/// A document past its retention is there until somebody deletes it, so that this can be seen.
async fn the_background_sweeps_by_itself_and_stops(store: TestStore) {
    let background = Background::start(&store.storage, Some(Duration::from_millis(5)));
    store.put("event", "old", &json!({"at": "2001-01-01T00:00:00Z"})).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.get("event", "old").await.is_some() {
        assert!(Instant::now() < deadline, "nobody has swept");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    background.stop().await;
    // A batch that was under way is undone by the database's thread.
    while store.storage.in_use().connections > 0 {
        assert!(Instant::now() < deadline, "the sweeper has left something open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let idle = Background::start(&store.storage, None);
    idle.stop().await;
}

async fn a_time_that_is_none_cannot_be_a_retention(store: TestStore) {
    for (field, told) in [
        ("nothing", "not a declared field"),
        ("title", "cannot tell a document's age"),
        ("_expires_at", "cannot tell a document's age"),
        ("id", "cannot tell a document's age"),
    ] {
        let declared = json!({"name": "other", "collections": [
            {"name": "c", "fields": {"title": "text"}, "retention": {"field": field, "days": 1}},
        ]});
        match install(&store.storage, &declared).await {
            Err(InstallError::Manifest(faults)) => {
                assert!(faults[0].contains(told) && faults[0].contains(field), "{faults:?}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// Directly, or through what goes with it.
async fn what_is_past_its_retention_cannot_be_held_back(store: TestStore) {
    let reference = |to: &str, on_delete: &str| json!([{"name": "of", "field": "to", "collection": to, "on_delete": on_delete}]);
    let declared = |between: &str, last: &str, retention: Json| {
        json!({"name": "other", "collections": [
            {"name": "a", "retention": retention},
            {"name": "b", "fields": {"to": "text"}, "references": reference("a", between)},
            {"name": "c", "fields": {"to": "text"}, "references": reference("b", last)},
        ]})
    };
    let retention = json!({"field": "_created_at", "days": 1});
    for (between, last) in [("restrict", "cascade"), ("cascade", "restrict")] {
        match install(&store.storage, &declared(between, last, retention.clone())).await {
            Err(InstallError::Manifest(faults)) => {
                assert!(faults[0].contains("documents of a are deleted"), "{faults:?}");
            }
            other => panic!("{between}, {last}: {other:?}"),
        }
    }
    install(&store.storage, &declared("cascade", "cascade", retention)).await.unwrap();
}

async fn a_plugin_cleans_up_over_http(gateway: &TestGateway) {
    let writes = value(
        r#"[
            {"id": "a", "change": {"put": {}}, "ttl_seconds": -1},
            {"id": "b", "change": {"put": {}}, "ttl_seconds": -1},
            {"id": "c", "change": {"put": {}}, "ttl_seconds": 1000}
        ]"#,
    );
    gateway.applied(&writes).await;
    for deleted in [2, 0] {
        let answer = gateway.post(&route("sweep")).await.assert_status(200);
        assert_eq!(answer.json(), json!({"deleted": deleted}));
    }
    gateway.assert_stored("c", &json!({})).await;
}
