//! Declared counts: exact through every way in which a document changes, with limits that hold.

use std::sync::Arc;

use loggia::manifest::Mode;
use loggia::storage::{
    Change, Error, Expiry, InstallError, Otherwise, Outcome, Precondition, Value, Write,
};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install, put, write};
use crate::harness::{Database, stores_on_both_databases};

stores_on_both_databases! { declaring jobs:
    a_count_follows_inserts_updates_and_deletes,
    a_count_by_nothing_has_a_row_from_the_beginning,
    documents_without_the_field_are_counted_by_null,
    only_documents_with_the_values_are_counted,
    batches_and_cascades_are_counted,
    what_is_rolled_back_is_not_counted,
    what_has_expired_is_not_counted_before_and_after_the_sweep,
    tenants_are_counted_apart,
    a_count_can_be_joined_and_filtered,
    concurrent_writers_are_all_counted,
    a_limit_holds_under_100_concurrent_inserts,
    a_limit_holds_when_far_from_it_with_batches,
    a_small_limit_holds_when_writers_come_near_it,
    a_limit_of_a_tenant_replaces_the_default,
    a_limit_is_of_each_key,
    what_goes_makes_room_within_the_limit,
    a_write_over_the_limit_can_be_left_out,
    a_lowered_limit_stops_only_what_is_new,
    what_has_expired_makes_room_within_the_limit,
    folding_changes_no_sum,
    writes_and_deletes_are_added_up_for_ever,
    what_has_expired_is_not_deleted_by_anybody,
}

fn jobs() -> Json {
    json!({
        "collections": [
            {"name": "job", "expires": true, "fields": {
                "state": "text", "queue": "text", "size": "integer", "owner": "text",
                "urgent": "boolean"},
             "references": [{"name": "owner", "field": "owner", "collection": "owner",
                             "on_delete": "cascade"}]},
            {"name": "owner"},
            {"name": "slot", "fields": {"room": "text"}},
        ],
        "settings": {"type": "object", "properties": {
            "max_slots": {"type": "integer", "default": 5}}},
        "counts": [
            {"name": "all", "collections": ["job"], "sum": ["size"]},
            {"name": "by_state", "collections": ["job"], "by": ["state", "urgent"],
             "sum": ["size"]},
            {"name": "open", "collections": ["job"], "by": ["queue"],
             "where": {"state": ["queued", "running", null]}},
            {"name": "slots", "collections": ["slot"], "by": ["room"], "limit": "max_slots"},
            {"name": "changes", "collections": ["job"], "by": ["queue"],
             "sum": ["_written", "_deleted"]},
        ],
        "statements": [
            {"name": "all", "select": "SELECT documents, sum_size FROM count_all"},
            {"name": "by-state",
             "select": "SELECT state, urgent, documents, sum_size FROM count_by_state",
             "order": {"state": "state, urgent"}},
            {"name": "open", "select": "SELECT queue, documents FROM count_open",
             "order": {"queue": "queue"}},
            {"name": "recount",
             "select": "SELECT state, urgent, count(*) AS documents, sum(coalesce(size, 0)) AS sum_size \
                        FROM job GROUP BY state, urgent",
             "order": {"state": "state, urgent"}},
            {"name": "slots", "select": "SELECT room, documents FROM count_slots",
             "order": {"room": "room"}},
            {"name": "changes",
             "select": "SELECT queue, documents, written, deleted FROM count_changes",
             "order": {"queue": "queue"}},
            {"name": "crowded",
             "select": "SELECT s.id, c.documents FROM slot AS s \
                        JOIN count_slots AS c ON c.room = s.room WHERE c.documents > :than"},
        ],
    })
}

async fn assert_exact(store: &TestStore) {
    assert_eq!(store.select("by-state", &[]).await, store.select("recount", &[]).await);
}

fn job(id: &str, state: &str, size: i64) -> Write {
    put("job", id, &json!({"state": state, "queue": "q", "size": size, "urgent": false}))
}

fn slot(id: &str, room: &str) -> Write {
    put("slot", id, &json!({"room": room}))
}

fn delete(collection: &str, id: &str) -> Write {
    write(collection, id, Change::Delete)
}

