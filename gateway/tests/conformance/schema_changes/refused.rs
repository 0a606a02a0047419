//! What is refused, with the reason and the documents, and what a permission makes of it.

use super::*;

stores_on_both_databases! { declaring notes:
    a_collection_is_dropped_with_permission_only,
    a_field_is_dropped_with_permission_only,
    a_type_is_changed_with_permission_only,
    a_path_is_changed_with_permission_only,
    bodies_that_do_not_fit_are_named,
    no_permission_lets_bodies_pass_that_do_not_fit,
    a_unique_index_over_duplicates_is_refused,
    a_unique_index_over_duplicates_of_a_new_field_is_refused,
    an_expired_duplicate_does_not_stand_against_a_unique_index,
    an_index_over_long_texts_is_refused,
    expiry_is_dropped_with_permission_only,
    an_expired_document_does_not_come_back,
    an_expired_document_need_not_fit,
    all_refused_steps_are_named_at_once,
    an_older_plugin_does_not_start_on_newer_documents,
    what_was_refused_has_changed_nothing,
}

/// The steps that a change is refused for.
async fn refused(store: &mut TestStore, declared: &Json) -> Vec<Step> {
    match store.change(declared).await {
        Err(InstallError::Refused(plan)) => {
            plan.steps.into_iter().filter(|step| step.refusal.is_some()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn permission(step: &Step) -> Option<Permission> {
    step.refusal.as_ref().unwrap().permission
}

/// The documents of a refused step, as `tenant/id`, and how many there are.
fn culprits(step: &Step) -> (u64, Vec<String>) {
    let culprits = &step.refusal.as_ref().unwrap().culprits;
    let first = culprits.first.iter().map(|c| format!("{}/{}", c.tenant, c.id)).collect();
    (culprits.count, first)
}

async fn a_collection_is_dropped_with_permission_only(mut store: TestStore) {
    store.put("note", "1", &json!({})).await;
    let without = json!({"collections": []});
    let steps = refused(&mut store, &without).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["drop-collection note"]);
    assert_eq!(permission(&steps[0]), Some(Permission::DropCollection));
    assert!(steps[0].to_string().contains("allow = [\"drop-collection\"]"), "{}", steps[0]);
    store.change_with(&without, &allowing(&[Permission::DropCollection])).await.unwrap();
    store.change(&notes()).await.unwrap();
    assert!(store.get("note", "1").await.is_none());
}

async fn a_field_is_dropped_with_permission_only(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let without = note(json!({}));
    let steps = refused(&mut store, &without).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["drop-field note.kind"]);
    assert_eq!(permission(&steps[0]), Some(Permission::DropField));
    store.change_with(&without, &allowing(&[Permission::DropField])).await.unwrap();
    assert_eq!(store.steps(&without).await, [""; 0]);
    assert_eq!(store.get("note", "1").await.unwrap().body.replace(' ', ""), r#"{"kind":"a"}"#);
}

async fn a_type_is_changed_with_permission_only(mut store: TestStore) {
    let before = note(json!({"fields": {"kind": "text", "n": "json"}}));
    store.change(&before).await.unwrap();
    store.put("note", "1", &json!({"n": 4})).await;
    let after = with_statement(
        note(json!({"fields": {"kind": "text", "n": "integer"}})),
        "SELECT n FROM note WHERE n = 4",
    );
    let steps = refused(&mut store, &after).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["change-type note.n"]);
    assert_eq!(permission(&steps[0]), Some(Permission::ChangeType));
    store.change_with(&after, &allowing(&[Permission::ChangeType])).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"n": 4}]));
}

async fn a_path_is_changed_with_permission_only(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a", "sort": "b"})).await;
    let fields = json!({"kind": {"type": "text", "path": ["/class", "/sort"]}});
    let after = with_statement(note(json!({"fields": fields})), "SELECT kind FROM note");
    let steps = refused(&mut store, &after).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["change-path note.kind"]);
    assert_eq!(permission(&steps[0]), Some(Permission::ChangePath));
    store.change_with(&after, &allowing(&[Permission::ChangePath])).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"kind": "b"}]));
}

