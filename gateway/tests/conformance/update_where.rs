//! `update` and `delete` statements: what they change, in which order, and what they refuse.

use loggia::manifest::Mode;
use loggia::storage::{Change, Document, Error, Expiry, SessionOptions, Value, Write};
use serde_json::{Value as Json, json};

use crate::harness::faults::{patient, route};
use crate::harness::store::{TestStore, install, options, owned, put, write};
use crate::harness::{TestGateway, on_both_databases, stores_on_both_databases};

on_both_databases! {
    a_plugin_updates_and_deletes_over_http with patient,
}

stores_on_both_databases! { declaring jobs:
    an_update_sets_members_and_columns_alike,
    an_update_takes_documents_in_its_order,
    an_update_is_ordered_by_what_it_changes,
    an_update_returns_documents_as_they_are_afterwards,
    an_update_grows_the_version_and_keeps_created_at,
    null_sets_json_null_and_the_column,
    a_field_of_several_paths_is_set_at_the_first,
    objects_on_the_way_are_made,
    a_member_within_something_else_is_refused,
    json_append_takes_arrays_and_nothing_else,
    each_type_is_set_alike,
    conditions_with_subqueries_choose_documents,
    a_condition_whose_parameter_is_absent_is_left_out,
    a_required_parameter_must_be_given,
    other_arguments_are_refused,
    an_unknown_statement_is_named,
    expired_documents_are_not_touched,
    an_update_changes_the_time_to_live,
    an_expired_document_gives_its_unique_value_up,
    a_unique_value_is_refused_and_nothing_is_done,
    a_number_out_of_range_is_refused_and_nothing_is_done,
    a_text_that_is_too_long_is_refused,
    a_long_index_row_is_refused,
    a_document_that_grows_too_large_is_refused,
    a_timestamp_out_of_range_is_refused,
    a_refused_update_leaves_the_transaction_usable,
    a_limit_takes_so_many_and_zero_takes_all,
    more_documents_than_the_budget_end_the_request,
    a_read_cannot_update_or_delete,
    an_update_by_itself_lasts,
    a_rolled_back_update_leaves_nothing,
    a_delete_counts_what_it_took,
    another_tenants_documents_stay_as_they_are,
    an_update_that_selects_nothing_returns_nothing,
    references_hold_against_updates_and_deletes,
    a_changed_body_must_match_the_collections_schema,
}