#[track_caller]
fn assert_limit(error: &Error) {
    assert!(matches!(error, Error::CountLimit(setting) if setting == "max_slots"), "{error:?}");
}

async fn a_count_follows_inserts_updates_and_deletes(store: TestStore) {
    store.apply(&[job("1", "queued", 5)]).await.unwrap();
    store.apply(&[job("2", "queued", 7)]).await.unwrap();
    let queued = json!([{"state": "queued", "urgent": false, "documents": 2, "sum_size": 12}]);
    assert_eq!(store.select("by-state", &[]).await, queued);
    store.apply(&[job("2", "running", 8)]).await.unwrap();
    let merge = json!({"size": 100, "urgent": true}).to_string();
    store.apply(&[write("job", "1", Change::Merge(merge))]).await.unwrap();
    assert_eq!(
        store.select("by-state", &[]).await,
        json!([
            {"state": "queued", "urgent": true, "documents": 1, "sum_size": 100},
            {"state": "running", "urgent": false, "documents": 1, "sum_size": 8},
        ])
    );
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 2, "sum_size": 108}]));
    store.apply(&[delete("job", "1"), delete("job", "2")]).await.unwrap();
    assert_eq!(store.select("by-state", &[]).await, json!([]));
    assert_exact(&store).await;
}

async fn a_count_by_nothing_has_a_row_from_the_beginning(store: TestStore) {
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 0, "sum_size": 0}]));
    assert_eq!(store.select("open", &[]).await, json!([]));
}

async fn documents_without_the_field_are_counted_by_null(store: TestStore) {
    for id in ["1", "2"] {
        store.put("job", id, &json!({})).await;
    }
    store.put("job", "3", &json!({"state": ""})).await;
    assert_eq!(
        store.select("by-state", &[]).await,
        json!([
            {"state": null, "urgent": null, "documents": 2, "sum_size": 0},
            {"state": "", "urgent": null, "documents": 1, "sum_size": 0},
        ])
    );
}

async fn only_documents_with_the_values_are_counted(store: TestStore) {
    store
        .apply(&[job("1", "queued", 1), job("2", "done", 1), job("3", "running", 1)])
        .await
        .unwrap();
    store.put("job", "4", &json!({"queue": "q"})).await;
    assert_eq!(store.select("open", &[]).await, json!([{"queue": "q", "documents": 3}]));
    store.apply(&[job("1", "done", 1)]).await.unwrap();
    store.apply(&[job("2", "queued", 1), job("4", "running", 1)]).await.unwrap();
    assert_eq!(store.select("open", &[]).await, json!([{"queue": "q", "documents": 3}]));
    store.apply(&[delete("job", "1"), delete("job", "2")]).await.unwrap();
    assert_eq!(store.select("open", &[]).await, json!([{"queue": "q", "documents": 2}]));
}

async fn batches_and_cascades_are_counted(store: TestStore) {
    store.put("owner", "o", &json!({})).await;
    let of_owner = |n: i64| {
        let state = ["queued", "running", "done"][usize::try_from(n % 3).unwrap()];
        put("job", &n.to_string(), &json!({"state": state, "size": n, "owner": "o"}))
    };
    let writes: Vec<Write> = (0..300).map(of_owner).collect();
    store.apply(&writes).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 300, "sum_size": 44_850}]));
    assert_exact(&store).await;
    let changed: Vec<Write> = (0..300).map(|n| of_owner(n + 1)).collect();
    store.apply(&changed).await.unwrap();
    assert_exact(&store).await;
    store.apply(&[delete("owner", "o")]).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 0, "sum_size": 0}]));
    assert_exact(&store).await;
}

async fn what_is_rolled_back_is_not_counted(store: TestStore) {
    let mut session = store.session(Mode::Write);
    session.apply(&[job("1", "queued", 1)]).await.unwrap();
    let all = session.select("all", &[], None).await.unwrap();
    assert_eq!(all.json, r#"[{"documents":1,"sum_size":1}]"#, "a session sees its own writes");
    session.rollback().await;
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 0, "sum_size": 0}]));
    let mut session = store.session(Mode::Write);
    session.apply(&[job("1", "queued", 1)]).await.unwrap();
    let impossible = Write { condition: Precondition::Absent, ..job("1", "queued", 1) };
    session.apply(&[job("2", "queued", 5), impossible]).await.unwrap_err();
    session.commit().await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 1, "sum_size": 1}]));
}

