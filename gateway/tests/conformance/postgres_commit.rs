//! Commits whose answer is lost: what is said about them is what is so. On `PostgreSQL` alone,
//! since nothing can come between the gateway and `SQLite`.

use std::time::Duration;

use loggia::config::Config;
use loggia::manifest::Mode;
use loggia::storage::{Error, Location, Outcome, PostgresOptions};
use serde_json::{Value as Json, json};
use tokio_postgres::NoTls;

use crate::harness::faults::{document, patient, route};
use crate::harness::proxy::{Door, Fault, Proxy};
use crate::harness::store::{TestStore, put};
use crate::harness::{Database, TestGateway};

pub(crate) fn notes() -> Json {
    json!({
        "collections": [{"name": "note", "fields": {"kind": "text", "amount": "integer"}}],
        "statements": [{"name": "all", "select": "SELECT id, amount FROM note"}],
    })
}

/// A store of notes that reaches its database through a proxy.
pub(crate) async fn store(configure: impl FnOnce(&mut PostgresOptions)) -> (TestStore, Proxy) {
    store_of(&notes(), configure).await
}

/// The same of what is declared.
pub(crate) async fn store_of(
    declared: &Json,
    configure: impl FnOnce(&mut PostgresOptions),
) -> (TestStore, Proxy) {
    let database = Database::postgres().await;
    let proxy = Proxy::start(&database.url()).await;
    // A machine that is busy takes its time to connect, which is not what these cases are about.
    let mut options = PostgresOptions {
        acquire_timeout: Duration::from_secs(60),
        ..PostgresOptions::new(proxy.url())
    };
    configure(&mut options);
    let store = TestStore::open_at(&Location::Postgres(options), database, declared).await;
    (store, proxy)
}

/// BEGIN names an isolation level that begins with the same letters.
const COMMIT: &str = "; COMMIT";