fn jobs() -> Json {
    json!({
        "collections": [
            {"name": "job", "expires": true, "fields": {
                "status": "text", "queue": "text", "priority": "integer", "attempt": "integer",
                "score": "number", "urgent": "boolean", "due": "timestamp", "tags": "text[]",
                "log": "json", "key": "text",
                "worker": {"type": "text", "path": "/lease/worker"},
                "until": {"type": "timestamp", "path": "/lease/until"},
                "title": {"type": "text", "path": ["/title", "/meta/title"]},
             },
             "indexes": [
                {"name": "by_status", "fields": ["status", "priority"]},
                {"name": "by_key", "fields": ["key"], "unique": true},
                {"name": "by_texts", "fields": ["queue", "title"]},
             ]},
            {"name": "hold", "fields": {"queue": "text"}},
            {"name": "part", "fields": {"whole": "text", "n": "integer"},
             "schema": {"properties": {"n": {"maximum": 2}}},
             "references": [
                {"name": "within", "field": "whole", "collection": "part", "on_delete": "cascade"}]},
            {"name": "guard", "fields": {"of": "text"}, "references": [
                {"name": "guards", "field": "of", "collection": "part", "on_delete": "restrict"}]},
        ],
        "statements": [
            {"name": "claim", "update": "job",
             "set": {"status": "'assigned'", "attempt": "attempt + 1", "worker": ":worker"},
             "where": "status = 'queued'", "order": {"next": "priority DESC, due"}, "locked": "skip"},
            {"name": "rank", "update": "job", "set": {"priority": "-priority"},
             "order": {"high": "priority DESC"}},
            {"name": "set-all", "update": "job", "where": "id = :id", "set": {
                "status": ":text", "priority": ":integer", "score": ":number", "urgent": ":boolean",
                "due": ":timestamp", "tags": ":texts", "log": ":json", "worker": ":text",
                "until": ":timestamp", "title": ":text", "attempt": ":integer"}},
            {"name": "compute", "update": "job", "where": "id = :id", "set": {
                "status": "upper(status) || '!'", "priority": "priority * 2 - 1",
                "score": "score / 4 + priority", "urgent": "NOT urgent OR priority > 3",
                "due": "due + 1000000", "log": "json_object('was', status, 'at', due, 'n', score)"}},
            {"name": "append", "update": "job", "set": {"log": "json_append(log, :entry)"},
             "where": "id = :id"},
            {"name": "append-text", "update": "job", "set": {"log": "json_append(log, status)"}},
            {"name": "unheld", "update": "job", "set": {"status": "'open'"},
             "where": "NOT EXISTS (SELECT h.id FROM hold AS h WHERE h.queue = job.queue) \
                       AND queue IN (SELECT j.queue FROM job AS j WHERE j.status = 'queued')"},
            {"name": "some", "update": "job", "set": {"attempt": "coalesce(attempt, 0) + 1"},
             "where": ["status = :status", "queue = :queue", "priority > :low AND priority < :high"]},
            {"name": "touch", "update": "job", "expires": ":until", "where": "id = :id"},
            {"name": "keep", "update": "job", "expires": "never", "where": "id = :id"},
            {"name": "key", "update": "job", "set": {"key": ":key"}, "where": "id = :id"},
            {"name": "double", "update": "job", "set": {"priority": "priority * :by"}},
            {"name": "scale", "update": "job", "set": {"score": "score * :by"}},
            {"name": "title", "update": "job", "set": {"title": "title || :more"}, "where": "id = :id"},
            {"name": "texts", "update": "job", "set": {"queue": ":queue", "title": ":title"}},
            {"name": "due", "update": "job", "set": {"due": "due + :by"}},
            {"name": "clear", "delete": "job", "where": ["status = :status", "queue = :queue"],
             "order": {"oldest": "priority"}},
            {"name": "list", "select": "SELECT id, status, queue, priority, attempt, score, urgent, \
                due, tags, log, worker, until, title, key FROM job"},
            {"name": "move", "update": "part", "set": {"whole": ":whole"}, "where": "id = :id"},
            {"name": "count", "update": "part", "set": {"n": "coalesce(n, 0) + 1"}},
            {"name": "drop", "delete": "part", "where": "id = :id"},
            {"name": "statuses", "select": "SELECT id, status FROM job"},
        ],
    })
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

impl TestStore {
    async fn update(
        &self,
        statement: &str,
        arguments: &[(&str, Value)],
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let mut session = self.session(Mode::Write);
        let changed = session.update_where(statement, &owned(arguments), limit).await;
        match &changed {
            Ok(_) => session.commit().await?,
            Err(_) => session.rollback().await,
        }
        changed
    }

    async fn delete(
        &self,
        statement: &str,
        arguments: &[(&str, Value)],
        limit: u32,
    ) -> Result<u64, Error> {
        let mut session = self.session(Mode::Write);
        let deleted = session.delete_where(statement, &owned(arguments), limit).await;
        match &deleted {
            Ok(_) => session.commit().await?,
            Err(_) => session.rollback().await,
        }
        deleted
    }
}

fn body(document: &Document) -> Json {
    serde_json::from_str(&document.body).unwrap()
}

fn ids(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|document| document.id.as_str()).collect()
}

#[track_caller]
fn code(result: Result<impl std::fmt::Debug, Error>) -> &'static str {
    match result {
        Err(Error::Invalid(fault)) => fault.code,
        other => panic!("{other:?}"),
    }
}

/// JSON has one kind of number.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|o| same(one, o)))
        }
        _ => one == other,
    }
}

#[track_caller]
fn assert_same(found: &Json, expected: &Json) {
    assert!(same(found, expected), "found {found}, expected {expected}");
}

async fn an_update_sets_members_and_columns_alike(store: TestStore) {
    let job =
        json!({"status": "queued", "attempt": 1, "other": {"x": [1.5, "é"]}, "lease": {"y": 1}});
    store.put("job", "1", &job).await;
    let changed = store.update("claim", &[("worker", text("w\"1"))], 0).await.unwrap();
    let expected = json!({"status": "assigned", "attempt": 2, "other": {"x": [1.5, "é"]},
        "lease": {"y": 1, "worker": "w\"1"}});
    assert_same(&body(&changed[0]), &expected);
    let stored = store.get("job", "1").await.unwrap();
    assert_eq!(stored, changed[0], "what is returned is what is stored");
    let row = &store.select("list", &[]).await[0];
    assert_eq!(row["status"], "assigned");
    assert_eq!(row["attempt"], 2);
    assert_eq!(row["worker"], "w\"1");
}