async fn what_has_expired_is_not_counted_before_and_after_the_sweep(store: TestStore) {
    let now = store.storage.now();
    let expired = Write { expiry: Expiry::At(now - 1), ..job("1", "queued", 3) };
    store.apply(&[expired, job("2", "queued", 4)]).await.unwrap();
    let one = json!([{"documents": 1, "sum_size": 4}]);
    assert_eq!(store.select("all", &[]).await, one);
    assert_exact(&store).await;
    store.storage.sweep_expired(now).await.unwrap();
    assert_eq!(store.select("all", &[]).await, one);
    assert_exact(&store).await;
}

/// What the count of changes says of the one queue.
async fn changes(store: &TestStore) -> [i64; 3] {
    let rows = store.select("changes", &[]).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    ["documents", "written", "deleted"].map(|name| rows[0][name].as_i64().unwrap())
}

async fn writes_and_deletes_are_added_up_for_ever(store: TestStore) {
    let other = store.as_tenant("two").await;
    store.apply(&[job("1", "queued", 1)]).await.unwrap();
    store.apply(&[job("1", "queued", 1)]).await.unwrap();
    assert_eq!(changes(&store).await, [1, 2, 0], "also where nothing else changes");
    let merge = json!({"state": "running"}).to_string();
    store.apply(&[write("job", "1", Change::Merge(merge))]).await.unwrap();
    assert_eq!(changes(&store).await, [1, 3, 0]);
    let batch = [job("2", "queued", 1), job("3", "queued", 1), delete("job", "1")];
    store.apply(&batch).await.unwrap();
    assert_eq!(changes(&store).await, [2, 5, 1]);
    store.apply(&[delete("job", "1"), delete("job", "none")]).await.unwrap();
    let mut session = store.session(Mode::Write);
    session.apply(&[job("4", "queued", 1), delete("job", "2")]).await.unwrap();
    session.rollback().await;
    assert_eq!(changes(&store).await, [2, 5, 1], "nothing was there, or nothing stays");
    store.storage.fold_counts().await.unwrap();
    store.apply(&[delete("job", "2"), delete("job", "3")]).await.unwrap();
    assert_eq!(changes(&store).await, [0, 5, 3]);
    store.storage.fold_counts().await.unwrap();
    store.apply(&[job("1", "queued", 1)]).await.unwrap();
    assert_eq!(changes(&store).await, [1, 6, 3]);
    assert_eq!(other.select("changes", &[]).await, json!([]));
}

async fn what_has_expired_is_not_deleted_by_anybody(store: TestStore) {
    let now = store.storage.now();
    let expired = |id: &str| Write { expiry: Expiry::At(now - 1), ..job(id, "queued", 3) };
    store.apply(&[expired("1"), expired("2"), job("3", "queued", 4)]).await.unwrap();
    assert_eq!(changes(&store).await, [1, 3, 0]);
    store.apply(&[delete("job", "1"), job("2", "queued", 1)]).await.unwrap();
    assert_eq!(changes(&store).await, [2, 4, 0]);
    store.storage.sweep_expired(now).await.unwrap();
    assert_eq!(changes(&store).await, [2, 4, 0]);
    assert_exact(&store).await;
}

async fn tenants_are_counted_apart(store: TestStore) {
    let other = store.as_tenant("two").await;
    store.apply(&[job("1", "queued", 1)]).await.unwrap();
    other.apply(&[job("1", "queued", 10), job("2", "queued", 10)]).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 1, "sum_size": 1}]));
    assert_eq!(other.select("all", &[]).await, json!([{"documents": 2, "sum_size": 20}]));
}

async fn a_count_can_be_joined_and_filtered(store: TestStore) {
    store.apply(&[slot("1", "a"), slot("2", "a"), slot("3", "b")]).await.unwrap();
    let rows = store.select("crowded", &[("than", Value::Integer(1))]).await;
    assert_eq!(rows, json!([{"id": "1", "documents": 2}, {"id": "2", "documents": 2}]));
}

/// Apply in a session that runs again where it lost a race, as the gateway does.
async fn apply_again(store: &TestStore, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
    loop {
        match store.apply(writes).await {
            Err(Error::Aborted) => tokio::task::yield_now().await,
            done => return done,
        }
    }
}

