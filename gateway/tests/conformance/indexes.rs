//! Partial indexes and `contains` indexes: what they hold, which statements they serve, and what
//! a manifest may not say about them.

use loggia::manifest::Mode;
use loggia::storage::{Change, Error, Expiry, InstallError, Outcome, Precondition, Value, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install, put, write};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring jobs:
    a_partial_index_serves_a_statement_with_the_same_literal,
    a_sparse_index_serves_a_statement_that_asks_for_a_value,
    a_unique_partial_index_looks_at_its_own_documents_only,
    a_value_changes_into_a_unique_partial_index,
    an_expired_holder_gives_way_only_where_both_stand_in_the_index,
    a_partial_index_of_each_type_is_made,
    faults_of_indexes_are_found_when_a_manifest_is_loaded,
}

stores_on_both_databases! { declaring notes:
    a_contains_index_serves_a_list_and_json,
    a_list_is_found_as_without_an_index,
    another_tenants_and_expired_lists_are_not_found,
    what_a_list_loses_is_found_no_more,
    a_text_too_long_for_an_index_is_refused,
    nothing_stays_in_a_side_table,
    a_side_table_is_in_step_after_a_call_that_failed,
    lists_are_found_from_joins_and_subqueries,
    long_names_of_indexes_stay_distinct,
}

stores_on_both_databases! { declaring shelves:
    a_lookup_index_serves_conditions_and_holds_no_ids,
}

stores_on_both_databases! { declaring places:
    of_two_values_that_are_taken_the_first_is_named,
}

fn shelves() -> Json {
    json!({
        "collections": [{"name": "book", "fields": {"shelf": "text"},
            "indexes": [{"name": "by_shelf", "fields": ["shelf"], "lookup": true}]}],
        "statements": [{"name": "all", "select": "SELECT id FROM book WHERE shelf = 'a'"}],
    })
}

async fn a_lookup_index_serves_conditions_and_holds_no_ids(store: TestStore) {
    for (id, shelf) in [("2", "a"), ("1", "a"), ("3", "b")] {
        store.put("book", id, &json!({"shelf": shelf})).await;
    }
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1"}, {"id": "2"}]));
    let select = "SELECT count(*) AS books FROM book WHERE shelf = 'a'";
    let plan = store.database.plan(&shelves(), select, &["1"]).await;
    assert!(plan.contains("test__book__by_shelf"), "{plan}");
    let definition = match store.is_sqlite() {
        true => "SELECT sql FROM sqlite_master WHERE name LIKE 'test__book__by_shelf%'",
        false => "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'test__book__by_shelf%'",
    };
    let definition = store.database.query(definition).await.concat().concat();
    assert!(definition.contains("(tenant, f__shelf"), "{definition}");
    assert!(!definition.contains(" id"), "{definition}");
}

fn places() -> Json {
    json!({
        "collections": [{"name": "place", "fields": {"a": "text", "b": "text", "c": "text"},
            "indexes": [
                {"name": "first", "fields": ["b"], "unique": true},
                {"name": "second", "fields": ["a"], "unique": true},
                {"name": "third", "fields": ["c"], "unique": true},
            ]}],
        "statements": [{"name": "all", "select": "SELECT id FROM place"}],
    })
}

async fn of_two_values_that_are_taken_the_first_is_named(store: TestStore) {
    store.put("place", "1", &json!({"a": "x", "b": "x", "c": "x"})).await;
    for (body, index) in [
        (json!({"a": "x", "b": "x", "c": "x"}), "first"),
        (json!({"a": "x", "b": "y", "c": "x"}), "second"),
        (json!({"a": "x", "b": "x"}), "first"),
        (json!({"a": "y", "b": "y", "c": "x"}), "third"),
    ] {
        let refused = store.apply(&[put("place", "2", &body)]).await.unwrap_err();
        assert_duplicate(&refused, index);
    }
}