async fn an_update_takes_documents_in_its_order(store: TestStore) {
    for (id, priority, due) in [
        ("a", json!(1), json!("2026-01-01T00:00:02Z")),
        ("b", json!(2), json!("2026-01-01T00:00:01Z")),
        ("c", json!(2), json!(null)),
        ("d", json!(null), json!(null)),
        ("e", json!(2), json!("2026-01-01T00:00:01Z")),
    ] {
        let job = json!({"status": "queued", "attempt": 0, "priority": priority, "due": due});
        store.put("job", id, &job).await;
    }
    let worker = [("worker", text("w"))];
    let first = store.update("claim", &worker, 2).await.unwrap();
    assert_eq!(ids(&first), ["c", "b"], "NULL is the smallest, the id breaks the tie");
    let rest = store.update("claim", &worker, 0).await.unwrap();
    assert_eq!(ids(&rest), ["e", "a", "d"]);
    assert!(store.update("claim", &worker, 0).await.unwrap().is_empty());
}

async fn an_update_is_ordered_by_what_it_changes(store: TestStore) {
    for (id, priority) in [("a", 1), ("b", 3), ("c", 2)] {
        store.put("job", id, &json!({"priority": priority})).await;
    }
    let changed = store.update("rank", &[], 2).await.unwrap();
    assert_eq!(ids(&changed), ["b", "c"], "by the values before");
    assert_same(&body(&changed[0]), &json!({"priority": -3}));
}

async fn an_update_returns_documents_as_they_are_afterwards(store: TestStore) {
    store.put("job", "1", &json!({"status": "queued", "attempt": 4, "x": 1})).await;
    let mut session = store.session(Mode::Write);
    let worker = owned(&[("worker", text("w"))]);
    let changed = session.update_where("claim", &worker, 1).await.unwrap();
    let read = session.get("job", &["1".to_owned()]).await.unwrap();
    assert_eq!(read[0].as_ref(), changed.first());
    session.rollback().await;
}

async fn an_update_grows_the_version_and_keeps_created_at(store: TestStore) {
    let version = store.put("job", "1", &json!({"priority": 1})).await;
    let before = store.get("job", "1").await.unwrap();
    let now = store.storage.now() + 5_000_000;
    let mut session = store.session_at(Mode::Write, now);
    let changed = session.update_where("rank", &[], 0).await.unwrap();
    session.commit().await.unwrap();
    assert!(changed[0].version > version);
    assert_eq!((changed[0].created_at, changed[0].updated_at), (before.created_at, now));
}

async fn null_sets_json_null_and_the_column(store: TestStore) {
    store.put("job", "1", &json!({"status": "s", "log": [1], "lease": {"worker": "w"}})).await;
    let null = |name| (name, Value::Null);
    let arguments = [
        ("id", text("1")),
        null("text"),
        null("integer"),
        null("number"),
        null("boolean"),
        null("timestamp"),
        null("texts"),
        null("json"),
    ];
    let changed = store.update("set-all", &arguments, 0).await.unwrap();
    let expected = json!({"status": null, "priority": null, "score": null, "urgent": null,
        "due": null, "tags": null, "log": null, "lease": {"worker": null, "until": null},
        "title": null, "attempt": null});
    assert_same(&body(&changed[0]), &expected);
    let row = &store.select("list", &[]).await[0];
    let columns = row.as_object().unwrap().iter().filter(|(name, _)| *name != "id");
    columns.for_each(|(name, value)| assert!(value.is_null(), "{name}: {value}"));
}

async fn a_field_of_several_paths_is_set_at_the_first(store: TestStore) {
    store.put("job", "1", &json!({"meta": {"title": "old", "x": 1}})).await;
    let arguments = [("id", text("1")), ("more", text("er"))];
    let changed = store.update("title", &arguments, 0).await.unwrap();
    assert_same(&body(&changed[0]), &json!({"title": "older", "meta": {"title": "old", "x": 1}}));
    let arguments = [("id", text("1")), ("more", Value::Null)];
    let changed = store.update("title", &arguments, 0).await.unwrap();
    assert_same(&body(&changed[0]), &json!({"title": null, "meta": {"title": null, "x": 1}}));
    assert!(store.select("list", &[]).await[0]["title"].is_null());
}

async fn objects_on_the_way_are_made(store: TestStore) {
    for (id, lease) in
        [("1", json!({})), ("2", json!({"lease": null})), ("3", json!({"lease": {}}))]
    {
        let mut job = lease;
        job["status"] = json!("queued");
        job["attempt"] = json!(0);
        store.put("job", id, &job).await;
    }
    let changed = store.update("claim", &[("worker", text("w"))], 0).await.unwrap();
    for document in &changed {
        assert_same(&body(document)["lease"], &json!({"worker": "w"}));
    }
    assert_eq!(changed.len(), 3);
}

