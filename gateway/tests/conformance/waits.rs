//! Requests that wait for a change: they hold nothing, miss nothing, and end.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use loggia::config::Config;
use loggia::manifest::Mode;
use loggia::storage::{About, Background, Change, Expiry, Scope, Value, Watch, Write};
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::faults::{document, patient, route};
use crate::harness::store::{TestStore, owned, put, write};
use crate::harness::{
    Answer, Database, TestGateway, log, on_both_databases, stores_on_both_databases, until,
};

on_both_databases! {
    a_write_wakes_a_request_that_waits with patient,
    a_request_that_waits_holds_nothing with patient,
    a_wait_ends_when_its_time_has_come with patient,
    a_wait_ends_with_the_requests_time with short,
    a_client_that_leaves_is_not_waited_for with patient,
    no_more_requests_wait_than_may with one_waiter,
    no_change_is_missed with patient,
    more_may_wait_than_may_run with patient,
    every_run_has_the_same_ids_and_arrival with patient,
    a_wait_that_cannot_be_is_bad_output with patient,
}

stores_on_both_databases! { declaring collections:
    a_watch_is_woken_by_its_own_tenant_and_collections_only,
    a_deletion_wakes_those_who_wait_for_what_it_takes_along,
    what_is_rolled_back_wakes_nobody,
    a_call_in_autocommit_mode_wakes_at_once,
    an_update_and_a_delete_by_conditions_wake,
    a_restored_checkpoint_wakes,
    a_moment_changes_with_every_commit,
    what_is_past_its_retention_is_a_change,
}

/// A request that waits, by its parameters.
async fn wait(gateway: &TestGateway, id: &str, query: &str) -> Answer {
    gateway.post(&route(&format!("wait/{id}?{query}"))).await
}

/// Until so many requests wait; each case ends long before a minute.
pub(crate) async fn until_waiting(gateway: &TestGateway, count: usize) {
    until(|| gateway.waiting() == count).await;
}

const FOUND: [&str; 3] = ["found", "late", "later"];

fn assert_woken(answer: Answer) {
    let seen = answer.assert_status(200).json();
    let seen = FOUND.map(|name| seen[name].as_bool().expect(name));
    assert_eq!(seen, [true, false, true], "{FOUND:?}");
}

async fn a_write_wakes_a_request_that_waits(gateway: &TestGateway) {
    let waits = wait(gateway, "d", "changed=document&write=true");
    let writes = async {
        until_waiting(gateway, 1).await;
        gateway.put_document("d", &json!({})).await.assert_status(201);
    };
    let (answer, ()) = join(waits, writes).await;
    assert_woken(answer);
    assert_eq!(gateway.waiting(), 0);
    // What the runs wrote that ended with a wait is not there.
    gateway.assert_absent("wait").await;
    // And one that need not wait does not.
    let seen = wait(gateway, "d", "changed=document").await.assert_status(200).json();
    assert_eq!(seen["found"], true);
}

async fn a_request_that_waits_holds_nothing(gateway: &TestGateway) {
    let waits = join_all((0..5).map(|_| wait(gateway, "d", "changed=document&write=true")));
    let looks = async {
        until_waiting(gateway, 5).await;
        until(|| gateway.under_way() == (5, 0)).await;
        gateway.put_document("d", &json!({})).await.assert_status(201);
    };
    let (answers, ()) = join(waits, looks).await;
    answers.into_iter().for_each(assert_woken);
}

async fn a_wait_ends_when_its_time_has_come(gateway: &TestGateway) {
    let seen = wait(gateway, "d", "changed=document&ms=30").await.assert_status(200).json();
    assert_eq!(seen, json!({"found": false, "late": true, "later": true}));
    let seen = wait(gateway, "d", "ms=30").await.assert_status(200).json();
    assert_eq!(seen["late"], true, "it waits for the time alone");
}

fn short(config: &mut Config) {
    patient(config);
    config.limits.request_ms = 300;
}

async fn a_wait_ends_with_the_requests_time(gateway: &TestGateway) {
    let answer = wait(gateway, "d", "changed=document").await;
    let problem = answer.assert_problem(504, "plugin-timeout");
    assert_eq!(problem["limit"], "request_ms");
    assert_eq!(gateway.waiting(), 0);
}