async fn concurrent_writers_are_all_counted(store: TestStore) {
    let store = Arc::new(store);
    let writer = |writer: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..25 {
                let id = format!("{writer}-{n}");
                apply_again(&store, &[job(&id, "queued", 1)]).await.unwrap();
                if n % 3 == 0 {
                    apply_again(&store, &[job(&id, "running", 2)]).await.unwrap();
                }
                if n % 5 == 0 {
                    apply_again(&store, &[delete("job", &id)]).await.unwrap();
                }
            }
        })
    };
    let writers: Vec<_> = (0..8).map(writer).collect();
    for writer in writers {
        store.storage.fold_counts().await.unwrap();
        writer.await.unwrap();
    }
    assert_exact(&store).await;
    let all = store.select("all", &[]).await;
    assert_eq!(all[0]["documents"], json!(8 * 20));
}

async fn a_limit_holds_under_100_concurrent_inserts(store: TestStore) {
    let store = Arc::new(store);
    store.storage.set_limit(&store.schema, store.tenant, "max_slots", 30).await.unwrap();
    let insert = |n: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { apply_again(&store, &[slot(&n.to_string(), "a")]).await })
    };
    let inserts: Vec<_> = (0..100).map(insert).collect();
    let mut stored = 0;
    for insert in inserts {
        match insert.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => assert_limit(&error),
        }
    }
    assert_eq!(stored, 30);
    assert_eq!(store.select("slots", &[]).await, json!([{"room": "a", "documents": 30}]));
}

async fn a_limit_holds_when_far_from_it_with_batches(store: TestStore) {
    let store = Arc::new(store);
    store.storage.set_limit(&store.schema, store.tenant, "max_slots", 20_000).await.unwrap();
    let batch = |first: usize, size: usize| -> Vec<Write> {
        (first..first + size).map(|n| slot(&n.to_string(), "a")).collect()
    };
    for first in (0..18_000).step_by(6_000) {
        apply_again(&store, &batch(first, 6_000)).await.unwrap();
    }
    let inserts: Vec<_> = (0..50)
        .map(|n| {
            let (store, size) = (Arc::clone(&store), if n % 2 == 0 { 7 } else { 93 });
            let writes = batch(18_000 + n * 100, size);
            tokio::spawn(async move { (size, apply_again(&store, &writes).await) })
        })
        .collect();
    let mut stored = 18_000;
    for insert in inserts {
        match insert.await.unwrap() {
            (size, Ok(_)) => stored += size,
            (_, Err(error)) => assert_limit(&error),
        }
    }
    assert!(stored <= 20_000 && stored > 20_000 - 93, "{stored}");
    let slots = store.select("slots", &[]).await;
    assert_eq!(slots, json!([{"room": "a", "documents": stored}]));
}

/// On `PostgreSQL` the first of them share the way, and the last hundreds take turns.
async fn a_small_limit_holds_when_writers_come_near_it(store: TestStore) {
    let store = Arc::new(store);
    store.storage.set_limit(&store.schema, store.tenant, "max_slots", 400).await.unwrap();
    let insert = |writer: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut stored = 0;
            for n in 0..10 {
                match apply_again(&store, &[slot(&format!("{writer} {n}"), "a")]).await {
                    Ok(_) => stored += 1,
                    Err(error) => assert_limit(&error),
                }
            }
            stored
        })
    };
    let inserts: Vec<_> = (0..50).map(insert).collect();
    let mut stored = 0;
    for insert in inserts {
        stored += insert.await.unwrap();
    }
    assert_eq!(stored, 400);
    assert_eq!(store.select("slots", &[]).await, json!([{"room": "a", "documents": 400}]));
}

async fn a_limit_of_a_tenant_replaces_the_default(store: TestStore) {
    let other = store.as_tenant("two").await;
    store.storage.set_limit(&store.schema, store.tenant, "max_slots", 1).await.unwrap();
    store.apply(&[slot("1", "a")]).await.unwrap();
    assert_limit(&store.apply(&[slot("2", "a")]).await.unwrap_err());
    let five: Vec<Write> = (0..5).map(|n| slot(&n.to_string(), "a")).collect();
    other.apply(&five).await.unwrap();
    assert_limit(&other.apply(&[slot("5", "a")]).await.unwrap_err());
    store.storage.set_limit(&store.schema, store.tenant, "max_slots", 0).await.unwrap();
    let many: Vec<Write> = (0..50).map(|n| slot(&n.to_string(), "a")).collect();
    store.apply(&many).await.unwrap();
}