async fn a_member_within_something_else_is_refused(store: TestStore) {
    for (id, lease) in [("1", json!("text")), ("2", json!([1])), ("3", json!(false))] {
        let job = json!({"status": "queued", "attempt": 0, "lease": lease});
        store.put("job", id, &job).await;
        let refused = store.update("claim", &[("worker", text("w"))], 0).await;
        assert_eq!(code(refused), "not-an-object");
        assert_same(&body(&store.get("job", id).await.unwrap()), &job);
        store.apply(&[write("job", id, Change::Delete)]).await.unwrap();
    }
}

async fn json_append_takes_arrays_and_nothing_else(store: TestStore) {
    let entry = |json: &str| [("id", text("1")), ("entry", Value::Json(json.to_owned()))];
    store.put("job", "1", &json!({})).await;
    for json in [r#"{"a": [1, 2.5]}"#, "null", "\"t\"", "[]"] {
        store.update("append", &entry(json), 0).await.unwrap();
    }
    store.update("append", &[("id", text("1")), ("entry", Value::Null)], 0).await.unwrap();
    let expected = json!({"log": [{"a": [1, 2.5]}, null, "t", [], null]});
    assert_same(&body(&store.get("job", "1").await.unwrap()), &expected);
    assert_same(&store.select("list", &[]).await[0]["log"], &expected["log"]);
    store.put("job", "1", &json!({"log": null, "status": "é\"\\"})).await;
    store.update("append-text", &[], 0).await.unwrap();
    let expected = json!({"log": ["é\"\\"], "status": "é\"\\"});
    assert_same(&body(&store.get("job", "1").await.unwrap()), &expected);
    for log in [json!({}), json!("text"), json!(1), json!(false)] {
        store.put("job", "1", &json!({"log": log})).await;
        assert_eq!(code(store.update("append", &entry("1"), 0).await), "not-an-array");
        assert_same(&body(&store.get("job", "1").await.unwrap()), &json!({"log": log}));
    }
}