async fn bodies_that_do_not_fit_are_named(mut store: TestStore) {
    let other = store.as_tenant("two").await;
    let writes: Vec<_> =
        (0..12).map(|n| put("note", &format!("{n:02}"), &json!({"size": "x"}))).collect();
    store.apply(&writes).await.unwrap();
    store.put("note", "good", &json!({"size": 1})).await;
    other.put("note", "far", &json!({"size": 1.5})).await;
    let steps =
        refused(&mut store, &note(json!({"fields": {"kind": "text", "size": "integer"}}))).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["fill-fields note"]);
    let (count, first) = culprits(&steps[0]);
    assert_eq!(count, 13);
    assert_eq!(first, (0..10).map(|n| format!("one/{n:02}")).collect::<Vec<_>>());
    let message = steps[0].to_string();
    assert!(message.contains("/size: the field size must be a whole number"), "{message}");
    assert!(message.contains("and 3 more"), "{message}");
}

async fn no_permission_lets_bodies_pass_that_do_not_fit(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let after = note(json!({"fields": {"kind": "integer"}}));
    let all = allowing(&[Permission::ChangeType, Permission::DropField]);
    let error = store.change_with(&after, &all).await.unwrap_err();
    let InstallError::Refused(plan) = error else { panic!("{error}") };
    let fill = plan.steps.iter().find(|step| step.kind == StepKind::FillFields).unwrap();
    assert_eq!(culprits(fill), (1, vec!["one/1".to_owned()]));
    assert_eq!(permission(fill), None);
    store.change(&notes()).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "kind": "a"}]));
}

async fn a_unique_index_over_duplicates_is_refused(mut store: TestStore) {
    let other = store.as_tenant("two").await;
    for (id, kind) in [("1", "a"), ("2", "a"), ("3", "b"), ("4", "a")] {
        store.put("note", id, &json!({"kind": kind})).await;
    }
    other.put("note", "1", &json!({"kind": "a"})).await;
    let unique = json!([{"name": "one", "fields": ["kind"], "unique": true}]);
    let after = note(json!({"fields": {"kind": "text"}, "indexes": unique}));
    let steps = refused(&mut store, &after).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["add-index note.one"]);
    assert_eq!(culprits(&steps[0]), (2, vec!["one/2".to_owned(), "one/4".to_owned()]));
    assert_eq!(permission(&steps[0]), None);
    store.put("note", "2", &json!({"kind": "c"})).await;
    store.put("note", "4", &json!({})).await;
    store.change(&after).await.unwrap();
    store.apply(&[put("note", "5", &json!({"kind": "a"}))]).await.unwrap_err();
}

async fn a_unique_index_over_duplicates_of_a_new_field_is_refused(mut store: TestStore) {
    for (id, size) in [("1", json!(1)), ("2", json!(1.0)), ("3", json!(2)), ("4", Json::Null)] {
        store.put("note", id, &json!({"size": size})).await;
    }
    store.put("note", "5", &json!({})).await;
    let unique = json!([{"name": "one", "fields": ["size"], "unique": true}]);
    let after = note(json!({"fields": {"kind": "text", "size": "integer"}, "indexes": unique}));
    let steps = refused(&mut store, &after).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["add-index note.one"]);
    assert_eq!(culprits(&steps[0]), (1, vec!["one/2".to_owned()]));
}

async fn an_expired_duplicate_does_not_stand_against_a_unique_index(mut store: TestStore) {
    let mut declared = notes();
    declared["collections"][0]["expires"] = json!(true);
    store.change(&declared).await.unwrap();
    let mut gone = put("note", "1", &json!({"kind": "a"}));
    gone.expiry = Expiry::At(1);
    store.apply(&[gone, put("note", "2", &json!({"kind": "a"}))]).await.unwrap();
    let unique = json!([{"name": "one", "fields": ["kind"], "unique": true}]);
    declared["collections"][0]["indexes"] = unique;
    store.change(&declared).await.unwrap();
    store.apply(&[put("note", "3", &json!({"kind": "a"}))]).await.unwrap_err();
}