async fn a_limit_is_of_each_key(store: TestStore) {
    for room in ["a", "b"] {
        let five: Vec<Write> = (0..5).map(|n| slot(&format!("{room}{n}"), room)).collect();
        store.apply(&five).await.unwrap();
        assert_limit(&store.apply(&[slot("more", room)]).await.unwrap_err());
    }
    assert_limit(&store.apply(&[slot("a0", "b")]).await.unwrap_err());
    store.apply(&[slot("a0", "c")]).await.unwrap();
    store.apply(&[slot("more", "a")]).await.unwrap();
}

async fn what_goes_makes_room_within_the_limit(store: TestStore) {
    let five: Vec<Write> = (0..5).map(|n| slot(&n.to_string(), "a")).collect();
    store.apply(&five).await.unwrap();
    // A document that is replaced is no new one.
    store.apply(&five).await.unwrap();
    store.apply(&[delete("slot", "0"), slot("5", "a")]).await.unwrap();
    assert_limit(
        &store.apply(&[delete("slot", "1"), slot("6", "a"), slot("7", "a")]).await.unwrap_err(),
    );
    assert!(store.get("slot", "1").await.is_some(), "all or none");
}

async fn a_write_over_the_limit_can_be_left_out(store: TestStore) {
    let writes: Vec<Write> =
        (0..8).map(|n| Write { otherwise: Otherwise::Skip, ..slot(&n.to_string(), "a") }).collect();
    let outcomes = store.apply(&writes).await.unwrap();
    let written = outcomes.iter().filter(|o| matches!(o, Outcome::Written { .. })).count();
    assert_eq!(written, 5);
    match &outcomes[7] {
        Outcome::Skipped(error) => assert_limit(error),
        other => panic!("{other:?}"),
    }
    let mut session = store.session(Mode::Write);
    assert_limit(&session.apply(&[slot("9", "a")]).await.unwrap_err());
    session.apply(&[slot("9", "b")]).await.unwrap();
    session.commit().await.unwrap();
    assert!(store.get("slot", "9").await.is_some());
}

async fn a_lowered_limit_stops_only_what_is_new(store: TestStore) {
    let five: Vec<Write> = (0..5).map(|n| slot(&n.to_string(), "a")).collect();
    store.apply(&five).await.unwrap();
    store.storage.set_limit(&store.schema, store.tenant, "max_slots", 2).await.unwrap();
    store.apply(&five).await.unwrap();
    store.apply(&[put("slot", "0", &json!({"room": "a", "note": "changed"}))]).await.unwrap();
    store.apply(&[delete("slot", "4")]).await.unwrap();
    assert_limit(&store.apply(&[slot("4", "a")]).await.unwrap_err());
}

/// As `slot`, in a collection whose documents expire.
async fn what_has_expired_makes_room_within_the_limit(store: TestStore) {
    let declared = json!({
        "name": "brief",
        "collections": [{"name": "visit", "expires": true, "fields": {"room": "text"}}],
        "settings": {"type": "object", "properties": {
            "max_visits": {"type": "integer", "default": 2}}},
        "counts": [{"name": "visits", "collections": ["visit"], "by": ["room"],
                    "limit": "max_visits"}],
        "statements": [{"name": "visits", "select": "SELECT room, documents FROM count_visits"}],
    });
    let schema = install(&store.storage, &declared).await.unwrap();
    let store = TestStore { schema, ..store };
    let visit = |id: &str| put("visit", id, &json!({"room": "a"}));
    let past = Expiry::At(store.storage.now() - 1_000_000);
    store.apply(&[Write { expiry: past, ..visit("1") }, visit("2")]).await.unwrap();
    store.apply(&[visit("3")]).await.unwrap();
    let error = store.apply(&[visit("4")]).await.unwrap_err();
    assert!(matches!(error, Error::CountLimit(_)), "{error:?}");
    assert_eq!(store.select("visits", &[]).await, json!([{"room": "a", "documents": 2}]));
}

