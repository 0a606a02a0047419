//! What operators can ask: documents and bytes by tenant and collection, and sizes.

use loggia::storage::{Change, Expiry, InstallOptions, Stored, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, manifest, put, write};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring files:
    nothing_is_kept_unless_it_is_asked_for,
    documents_and_bytes_follow_every_change,
    statistics_that_are_switched_on_count_what_is_there_and_off_again_cost_nothing,
    tables_have_sizes,
}

fn files() -> Json {
    json!({"collections": [
        {"name": "folder"},
        {"name": "file", "expires": true, "fields": {"folder": "text", "size": "integer"},
         "indexes": [{"name": "by_size", "fields": ["size"]}],
         "references": [{"name": "folder", "field": "folder", "collection": "folder",
                         "on_delete": "cascade"}]},
    ]})
}

async fn keeping(store: TestStore, statistics: bool) -> TestStore {
    let (parsed, text) = manifest(&files()).unwrap();
    let options = InstallOptions { statistics, ..InstallOptions::default() };
    let schema = store.storage.install_with(&parsed, &text, &options).await.unwrap();
    TestStore { schema, ..store }
}

async fn stored(store: &TestStore) -> Vec<(String, String, u64, bool)> {
    let short = |stored: Stored| {
        (stored.tenant, stored.collection, stored.documents, stored.bytes > stored.documents)
    };
    store
        .storage
        .statistics(std::slice::from_ref(&store.schema))
        .await
        .unwrap()
        .stored
        .into_iter()
        .map(short)
        .collect()
}

fn line(tenant: &str, collection: &str, documents: u64) -> (String, String, u64, bool) {
    (tenant.to_owned(), collection.to_owned(), documents, true)
}

fn file(id: &str) -> Write {
    put("file", id, &json!({"folder": "f", "size": 10}))
}

async fn nothing_is_kept_unless_it_is_asked_for(store: TestStore) {
    store.put("folder", "f", &json!({})).await;
    assert_eq!(stored(&store).await, []);
}

async fn documents_and_bytes_follow_every_change(store: TestStore) {
    let store = keeping(store, true).await;
    let other = store.as_tenant("two").await;
    store.put("folder", "f", &json!({})).await;
    other.put("folder", "f", &json!({})).await;
    store.apply(&[file("a"), file("b"), file("c")]).await.unwrap();
    let bytes = async || {
        let statistics =
            store.storage.statistics(std::slice::from_ref(&store.schema)).await.unwrap();
        let of_files = |stored: &&Stored| stored.collection == "file";
        statistics.stored.iter().find(of_files).map_or(0, |stored| stored.bytes)
    };
    assert_eq!(
        stored(&store).await,
        [line("one", "file", 3), line("one", "folder", 1), line("two", "folder", 1)]
    );
    let before = bytes().await;
    store.put("file", "a", &json!({"folder": "f", "size": 10, "text": "x".repeat(100)})).await;
    let grown = bytes().await - before;
    assert!((110..120).contains(&grown), "{grown}");
    store.put("file", "a", &json!({"folder": "f", "size": 10})).await;
    assert_eq!(bytes().await, before);
    let past = Expiry::At(store.storage.now() - 1);
    store.apply(&[Write { expiry: past, ..file("b") }]).await.unwrap();
    store.storage.sweep_expired(store.storage.now()).await.unwrap();
    assert_eq!(stored(&store).await[0], line("one", "file", 2));
    store.apply(&[write("folder", "f", Change::Delete)]).await.unwrap();
    store.storage.fold_counts().await.unwrap();
    assert_eq!(stored(&store).await, [line("two", "folder", 1)]);
    assert_eq!(bytes().await, 0);
}

async fn statistics_that_are_switched_on_count_what_is_there_and_off_again_cost_nothing(
    store: TestStore,
) {
    store.put("folder", "f", &json!({})).await;
    store.apply(&[file("a"), file("b")]).await.unwrap();
    let store = keeping(store, true).await;
    assert_eq!(stored(&store).await, [line("one", "file", 2), line("one", "folder", 1)]);
    let store = keeping(store, false).await;
    assert_eq!(stored(&store).await, []);
    store.apply(&[file("c")]).await.unwrap();
    let store = keeping(store, true).await;
    assert_eq!(stored(&store).await[0], line("one", "file", 3));
}

async fn tables_have_sizes(store: TestStore) {
    let body = json!({"size": 1, "text": "x".repeat(1_000)});
    let writes: Vec<Write> = (0..200).map(|n| put("file", &n.to_string(), &body)).collect();
    store.apply(&writes).await.unwrap();
    let tables =
        store.storage.statistics(std::slice::from_ref(&store.schema)).await.unwrap().tables;
    let names: Vec<&str> = tables.iter().map(|table| table.collection.as_str()).collect();
    assert_eq!(names, ["file", "folder"]);
    assert!(tables.iter().all(|table| table.plugin == "test" && table.index_bytes > 0));
    assert!(tables[0].table_bytes > tables[1].table_bytes, "{tables:?}");
}
