//! Isolation on request: transactions that have the effect of some that ran one after the other.

use loggia::manifest::{Manifest, Mode, TransactionIsolation};
use loggia::storage::{Error, Session, SessionOptions};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, options, put};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring doctors:
    write_skew_is_stopped_on_request,
    serializable_transactions_that_do_not_meet_all_succeed,
}

fn doctors() -> Json {
    json!({
        "collections": [{"name": "doctor", "fields": {"on_call": "boolean"}}],
        "statements": [{"name": "on-call", "select": "SELECT id FROM doctor WHERE on_call = true"}],
    })
}

fn session(store: &TestStore, isolation: TransactionIsolation) -> Session {
    let options = options(Mode::Write, store.storage.now());
    store.session_with(SessionOptions { isolation, ..options })
}

async fn on_call(session: &mut Session) -> Result<u64, Error> {
    Ok(session.select("on-call", &[], None).await?.count.into())
}

/// Leave if another one stays. Two who leave at once see each other, and both go.
async fn leave(session: &mut Session, id: &str) -> Result<bool, Error> {
    if on_call(session).await? < 2 {
        return Ok(false);
    }
    session.apply(&[put("doctor", id, &json!({"on_call": false}))]).await.map(|_| true)
}

async fn both_on_call(store: &TestStore) {
    store.put("doctor", "a", &json!({"on_call": true})).await;
    store.put("doctor", "b", &json!({"on_call": true})).await;
}

async fn write_skew_is_stopped_on_request(store: TestStore) {
    if !store.is_sqlite() {
        // What the default lets happen; SQLite has one writer at a time.
        both_on_call(&store).await;
        let committed = TransactionIsolation::ReadCommitted;
        let (mut a, mut b) = (session(&store, committed), session(&store, committed));
        assert!(leave(&mut a, "a").await.unwrap() && leave(&mut b, "b").await.unwrap());
        a.commit().await.unwrap();
        b.commit().await.unwrap();
        assert_eq!(store.select("on-call", &[]).await, json!([]), "both have left");
    }
    for _ in 0..10 {
        both_on_call(&store).await;
        let (a, b) =
            tokio::join!(leave_again_and_again(&store, "a"), leave_again_and_again(&store, "b"));
        assert!(a ^ b, "one of them has left, and the other one has seen it");
        assert_eq!(store.select("on-call", &[]).await.as_array().unwrap().len(), 1);
    }
}

/// As the gateway does with a request that has lost a race.
async fn leave_again_and_again(store: &TestStore, id: &str) -> bool {
    loop {
        let mut session = session(store, TransactionIsolation::Serializable);
        let left = leave(&mut session, id).await;
        let ended = match left {
            Ok(_) => session.commit().await,
            Err(_) => {
                session.rollback().await;
                Ok(())
            }
        };
        match (left, ended) {
            (Ok(left), Ok(())) => return left,
            (Err(Error::Aborted), _) | (_, Err(Error::Aborted)) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn serializable_transactions_that_do_not_meet_all_succeed(store: TestStore) {
    for id in ["a", "b"] {
        let mut session = session(&store, TransactionIsolation::Serializable);
        session.get("doctor", &[id.to_owned()]).await.unwrap();
        session.apply(&[put("doctor", id, &json!({"on_call": true}))]).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(store.select("on-call", &[]).await, json!([{"id": "a"}, {"id": "b"}]));
}

#[test]
fn isolation_is_for_transactions_that_write() {
    let parse = |method: &str, more: Json| {
        let mut operation = json!({"name": "o", "method": method, "path": "/o", "summary": "s"});
        for (name, value) in more.as_object().unwrap() {
            operation[name] = value.clone();
        }
        let manifest = json!({
            "name": "test", "version": "0.1.0", "summary": "s", "collections": [],
            "operations": [operation],
        });
        Manifest::parse(&manifest.to_string())
    };
    let isolated = parse("POST", json!({"isolation": "serializable"})).unwrap();
    assert_eq!(isolated.operations[0].isolation(), TransactionIsolation::Serializable);
    let plain = parse("POST", json!({})).unwrap();
    assert_eq!(plain.operations[0].isolation(), TransactionIsolation::ReadCommitted);
    for (method, more) in [
        ("GET", json!({"isolation": "serializable"})),
        ("POST", json!({"isolation": "serializable", "mode": "autocommit"})),
    ] {
        let faults = parse(method, more).unwrap_err();
        assert!(faults[0].contains("/operations/0/isolation"), "{faults:?}");
    }
    parse("POST", json!({"isolation": "chaos"})).unwrap_err();
}