/// How a commit ends whose connection has this fault, and whether its document is there.
async fn commit_with(fault: Fault, door: Door) -> (Result<(), Error>, bool) {
    let (store, proxy) = store(|_| {}).await;
    let mut session = store.session(Mode::Write);
    session.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    proxy.once(COMMIT, fault);
    proxy.set_door(door);
    let ended = session.commit().await;
    assert_eq!(proxy.applied(), 1, "the rule was about no message");
    let direct = store.second().await;
    let there = direct.get("note", "1").await.is_some();
    (ended, there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_found() {
    let (ended, there) = commit_with(Fault::CutAnswer, Door::Open).await;
    assert!(matches!(ended, Ok(())), "{ended:?}");
    assert!(there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrived_may_run_again() {
    let (ended, there) = commit_with(Fault::Cut, Door::Open).await;
    assert!(matches!(ended, Err(Error::Aborted)), "{ended:?}");
    assert!(!there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_connection_ends_at_once_is_told_as_it_is() {
    for _ in 0..5 {
        let (ended, there) = commit_with(Fault::ForwardAndCut, Door::Open).await;
        match ended {
            Ok(()) => assert!(there),
            Err(Error::Aborted) => assert!(!there),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_its_answer_for_ever_is_found() {
    let (ended, there) = commit_with(Fault::SwallowAnswer, Door::Open).await;
    assert!(matches!(ended, Ok(())), "{ended:?}");
    assert!(there);
}

/// The server would wait for the COMMIT for ever, and keep the locks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_commit_is_swallowed_is_ended() {
    let (ended, there) = commit_with(Fault::Swallow, Door::Open).await;
    assert!(matches!(ended, Err(Error::Aborted)), "{ended:?}");
    assert!(!there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_can_ask_about_is_unknown() {
    for (fault, there) in [(Fault::CutAnswer, true), (Fault::Cut, false)] {
        let (ended, found) = commit_with(fault, Door::Closed).await;
        assert!(matches!(ended, Err(Error::OutcomeUnknown)), "{ended:?}");
        assert_eq!(found, there);
    }
}

/// The number of the transaction comes with its first statement, whatever becomes of that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_behind_a_first_statement_that_failed_is_told_as_it_is() {
    let declared = json!({"collections": [{"name": "note", "fields": {"kind": "text"},
        "indexes": [{"name": "kind", "fields": ["kind"], "unique": true}]}]});
    for (fault, committed) in [(Fault::Cut, false), (Fault::CutAnswer, true)] {
        let (store, proxy) = store_of(&declared, |_| {}).await;
        store.put("note", "1", &json!({"kind": "taken"})).await;
        let mut session = store.session(Mode::Write);
        let refused = session.apply(&[put("note", "2", &json!({"kind": "taken"}))]).await;
        assert!(matches!(refused, Err(Error::Duplicate(_))), "{refused:?}");
        session.apply(&[put("note", "3", &json!({"kind": "free"}))]).await.unwrap();
        proxy.once(COMMIT, fault);
        let ended = session.commit().await;
        match committed {
            true => assert!(matches!(ended, Ok(())), "{ended:?}"),
            false => assert!(matches!(ended, Err(Error::Aborted)), "{ended:?}"),
        }
        assert_eq!(store.second().await.get("note", "3").await.is_some(), committed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_only_read_has_no_outcome_to_lose() {
    let (store, proxy) = store(|_| {}).await;
    let mut session = store.session(Mode::Read);
    session.get("note", &["1".to_owned()]).await.unwrap();
    proxy.once("COMMIT", Fault::CutAnswer);
    session.commit().await.unwrap();
    assert_eq!(proxy.applied(), 1);
}

/// Without the answer nobody knows the number of its transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_in_autocommit_mode_is_unknown() {
    for fault in [Fault::CutAnswer, Fault::Cut] {
        let (store, proxy) = store(|_| {}).await;
        store.put("note", "0", &json!({})).await;
        proxy.once("INSERT INTO", fault);
        let mut session = store.session(Mode::Autocommit);
        let written = session.apply(&[put("note", "1", &json!({}))]).await;
        assert!(matches!(written, Err(Error::OutcomeUnknown)), "{written:?}");
        let there = store.second().await.get("note", "1").await.is_some();
        assert_eq!(there, fault == Fault::CutAnswer);
    }
}

/// Nothing was sent, so the write runs on another connection and nobody notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_connection_that_has_ended_is_sent_again() {
    let (store, proxy) = store(|_| {}).await;
    for (id, mode) in [("1", Mode::Autocommit), ("2", Mode::Write)] {
        store.get("note", id).await;
        proxy.cut_all();
        wait_until_noticed(&store).await;
        let mut session = store.session(mode);
        let written = session.apply(&[put("note", id, &json!({}))]).await.unwrap();
        assert!(matches!(written[0], Outcome::Written { created: true, .. }));
        session.commit().await.unwrap();
        assert!(store.get("note", id).await.is_some());
    }
}

/// Give the connections' own tasks the time to see that they have ended.
async fn wait_until_noticed(store: &TestStore) {
    // A read finds an ended connection whether it was noticed or not, and condemns the others.
    store.get("note", "none").await;
}

fn many_retries(config: &mut Config) {
    patient(config);
    config.storage.retries = 20;
    config.storage.retry_backoff_ms = 1;
}

/// Each answer to an addition is checked against what the database holds after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_says_what_was_committed() {
    let database = Database::postgres().await;
    let proxy = Proxy::start(&database.url()).await;
    let direct = database.url();
    let gateway = TestGateway::start_at(proxy.url(), database, many_retries).await;
    let faults = [Fault::Cut, Fault::CutAnswer, Fault::ForwardAndCut, Fault::Delay(Duration::ZERO)];
    let mut expected = 0;
    for round in 0..20 {
        // Some of them meet the fault more than once, since an addition may run again.
        proxy.times(COMMIT, faults[round % 4], 1 + u32::try_from(round / 8).unwrap());
        let answer = gateway.post(&route("increment/counter")).await.assert_status(200);
        expected += 1;
        assert_eq!(answer.json()["amount"], expected, "round {round}");
        assert_eq!(amount(&direct).await, expected, "round {round}");
    }
    // Nobody can be asked: the answer must not say that nothing was done.
    proxy.once(COMMIT, Fault::CutAnswer);
    proxy.set_door(Door::Closed);
    let answer = gateway.post(&route("increment/counter")).await.assert_status(504);
    assert_eq!(answer.json()["code"], "outcome-unknown");
    assert_eq!(answer.json()["committed"], "unknown");
    assert_eq!(amount(&direct).await, expected + 1);
    // Gone: nothing is done, and the answer says so.
    let refused = gateway.post(&route("increment/counter")).await;
    refused.assert_problem(503, "storage-unavailable");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let refused = gateway.put_document("other", &json!({})).await;
    refused.assert_problem(503, "storage-unavailable");
    assert_eq!(amount(&direct).await, expected + 1);
    proxy.set_door(Door::Open);
    while gateway.get(&document("counter")).await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    gateway.get(&document("other")).await.assert_problem(404, "not-found");
}

/// What is stored, read past the gateway.
async fn amount(url: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let table =
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '%document%'";
    let table: String = client.query_one(table, &[]).await.unwrap().get(0);
    let sql = format!("SELECT (body->>'amount')::int8 FROM {table} WHERE id = 'counter'");
    client.query_one(&sql, &[]).await.unwrap().get(0)
}
