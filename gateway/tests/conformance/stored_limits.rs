//! What a tenant may store, counted over all collections of a plugin: exact under concurrent
//! writers, and whatever takes documents away.

use std::sync::Arc;

use loggia::storage::{Change, Error, Expiry, InstallOptions, Outcome, StoredLimit, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, manifest, put, write};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring collections:
    a_limit_of_documents_holds_under_64_concurrent_writers,
    a_limit_of_bytes_holds_under_64_concurrent_writers,
    what_is_deleted_or_expired_or_swept_makes_room,
    a_document_that_grows_counts_for_its_bytes,
    what_is_there_counts_when_a_limit_comes,
    each_tenant_has_its_own_limit,
}

fn collections() -> Json {
    json!({"collections": [
        {"name": "folder"},
        {"name": "file", "expires": true, "fields": {"folder": "text"},
         "references": [{"name": "folder", "field": "folder", "collection": "folder",
                         "on_delete": "cascade"}]},
    ]})
}

/// With the counts, and these limits.
async fn limited(store: TestStore, documents: u64, bytes: u64) -> TestStore {
    let (parsed, text) = manifest(&collections()).unwrap();
    let stored_limits = StoredLimit::ALL.to_vec();
    let options = InstallOptions { stored_limits, ..InstallOptions::default() };
    let schema = store.storage.install_with(&parsed, &text, &options).await.unwrap();
    let store = TestStore { schema, ..store };
    for (limit, most) in [(StoredLimit::Documents, documents), (StoredLimit::Bytes, bytes)] {
        store.storage.limit_stored(&store.schema, store.tenant, limit, most).await.unwrap();
    }
    store
}

/// A file whose body takes 100 bytes in either database: `PostgreSQL` writes a space.
fn file(store: &TestStore, id: &str) -> Write {
    sized(store, id, 100)
}

fn sized(store: &TestStore, id: &str, bytes: usize) -> Write {
    let around = if store.is_sqlite() { 8 } else { 9 };
    put("file", id, &json!({"a": "x".repeat(bytes - around)}))
}

#[track_caller]
fn assert_full(done: Result<Vec<Outcome>, Error>, name: &str) {
    match done {
        Err(Error::StoredLimit(limit)) => assert_eq!(limit, name),
        other => panic!("{other:?}"),
    }
}

/// As the gateway does, where a race was lost.
async fn apply_again(store: &TestStore, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
    loop {
        match store.apply(writes).await {
            Err(Error::Aborted) => tokio::task::yield_now().await,
            done => return done,
        }
    }
}

async fn race(store: &Arc<TestStore>, name: &str) -> usize {
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let write = file(&store, &format!("{n}"));
                apply_again(&store, &[write]).await
            })
        })
        .collect();
    let mut stored = 0;
    for writer in writers {
        match writer.await.unwrap() {
            Ok(_) => stored += 1,
            refused => assert_full(refused, name),
        }
    }
    stored
}

async fn a_limit_of_documents_holds_under_64_concurrent_writers(store: TestStore) {
    let store = Arc::new(limited(store, 20, 0).await);
    store.put("folder", "one", &json!({})).await;
    assert_eq!(race(&store, "stored_documents").await, 19);
}

async fn a_limit_of_bytes_holds_under_64_concurrent_writers(store: TestStore) {
    let store = Arc::new(limited(store, 0, 2_050).await);
    assert_eq!(race(&store, "stored_bytes").await, 20);
}

async fn what_is_deleted_or_expired_or_swept_makes_room(store: TestStore) {
    let store = limited(store, 3, 302).await;
    store.put("folder", "f", &json!({})).await;
    let in_folder = |id: &str| put("file", id, &json!({"folder": "f"}));
    store.apply(&[in_folder("a"), in_folder("b")]).await.unwrap();
    assert_full(store.apply(&[in_folder("c")]).await, "stored_documents");
    // The folder, and with it what is in it.
    store.apply(&[write("folder", "f", Change::Delete)]).await.unwrap();
    let now = store.storage.now();
    // By the database's clock as well, which the gateway only estimates.
    let past = now - 1_000_000;
    let expired = |id: &str| Write { expiry: Expiry::At(past), ..file(&store, id) };
    store.apply(&[expired("a"), expired("b"), expired("c")]).await.unwrap();
    let three = ["d", "e", "f"].map(|id| file(&store, id));
    store.apply(&three).await.unwrap();
    assert!(store.apply(&[file(&store, "g")]).await.is_err());
    store.storage.sweep_expired(store.storage.now()).await.unwrap();
    store.storage.fold_counts().await.unwrap();
    assert!(store.apply(&[file(&store, "g")]).await.is_err(), "what was swept counts once");
    store.apply(&[write("file", "d", Change::Delete)]).await.unwrap();
    store.apply(&[file(&store, "g")]).await.unwrap();
    assert!(store.apply(&[file(&store, "h")]).await.is_err());
}

async fn a_document_that_grows_counts_for_its_bytes(store: TestStore) {
    let store = limited(store, 0, 300).await;
    store.apply(&[sized(&store, "a", 100), sized(&store, "b", 200)]).await.unwrap();
    assert_full(store.apply(&[sized(&store, "a", 101)]).await, "stored_bytes");
    store.apply(&[sized(&store, "b", 150)]).await.unwrap();
    store.apply(&[sized(&store, "a", 150)]).await.unwrap();
    assert_full(store.apply(&[sized(&store, "a", 151)]).await, "stored_bytes");
    // What was there before the limit was lowered stays, and can shrink.
    store.storage.limit_stored(&store.schema, store.tenant, StoredLimit::Bytes, 10).await.unwrap();
    store.apply(&[sized(&store, "a", 140)]).await.unwrap();
    assert_full(store.apply(&[sized(&store, "a", 141)]).await, "stored_bytes");
}

async fn what_is_there_counts_when_a_limit_comes(store: TestStore) {
    store.put("folder", "f", &json!({})).await;
    store.apply(&[file(&store, "a"), file(&store, "b")]).await.unwrap();
    let store = limited(store, 4, 0).await;
    store.apply(&[file(&store, "c")]).await.unwrap();
    assert_full(store.apply(&[file(&store, "d")]).await, "stored_documents");
}

async fn each_tenant_has_its_own_limit(store: TestStore) {
    let store = limited(store, 1, 0).await;
    let other = store.as_tenant("two").await;
    store.apply(&[file(&store, "a")]).await.unwrap();
    assert_full(store.apply(&[file(&store, "b")]).await, "stored_documents");
    other.apply(&[file(&other, "a"), file(&other, "b")]).await.unwrap();
}
