//! What stands beside the tables: references and counts.

use super::*;

stores_on_both_databases! { declaring notes:
    a_reference_over_dangling_documents_is_refused,
    a_reference_of_a_new_field_is_checked_before_anything_is_changed,
    a_reference_can_be_dropped,
    a_count_of_what_is_there_is_added,
    a_count_stays_exact_when_its_field_gets_another_type,
    a_contains_index_finds_what_was_there,
    a_new_json_schema_does_not_stand_against_stored_documents,
}

fn children(fields: Json, references: Json) -> Json {
    json!({"collections": [{"name": "parent"},
        {"name": "child", "fields": fields, "references": references}]})
}

fn of_parent() -> Json {
    json!([{"name": "parent", "field": "parent_id", "collection": "parent", "on_delete": "cascade"}])
}

/// The ids of the documents that stand against the one refused step.
async fn against(store: &mut TestStore, declared: &Json, step: &str) -> Vec<String> {
    let allow = allowing(&[Permission::DropCollection]);
    let error = store.change_with(declared, &allow).await.unwrap_err();
    let InstallError::Refused(plan) = error else { panic!("{error}") };
    let mut refused = plan.steps.iter().filter(|step| step.refusal.is_some());
    let found = refused.next().unwrap();
    assert_eq!((named(found).as_str(), refused.count()), (step, 0));
    let culprits = &found.refusal.as_ref().unwrap().culprits.first;
    culprits.iter().map(|culprit| culprit.id.clone()).collect()
}

async fn a_reference_over_dangling_documents_is_refused(mut store: TestStore) {
    let allow = allowing(&[Permission::DropCollection]);
    let before = children(json!({"parent_id": "text"}), json!([]));
    store.change_with(&before, &allow).await.unwrap();
    store.put("parent", "p", &json!({})).await;
    for (id, parent) in [("1", json!("p")), ("2", json!("gone")), ("3", Json::Null)] {
        store.put("child", id, &json!({"parent_id": parent})).await;
    }
    let after = children(json!({"parent_id": "text"}), of_parent());
    assert_eq!(against(&mut store, &after, "add-reference child.parent").await, ["2"]);
    store.put("child", "2", &json!({"parent_id": "p"})).await;
    store.change(&after).await.unwrap();
    store.apply(&[put("child", "4", &json!({"parent_id": "gone"}))]).await.unwrap_err();
    assert_eq!(store.steps(&after).await, [""; 0]);
}

async fn a_reference_of_a_new_field_is_checked_before_anything_is_changed(mut store: TestStore) {
    let allow = allowing(&[Permission::DropCollection]);
    store.change_with(&children(json!({}), json!([])), &allow).await.unwrap();
    store.put("parent", "p", &json!({})).await;
    store.put("child", "1", &json!({"parent_id": "p"})).await;
    store.put("child", "2", &json!({"parent_id": "gone"})).await;
    let after = children(json!({"parent_id": "text"}), of_parent());
    assert_eq!(against(&mut store, &after, "add-reference child.parent").await, ["2"]);
    let unchanged = children(json!({}), json!([]));
    assert_eq!(store.steps(&unchanged).await, [""; 0]);
}

async fn a_reference_can_be_dropped(mut store: TestStore) {
    let allow = allowing(&[Permission::DropCollection]);
    let before = children(json!({"parent_id": "text"}), of_parent());
    store.change_with(&before, &allow).await.unwrap();
    let after = children(json!({"parent_id": "text"}), json!([]));
    assert_eq!(store.steps(&after).await, ["drop-reference child.parent"]);
    store.change(&after).await.unwrap();
    store.put("child", "1", &json!({"parent_id": "gone"})).await;
}

fn counted(field: Json) -> Json {
    json!({
        "collections": [{"name": "note", "fields": {"kind": field}}],
        "counts": [{"name": "kinds", "collections": ["note"], "by": ["kind"]}],
        "statements": [{"name": "all",
            "select": "SELECT kind, documents FROM count_kinds", "order": {"k": "kind"}}],
    })
}

async fn a_count_of_what_is_there_is_added(mut store: TestStore) {
    for (id, kind) in [("1", "a"), ("2", "b"), ("3", "a")] {
        store.put("note", id, &json!({"kind": kind})).await;
    }
    let declared = counted(json!("text"));
    assert_eq!(store.steps(&declared).await, ["drop-index note.by_kind", "add-count kinds"]);
    store.change(&declared).await.unwrap();
    let rows = store.select("all", &[]).await;
    assert_eq!(rows, json!([{"kind": "a", "documents": 2}, {"kind": "b", "documents": 1}]));
    assert_eq!(store.steps(&declared).await, [""; 0]);
}

async fn a_count_stays_exact_when_its_field_gets_another_type(mut store: TestStore) {
    store.change(&counted(json!("text"))).await.unwrap();
    for (id, number) in [("1", 5), ("2", 6), ("3", 5)] {
        store.put("note", id, &json!({"kind": "a", "number": number})).await;
    }
    let after = counted(json!({"type": "integer", "path": "/number"}));
    let allow = allowing(&[Permission::ChangeType, Permission::ChangePath]);
    store.change_with(&after, &allow).await.unwrap();
    store.put("note", "4", &json!({"kind": "a", "number": 6})).await;
    let rows = store.select("all", &[]).await;
    assert_eq!(rows, json!([{"kind": 5, "documents": 2}, {"kind": 6, "documents": 2}]));
}

async fn a_contains_index_finds_what_was_there(mut store: TestStore) {
    store.put("note", "1", &json!({"tags": ["x", "y"]})).await;
    store.put("note", "2", &json!({"tags": ["y"]})).await;
    let declared = with_statement(
        note(json!({"fields": {"kind": "text", "tags": "text[]"},
            "indexes": [{"name": "tags", "contains": ["tags"]}]})),
        "SELECT id FROM note WHERE array_has_any(tags, :tags)",
    );
    store.change(&declared).await.unwrap();
    let tags = ("tags", Value::Texts(vec!["x".to_owned()]));
    assert_eq!(store.select("all", &[tags]).await, json!([{"id": "1"}]));
    assert_eq!(store.steps(&declared).await, [""; 0]);
}

async fn a_new_json_schema_does_not_stand_against_stored_documents(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let schema = json!({"type": "object", "required": ["title"]});
    let declared = note(json!({"fields": {"kind": "text", "size": "integer"}, "schema": schema}));
    store.change(&declared).await.unwrap();
    assert!(store.get("note", "1").await.is_some());
    store.apply(&[put("note", "2", &json!({"kind": "a"}))]).await.unwrap_err();
}
