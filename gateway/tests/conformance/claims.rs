//! Many who update at once: nothing is lost, nothing is done twice, and nobody fails.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia::manifest::Mode;
use loggia::storage::{Document, Error, Value};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::harness::store::{TestStore, owned, put};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring queue:
    a_hundred_increments_at_once_lose_none,
    a_hundred_increments_of_five_documents_lose_none,
    a_hundred_appends_at_once_lose_none,
    ten_claimers_never_get_one_document_twice,
    a_hundred_claimers_never_get_one_document_twice,
    a_thousand_claimers_never_get_one_document_twice,
    claimers_that_wait_never_get_one_document_twice,
    claimers_by_themselves_never_get_one_document_twice,
}

fn queue() -> Json {
    let claim = |name: &str, locked: &str| {
        json!({"name": name, "update": "job",
            "set": {"status": "'assigned'", "worker": ":worker", "attempt": "attempt + 1"},
            "where": "status = 'queued'", "order": {"next": "priority DESC"}, "locked": locked})
    };
    json!({
        "collections": [
            {"name": "job", "fields": {
                "status": "text", "worker": "integer", "priority": "integer", "attempt": "integer"},
             "indexes": [{"name": "queued", "fields": ["status", "-priority"]}]},
            {"name": "counter", "fields": {"n": "integer", "log": "json"}},
        ],
        "statements": [
            claim("claim", "skip"),
            claim("claim-waiting", "wait"),
            {"name": "increment", "update": "counter", "set": {"n": "n + :by"}},
            {"name": "append", "update": "counter", "set": {"log": "json_append(log, :entry)"},
             "where": "id = :id"},
            {"name": "queued", "select": "SELECT count(*) AS n FROM job WHERE status = 'queued'"},
        ],
    })
}

/// One call in a transaction of its own.
async fn update(
    store: &TestStore,
    mode: Mode,
    statement: &str,
    arguments: &[(&str, Value)],
    limit: u32,
) -> Result<Vec<Document>, Error> {
    let mut session = store.session(mode);
    let changed = session.update_where(statement, &owned(arguments), limit).await?;
    session.commit().await?;
    Ok(changed)
}

fn body(document: &Document) -> Json {
    serde_json::from_str(&document.body).unwrap()
}

async fn increments(store: TestStore, documents: usize) {
    for id in 0..documents {
        store.put("counter", &id.to_string(), &json!({"n": 0})).await;
    }
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for by in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let by = [("by", Value::Integer(by))];
            update(&store, Mode::Write, "increment", &by, 0).await.map(|changed| changed.len())
        });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap().unwrap(), documents);
    }
    for id in 0..documents {
        let counter = store.get("counter", &id.to_string()).await.unwrap();
        assert_eq!(body(&counter), json!({"n": 99 * 50}));
    }
}

async fn a_hundred_increments_at_once_lose_none(store: TestStore) {
    increments(store, 1).await;
}

async fn a_hundred_increments_of_five_documents_lose_none(store: TestStore) {
    increments(store, 5).await;
}

async fn a_hundred_appends_at_once_lose_none(store: TestStore) {
    store.put("counter", "1", &json!({})).await;
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for entry in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let entry = Value::Json(format!("{{\"entry\":{entry}}}"));
            let arguments = [("id", Value::Text("1".to_owned())), ("entry", entry)];
            update(&store, Mode::Write, "append", &arguments, 1).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let log = body(&store.get("counter", "1").await.unwrap())["log"].clone();
    let entries: BTreeSet<u64> =
        log.as_array().unwrap().iter().map(|entry| entry["entry"].as_u64().unwrap()).collect();
    assert_eq!((log.as_array().unwrap().len(), entries), (100, (0..100).collect()));
}

/// Each claimer takes documents until it finds none.
async fn claim_all(
    store: TestStore,
    mode: Mode,
    statement: &'static str,
    claimers: i64,
    jobs: i64,
) {
    let job = |id: i64| {
        let job = json!({"status": "queued", "priority": id % 7, "attempt": 0});
        put("job", &format!("{id}"), &job)
    };
    store.apply(&(0..jobs).map(job).collect::<Vec<_>>()).await.unwrap();
    let other = store.as_tenant("two").await;
    other.apply(&[job(0)]).await.unwrap();
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for worker in 0..claimers {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let arguments = [("worker", Value::Integer(worker))];
            let mut claimed = Vec::new();
            loop {
                match update(&store, mode, statement, &arguments, 2).await.unwrap() {
                    none if none.is_empty() => return claimed,
                    some => claimed.extend(some),
                }
            }
        });
    }
    let mut claimed = Vec::new();
    while let Some(mine) = tasks.join_next().await {
        claimed.extend(mine.unwrap());
    }
    let ids: BTreeSet<&str> = claimed.iter().map(|document| document.id.as_str()).collect();
    assert_eq!((claimed.len() as i64, ids.len() as i64), (jobs, jobs), "each once");
    for document in &claimed {
        let stored = store.get("job", &document.id).await.unwrap();
        assert_eq!(&stored, document);
        assert_eq!(body(&stored)["attempt"], 1);
    }
    assert_eq!(store.select("queued", &[]).await, json!([{"n": 0}]), "none is left");
    assert_eq!(other.select("queued", &[]).await, json!([{"n": 1}]));
}

async fn ten_claimers_never_get_one_document_twice(store: TestStore) {
    claim_all(store, Mode::Write, "claim", 10, 200).await;
}

async fn a_hundred_claimers_never_get_one_document_twice(store: TestStore) {
    claim_all(store, Mode::Write, "claim", 100, 300).await;
}

async fn a_thousand_claimers_never_get_one_document_twice(store: TestStore) {
    claim_all(store, Mode::Write, "claim", 1_000, 1_000).await;
}

async fn claimers_that_wait_never_get_one_document_twice(store: TestStore) {
    claim_all(store, Mode::Write, "claim-waiting", 50, 100).await;
}

async fn claimers_by_themselves_never_get_one_document_twice(store: TestStore) {
    claim_all(store, Mode::Autocommit, "claim", 100, 200).await;
}
