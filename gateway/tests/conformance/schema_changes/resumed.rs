//! Changes that were stopped, and two gateways that change the schema at once.

use super::*;

stores_on_both_databases! { declaring notes:
    a_change_that_was_stopped_anywhere_goes_on,
    a_change_that_was_stopped_can_be_taken_back,
    a_change_that_was_stopped_can_lead_elsewhere,
    a_first_installation_that_was_stopped_goes_on,
    a_table_that_no_manifest_declares_is_taken_over,
}

/// A change with every kind of statement that can be stopped between.
fn everything() -> Json {
    let collection = json!({"name": "note",
        "fields": {"kind": "integer", "size": "integer", "tags": "text[]"},
        "indexes": [{"name": "by_kind", "fields": ["kind", "size"]},
            {"name": "one", "fields": ["size"], "unique": true}],
        "expires": true});
    with_statement(
        json!({"collections": [collection, {"name": "tag"}]}),
        "SELECT id, kind, size, tags FROM note",
    )
}

fn before() -> Json {
    let collection = json!({"name": "note", "fields": {"kind": "json", "old": "text"},
        "indexes": [{"name": "by_old", "fields": ["old"]}]});
    with_statement(
        json!({"collections": [collection, {"name": "gone"}]}),
        "SELECT id, kind, old FROM note",
    )
}

const ALL: [Permission; 4] = [
    Permission::DropCollection,
    Permission::DropField,
    Permission::ChangeType,
    Permission::DropExpiry,
];

fn stopping_after(steps: u32) -> InstallOptions {
    InstallOptions { stop_after: Some(steps), ..allowing(&ALL) }
}

/// From `notes` to `before`, with documents.
async fn begin(store: &mut TestStore) {
    store.change_with(&before(), &allowing(&ALL)).await.unwrap();
    let body = |n: u32| json!({"kind": n, "old": "o", "size": n, "tags": ["t"]});
    let writes: Vec<_> = (0..45).map(|n| put("note", &format!("{n:02}"), &body(n))).collect();
    store.apply(&writes).await.unwrap();
    store.put("gone", "1", &json!({})).await;
}

async fn is_everything(store: &TestStore) {
    assert_eq!(store.steps(&everything()).await, [""; 0]);
    let row = |n: u32| json!({"id": format!("{n:02}"), "kind": n, "size": n, "tags": ["t"]});
    let rows = store.select("all", &[]).await;
    assert_eq!(rows, (0..45).map(row).collect::<Json>());
    store.apply(&[put("note", "x", &json!({"size": 3}))]).await.unwrap_err();
    store.put("tag", "1", &json!({})).await;
}

async fn is_before(store: &TestStore) {
    assert_eq!(store.steps(&before()).await, [""; 0]);
    let row = |n: u32| json!({"id": format!("{n:02}"), "kind": n, "old": "o"});
    let rows = store.select("all", &[]).await;
    assert_eq!(rows, (0..45).map(row).collect::<Json>());
    store.put("note", "x", &json!({"size": 3})).await;
}

/// Stop a change after so many of its steps; whether it has not ended before.
async fn stopped(store: &mut TestStore, declared: &Json, after: u32) -> bool {
    match store.change_with(declared, &stopping_after(after)).await {
        Err(InstallError::Storage(error)) => {
            assert!(error.to_string().contains("stopped"), "{error}");
            true
        }
        Err(error) => panic!("{error}"),
        Ok(()) => false,
    }
}

async fn a_change_that_was_stopped_anywhere_goes_on(mut store: TestStore) {
    let mut after = 1;
    loop {
        begin(&mut store).await;
        let was_stopped = stopped(&mut store, &everything(), after).await;
        store.change_with(&everything(), &allowing(&ALL)).await.unwrap();
        is_everything(&store).await;
        if !was_stopped {
            break;
        }
        after += 1;
    }
    assert!(after > 5, "{after}");
}

async fn a_change_that_was_stopped_can_be_taken_back(mut store: TestStore) {
    begin(&mut store).await;
    let mut after = 1;
    while stopped(&mut store, &everything(), after).await {
        // The documents of a collection that was dropped with permission are lost.
        store.change_with(&before(), &allowing(&ALL)).await.unwrap();
        is_before(&store).await;
        store.apply(&[delete("x")]).await.unwrap();
        after += 1;
    }
    assert!(after > 5, "{after}");
    is_everything(&store).await;
}

async fn a_change_that_was_stopped_can_lead_elsewhere(mut store: TestStore) {
    let elsewhere = with_statement(
        note(json!({"fields": {"kind": "number", "size": "text[]"}})),
        "SELECT kind FROM note WHERE id = '07'",
    );
    let mut after = 1;
    loop {
        begin(&mut store).await;
        let fitting = put("note", "fitting", &json!({"kind": 1, "old": "o"}));
        store.apply(&[fitting]).await.unwrap();
        let was_stopped = stopped(&mut store, &everything(), after).await;
        let numbers: Vec<_> =
            (0..45).map(|n| put("note", &format!("{n:02}"), &json!({"kind": n}))).collect();
        // The bodies do not fit the new place, and are corrected by whoever serves the old one.
        let error = store.change_with(&elsewhere, &allowing(&ALL)).await.unwrap_err();
        assert!(matches!(error, InstallError::Refused(_)), "{error}");
        store.change_with(&before(), &allowing(&ALL)).await.unwrap();
        store.apply(&numbers).await.unwrap();
        stopped(&mut store, &everything(), after).await;
        store.change_with(&elsewhere, &allowing(&ALL)).await.unwrap();
        assert_eq!(store.select("all", &[]).await, json!([{"kind": 7}]));
        assert_eq!(store.steps(&elsewhere).await, [""; 0]);
        if !was_stopped {
            break;
        }
        after += 1;
    }
    assert!(after > 5, "{after}");
}

async fn a_first_installation_that_was_stopped_goes_on(store: TestStore) {
    let mut declared = everything();
    declared["name"] = json!("other");
    let mut other = store;
    assert!(stopped(&mut other, &declared, 1).await);
    assert!(stopped(&mut other, &declared, 2).await);
    other.change(&declared).await.unwrap();
    other.put("note", "1", &json!({"kind": 1})).await;
    other.put("tag", "1", &json!({})).await;
}

/// Its columns and indexes may be of any declaration.
async fn a_table_that_no_manifest_declares_is_taken_over(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a", "size": 3})).await;
    store.execute("DELETE FROM loggia_plugin").await;
    let declared =
        with_statement(note(json!({"fields": {"size": "integer"}})), "SELECT id, size FROM note");
    store.change(&declared).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "size": 3}]));
}

fn delete(id: &str) -> loggia::storage::Write {
    crate::harness::store::write("note", id, loggia::storage::Change::Delete)
}
