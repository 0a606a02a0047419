//! JSON Schemas of collections, checked on each write.

use loggia::storage::{Change, Error, InstallError, Otherwise, Outcome};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install, put, write};
use crate::harness::{Database, stores_on_both_databases};

stores_on_both_databases! { declaring people:
    a_body_that_matches_is_stored,
    a_body_that_does_not_match_is_refused_with_its_place,
    what_a_merge_makes_is_checked,
    one_of_a_batch_can_be_left_out,
}

fn people() -> Json {
    json!({"collections": [{"name": "person", "schema": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "address": {"type": "object", "properties": {"zip": {"$ref": "#/$defs/zip"}}},
        },
        "$defs": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
    }}]})
}

#[track_caller]
fn assert_mismatch(error: &Error, pointer: &str) {
    match error {
        Error::Invalid(fault) => {
            assert_eq!((fault.code, fault.name.as_str()), ("schema-mismatch", pointer));
            assert!(!fault.detail.contains("secret"), "no value in {}", fault.detail);
        }
        other => panic!("{other:?}"),
    }
}

async fn a_body_that_matches_is_stored(store: TestStore) {
    store.put("person", "1", &json!({"name": "a", "address": {"zip": "12345"}})).await;
    assert!(store.get("person", "1").await.is_some());
}

async fn a_body_that_does_not_match_is_refused_with_its_place(store: TestStore) {
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"name": ""}), "/name"),
        (json!({"name": "a", "address": {"zip": "secret"}}), "/address/zip"),
    ] {
        let error = store.apply(&[put("person", "1", &body)]).await.unwrap_err();
        assert_mismatch(&error, pointer);
    }
    assert!(store.get("person", "1").await.is_none());
}

async fn what_a_merge_makes_is_checked(store: TestStore) {
    store.put("person", "1", &json!({"name": "a"})).await;
    let merge = write("person", "1", Change::Merge(json!({"name": null}).to_string()));
    assert_mismatch(&store.apply(&[merge]).await.unwrap_err(), "");
    let found = store.get("person", "1").await.unwrap();
    assert_eq!(serde_json::from_str::<Json>(&found.body).unwrap(), json!({"name": "a"}));
}

async fn one_of_a_batch_can_be_left_out(store: TestStore) {
    let mut wrong = put("person", "2", &json!({"name": 7}));
    wrong.otherwise = Otherwise::Skip;
    let outcomes = store.apply(&[put("person", "1", &json!({"name": "a"})), wrong]).await.unwrap();
    match &outcomes[1] {
        Outcome::Skipped(error) => assert_mismatch(error, "/name"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_schema_that_is_none_or_leads_outside_is_refused_at_load() {
    let store = TestStore::open(Database::sqlite(), &json!({})).await;
    for schema in [json!({"type": "nonsense"}), json!({"$ref": "https://example.org/schema"})] {
        let declared = json!({"collections": [{"name": "person", "schema": schema}]});
        match install(&store.storage, &declared).await {
            Err(InstallError::Manifest(faults)) => {
                assert!(faults[0].starts_with("the schema of person: "), "{faults:?}");
            }
            other => panic!("{schema}: {other:?}"),
        }
    }
}
