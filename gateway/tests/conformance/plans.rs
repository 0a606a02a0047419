//! What is said of a plugin's statements when it is loaded, and how they are planned.

use std::time::Duration;

use loggia::manifest::Mode;
use loggia::storage::{Error, Page, Session, Value};
use serde_json::{Value as Json, json};

use crate::harness::proxy::Fault;
use crate::harness::store::{TestStore, install, owned};
use crate::harness::stores_on_both_databases;
use crate::postgres_commit::store_of;

stores_on_both_databases! { declaring nothing:
    a_statement_that_no_index_serves_is_told,
    statements_that_an_index_serves_are_not_told,
}

stores_on_both_databases! { declaring kinds:
    a_generic_plan_gives_the_same_rows,
    an_unordered_statement_has_all_rows_and_no_pages,
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

fn kinds() -> Json {
    json!({
        "collections": [{"name": "note", "fields": {"kind": "text", "rank": "integer"},
            "indexes": [{"name": "by_kind", "fields": ["kind"]}]}],
        "statements": [
            {"name": "custom", "select": "SELECT id FROM note WHERE kind = :kind"},
            {"name": "generic", "select": "SELECT id FROM note WHERE kind = :kind", "plan": "generic"},
            {"name": "unordered", "select": "SELECT id FROM note WHERE kind = :kind", "unordered": true},
            {"name": "raise", "update": "note", "set": {"rank": "rank + 1"}, "where": "kind = :kind",
             "plan": "generic"},
            {"name": "clear", "delete": "note", "where": "kind = :kind", "plan": "generic"},
        ],
    })
}

/// One note of the kind `rare`, and others of the kind `common`.
async fn fill(store: &TestStore, common: usize) {
    store.put("note", "r", &json!({"kind": "rare", "rank": 1})).await;
    for id in 0..common {
        store.put("note", &format!("c{id}"), &json!({"kind": "common", "rank": 1})).await;
    }
}

fn of(kind: &str) -> [(&'static str, Value); 1] {
    [("kind", Value::Text(kind.to_owned()))]
}

async fn a_generic_plan_gives_the_same_rows(store: TestStore) {
    fill(&store, 30).await;
    for _ in 0..10 {
        for kind in ["rare", "common", "none"] {
            let custom = store.select("custom", &of(kind)).await;
            assert_eq!(store.select("generic", &of(kind)).await, custom);
        }
    }
    let mut session = store.session(Mode::Write);
    assert_eq!(session.update_where("raise", &owned(&of("common")), 0).await.unwrap().len(), 30);
    assert_eq!(session.delete_where("clear", &owned(&of("rare")), 0).await.unwrap(), 1);
    session.commit().await.unwrap();
    assert_eq!(store.select("generic", &of("rare")).await, json!([]));
}

async fn an_unordered_statement_has_all_rows_and_no_pages(store: TestStore) {
    fill(&store, 30).await;
    let rows = store.select("unordered", &of("common")).await;
    let mut ids: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 30);
    let page = Page { limit: 10, ..Page::default() };
    let mut session = store.session(Mode::Autocommit);
    let refused = session.select("unordered", &owned(&of("common")), Some(&page)).await;
    let Err(Error::Invalid(fault)) = refused else { panic!("{refused:?}") };
    assert_eq!(fault.code, "invalid-page");
}

/// A connection is told of the plan only where another one was in force, and again where what it was
/// told is undone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_told_which_plan_is_wanted() {
    let (store, proxy) = store_of(&kinds(), |options| options.pool_size = 1).await;
    fill(&store, 1).await;
    proxy.times("plan_cache_mode TO force_generic_plan", Fault::Delay(Duration::ZERO), u32::MAX);
    let select = async |session: &mut Session, name: &str| {
        session.select(name, &owned(&of("rare")), None).await.unwrap();
    };
    for (name, told) in
        [("generic", 1), ("generic", 1), ("custom", 1), ("custom", 1), ("generic", 2)]
    {
        select(&mut store.session(Mode::Autocommit), name).await;
        assert_eq!(proxy.applied(), told, "{name}");
    }
    select(&mut store.session(Mode::Autocommit), "custom").await;
    let mut session = store.session(Mode::Write);
    select(&mut session, "generic").await;
    select(&mut session, "generic").await;
    assert_eq!(proxy.applied(), 3);
    session.rollback().await;
    select(&mut store.session(Mode::Read), "generic").await;
    assert_eq!(proxy.applied(), 4);
}
