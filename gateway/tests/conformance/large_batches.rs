//! Batches at the storage layer: of 10,000 writes, of all kinds, on collections with every type of
//! field, with times to live.

use loggia::manifest::Mode;
use loggia::storage::{Change, Error, Expiry, Otherwise, Outcome, Precondition, Value, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, put, version, write};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring items:
    ten_thousand_documents_go_in_and_out,
    every_type_of_field_survives_a_batch,
    a_batch_of_all_kinds_gives_an_outcome_for_each,
    the_first_write_that_fails_is_named,
    times_to_live_are_kept_set_and_cleared,
    an_expired_document_counts_as_new,
    expired_documents_give_way_to_new_ones_among_others,
    a_deleted_document_makes_room_for_its_unique_value,
    values_that_trade_places_need_two_calls,
    a_duplicate_in_a_batch_is_named,
    merges_of_a_batch_see_each_their_own_document,
    an_empty_batch_does_nothing,
}

fn items() -> Json {
    json!({
        "collections": [
            {"name": "item", "expires": true, "fields": {
                "t": "text", "i": "integer", "n": "number", "b": "boolean", "at": "timestamp",
                "tags": "text[]", "any": "json"}},
            {"name": "user", "fields": {"email": "text"},
             "indexes": [{"name": "by_email", "fields": ["email"], "unique": true}]},
        ],
        "statements": [
            {"name": "items", "select": "SELECT id, t, i, n, b, at, tags, any FROM item"},
            {"name": "sum", "select": "SELECT count(*) AS n, sum(i) AS total FROM item"},
        ],
    })
}

fn id(number: usize) -> String {
    format!("{number:05}")
}

async fn ten_thousand_documents_go_in_and_out(store: TestStore) {
    let writes: Vec<Write> =
        (0..10_000).rev().map(|n| put("item", &id(n), &json!({"i": n}))).collect();
    let outcomes = store.apply(&writes).await.unwrap();
    assert_eq!(outcomes.len(), 10_000);
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Written { created: true, .. })));
    let total: u64 = 9_999 * 10_000 / 2;
    assert_eq!(store.select("sum", &[]).await, json!([{"n": 10_000, "total": total}]));
    let ids: Vec<String> = (0..10_000).map(id).collect();
    let found = store.session(Mode::Read).get("item", &ids).await.unwrap();
    for (place, document) in found.iter().enumerate() {
        let document = document.as_ref().unwrap();
        assert_eq!(document.id, id(place));
        assert_eq!(document.version, version(&outcomes[9_999 - place]));
    }
    let deletes: Vec<Write> = ids.iter().map(|id| write("item", id, Change::Delete)).collect();
    let outcomes = store.apply(&deletes).await.unwrap();
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Deleted(true))));
    assert_eq!(store.select("sum", &[]).await, json!([{"n": 0, "total": null}]));
}

async fn every_type_of_field_survives_a_batch(store: TestStore) {
    let bodies = [
        json!({"t": "a\"b\\c{},NULL ü\u{1F600}", "i": i64::MAX, "n": -0.1, "b": true,
               "at": "2026-01-31T12:00:00.123Z", "tags": ["x", "", "a,b", "{\"}", "NULL", "\\"],
               "any": {"a": [1, null]}}),
        json!({"t": "", "i": i64::MIN, "n": 1e300, "b": false, "at": "1969-12-31T23:59:59.000Z",
               "tags": [], "any": [1]}),
        json!({"t": null, "i": null, "n": null, "b": null, "at": null, "tags": null, "any": null}),
    ];
    // On SQLite a statement inserts as many as 256, and the last ones go by fewer.
    let bodies: Vec<&Json> = bodies.iter().cycle().take(350).collect();
    let writes: Vec<Write> =
        bodies.iter().enumerate().map(|(n, body)| put("item", &id(n), body)).collect();
    for _ in 0..2 {
        // Once as inserts, once as updates.
        store.apply(&writes).await.unwrap();
        let rows = store.select("items", &[]).await;
        for (place, body) in bodies.iter().enumerate() {
            let mut expected = (*body).clone();
            expected["id"] = json!(id(place));
            assert_eq!(rows[place], expected);
        }
    }
}

fn with(mut write: Write, condition: Precondition, otherwise: Otherwise) -> Write {
    (write.condition, write.otherwise) = (condition, otherwise);
    write
}