async fn a_client_that_leaves_is_not_waited_for(gateway: &TestGateway) {
    log::capture();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let trace = format!("{}{:x}", &trace[..31], u8::from(gateway.is_sqlite()));
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: t\r\ntraceparent: 00-{trace}-b7ad6b7169203331-01\r\n\
         content-length: 0\r\n\r\n",
        route("wait/d?changed=document")
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    until_waiting(gateway, 1).await;
    drop(stream);
    until(|| gateway.waiting() == 0 && gateway.under_way() == (0, 0)).await;
    let runs = log::lines(&trace).len();
    assert!(runs > 0);
    gateway.put_document("d", &json!({})).await.assert_status(201);
    assert_eq!(log::lines(&trace).len(), runs, "it was not run again");
}

fn one_waiter(config: &mut Config) {
    patient(config);
    config.limits.waiting_requests = 1;
}

async fn no_more_requests_wait_than_may(gateway: &TestGateway) {
    let first = wait(gateway, "d", "changed=document");
    let others = async {
        until_waiting(gateway, 1).await;
        let refused = wait(gateway, "d", "changed=document").await;
        let problem = refused.assert_problem(503, "too-many-waiting");
        assert_eq!(problem["retryable"], true);
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(gateway.counted("default", "waiting_requests"), 1);
        gateway.put_document("d", &json!({})).await.assert_status(201);
    };
    let (answer, ()) = join(first, others).await;
    assert_woken(answer);
    // The place is free again.
    let seen = wait(gateway, "e", "changed=document&ms=5").await.assert_status(200).json();
    assert_eq!(seen["found"], false);
}

/// Nobody looks whether the request waits already: the write comes before, while or after it runs.
async fn no_change_is_missed(gateway: &TestGateway) {
    for round in 0..20 {
        let pairs = (0..10).map(|n| async move {
            let id = format!("d{round}-{n}");
            let waits = wait(gateway, &id, "changed=document");
            let (answer, put) = join(waits, gateway.put_document(&id, &json!({}))).await;
            put.assert_status(201);
            let seen = answer.assert_status(200).json();
            assert_eq!((&seen["found"], &seen["late"]), (&json!(true), &json!(false)), "{id}");
        });
        join_all(pairs).await;
    }
}

/// 128 calls run at a time.
async fn more_may_wait_than_may_run(gateway: &TestGateway) {
    const WAITING: usize = 150;
    let waits = join_all((0..WAITING).map(|_| wait(gateway, "d", "changed=document")));
    let writes = async {
        until_waiting(gateway, WAITING).await;
        gateway.put_document("d", &json!({})).await.assert_status(201);
    };
    let (answers, ()) = join(waits, writes).await;
    answers.into_iter().for_each(assert_woken);
}

async fn every_run_has_the_same_ids_and_arrival(gateway: &TestGateway) {
    log::capture();
    let trace = "1af7651916cd43dd8448eb211c80319c";
    let trace = format!("{}{:x}", &trace[..31], u8::from(gateway.is_sqlite()));
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let path = route("wait/d?changed=document");
    let headers = [("traceparent", parent.as_str())];
    let waits = gateway.send("POST", &path, &headers, "");
    let writes = async {
        until_waiting(gateway, 1).await;
        gateway.put_document("other", &json!({})).await.assert_status(201);
        until(|| log::lines(&trace).len() >= 2).await;
        gateway.put_document("d", &json!({})).await.assert_status(201);
    };
    let (answer, ()) = join(waits, writes).await;
    assert_woken(answer);
    let lines = log::lines(&trace);
    assert!(lines.len() >= 2, "{lines:?}");
    assert!(lines.iter().all(|line| line == &lines[0] && line.contains("waiting for d since")));
}

