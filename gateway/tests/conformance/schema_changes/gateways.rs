//! Several gateways with one database. `PostgreSQL` only: a file of `SQLite` has one gateway.

use super::*;
use crate::harness::Database;

async fn open() -> TestStore {
    TestStore::open(Database::postgres().await, &notes()).await
}

fn with_size() -> Json {
    with_statement(
        note(json!({"fields": {"kind": "text", "size": "integer"}})),
        "SELECT id, size FROM note",
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_of_the_older_plugin_reads_and_cannot_write() {
    let older = open().await;
    older.put("note", "1", &json!({"kind": "a", "size": 1})).await;
    let mut newer = older.second().await;
    newer.change(&with_size()).await.unwrap();
    assert!(older.get("note", "1").await.is_some());
    assert_eq!(older.select("all", &[]).await, json!([{"id": "1", "kind": "a"}]));
    for write in [put("note", "1", &json!({})), put("note", "2", &json!({}))] {
        let error = older.apply(&[write]).await.unwrap_err();
        assert!(matches!(error, Error::SchemaDrift), "{error}");
    }
    newer.put("note", "1", &json!({"size": 2})).await;
    assert_eq!(newer.select("all", &[]).await, json!([{"id": "1", "size": 2}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_gateway_writes_during_a_fill_is_filled() {
    let older = open().await;
    for id in ["1", "2", "3"] {
        older.put("note", id, &json!({"size": 1})).await;
    }
    let mut newer = older.second().await;
    // The column is there and all rows are filled, and the older gateway is not fenced off yet.
    let stopping = InstallOptions { stop_after: Some(3), ..InstallOptions::default() };
    newer.change_with(&with_size(), &stopping).await.unwrap_err();
    older.put("note", "2", &json!({"size": 20})).await;
    older.put("note", "4", &json!({"size": 4})).await;
    newer.change(&with_size()).await.unwrap();
    let sizes: Vec<Json> = [1, 20, 1, 4].map(Json::from).to_vec();
    let rows = newer.select("all", &[]).await;
    let found: Vec<Json> = rows.as_array().unwrap().iter().map(|row| row["size"].clone()).collect();
    assert_eq!(found, sizes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_install_at_once_wait_for_each_other() {
    let store = open().await;
    let writes: Vec<_> =
        (0..200).map(|n| put("note", &format!("{n:03}"), &json!({"size": n}))).collect();
    store.apply(&writes).await.unwrap();
    let (mut one, mut two, mut three) =
        (store.second().await, store.second().await, store.second().await);
    let declared = with_size();
    let (first, second, third) =
        tokio::join!(one.change(&declared), two.change(&declared), three.change(&declared));
    first.and(second).and(third).unwrap();
    assert_eq!(two.steps(&declared).await, [""; 0]);
    let rows = three.select("all", &[]).await;
    assert!(rows.as_array().unwrap().iter().all(|row| row["size"].is_number()), "{rows}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_was_not_finished_is_built_anew() {
    let mut store = open().await;
    store.put("note", "1", &json!({"kind": "a"})).await;
    // As CREATE INDEX CONCURRENTLY leaves it when its connection breaks.
    let invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = \
                   (SELECT oid FROM pg_class WHERE relname LIKE 'test\\_\\_note\\_\\_by\\_kind%')";
    store.execute(invalid).await;
    assert_eq!(store.steps(&notes()).await, ["add-index note.by_kind"]);
    store.change(&notes()).await.unwrap();
    assert_eq!(store.steps(&notes()).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_ends_when_a_long_transaction_holds_the_table() {
    let mut store = open().await;
    store.put("note", "1", &json!({"size": 1})).await;
    let mut other = store.postgres().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute("LOCK TABLE test__note IN ACCESS SHARE MODE").await.unwrap();
    let declared = with_size();
    let change = store.change(&declared);
    let meanwhile = async {
        // Others read while the change waits for the lock and gives it up again.
        let reader = transaction.query_one("SELECT count(*) FROM test__note", &[]).await;
        assert_eq!(reader.unwrap().get::<_, i64>(0), 1);
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        transaction.commit().await.unwrap();
    };
    let (changed, ()) = tokio::join!(change, meanwhile);
    changed.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "size": 1}]));
}