async fn a_batch_of_all_kinds_gives_an_outcome_for_each(store: TestStore) {
    use Otherwise::{Fail, Skip};
    use Precondition::{Absent, Any, Present, Version};
    let mut versions = Vec::new();
    for n in 0..8 {
        versions.push(store.put("item", &id(n), &json!({"i": n})).await);
    }
    let body = json!({"i": 100});
    let merge = |n: usize| write("item", &id(n), Change::Merge(json!({"t": "m"}).to_string()));
    let delete = |n: usize| write("item", &id(n), Change::Delete);
    let writes = [
        with(put("item", "new", &body), Absent, Fail),
        with(put("item", &id(0), &body), Absent, Skip),
        with(put("item", &id(1), &body), Version(versions[1]), Fail),
        with(put("item", &id(2), &body), Version(versions[1]), Skip),
        with(put("item", "none", &body), Present, Skip),
        with(put("item", &id(3), &body), Any, Fail),
        with(merge(4), Version(versions[4]), Fail),
        with(merge(5), Version(versions[4]), Skip),
        with(delete(6), Version(versions[6]), Fail),
        with(delete(7), Version(versions[6]), Skip),
        with(write("item", "nothing", Change::Delete), Any, Fail),
    ];
    let outcomes = store.apply(&writes).await.unwrap();
    let found = |outcome: &Outcome| match outcome {
        Outcome::Skipped(Error::PreconditionFailed(mismatch)) => mismatch.found,
        other => panic!("{other:?}"),
    };
    assert!(matches!(outcomes[0], Outcome::Written { created: true, .. }));
    assert_eq!(found(&outcomes[1]), Some(versions[0]));
    assert!(matches!(outcomes[2], Outcome::Written { created: false, .. }));
    assert_eq!(found(&outcomes[3]), Some(versions[2]));
    assert_eq!(found(&outcomes[4]), None);
    assert!(matches!(outcomes[5], Outcome::Written { created: false, .. }));
    assert!(matches!(outcomes[6], Outcome::Written { created: false, .. }));
    assert_eq!(found(&outcomes[7]), Some(versions[5]));
    assert!(matches!(outcomes[8], Outcome::Deleted(true)));
    assert_eq!(found(&outcomes[9]), Some(versions[7]));
    assert!(matches!(outcomes[10], Outcome::Deleted(false)));
    let merged = store.get("item", &id(4)).await.unwrap();
    assert_eq!(serde_json::from_str::<Json>(&merged.body).unwrap(), json!({"i": 4, "t": "m"}));
    assert_eq!(merged.version, version(&outcomes[6]));
}

async fn the_first_write_that_fails_is_named(store: TestStore) {
    let stored = store.put("item", &id(5), &json!({})).await;
    let mut writes: Vec<Write> = (0..10).map(|n| put("item", &id(n), &json!({}))).collect();
    for write in &mut writes[4..] {
        write.condition = Precondition::Version(stored + 1_000);
    }
    match store.apply(&writes).await.unwrap_err() {
        Error::PreconditionFailed(mismatch) => {
            assert_eq!((mismatch.index, mismatch.id.as_str()), (4, "00004"));
            assert_eq!(mismatch.found, None);
        }
        other => panic!("{other:?}"),
    }
    assert!(store.get("item", &id(0)).await.is_none(), "all or none");
    assert_eq!(store.get("item", &id(5)).await.unwrap().version, stored);
}

async fn times_to_live_are_kept_set_and_cleared(store: TestStore) {
    let later = store.storage.now() + 3_600_000_000;
    let expiries = [Expiry::Keep, Expiry::Never, Expiry::At(later + 1), Expiry::Default];
    let batch = |expiry: &dyn Fn(usize) -> Expiry| -> Vec<Write> {
        let expiring =
            |n: usize| Write { expiry: expiry(n), ..put("item", &id(n), &json!({"i": n})) };
        (0..4).map(expiring).collect()
    };
    store.apply(&batch(&|_| Expiry::At(later))).await.unwrap();
    store.apply(&batch(&|n| expiries[n])).await.unwrap();
    let mut found = Vec::new();
    for n in 0..4 {
        found.push(store.get("item", &id(n)).await.unwrap().expires_at);
    }
    assert_eq!(found, [Some(later), None, Some(later + 1), None]);
}

async fn an_expired_document_counts_as_new(store: TestStore) {
    let now = store.storage.now();
    let writes: Vec<Write> = (0..4)
        .map(|n| Write { expiry: Expiry::At(now - 1), ..put("item", &id(n), &json!({})) })
        .collect();
    store.apply(&writes).await.unwrap();
    let again = [
        with(put("item", &id(0), &json!({})), Precondition::Any, Otherwise::Fail),
        with(put("item", &id(1), &json!({})), Precondition::Absent, Otherwise::Fail),
        with(put("item", &id(2), &json!({})), Precondition::Present, Otherwise::Skip),
        write("item", &id(3), Change::Delete),
    ];
    let outcomes = store.apply(&again).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Written { created: true, .. }), "{:?}", outcomes[0]);
    assert!(matches!(outcomes[1], Outcome::Written { created: true, .. }), "{:?}", outcomes[1]);
    assert!(matches!(&outcomes[2], Outcome::Skipped(_)), "{:?}", outcomes[2]);
    assert!(matches!(outcomes[3], Outcome::Deleted(false)), "{:?}", outcomes[3]);
    let created = store.get("item", &id(0)).await.unwrap().created_at;
    assert!(created >= now, "it is a new document");
}