async fn folding_changes_no_sum(store: TestStore) {
    let writes: Vec<Write> = (0..40).map(|n| job(&n.to_string(), "queued", n)).collect();
    for write in &writes {
        store.apply(std::slice::from_ref(write)).await.unwrap();
    }
    let before = store.select("by-state", &[]).await;
    for _ in 0..2 {
        store.storage.fold_counts().await.unwrap();
        assert_eq!(store.select("by-state", &[]).await, before);
    }
    let deletes: Vec<Write> = (0..40).map(|n| delete("job", &n.to_string())).collect();
    store.apply(&deletes).await.unwrap();
    store.storage.fold_counts().await.unwrap();
    assert_eq!(store.select("by-state", &[]).await, json!([]));
    assert_exact(&store).await;
}

async fn reopened(database: Database) {
    let mut declared = jobs();
    let all = declared["counts"].take();
    declared["statements"]
        .as_array_mut()
        .unwrap()
        .retain(|statement| !statement["select"].as_str().unwrap().contains("count_"));
    declared["counts"] = json!([]);
    let store = TestStore::open(database, &declared).await;
    let writes: Vec<Write> = (0..10).map(|n| job(&n.to_string(), "queued", n)).collect();
    store.apply(&writes).await.unwrap();
    // Added to documents that are there.
    let mut declared = jobs();
    let schema = install(&store.storage, &declared).await.unwrap();
    let store = TestStore { schema, ..store };
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 10, "sum_size": 45}]));
    assert_exact(&store).await;
    // Declared otherwise, and one no more.
    declared["counts"] = all;
    declared["counts"][0]["where"] = json!({"state": ["running"]});
    declared["counts"].as_array_mut().unwrap().remove(2);
    declared["statements"].as_array_mut().unwrap().retain(|s| s["name"] != "open");
    let schema = install(&store.storage, &declared).await.unwrap();
    let store = TestStore { schema, ..store };
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 0, "sum_size": 0}]));
    store
        .apply(&[job("1", "running", 50), job("2", "done", 50), job("11", "queued", 1)])
        .await
        .unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"documents": 1, "sum_size": 50}]));
    assert_exact(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_added_or_changed_counts_what_is_there_on_sqlite() {
    reopened(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_added_or_changed_counts_what_is_there_on_postgres() {
    reopened(Database::postgres().await).await;
}

#[tokio::test]
async fn a_count_that_cannot_be_kept_is_refused_at_load() {
    let store = TestStore::open(Database::sqlite(), &json!({})).await;
    let count = |members: Json| {
        let mut count = json!({"name": "n", "collections": ["a"]});
        for (name, value) in members.as_object().unwrap() {
            count[name] = value.clone();
        }
        json!({"counts": [count], "collections": [
            {"name": "a", "fields": {"t": "text", "n": "number", "tags": "text[]", "x": "integer"}},
            {"name": "b", "fields": {"x": "text"}},
            {"name": "count_taken"},
        ], "settings": {"type": "object", "properties": {"name": {"type": "string", "default": ""}}}})
    };
    for (members, expected) in [
        (json!({"collections": ["none"]}), "none is not a collection"),
        (json!({"by": ["none"]}), "none is not a declared field of a"),
        (json!({"by": ["n"]}), "n is number, which cannot be counted by"),
        (json!({"by": ["tags"]}), "tags is text[], which cannot be counted by"),
        (json!({"sum": ["t"]}), "t is text, which cannot be added up"),
        (json!({"collections": ["a", "b"], "by": ["x"]}), "x has different types"),
        (json!({"where": {"t": [7]}}), "where: "),
        (json!({"limit": "none"}), "the limit none is not an integer"),
        (json!({"limit": "name"}), "the limit name is not an integer"),
        (json!({"name": "taken"}), "collection count_taken is declared twice"),
    ] {
        match install(&store.storage, &count(members.clone())).await {
            Err(InstallError::Manifest(faults)) => {
                assert!(faults.iter().any(|f| f.contains(expected)), "{expected}: {faults:?}");
            }
            other => panic!("{members}: {other:?}"),
        }
    }
}
