//! What is said of a plugin's statements when it is loaded.

use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring nothing:
    a_statement_that_no_index_serves_is_told,
    statements_that_an_index_serves_are_not_told,
}

fn nothing() -> Json {
    json!({"collections": []})
}

fn plugin(name: &str, statements: &Json) -> Json {
    json!({"name": name, "statements": statements, "collections": [{
    "name": "note", "expires": true,
    "fields": {"kind": "text", "rank": "integer", "of": "text", "tags": "text[]"},
    "indexes": [
        {"name": "by_kind", "fields": ["kind", "-rank"]},
        {"name": "by_of", "fields": ["of"], "unique": true},
    ]}]})
}

async fn a_statement_that_no_index_serves_is_told(store: TestStore) {
    for (place, statement) in [
        json!({"name": "slow", "select": "SELECT id FROM note WHERE rank = :rank"}),
        json!({"name": "slow", "select": "SELECT id FROM note", "where": ["rank > :rank"]}),
        json!({"name": "slow", "select": "SELECT id FROM note WHERE lower(kind) = :kind"}),
        json!({"name": "slow", "scope": "note", "where": "rank = 3"}),
        json!({"name": "slow", "update": "note", "set": {"rank": "1"}, "where": ["rank = :rank"]}),
        json!({"name": "slow", "delete": "note", "where": "rank IS NULL"}),
    ]
    .iter()
    .enumerate()
    {
        let declared = plugin(&format!("slow-{place}"), &json!([statement]));
        let schema = install(&store.storage, &declared).await.unwrap();
        let [warning] = schema.warnings() else {
            panic!("{statement}: {:?}", schema.warnings());
        };
        assert!(warning.contains("the statement slow may read all documents"), "{warning}");
    }
}

async fn statements_that_an_index_serves_are_not_told(store: TestStore) {
    let declared = plugin(
        "quick",
        &json!([
            {"name": "all", "select": "SELECT id, kind FROM note", "order": {"id": "id", "new": "_updated_at"}},
            {"name": "by-id", "select": "SELECT rank FROM note WHERE id = :id"},
            {"name": "by-kind", "select": "SELECT id FROM note WHERE kind = :kind",
             "where": ["rank > :rank"], "order": {"rank": "rank DESC"}},
                    {"name": "of-kind", "scope": "note", "where": "kind = :kind"},
            {"name": "raise", "update": "note", "set": {"rank": "rank + 1", "tags": ":tags"},
             "where": "kind = :kind", "order": {"rank": "rank DESC"}, "expires": "now() + 1"},
            {"name": "clear", "delete": "note", "where": ["kind = :kind"], "order": {"rank": "rank DESC"}},
        ]),
    );
    let schema = install(&store.storage, &declared).await.unwrap();
    assert!(schema.warnings().is_empty(), "{:?}", schema.warnings());
}
