//! Partial indexes and `contains` indexes: what they hold, which statements they serve, and what
//! a manifest may not say about them.

use loggia::manifest::Mode;
use loggia::storage::{Change, Error, Expiry, InstallError, Outcome, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install, put, write};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring jobs:
    a_partial_index_serves_a_statement_with_the_same_literal,
    a_unique_partial_index_looks_at_its_own_documents_only,
    a_value_changes_into_a_unique_partial_index,
    an_expired_holder_gives_way_only_where_both_stand_in_the_index,
    a_partial_index_of_each_type_is_made,
    faults_of_indexes_are_found_when_a_manifest_is_loaded,
}

fn jobs() -> Json {
    json!({
        "collections": [{"name": "job", "expires": true,
            "fields": {"status": "text", "order_key": "integer", "key": "text",
                "due": "timestamp", "score": "number", "urgent": "boolean"},
            "indexes": [
                {"name": "queued", "fields": ["order_key"], "where": {"status": ["queued"]}},
                {"name": "open", "fields": ["key"], "unique": true,
                    "where": {"status": ["queued", "it's \\ on"]}},
                {"name": "typed", "fields": ["key", "order_key"], "where": {
                    "score": [1, 2.5], "urgent": [true, null],
                    "due": ["2026-01-01T00:00:00Z"], "order_key": [-3]}},
                {"name": "without", "fields": ["due"], "where": {"key": [null]}},
            ]}],
        "statements": [{"name": "all", "select": "SELECT id, status FROM job"}],
    })
}

async fn a_partial_index_serves_a_statement_with_the_same_literal(store: TestStore) {
    let database = &store.database;
    let plan = async |condition: &str, values: &[&str]| {
        let select = format!("SELECT id, order_key FROM job WHERE {condition}");
        database.plan(&jobs(), &select, values).await
    };
    let used = "test__job__queued";
    let queued = plan("status = 'queued' AND order_key > 5", &["1", "1"]).await;
    assert!(queued.contains(used), "{queued}");
    let other = plan("status = 'done' AND order_key > 5", &["1", "1"]).await;
    assert!(!other.contains(used), "{other}");
    let either = plan("status IN ('queued', 'it''s \\ on') AND key = 'k'", &["1", "1"]).await;
    assert!(either.contains("test__job__open"), "{either}");
    let one = plan("status = 'it''s \\ on' AND key = 'k'", &["1", "1"]).await;
    assert!(one.contains("test__job__open"), "{one}");
    let without = plan("key IS NULL AND due > now()", &["1", "1"]).await;
    assert!(without.contains("test__job__without"), "{without}");
}

async fn a_unique_partial_index_looks_at_its_own_documents_only(store: TestStore) {
    let (queued, done) =
        (json!({"status": "queued", "key": "k"}), json!({"status": "done", "key": "k"}));
    store.put("job", "1", &queued).await;
    store.put("job", "2", &done).await;
    store.put("job", "3", &done).await;
    let odd = json!({"status": "it's \\ on", "key": "k"});
    for body in [queued.clone(), odd] {
        let refused = store.apply(&[put("job", "4", &body)]).await.unwrap_err();
        assert_duplicate(&refused, "open");
    }
    let other = store.as_tenant("two").await;
    other.put("job", "1", &queued).await;
    store.put("job", "1", &done).await;
    store.put("job", "4", &queued).await;
}

async fn a_value_changes_into_a_unique_partial_index(store: TestStore) {
    store.put("job", "1", &json!({"status": "queued", "key": "k"})).await;
    store.put("job", "2", &json!({"status": "done", "key": "k"})).await;
    let merge = write("job", "2", Change::Merge(json!({"status": "queued"}).to_string()));
    let refused = store.apply(std::slice::from_ref(&merge)).await.unwrap_err();
    assert_duplicate(&refused, "open");
    store.apply(&[write("job", "1", Change::Delete)]).await.unwrap();
    store.apply(&[merge]).await.unwrap();
}

async fn an_expired_holder_gives_way_only_where_both_stand_in_the_index(store: TestStore) {
    let at = async |id: &str, status: &str, expires: i64, now: i64| {
        let body = json!({"status": status, "key": "k"});
        let write = Write { expiry: Expiry::At(expires), ..put("job", id, &body) };
        let mut session = store.session_at(Mode::Write, now);
        let outcomes = session.apply(&[write]).await.unwrap();
        session.commit().await.unwrap();
        assert!(matches!(outcomes[0], Outcome::Written { created: true, .. }));
    };
    let rows = async || {
        let rows = store.database.query("SELECT id FROM test__job ORDER BY id").await;
        rows.concat().join(" ")
    };
    at("queued", "queued", 100, 1).await;
    at("done", "done", 100, 1).await;
    at("later", "done", 1_000, 200).await;
    assert_eq!(rows().await, "done later queued", "neither is in the way");
    at("new", "queued", 1_000, 200).await;
    assert_eq!(rows().await, "done later new", "the one that holds the value is gone");
}

async fn a_partial_index_of_each_type_is_made(store: TestStore) {
    let select = "SELECT id FROM job WHERE key = 'k' AND score = 2.5 AND order_key = -3 \
                  AND urgent IS NULL AND due = 1767225600000000";
    let plan = store.database.plan(&jobs(), select, &["1", "1"]).await;
    assert!(plan.contains("test__job__typed"), "{plan}");
}

async fn faults_of_indexes_are_found_when_a_manifest_is_loaded(store: TestStore) {
    for (index, expected) in [
        (json!({"fields": ["n"], "where": {"state": ["a"]}}), "state is not a declared field"),
        (json!({"fields": ["n"], "where": {"n": ["a"]}}), "n must be a whole number"),
        (json!({"fields": ["n"], "where": {"at": ["today"]}}), "at must be an RFC 3339 time"),
        (json!({"fields": ["n"], "where": {"tags": [null, "a"]}}), "tags must be an array"),
        (json!({"fields": ["n"], "where": {"meta": ["a"]}}), "meta is json, which has no literal"),
        (json!({"fields": ["n"], "where": {}}), "/collections/0/indexes/0/where"),
        (json!({"fields": ["n"], "where": {"n": []}}), "/collections/0/indexes/0/where"),
        (json!({"fields": ["n"], "where": {"n": [{}]}}), "/collections/0/indexes/0/where"),
    ] {
        let mut index = index;
        index["name"] = json!("i");
        assert_refused(&store, json!([index]), expected).await;
    }
    let same = json!([
        {"name": "one", "fields": ["n"], "unique": true, "where": {"word": ["a"]}},
        {"name": "two", "fields": ["-n"], "unique": true, "where": {"word": ["b"]}},
    ]);
    assert_refused(&store, same, "the unique index one has the same fields").await;
}

/// That no collection with these indexes is installed, and why.
pub(crate) async fn assert_refused(store: &TestStore, indexes: Json, expected: &str) {
    let fields = json!({"n": "integer", "word": "text", "at": "timestamp", "tags": "text[]",
        "meta": "json", "long": {"type": "text"}});
    let collection = json!({"name": "other", "fields": fields, "indexes": indexes});
    let declared = json!({"name": "other", "collections": [collection]});
    match install(&store.storage, &declared).await {
        Err(InstallError::Manifest(faults)) => {
            assert!(faults.join("\n").contains(expected), "{expected}: {faults:?}");
        }
        other => panic!("{expected}: {other:?}"),
    }
}

#[track_caller]
fn assert_duplicate(error: &Error, index: &str) {
    assert!(matches!(error, Error::Duplicate(fault) if fault.name == index), "{error:?}");
}