async fn expired_documents_give_way_to_new_ones_among_others(store: TestStore) {
    let now = store.storage.now();
    let expiry = |n: usize| if n.is_multiple_of(3) { Expiry::At(now - 1) } else { Expiry::Never };
    let old: Vec<Write> = (0..60)
        .map(|n| Write { expiry: expiry(n), ..put("item", &id(n), &json!({"t": "old", "i": n})) })
        .collect();
    store.apply(&old).await.unwrap();
    let later = store.storage.now() + 3_600_000_000;
    let new: Vec<Write> = (0..100)
        .map(|n| Write {
            expiry: Expiry::At(later + i64::try_from(n).unwrap()),
            ..with(put("item", &id(n), &json!({"t": "new"})), Precondition::Absent, Otherwise::Skip)
        })
        .collect();
    let outcomes = store.apply(&new).await.unwrap();
    for (n, outcome) in outcomes.iter().enumerate() {
        let found = store.get("item", &id(n)).await.unwrap();
        if n < 60 && !n.is_multiple_of(3) {
            assert!(matches!(outcome, Outcome::Skipped(Error::PreconditionFailed(_))), "{n}");
            assert_eq!((found.expires_at, found.body.contains("old")), (None, true), "{n}");
            continue;
        }
        assert!(matches!(outcome, Outcome::Written { created: true, .. }), "{n}: {outcome:?}");
        let expires_at = later + i64::try_from(n).unwrap();
        assert_eq!((found.expires_at, found.version), (Some(expires_at), version(outcome)));
        assert!(found.body.contains("new") && found.created_at >= now, "{n}: {found:?}");
    }
}

fn user(id: &str, email: &str) -> Write {
    put("user", id, &json!({"email": email}))
}

async fn a_deleted_document_makes_room_for_its_unique_value(store: TestStore) {
    store.apply(&[user("1", "a"), user("2", "b")]).await.unwrap();
    let writes = [user("3", "a"), user("4", "c"), write("user", "1", Change::Delete)];
    store.apply(&writes).await.unwrap();
    assert!(store.get("user", "1").await.is_none());
    assert!(store.get("user", "3").await.is_some());
}

async fn values_that_trade_places_need_two_calls(store: TestStore) {
    store.apply(&[user("1", "a"), user("2", "b")]).await.unwrap();
    let traded = store.apply(&[user("1", "b"), user("2", "a")]).await;
    assert!(matches!(traded, Err(Error::Duplicate(_))), "{traded:?}");
    assert!(store.get("user", "1").await.unwrap().body.contains("\"a\""));
}

async fn a_duplicate_in_a_batch_is_named(store: TestStore) {
    let mut writes: Vec<Write> = (0..30).map(|n| user(&id(n), &format!("mail {n}"))).collect();
    writes[20] = user(&id(20), "mail 7");
    match store.apply(&writes).await.unwrap_err() {
        Error::Duplicate(fault) => {
            assert_eq!((fault.index, fault.name.as_str()), (20, "by_email"));
        }
        other => panic!("{other:?}"),
    }
    writes[20].otherwise = Otherwise::Skip;
    let outcomes = store.apply(&writes).await.unwrap();
    assert!(matches!(outcomes[20], Outcome::Skipped(Error::Duplicate(_))));
    assert!(matches!(outcomes[29], Outcome::Written { created: true, .. }));
}

async fn merges_of_a_batch_see_each_their_own_document(store: TestStore) {
    let puts: Vec<Write> = (0..50).map(|n| put("item", &id(n), &json!({"i": n}))).collect();
    store.apply(&puts).await.unwrap();
    let merges: Vec<Write> = (0..50)
        .map(|n| write("item", &id(n), Change::Merge(json!({"t": id(n)}).to_string())))
        .collect();
    store.apply(&merges).await.unwrap();
    let rows = store.select("items", &[]).await;
    for (n, row) in rows.as_array().unwrap().iter().enumerate() {
        assert_eq!((&row["i"], &row["t"]), (&json!(n), &json!(id(n))));
    }
}

async fn an_empty_batch_does_nothing(store: TestStore) {
    assert!(store.apply(&[]).await.unwrap().is_empty());
    let none = store.session(Mode::Read).get("item", &[]).await.unwrap();
    assert!(none.is_empty());
    let unknown = store.try_select("items", &[("none", Value::Integer(1))], None).await;
    assert!(matches!(unknown, Err(Error::UnknownName(_))));
}