fn jobs() -> Json {
    json!({
        "collections": [{"name": "job", "expires": true,
            "fields": {"status": "text", "order_key": "integer", "key": "text",
                "due": "timestamp", "score": "number", "urgent": "boolean", "rank": "integer"},
            "indexes": [
                {"name": "queued", "fields": ["order_key"], "where": {"status": ["queued"]}},
                {"name": "open", "fields": ["key"], "unique": true,
                    "where": {"status": ["queued", "it's \\ on"]}},
                {"name": "typed", "fields": ["key", "order_key"], "where": {
                    "score": [1, 2.5], "urgent": [true, null],
                    "due": ["2026-01-01T00:00:00Z"], "order_key": [-3]}},
                {"name": "without", "fields": ["due"], "where": {"key": [null]}},
                {"name": "ranked", "fields": ["rank", "due"], "sparse": true},
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

async fn a_sparse_index_serves_a_statement_that_asks_for_a_value(store: TestStore) {
    store.put("job", "1", &json!({"rank": 1})).await;
    store.put("job", "2", &json!({})).await;
    let plan = async |condition: &str| {
        let select = format!("SELECT id FROM job WHERE {condition} AND due = 1767225600000000");
        store.database.plan(&jobs(), &select, &["1", "1"]).await
    };
    let used = "test__job__ranked";
    let valued = plan("rank = 1").await;
    assert!(valued.contains(used), "{valued}");
    let absent = plan("rank IS NULL").await;
    assert!(!absent.contains(used), "{absent}");
    let all = store.select("all", &[]).await;
    assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
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
        (json!({"contains": ["word"]}), "word is text; contains takes text[] or json"),
        (json!({"contains": ["n"]}), "n is integer; contains takes text[] or json"),
        (json!({"contains": ["state"]}), "state is not a declared field"),
        (json!({"contains": ["tags", "meta"]}), "/collections/0/indexes/0/contains"),
        (json!({"contains": ["tags"], "fields": ["n"]}), "/collections/0/indexes/0"),
        (json!({"contains": ["tags"], "unique": true}), "/collections/0/indexes/0"),
        (json!({"contains": ["tags"], "where": {"n": [1]}}), "/collections/0/indexes/0"),
        (json!({"contains": ["tags"], "lookup": true}), "/collections/0/indexes/0"),
        (json!({}), "/collections/0/indexes/0"),
        (json!({"fields": ["tags"]}), "tags is text[], which has no order"),
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

fn notes() -> Json {
    let fields = json!({"tags": "text[]", "meta": "json", "n": "integer"});
    let any = "array_has_any(tags, :tags)";
    let all = "array_has_all(tags, :tags)";
    let ids = |from: &str, condition: &str| format!("SELECT id FROM {from} WHERE {condition}");
    json!({
        "collections": [
            {"name": "note", "expires": true, "fields": fields, "indexes": [
                {"name": "tags", "contains": ["tags"]}, {"name": "meta", "contains": ["meta"]}]},
            {"name": "plain", "fields": fields},
        ],
        "statements": [
            {"name": "any", "select": ids("note", any)},
            {"name": "all", "select": ids("note", all)},
            {"name": "plain-any", "select": ids("plain", any)},
            {"name": "plain-all", "select": ids("plain", all)},
            {"name": "not-any", "select": ids("note", &format!("NOT {any}"))},
            {"name": "not-all", "select": ids("note", &format!("NOT {all}"))},
            {"name": "plain-not-any", "select": ids("plain", &format!("NOT {any}"))},
            {"name": "plain-not-all", "select": ids("plain", &format!("NOT {all}"))},
            {"name": "either", "select": ids("note", &format!("n > 2 OR ({any} AND n > 0)"))},
            {"name": "plain-either", "select": ids("plain", &format!("n > 2 OR ({any} AND n > 0)"))},
            {"name": "tag", "update": "note", "set": {"tags": ":tags"}},
            {"name": "meta", "select": ids("note", "json_contains(meta, :part)")},
            {"name": "joined", "select": "SELECT a.id, b.id AS other FROM note a \
                JOIN note b ON b.n = a.n + 1 AND array_has_all(b.tags, :tags) \
                WHERE array_has_any(a.tags, :tags)"},
            {"name": "within", "select": "SELECT p.id FROM plain p WHERE p.n IN \
                (SELECT n FROM note WHERE array_has_all(note.tags, :tags))"},
        ],
    })
}

fn tags(of: &[&str]) -> Value {
    Value::Texts(of.iter().map(|&tag| tag.to_owned()).collect())
}

/// The ids that a statement finds, in their order.
async fn found(store: &TestStore, statement: &str, tags: Value) -> String {
    let rows = store.select(statement, &[("tags", tags)]).await;
    let ids = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
    ids.collect::<Vec<_>>().join(" ")
}

async fn a_contains_index_serves_a_list_and_json(store: TestStore) {
    for number in 0..300 {
        let body = json!({"tags": [number.to_string()], "meta": {"n": number}});
        store.put("note", &number.to_string(), &body).await;
    }
    if !store.is_sqlite() {
        store.database.query("ANALYZE").await;
    }
    for (condition, value, index) in [
        ("array_has_any(tags, :tags)", "'{a}'", "test__note__tags"),
        ("array_has_all(tags, :tags)", "'{a}'", "test__note__tags"),
        ("json_contains(meta, :part)", "'{\"n\": 1}'", "test__note__meta"),
    ] {
        let select = format!("SELECT id FROM note WHERE {condition}");
        if !store.is_sqlite() {
            let plan = store.database.plan(&notes(), &select, &["1", "1", value]).await;
            assert!(plan.contains(index) && plan.contains("tenant = 1"), "{plan}");
        } else if index.ends_with("tags") {
            let plan = store.database.plan(&notes(), &select, &[]).await;
            let by_value = "SEARCH d USING PRIMARY KEY (tenant=? AND value=?";
            assert!(plan.contains("SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
            assert!(plan.contains(by_value), "{plan}");
        }
    }
    store.put("note", "x", &json!({"meta": {"k": [1, {"x": "y"}]}})).await;
    store.put("note", "y", &json!({"meta": {"k": [2]}})).await;
    let part = Value::Json(json!({"k": [{"x": "y"}]}).to_string());
    assert_eq!(store.select("meta", &[("part", part)]).await, json!([{"id": "x"}]));
}

async fn a_list_is_found_as_without_an_index(store: TestStore) {
    let lists = [
        json!(["a", "b"]),
        json!(["b", "b", "c"]),
        json!([]),
        json!(null),
        json!(["é'\\\"", "", "A"]),
        json!(["a", "b", "c", "d"]),
    ];
    for (number, list) in lists.iter().enumerate() {
        let body = json!({"tags": list, "n": number});
        store.put("note", &number.to_string(), &body).await;
        store.put("plain", &number.to_string(), &body).await;
    }
    let mut hits = 0;
    for wanted in [
        tags(&["a"]),
        tags(&["b", "a"]),
        tags(&["b", "b"]),
        tags(&["c", "x"]),
        tags(&["x"]),
        tags(&["é'\\\""]),
        tags(&[""]),
        tags(&["d", "c", "b", "a"]),
        tags(&[]),
        Value::Null,
    ] {
        for statement in ["any", "all", "not-any", "not-all", "either"] {
            let by_index = found(&store, statement, wanted.clone()).await;
            let without = found(&store, &format!("plain-{statement}"), wanted.clone()).await;
            assert_eq!(by_index, without, "{statement} {wanted:?}");
            hits += by_index.len();
        }
    }
    assert!(hits > 50);
    assert_eq!(found(&store, "all", tags(&[])).await, "0 1 2 4 5");
    assert_eq!(found(&store, "any", tags(&[])).await, "");
    assert_eq!(found(&store, "all", tags(&["b", "a"])).await, "0 5");
    assert_eq!(found(&store, "any", tags(&["c", "a"])).await, "0 1 5");
}

async fn another_tenants_and_expired_lists_are_not_found(store: TestStore) {
    let other = store.as_tenant("two").await;
    let body = json!({"tags": ["a"]});
    other.put("note", "1", &body).await;
    other.put("note", "2", &body).await;
    store.put("note", "2", &body).await;
    let gone = Write { expiry: Expiry::At(store.storage.now() - 1), ..put("note", "3", &body) };
    store.apply(&[gone]).await.unwrap();
    for statement in ["any", "all"] {
        assert_eq!(found(&store, statement, tags(&["a"])).await, "2");
        assert_eq!(found(&other, statement, tags(&["a"])).await, "1 2");
    }
}

async fn what_a_list_loses_is_found_no_more(store: TestStore) {
    store.put("note", "1", &json!({"tags": ["a", "b"]})).await;
    store.put("note", "1", &json!({"tags": ["b", "c"]})).await;
    assert_eq!(found(&store, "any", tags(&["a"])).await, "");
    assert_eq!(found(&store, "all", tags(&["c", "b"])).await, "1");
    let merge = |body: Json| write("note", "1", Change::Merge(body.to_string()));
    store.apply(&[merge(json!({"tags": ["d"]}))]).await.unwrap();
    assert_eq!(found(&store, "any", tags(&["b", "c"])).await, "");
    assert_eq!(found(&store, "any", tags(&["d"])).await, "1");
    store.apply(&[merge(json!({"tags": null}))]).await.unwrap();
    assert_eq!(found(&store, "any", tags(&["d"])).await, "");
    store.put("note", "1", &json!({"tags": ["e"]})).await;
    store.apply(&[write("note", "1", Change::Delete)]).await.unwrap();
    assert_eq!(found(&store, "any", tags(&["e"])).await, "");
    store.put("note", "1", &json!({})).await;
    assert_eq!(found(&store, "any", tags(&["e"])).await, "");
}

/// `SQLite` only. The table's name ends with a digest of the index's definition.
async fn side_table_rows(store: &TestStore) -> u64 {
    let sql = "SELECT name FROM sqlite_master WHERE name LIKE 'test____note____tags____%' \
               ESCAPE '_' AND type = 'table'";
    let tables = store.database.query(sql).await;
    store.database.count(&tables[0][0]).await
}

async fn a_text_too_long_for_an_index_is_refused(store: TestStore) {
    // What cannot be compressed, since an index's row may be.
    let long: String =
        (0..3_000_u64).map(|n| char::from(b'a' + (n * n * 7 % 25 + n % 2) as u8)).collect();
    store.put("plain", "1", &json!({"tags": [long]})).await;
    store.put("note", "1", &json!({"tags": [long[..2_048]]})).await;
    let body = json!({"tags": ["short", long[..2_049]]});
    let refused = store.apply(&[put("note", "1", &body)]).await.unwrap_err();
    assert_too_long(&refused);
    let mut session = store.session(Mode::Write);
    let arguments = [("tags".to_owned(), tags(&[&long]))];
    assert_too_long(&session.update_where("tag", &arguments, 0).await.unwrap_err());
    let arguments = [("tags".to_owned(), tags(&["a", "b"]))];
    assert_eq!(session.update_where("tag", &arguments, 0).await.unwrap().len(), 1);
    session.commit().await.unwrap();
    assert_eq!(found(&store, "all", tags(&["a", "b"])).await, "1");
}

#[track_caller]
fn assert_too_long(error: &Error) {
    assert!(matches!(error, Error::Invalid(fault) if fault.code == "index-too-long"), "{error:?}");
}

async fn nothing_stays_in_a_side_table(store: TestStore) {
    let side = async || match store.is_sqlite() {
        true => side_table_rows(&store).await,
        false => 0,
    };
    store.put("note", "1", &json!({"tags": ["a", "b", "a"]})).await;
    store.put("note", "2", &json!({"tags": ["a"]})).await;
    assert_eq!(side().await, if store.is_sqlite() { 3 } else { 0 });
    store.put("note", "1", &json!({"tags": ["a"]})).await;
    store.put("note", "2", &json!({"n": 1})).await;
    assert_eq!(side().await, if store.is_sqlite() { 1 } else { 0 });
    store.apply(&[write("note", "1", Change::Delete)]).await.unwrap();
    assert_eq!(side().await, 0);
    // A row that had expired is taken over, and one that stays is swept.
    let past = Expiry::At(store.storage.now() - 1);
    for id in ["3", "4"] {
        let body = json!({"tags": ["old", "older"]});
        store.apply(&[Write { expiry: past, ..put("note", id, &body) }]).await.unwrap();
    }
    store.put("note", "3", &json!({"tags": ["new"]})).await;
    assert_eq!(found(&store, "any", tags(&["old", "new"])).await, "3");
    store.apply(&[write("note", "3", Change::Delete)]).await.unwrap();
    store.apply(&[write("note", "2", Change::Delete)]).await.unwrap();
    store.storage.sweep_expired(store.storage.now()).await.unwrap();
    assert_eq!(store.database.count("test__note").await, 0);
    assert_eq!(side().await, 0);
}

async fn a_side_table_is_in_step_after_a_call_that_failed(store: TestStore) {
    store.put("note", "1", &json!({"tags": ["a"]})).await;
    let mut session = store.session(Mode::Write);
    let refused = [
        put("note", "1", &json!({"tags": ["b"]})),
        Write { condition: Precondition::Version(1), ..put("note", "2", &json!({"tags": ["b"]})) },
    ];
    session.apply(&refused).await.unwrap_err();
    session.apply(&[put("note", "3", &json!({"tags": ["c"]}))]).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(found(&store, "any", tags(&["b"])).await, "");
    assert_eq!(found(&store, "any", tags(&["a", "c"])).await, "1 3");
    if store.is_sqlite() {
        assert_eq!(side_table_rows(&store).await, 2);
    }
}

async fn lists_are_found_from_joins_and_subqueries(store: TestStore) {
    for (id, n, list) in [("1", 1, ["a", "x"]), ("2", 2, ["a", "y"]), ("3", 3, ["z", "y"])] {
        store.put("note", id, &json!({"tags": list, "n": n})).await;
        store.put("plain", id, &json!({"n": n})).await;
    }
    let rows = store.select("joined", &[("tags", tags(&["a"]))]).await;
    assert_eq!(rows, json!([{"id": "1", "other": "2"}]));
    assert_eq!(found(&store, "within", tags(&["y"])).await, "2 3");
}

async fn long_names_of_indexes_stay_distinct(store: TestStore) {
    let long = |end: &str| format!("{}_{end}", "i".repeat(55));
    let name = "c".repeat(60);
    let collection = json!({
        "name": name, "fields": {"tags": "text[]", "more": "text[]"},
        "indexes": [{"name": long("one"), "contains": ["tags"]},
                    {"name": long("two"), "contains": ["more"]}],
    });
    let any = |field: &str| format!("SELECT id FROM {name} WHERE array_has_any({field}, :tags)");
    let declared = json!({
        "name": "long", "collections": [collection],
        "statements": [{"name": "any", "select": any("tags")}, {"name": "more", "select": any("more")}],
    });
    let schema = install(&store.storage, &declared).await.unwrap();
    let long = TestStore { schema, ..store };
    long.put(&name, "1", &json!({"tags": ["a"], "more": ["b"]})).await;
    assert_eq!(found(&long, "any", tags(&["a"])).await, "1");
    assert_eq!(found(&long, "any", tags(&["b"])).await, "");
    assert_eq!(found(&long, "more", tags(&["b"])).await, "1");
    assert_eq!(found(&long, "more", tags(&["a"])).await, "");
}