async fn each_type_is_set_alike(store: TestStore) {
    store.put("job", "1", &json!({})).await;
    let arguments = [
        ("id", text("1")),
        ("text", text("a'b\\c \u{1f600}")),
        ("integer", Value::Integer(i64::MIN)),
        ("number", Value::Number(0.1)),
        ("boolean", Value::Boolean(true)),
        ("timestamp", Value::Timestamp(1_767_225_600_000_001)),
        ("texts", Value::Texts(vec!["a,\"b\"".to_owned(), String::new()])),
        ("json", Value::Json(r#"{"k": [true, null, 1e2]}"#.to_owned())),
    ];
    let changed = store.update("set-all", &arguments, 0).await.unwrap();
    let time = "2026-01-01T00:00:00.000001Z";
    let expected = json!({"status": "a'b\\c \u{1f600}", "priority": i64::MIN, "score": 0.1,
        "urgent": true, "due": time, "tags": ["a,\"b\"", ""], "log": {"k": [true, null, 100]},
        "lease": {"worker": "a'b\\c \u{1f600}", "until": time}, "title": "a'b\\c \u{1f600}",
        "attempt": i64::MIN});
    assert_same(&body(&changed[0]), &expected);
    let row = store.select("list", &[]).await[0].clone();
    for name in ["status", "priority", "score", "urgent", "due", "tags", "log", "title"] {
        assert_same(&row[name], &expected[name]);
    }
    let job = json!({"status": "open", "priority": 3, "score": 2.0, "urgent": true, "due": time});
    store.put("job", "1", &job).await;
    let changed = store.update("compute", &[("id", text("1"))], 0).await.unwrap();
    let expected = json!({"status": "OPEN!", "priority": 5, "score": 3.5, "urgent": false,
        "due": "2026-01-01T00:00:01.000001Z", "log": {"was": "open", "at": time, "n": 2}});
    assert_same(&body(&changed[0]), &expected);
}

async fn conditions_with_subqueries_choose_documents(store: TestStore) {
    for (id, queue, status) in
        [("1", "a", "queued"), ("2", "a", "done"), ("3", "b", "queued"), ("4", "c", "done")]
    {
        store.put("job", id, &json!({"queue": queue, "status": status})).await;
    }
    store.put("hold", "h", &json!({"queue": "b"})).await;
    let other = store.as_tenant("two").await;
    other.put("hold", "h", &json!({"queue": "a"})).await;
    other.put("job", "5", &json!({"queue": "c", "status": "queued"})).await;
    let changed = store.update("unheld", &[], 0).await.unwrap();
    assert_eq!(ids(&changed), ["1", "2"]);
}

async fn a_condition_whose_parameter_is_absent_is_left_out(store: TestStore) {
    for (id, queue, status, priority) in
        [("1", "a", "x", 1), ("2", "a", "y", 2), ("3", "b", "x", 3), ("4", "b", "y", 4)]
    {
        let job = json!({"queue": queue, "status": status, "priority": priority});
        store.put("job", id, &job).await;
    }
    let (status, queue) = (("status", text("x")), ("queue", text("b")));
    let (low, high) = (("low", Value::Integer(1)), ("high", Value::Integer(4)));
    for (arguments, expected) in [
        (vec![], vec!["1", "2", "3", "4"]),
        (vec![status.clone()], vec!["1", "3"]),
        (vec![status.clone(), queue.clone()], vec!["3"]),
        (vec![low.clone()], vec!["1", "2", "3", "4"]),
        (vec![low, high], vec!["2", "3"]),
        (vec![("status", Value::Null)], vec![]),
    ] {
        let changed = store.update("some", &arguments, 0).await.unwrap();
        assert_eq!(ids(&changed), expected, "{arguments:?}");
    }
}

async fn a_required_parameter_must_be_given(store: TestStore) {
    assert_eq!(code(store.update("claim", &[], 0).await), "missing-parameter");
    assert_eq!(code(store.update("append", &[("id", text("1"))], 0).await), "missing-parameter");
}

async fn other_arguments_are_refused(store: TestStore) {
    let update = |worker| async { code(store.update("claim", &[("worker", worker)], 0).await) };
    assert_eq!(update(Value::Integer(1)).await, "parameter-type");
    assert_eq!(update(text("a\0b")).await, "nul-character");
    let entry = [("id", text("1")), ("entry", Value::Json("{".to_owned()))];
    assert_eq!(code(store.update("append", &entry, 0).await), "invalid-json");
    let nul = [("id", text("1")), ("entry", Value::Json(r#""\u0000""#.to_owned()))];
    assert_eq!(code(store.update("append", &nul, 0).await), "nul-character");
    let twice = [("worker", text("a")), ("worker", text("b"))];
    assert_eq!(code(store.update("claim", &twice, 0).await), "named-twice");
    let unknown = store.update("claim", &[("other", text("a"))], 0).await;
    assert!(matches!(unknown, Err(Error::UnknownName(_))), "{unknown:?}");
}

async fn an_unknown_statement_is_named(store: TestStore) {
    for name in ["none", "list", "clear"] {
        let unknown = store.update(name, &[], 0).await;
        assert!(matches!(unknown, Err(Error::UnknownName(_))), "{unknown:?}");
    }
    for name in ["none", "list", "claim"] {
        let unknown = store.delete(name, &[], 0).await;
        assert!(matches!(unknown, Err(Error::UnknownName(_))), "{unknown:?}");
    }
}

fn expiring(id: &str, job: &Json, at: i64) -> Write {
    Write { expiry: Expiry::At(at), ..put("job", id, job) }
}

async fn expired_documents_are_not_touched(store: TestStore) {
    let now = store.storage.now();
    let job = json!({"status": "queued", "attempt": 0, "priority": 1});
    store
        .apply(&[expiring("1", &job, now - 1), expiring("2", &job, now + 60_000_000)])
        .await
        .unwrap();
    let changed = store.update("claim", &[("worker", text("w"))], 0).await.unwrap();
    assert_eq!(ids(&changed), ["2"]);
    assert_eq!(changed[0].expires_at, Some(now + 60_000_000), "the time to live stays");
    assert_eq!(store.delete("clear", &[], 0).await.unwrap(), 1);
}

async fn an_update_changes_the_time_to_live(store: TestStore) {
    store.put("job", "1", &json!({})).await;
    let until = store.storage.now() + 60_000_000;
    let arguments = [("id", text("1")), ("until", Value::Timestamp(until))];
    let changed = store.update("touch", &arguments, 0).await.unwrap();
    assert_eq!(changed[0].expires_at, Some(until));
    assert_eq!(store.get("job", "1").await, Some(changed[0].clone()));
    let changed = store.update("keep", &[("id", text("1"))], 0).await.unwrap();
    assert_eq!(changed[0].expires_at, None);
    let arguments = [("id", text("1")), ("until", Value::Timestamp(1))];
    store.update("touch", &arguments, 0).await.unwrap();
    assert_eq!(store.get("job", "1").await, None, "it has expired at once");
}

async fn an_expired_document_gives_its_unique_value_up(store: TestStore) {
    let now = store.storage.now();
    store.apply(&[expiring("old", &json!({"key": "k"}), now - 1)]).await.unwrap();
    store.put("job", "1", &json!({})).await;
    let arguments = [("id", text("1")), ("key", text("k"))];
    let changed = store.update("key", &arguments, 0).await.unwrap();
    assert_same(&body(&changed[0]), &json!({"key": "k"}));
}

async fn a_unique_value_is_refused_and_nothing_is_done(store: TestStore) {
    store.put("job", "1", &json!({"key": "k"})).await;
    store.put("job", "2", &json!({})).await;
    let arguments = [("id", text("2")), ("key", text("k"))];
    for mode in [Mode::Write, Mode::Autocommit] {
        let mut session = store.session(mode);
        let refused = session.update_where("key", &owned(&arguments), 0).await;
        match refused {
            Err(Error::Duplicate(fault)) => assert_eq!(fault.name, "by_key"),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            session.get("job", &["2".to_owned()]).await.unwrap()[0].clone().unwrap().body,
            "{}"
        );
        session.commit().await.unwrap();
    }
}

async fn a_number_out_of_range_is_refused_and_nothing_is_done(store: TestStore) {
    store.put("job", "1", &json!({"priority": 1, "score": 1.0})).await;
    store.put("job", "2", &json!({"priority": i64::MAX, "score": 1e300})).await;
    for (statement, by) in [
        ("double", Value::Integer(2)),
        ("double", Value::Integer(i64::MIN)),
        ("scale", Value::Number(1e10)),
        ("scale", Value::Number(-1e200)),
    ] {
        let refused = store.update(statement, &[("by", by)], 0).await;
        assert_eq!(code(refused), "number-range");
    }
    assert_same(&body(&store.get("job", "1").await.unwrap()), &json!({"priority": 1, "score": 1}));
    let tiny = store.update("scale", &[("by", Value::Number(5e-324))], 1).await.unwrap();
    assert_same(&body(&tiny[0])["score"], &json!(5e-324));
    let refused = store.update("scale", &[("by", Value::Number(0.1))], 1).await;
    assert_eq!(code(refused), "number-range", "what becomes 0 without being it");
}

async fn a_text_that_is_too_long_is_refused(store: TestStore) {
    store.put("job", "1", &json!({"title": "a"})).await;
    let more = |length| [("id", text("1")), ("more", text(&"x".repeat(length)))];
    assert_eq!(code(store.update("title", &more(2_048), 0).await), "field-too-long");
    assert_eq!(code(store.update("title", &more(100_000), 0).await), "field-too-long");
    assert_eq!(store.update("title", &more(2_047), 0).await.unwrap().len(), 1);
}

async fn a_long_index_row_is_refused(store: TestStore) {
    store.put("job", "1", &json!({})).await;
    // Random, or an index of PostgreSQL would hold it compressed.
    let noise = |seed: u64, length: usize| {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + u8::try_from(state >> 58).unwrap())
        };
        (0..length).map(next).collect::<String>()
    };
    for length in [1_290, 2_000] {
        let arguments = [("queue", text(&noise(1, length))), ("title", text(&noise(2, length)))];
        assert_eq!(code(store.update("texts", &arguments, 0).await), "index-too-long");
    }
    let arguments = [("queue", text(&noise(1, 1_200))), ("title", text(&noise(2, 1_200)))];
    assert_eq!(store.update("texts", &arguments, 0).await.unwrap().len(), 1);
}

async fn a_document_that_grows_too_large_is_refused(store: TestStore) {
    store.put("job", "1", &json!({"x": "y".repeat(900)})).await;
    let entry = Value::Json(format!("\"{}\"", "z".repeat(200)));
    let arguments = owned(&[("id", text("1")), ("entry", entry)]);
    for mode in [Mode::Write, Mode::Autocommit] {
        let limits = options(mode, store.storage.now());
        let mut session = store.session_with(SessionOptions { document_bytes: 1_000, ..limits });
        assert_eq!(code(session.update_where("append", &arguments, 0).await), "too-large");
        session.commit().await.unwrap();
        assert!(store.select("list", &[]).await[0]["log"].is_null());
    }
}

async fn a_timestamp_out_of_range_is_refused(store: TestStore) {
    store.put("job", "1", &json!({"due": "2026-01-01T00:00:00Z"})).await;
    for by in [i64::MAX / 2, i64::MIN / 2] {
        let refused = store.update("due", &[("by", Value::Integer(by))], 0).await;
        assert_eq!(code(refused), "field-type");
    }
    let refused = store.update("due", &[("by", Value::Integer(i64::MAX))], 0).await;
    assert_eq!(code(refused), "number-range");
}

async fn a_refused_update_leaves_the_transaction_usable(store: TestStore) {
    store.put("job", "1", &json!({"priority": i64::MAX})).await;
    let mut session = store.session(Mode::Write);
    session.apply(&[put("job", "2", &json!({"priority": 1}))]).await.unwrap();
    let by = owned(&[("by", Value::Integer(2))]);
    assert_eq!(code(session.update_where("double", &by, 0).await), "number-range");
    session.apply(&[put("job", "3", &json!({"priority": 1}))]).await.unwrap();
    assert_eq!(session.delete_where("clear", &[], 1).await.unwrap(), 1);
    session.commit().await.unwrap();
    assert_eq!(
        store.select("statuses", &[]).await,
        json!([{"id": "1", "status": null}, {"id": "3", "status": null}])
    );
}

async fn a_limit_takes_so_many_and_zero_takes_all(store: TestStore) {
    for id in 0..5 {
        store.put("job", &id.to_string(), &json!({"priority": id})).await;
    }
    assert_eq!(store.update("rank", &[], 3).await.unwrap().len(), 3);
    assert_eq!(store.update("rank", &[], 0).await.unwrap().len(), 5);
    assert_eq!(store.update("rank", &[], 100).await.unwrap().len(), 5);
    assert_eq!(store.update("rank", &[], u32::MAX).await.unwrap().len(), 5);
    assert_eq!(store.delete("clear", &[], 2).await.unwrap(), 2);
    assert_eq!(store.delete("clear", &[], 0).await.unwrap(), 3);
}

async fn more_documents_than_the_budget_end_the_request(store: TestStore) {
    for id in 0..4 {
        store.put("job", &id.to_string(), &json!({"status": "old", "priority": id})).await;
    }
    for mode in [Mode::Write, Mode::Autocommit] {
        let limits = options(mode, store.storage.now());
        let small = SessionOptions { documents_written: 3, ..limits };
        let mut session = store.session_with(small);
        let refused = session.update_where("rank", &[], 0).await;
        assert!(matches!(refused, Err(Error::LimitExceeded("documents_written"))), "{refused:?}");
        session.rollback().await;
        let mut session = store.session_with(small);
        assert_eq!(session.update_where("rank", &[], 2).await.unwrap().len(), 2);
        let refused = session.delete_where("clear", &[], 2).await;
        assert!(matches!(refused, Err(Error::LimitExceeded("documents_written"))), "{refused:?}");
        session.rollback().await;
    }
    let priorities: i64 = 4;
    let rows = store.select("list", &[]).await;
    assert_eq!(rows.as_array().unwrap().len() as i64, priorities, "nothing was deleted");
}

async fn a_read_cannot_update_or_delete(store: TestStore) {
    let mut session = store.session(Mode::Read);
    let denied = session.update_where("rank", &[], 0).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    let denied = session.delete_where("clear", &[], 0).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    session.rollback().await;
}

async fn an_update_by_itself_lasts(store: TestStore) {
    store.put("job", "1", &json!({"priority": 1})).await;
    let mut session = store.session(Mode::Autocommit);
    session.update_where("some", &owned(&[("status", text("none"))]), 0).await.unwrap();
    assert!(!session.kept(), "nothing was changed");
    session.update_where("rank", &[], 0).await.unwrap();
    assert!(session.kept());
    session.rollback().await;
    assert_same(&body(&store.get("job", "1").await.unwrap()), &json!({"priority": -1}));
    let mut session = store.session(Mode::Autocommit);
    assert_eq!(session.delete_where("clear", &[], 0).await.unwrap(), 1);
    assert!(session.kept());
    session.rollback().await;
    assert_eq!(store.get("job", "1").await, None);
}

async fn a_rolled_back_update_leaves_nothing(store: TestStore) {
    let version = store.put("job", "1", &json!({"priority": 1})).await;
    let mut session = store.session(Mode::Write);
    session.update_where("rank", &[], 0).await.unwrap();
    assert!(session.first_write().is_some());
    session.delete_where("clear", &[], 0).await.unwrap();
    session.rollback().await;
    assert_eq!(store.get("job", "1").await.unwrap().version, version);
}

async fn a_delete_counts_what_it_took(store: TestStore) {
    for (id, status, priority) in [("1", "x", 3), ("2", "x", 1), ("3", "y", 2), ("4", "x", 2)] {
        store.put("job", id, &json!({"status": status, "priority": priority})).await;
    }
    let status = [("status", text("x"))];
    assert_eq!(store.delete("clear", &status, 2).await.unwrap(), 2);
    assert_eq!(
        store.select("statuses", &[]).await,
        json!([{"id": "1", "status": "x"}, {"id": "3", "status": "y"}]),
        "the first two in its order"
    );
    assert_eq!(store.delete("clear", &status, 0).await.unwrap(), 1);
    assert_eq!(store.delete("clear", &status, 0).await.unwrap(), 0);
}

async fn another_tenants_documents_stay_as_they_are(store: TestStore) {
    let other = store.as_tenant("two").await;
    let job = json!({"status": "queued", "attempt": 1, "priority": 1, "key": "k", "queue": "q"});
    let version = other.put("job", "1", &job).await;
    store.put("job", "1", &job).await;
    let worker = [("worker", text("w"))];
    assert_eq!(store.update("claim", &worker, 0).await.unwrap().len(), 1);
    assert_eq!(store.update("rank", &[], 0).await.unwrap().len(), 1);
    let arguments = [("id", text("1")), ("key", text("other"))];
    assert_eq!(store.update("key", &arguments, 0).await.unwrap().len(), 1);
    assert_eq!(store.delete("clear", &[], 0).await.unwrap(), 1);
    let stored = other.get("job", "1").await.unwrap();
    assert_eq!(stored.version, version);
    assert_same(&body(&stored), &job);
}

async fn an_update_that_selects_nothing_returns_nothing(store: TestStore) {
    assert!(store.update("rank", &[], 0).await.unwrap().is_empty());
    assert_eq!(store.delete("clear", &[], 0).await.unwrap(), 0);
    // A manifest without any such statement can be installed beside it.
    install(&store.storage, &json!({"name": "other", "collections": []})).await.unwrap();
}

async fn references_hold_against_updates_and_deletes(store: TestStore) {
    for (id, whole) in [("1", json!(null)), ("2", json!("1")), ("3", json!("2"))] {
        store.put("part", id, &json!({"whole": whole})).await;
    }
    let to = |whole: &str| [("id", text("2")), ("whole", text(whole))];
    match store.update("move", &to("none"), 0).await {
        Err(Error::Reference(fault)) => {
            assert_eq!((fault.name.as_str(), fault.code), ("within", "reference-missing"));
        }
        other => panic!("{other:?}"),
    }
    store.put("guard", "g", &json!({"of": "1"})).await;
    match store.delete("drop", &[("id", text("1"))], 0).await {
        Err(Error::Reference(fault)) => {
            assert_eq!((fault.name.as_str(), fault.code), ("guard.guards", "still-referenced"));
        }
        other => panic!("{other:?}"),
    }
    store.put("guard", "g", &json!({})).await;
    assert_eq!(store.delete("drop", &[("id", text("1"))], 0).await.unwrap(), 1, "not what it took");
    assert_eq!(store.get("part", "3").await, None);
}

async fn a_changed_body_must_match_the_collections_schema(store: TestStore) {
    for id in ["1", "2"] {
        store.put("part", id, &json!({"n": id.parse::<i64>().unwrap()})).await;
    }
    for mode in [Mode::Write, Mode::Autocommit] {
        let mut session = store.session(mode);
        assert_eq!(code(session.update_where("count", &[], 0).await), "schema-mismatch");
        session.commit().await.unwrap();
        assert_same(&body(&store.get("part", "1").await.unwrap()), &json!({"n": 1}));
    }
}

async fn a_plugin_updates_and_deletes_over_http(gateway: &TestGateway) {
    for (id, title, amount) in [("a", "x", 3), ("b", "x", 1), ("c", "y", 2), ("d", "x", 2)] {
        gateway.put_document(id, &json!({"title": title, "amount": amount})).await;
    }
    let answer = gateway.post(&route("raise?by=10&title=x&limit=2")).await.assert_status(200);
    let items = answer.json()["items"].clone();
    assert_eq!((&items[0]["id"], &items[1]["id"]), (&json!("b"), &json!("d")));
    let expected = json!({"title": "x", "amount": 11, "extra": [{"raised": 10}]});
    assert_eq!(items[0]["body"], expected);
    gateway.assert_stored("b", &expected).await;
    // Without the title: all of them.
    let answer = gateway.post(&route("raise?by=1")).await.assert_status(200);
    assert_eq!(answer.json()["items"].as_array().unwrap().len(), 4);
    let refused = gateway.post(&route(&format!("raise?by={}", i64::MAX))).await;
    refused.assert_status(422);
    let answer = gateway.post(&route("clear?title=x&limit=2")).await.assert_status(200);
    assert_eq!(answer.json(), json!({"deleted": 2}));
    let answer = gateway.post(&route("clear?title=x")).await.assert_status(200);
    assert_eq!(answer.json(), json!({"deleted": 1}));
}