async fn a_wait_that_cannot_be_is_bad_output(gateway: &TestGateway) {
    for query in ["changed=nothing", "changed=document&changed=nothing", "changed=document&ms=-5"] {
        wait(gateway, "d", query).await.assert_problem(502, "plugin-bad-output");
    }
    let answer = gateway.post(&route("wait-after-write")).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let problem = answer.json();
    assert_eq!(
        (&problem["code"], &problem["committed"]),
        (&json!("plugin-bad-output"), &json!(true))
    );
    gateway.get(&document("wait-after-write")).await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_by_another_gateway_wakes_on_postgres() {
    let gateway = TestGateway::start(Database::postgres().await, patient).await;
    let second = gateway.second().await.unwrap();
    for round in 0..3 {
        let id = format!("d{round}");
        let waits = wait(&gateway, &id, "changed=document");
        let writes = async {
            until_waiting(&gateway, 1).await;
            second.put_document(&id, &json!({})).await.assert_status(201);
        };
        let (answer, ()) = join(waits, writes).await;
        assert_woken(answer);
    }
}

/// It does not wait until the other one says so again by itself, which is later than this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_starts_hears_who_waits_already() {
    let store = TestStore::open(Database::postgres().await, &collections()).await;
    let second = store.second().await;
    let mut tasks =
        vec![Background::start(&store.storage, None), Background::start(&second.storage, None)];
    let awaited = async |store: &TestStore, within: Duration| {
        let heard = async {
            while !store.storage.is_awaited() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(within, heard).await.expect("it has heard of it");
    };
    let _notes = watch(&store, &["note"]);
    awaited(&second, Duration::from_secs(30)).await;
    let third = store.second().await;
    tasks.push(Background::start(&third.storage, None));
    awaited(&third, Duration::from_secs(5)).await;
    for background in tasks {
        background.stop().await;
    }
}

/// The server ends every connection, also those that listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listening_goes_on_after_the_connection_broke() {
    let store = TestStore::open(Database::postgres().await, &collections()).await;
    let second = store.second().await;
    let tasks = [&store, &second].map(|store| Background::start(&store.storage, None));
    for _ in 0..3 {
        let notes = watch(&store, &["note"]);
        store.database.terminate_connections().await;
        // A connection of the pool may be found dead once.
        while second.apply(&[put("note", "1", &json!({}))]).await.is_err() {}
        tokio::time::timeout(Duration::from_secs(30), notes.changed()).await.unwrap();
    }
    for background in tasks {
        background.stop().await;
    }
}

fn collections() -> Json {
    json!({"collections": [
        {"name": "note", "expires": true, "fields": {"kind": "text"}}, {"name": "other"},
        {"name": "event", "retention": {"field": "_updated_at", "days": 1}},
        {"name": "parent"},
        {"name": "child", "fields": {"parent": "text"}, "references": [
            {"name": "of", "field": "parent", "collection": "parent", "on_delete": "cascade"}]},
        {"name": "grandchild", "fields": {"child": "text"}, "references": [
            {"name": "of", "field": "child", "collection": "child", "on_delete": "cascade"}]},
    ], "statements": [
        {"name": "rename", "update": "note", "where": "kind = :from", "set": {"kind": ":to"}},
        {"name": "clear", "delete": "note", "where": "kind = :kind"},
        {"name": "notes", "scope": "note"},
    ]})
}

/// A watch of these collections.
fn watch(store: &TestStore, names: &[&str]) -> Watch {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let watch = store.storage.watch(store.tenant, &store.schema, &names, 100);
    watch.unwrap().expect("there is room")
}

fn is_woken(watch: &Watch) -> bool {
    watch.changed().now_or_never().is_some()
}

async fn a_watch_is_woken_by_its_own_tenant_and_collections_only(store: TestStore) {
    let theirs = store.as_tenant("two").await;
    let (notes, both) = (watch(&store, &["note"]), watch(&store, &["other", "note"]));
    theirs.put("note", "1", &json!({})).await;
    assert!(!is_woken(&notes) && !is_woken(&both));
    store.put("other", "1", &json!({})).await;
    assert!(!is_woken(&notes) && is_woken(&both));
    store.put("note", "1", &json!({})).await;
    assert!(is_woken(&notes) && is_woken(&both));
    assert!(!is_woken(&notes) && !is_woken(&both), "each change is told once");
    store.put("note", "1", &json!({})).await;
    drop(notes);
    assert!(is_woken(&both));
    assert_eq!(store.storage.watching(), 1);
    drop(both);
    assert_eq!(store.storage.watching(), 0);
}

async fn a_deletion_wakes_those_who_wait_for_what_it_takes_along(store: TestStore) {
    store.put("parent", "p", &json!({})).await;
    store.put("child", "c", &json!({"parent": "p"})).await;
    store.put("grandchild", "g", &json!({"child": "c"})).await;
    let (grandchildren, notes) = (watch(&store, &["grandchild"]), watch(&store, &["note"]));
    store.apply(&[write("parent", "p", Change::Delete)]).await.unwrap();
    assert!(store.get("grandchild", "g").await.is_none());
    assert!(is_woken(&grandchildren) && !is_woken(&notes));
}