async fn an_index_over_long_texts_is_refused(mut store: TestStore) {
    store
        .change(&note(json!({"fields": {"a": "text", "b": "text", "kind": "text"}})))
        .await
        .unwrap();
    let long = "x".repeat(1_500);
    store.put("note", "long", &json!({"a": long, "b": long})).await;
    store.put("note", "short", &json!({"a": long, "b": "y"})).await;
    let both = json!([{"name": "both", "fields": ["a", "b"]}]);
    let after =
        note(json!({"fields": {"a": "text", "b": "text", "kind": "text"}, "indexes": both}));
    let steps = refused(&mut store, &after).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["add-index note.both"]);
    assert_eq!(culprits(&steps[0]), (1, vec!["one/long".to_owned()]));
}

async fn expiry_is_dropped_with_permission_only(mut store: TestStore) {
    let mut expiring = notes();
    expiring["collections"][0]["expires"] = json!(true);
    store.change(&expiring).await.unwrap();
    store.put("note", "stays", &json!({"kind": "a"})).await;
    // Nothing that expires, so nothing to ask for.
    store.change(&notes()).await.unwrap();
    store.change(&expiring).await.unwrap();
    let mut later = put("note", "later", &json!({"kind": "b"}));
    later.expiry = Expiry::At(store.storage.now() + 3_600_000_000);
    store.apply(&[later]).await.unwrap();
    let steps = refused(&mut store, &notes()).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["drop-expiry note"]);
    assert_eq!(culprits(&steps[0]), (1, vec!["one/later".to_owned()]));
    store.change_with(&notes(), &allowing(&[Permission::DropExpiry])).await.unwrap();
    assert_eq!(store.get("note", "later").await.unwrap().expires_at, None);
}

async fn an_expired_document_does_not_come_back(mut store: TestStore) {
    let mut expiring = notes();
    expiring["collections"][0]["expires"] = json!(true);
    store.change(&expiring).await.unwrap();
    let mut gone = put("note", "1", &json!({"kind": "a"}));
    gone.expiry = Expiry::At(1);
    store.apply(&[gone]).await.unwrap();
    store.change(&notes()).await.unwrap();
    assert!(store.get("note", "1").await.is_none());
    assert_eq!(store.select("all", &[]).await, json!([]));
}

async fn an_expired_document_need_not_fit(mut store: TestStore) {
    let mut expiring = notes();
    expiring["collections"][0]["expires"] = json!(true);
    store.change(&expiring).await.unwrap();
    let mut gone = put("note", "1", &json!({"size": "wrong"}));
    gone.expiry = Expiry::At(1);
    store.apply(&[gone]).await.unwrap();
    expiring["collections"][0]["fields"]["size"] = json!("integer");
    store.change(&expiring).await.unwrap();
}

async fn all_refused_steps_are_named_at_once(mut store: TestStore) {
    let mut before = notes();
    let tag = json!({"name": "tag", "fields": {"a": "text"}});
    before["collections"].as_array_mut().unwrap().push(tag);
    store.change(&before).await.unwrap();
    store.put("note", "1", &json!({"size": "wrong"})).await;
    let after = note(json!({"fields": {"size": "integer"}}));
    let steps = refused(&mut store, &after).await;
    let names = ["drop-field note.kind", "fill-fields note", "drop-collection tag"];
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), names);
    let message = store.change(&after).await.unwrap_err().to_string();
    assert!(names.iter().all(|name| message.contains(name)), "{message}");
}

async fn an_older_plugin_does_not_start_on_newer_documents(mut store: TestStore) {
    let mut newer = notes();
    newer["collections"][0]["schema_version"] = json!(3);
    store.change(&newer).await.unwrap();
    let steps = refused(&mut store, &notes()).await;
    assert_eq!(steps.iter().map(named).collect::<Vec<_>>(), ["downgrade note"]);
    assert_eq!(permission(&steps[0]), None);
    assert!(steps[0].to_string().contains("schema version 3"), "{}", steps[0]);
    store.change(&newer).await.unwrap();
}

async fn what_was_refused_has_changed_nothing(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a", "size": "wrong"})).await;
    let tag = json!({"name": "tag"});
    let mut after = note(json!({"fields": {"kind": "text", "size": "integer"}}));
    after["collections"].as_array_mut().unwrap().push(tag);
    let before = store.steps(&after).await;
    refused(&mut store, &after).await;
    assert_eq!(store.steps(&after).await, before);
    store.put("note", "2", &json!({"kind": "b"})).await;
    assert_eq!(store.steps(&notes()).await, [""; 0]);
}
