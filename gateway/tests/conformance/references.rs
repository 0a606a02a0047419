//! References between documents: what they refuse, what they delete, and that they hold in batches.

use loggia::manifest::{Mode, OnDelete};
use loggia::storage::{Change, Error, InstallError, Otherwise, Outcome, Precondition, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install, put, write};
use crate::harness::{Database, stores_on_both_databases};

stores_on_both_databases! { declaring networks:
    a_reference_to_nothing_is_refused,
    a_document_without_the_field_refers_to_nothing,
    a_delete_takes_those_that_refer_with_it,
    a_cascade_goes_through_several_collections,
    a_restricted_document_stays_while_it_is_referred_to,
    a_change_of_the_field_is_checked,
    another_tenants_document_does_not_count,
    a_batch_may_hold_parents_and_children_in_any_order,
    a_batch_may_hold_a_tree_of_one_collection,
    a_batch_names_the_write_whose_reference_is_missing,
    a_write_that_may_be_left_out_is_left_out,
    a_failed_reference_leaves_the_transaction_usable,
    a_parent_may_go_together_with_its_children,
    a_delete_statement_counts_a_parent_and_its_children,
}

fn reference(name: &str, field: &str, collection: &str, on_delete: OnDelete) -> Json {
    let on_delete = if on_delete == OnDelete::Cascade { "cascade" } else { "restrict" };
    json!({"name": name, "field": field, "collection": collection, "on_delete": on_delete})
}

fn networks() -> Json {
    use OnDelete::{Cascade, Restrict};
    // "attachment" stands before "network" in the alphabet, and refers to it all the same.
    json!({"collections": [
        {"name": "attachment", "fields": {"group_id": "text", "author": "text"}, "references": [
            reference("group", "group_id", "group", Cascade),
            reference("author", "author", "person", Restrict),
        ]},
        {"name": "group", "fields": {"network_id": "text", "parent": "text"}, "references": [
            reference("network", "network_id", "network", Cascade),
            reference("parent", "parent", "group", Cascade),
        ]},
        {"name": "network"},
        {"name": "person"},
    ], "statements": [{"name": "clear-groups", "delete": "group"}]})
}

fn delete(collection: &str, id: &str) -> Write {
    write(collection, id, Change::Delete)
}

#[track_caller]
fn assert_reference(error: &Error, index: u32, name: &str, code: &str) {
    match error {
        Error::Reference(fault) => {
            assert_eq!((fault.index, fault.name.as_str(), fault.code), (index, name, code));
        }
        other => panic!("{other:?}"),
    }
}

/// A network with a group, a group under it, and an attachment of the lower one.
async fn fill(store: &TestStore) {
    store.put("network", "n", &json!({})).await;
    store.put("group", "g", &json!({"network_id": "n"})).await;
    store.put("group", "sub", &json!({"network_id": "n", "parent": "g"})).await;
    store.put("person", "p", &json!({})).await;
    store.put("attachment", "a", &json!({"group_id": "sub", "author": "p"})).await;
}

async fn a_reference_to_nothing_is_refused(store: TestStore) {
    let group = put("group", "g", &json!({"network_id": "none"}));
    let error = store.apply(&[group]).await.unwrap_err();
    assert_reference(&error, 0, "network", "reference-missing");
    assert!(store.get("group", "g").await.is_none());
}

async fn a_document_without_the_field_refers_to_nothing(store: TestStore) {
    store.put("group", "g", &json!({})).await;
    store.put("group", "h", &json!({"network_id": null, "parent": null})).await;
}

async fn a_delete_takes_those_that_refer_with_it(store: TestStore) {
    fill(&store).await;
    store.apply(&[delete("group", "g")]).await.unwrap();
    for (collection, id) in [("group", "g"), ("group", "sub"), ("attachment", "a")] {
        assert!(store.get(collection, id).await.is_none(), "{collection} {id}");
    }
    assert!(store.get("network", "n").await.is_some());
    assert!(store.get("person", "p").await.is_some());
}

async fn a_cascade_goes_through_several_collections(store: TestStore) {
    fill(&store).await;
    store.apply(&[delete("network", "n")]).await.unwrap();
    for (collection, id) in [("group", "g"), ("group", "sub"), ("attachment", "a")] {
        assert!(store.get(collection, id).await.is_none(), "{collection} {id}");
    }
}

async fn a_restricted_document_stays_while_it_is_referred_to(store: TestStore) {
    fill(&store).await;
    let error = store.apply(&[delete("person", "p")]).await.unwrap_err();
    assert_reference(&error, 0, "attachment.author", "still-referenced");
    assert!(store.get("person", "p").await.is_some());
    store.apply(&[delete("attachment", "a")]).await.unwrap();
    store.apply(&[delete("person", "p")]).await.unwrap();
    assert!(store.get("person", "p").await.is_none());
}

async fn a_change_of_the_field_is_checked(store: TestStore) {
    fill(&store).await;
    let moved = write("group", "g", Change::Merge(json!({"network_id": "none"}).to_string()));
    let error = store.apply(&[moved]).await.unwrap_err();
    assert_reference(&error, 0, "network", "reference-missing");
    store.put("network", "n2", &json!({})).await;
    store.put("group", "g", &json!({"network_id": "n2"})).await;
    store.apply(&[delete("network", "n")]).await.unwrap();
    assert!(store.get("group", "g").await.is_some(), "it has moved");
    assert!(store.get("group", "sub").await.is_none(), "it was of the deleted network");
}