async fn what_is_rolled_back_wakes_nobody(store: TestStore) {
    let notes = watch(&store, &["note"]);
    let mut session = store.session(Mode::Write);
    session.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    assert!(!is_woken(&notes), "nobody else sees it yet");
    session.rollback().await;
    let mut session = store.session(Mode::Write);
    session.apply(&[write("note", "1", Change::Delete)]).await.unwrap();
    session.commit().await.unwrap();
    assert!(!is_woken(&notes), "nothing was there");
    let mut session = store.session(Mode::Write);
    session.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    session.commit().await.unwrap();
    assert!(is_woken(&notes));
}

async fn a_call_in_autocommit_mode_wakes_at_once(store: TestStore) {
    let notes = watch(&store, &["note"]);
    let mut session = store.session(Mode::Autocommit);
    session.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    assert!(is_woken(&notes));
    session.rollback().await;
}

async fn an_update_and_a_delete_by_conditions_wake(store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    for (mode, wakes) in [(Mode::Write, false), (Mode::Autocommit, true)] {
        let notes = watch(&store, &["note"]);
        let mut session = store.session(mode);
        let text = |text: &str| Value::Text(text.to_owned());
        let nothing = owned(&[("from", text("none")), ("to", text("none"))]);
        session.update_where("rename", &nothing, 0).await.unwrap();
        assert!(!is_woken(&notes));
        let same = owned(&[("from", text("a")), ("to", text("a"))]);
        assert_eq!(session.update_where("rename", &same, 0).await.unwrap().len(), 1);
        assert_eq!(is_woken(&notes), wakes);
        session.commit().await.unwrap();
        assert_eq!(is_woken(&notes), !wakes);
        let mut session = store.session(mode);
        let all = owned(&[("kind", text("a"))]);
        assert_eq!(session.delete_where("clear", &all, 0).await.unwrap(), 1);
        session.commit().await.unwrap();
        assert!(is_woken(&notes));
        store.put("note", "1", &json!({"kind": "a"})).await;
    }
}

async fn a_restored_checkpoint_wakes(store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let mut session = store.session(Mode::Autocommit);
    let scope = Scope { statement: "notes".to_owned(), arguments: Vec::new() };
    let made = session
        .create_checkpoint(About { subject: "", label: "", metadata: "{}" }, &[scope])
        .await
        .unwrap();
    let notes = watch(&store, &["note"]);
    assert_eq!(session.restore_checkpoint(&made.id).await.unwrap(), 0);
    assert!(!is_woken(&notes), "nothing differs");
    store.put("note", "1", &json!({"kind": "b"})).await;
    assert!(is_woken(&notes));
    assert_eq!(session.restore_checkpoint(&made.id).await.unwrap(), 1);
    assert!(is_woken(&notes));
}

async fn a_moment_changes_with_every_commit(store: TestStore) {
    let theirs = store.as_tenant("two").await;
    let before = store.storage.moment(store.tenant);
    theirs.put("note", "1", &json!({})).await;
    store.get("note", "1").await;
    assert_eq!(store.storage.moment(store.tenant), before);
    store.put("note", "1", &json!({})).await;
    assert_ne!(store.storage.moment(store.tenant), before);
    let full = store.storage.watch(store.tenant, &store.schema, &[], 0);
    assert!(full.unwrap().is_none());
}

async fn what_is_past_its_retention_is_a_change(store: TestStore) {
    const DAY: i64 = 86_400_000_000;
    store.put("event", "1", &json!({})).await;
    let expired = Expiry::At(0);
    let expired = Write { expiry: expired, ..put("note", "1", &json!({})) };
    store.apply(&[expired]).await.unwrap();
    let (events, notes) = (watch(&store, &["event"]), watch(&store, &["note"]));
    let swept = store.storage.sweep_expired(store.storage.now() + 2 * DAY).await.unwrap();
    assert_eq!((swept.expired, swept.past_retention), (1, 1));
    assert!(is_woken(&events));
    assert!(!is_woken(&notes), "it was not there for anybody");
}