async fn another_tenants_document_does_not_count(store: TestStore) {
    let other = store.as_tenant("two").await;
    other.put("network", "n", &json!({})).await;
    let group = put("group", "g", &json!({"network_id": "n"}));
    let error = store.apply(std::slice::from_ref(&group)).await.unwrap_err();
    assert_reference(&error, 0, "network", "reference-missing");
    store.put("network", "n", &json!({})).await;
    store.apply(&[group]).await.unwrap();
    other.apply(&[delete("network", "n")]).await.unwrap();
    assert!(store.get("group", "g").await.is_some());
}

async fn a_batch_may_hold_parents_and_children_in_any_order(store: TestStore) {
    let writes = [
        put("attachment", "a", &json!({"group_id": "g", "author": "p"})),
        put("group", "g", &json!({"network_id": "n"})),
        put("person", "p", &json!({})),
        put("network", "n", &json!({})),
    ];
    store.apply(&writes).await.unwrap();
    assert!(store.get("attachment", "a").await.is_some());
}

async fn a_batch_may_hold_a_tree_of_one_collection(store: TestStore) {
    let mut writes = vec![put("group", "z", &json!({}))];
    for (id, parent) in [("y", "z"), ("a", "y"), ("m", "a")] {
        writes.insert(0, put("group", id, &json!({"parent": parent})));
    }
    writes[2].condition = Precondition::Absent;
    store.apply(&writes).await.unwrap();
    store.apply(&[put("group", "own", &json!({"parent": "own"}))]).await.unwrap();
    store.apply(&[delete("group", "z")]).await.unwrap();
    assert!(store.get("group", "m").await.is_none());
}

async fn a_batch_names_the_write_whose_reference_is_missing(store: TestStore) {
    let mut writes: Vec<Write> =
        (0..20).map(|n| put("group", &format!("g{n}"), &json!({}))).collect();
    writes[13] = put("group", "g13", &json!({"network_id": "none"}));
    let error = store.apply(&writes).await.unwrap_err();
    assert_reference(&error, 13, "network", "reference-missing");
    assert!(store.get("group", "g0").await.is_none(), "all or none");
}

async fn a_write_that_may_be_left_out_is_left_out(store: TestStore) {
    let mut wrong = put("group", "g1", &json!({"network_id": "none"}));
    wrong.otherwise = Otherwise::Skip;
    let outcomes = store.apply(&[put("group", "g0", &json!({})), wrong]).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Written { created: true, .. }));
    match &outcomes[1] {
        Outcome::Skipped(error) => assert_reference(error, 1, "network", "reference-missing"),
        other => panic!("{other:?}"),
    }
    assert!(store.get("group", "g0").await.is_some());
}

async fn a_failed_reference_leaves_the_transaction_usable(store: TestStore) {
    let mut session = store.session(Mode::Write);
    session.apply(&[put("network", "n", &json!({}))]).await.unwrap();
    let wrong = put("group", "g", &json!({"network_id": "none"}));
    session.apply(&[wrong]).await.unwrap_err();
    session.apply(&[put("group", "g", &json!({"network_id": "n"}))]).await.unwrap();
    session.commit().await.unwrap();
    assert!(store.get("group", "g").await.is_some());
}

async fn a_parent_may_go_together_with_its_children(store: TestStore) {
    fill(&store).await;
    let writes = [delete("person", "p"), delete("attachment", "a"), delete("network", "n")];
    store.apply(&writes).await.unwrap();
    assert!(store.get("group", "sub").await.is_none());
    assert!(store.get("person", "p").await.is_none());
}

/// What cannot hold is refused before anything is stored.
#[tokio::test]
async fn a_reference_that_cannot_hold_is_refused_at_load() {
    let collections = |references: Json| {
        json!({"collections": [
            {"name": "a", "fields": {"b_id": "text", "c_id": "text", "n": "integer"},
             "references": references},
            {"name": "b", "fields": {"c_id": "text"}, "references": [
                reference("c", "c_id", "c", OnDelete::Cascade)]},
            {"name": "c"},
            {"name": "brief", "ttl_seconds": 60},
        ]})
    };
    let cascade = OnDelete::Cascade;
    let cases = [
        (json!([reference("r", "b_id", "none", cascade)]), "none is not a collection"),
        (json!([reference("r", "none", "b", cascade)]), "none is not a declared field"),
        (json!([reference("r", "n", "b", cascade)]), "n is integer"),
        (json!([reference("r", "b_id", "brief", cascade)]), "documents of brief may expire"),
        (
            json!([
                reference("r", "b_id", "b", OnDelete::Restrict),
                reference("s", "c_id", "c", cascade)
            ]),
            "are deleted with c",
        ),
        (
            json!([reference("r", "b_id", "b", cascade), reference("r", "c_id", "c", cascade)]),
            "declared twice",
        ),
    ];
    let store = TestStore::open(Database::sqlite(), &json!({})).await;
    for (references, expected) in cases {
        match install(&store.storage, &collections(references.clone())).await {
            Err(InstallError::Manifest(faults)) => {
                assert!(faults.iter().any(|f| f.contains(expected)), "{expected}: {faults:?}");
            }
            other => panic!("{references}: {other:?}"),
        }
    }
}

/// Whichever of them the database comes to first.
async fn a_delete_statement_counts_a_parent_and_its_children(store: TestStore) {
    fill(&store).await;
    store.put("group", "a", &json!({"network_id": "n", "parent": "sub"})).await;
    let mut session = store.session(Mode::Write);
    assert_eq!(session.delete_where("clear-groups", &[], 0).await.unwrap(), 3);
    session.commit().await.unwrap();
    assert!(store.get("attachment", "a").await.is_none());
}
