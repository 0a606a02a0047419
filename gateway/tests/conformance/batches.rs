//! Several writes in one call: all or none, and an outcome for each.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::faults::{ids, patient, value};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_batch_that_fails_leaves_nothing with patient,
    a_batch_that_fails_leaves_what_was_there with patient,
    the_write_at_fault_is_pointed_to with patient,
    a_write_that_may_be_skipped_says_why with patient,
    each_condition_holds_in_a_batch with patient,
    outcomes_stand_in_the_order_of_the_writes with patient,
    a_document_named_twice_is_refused with patient,
    an_empty_batch_does_nothing with patient,
    a_batch_may_have_1000_writes with patient,
    a_unique_value_moves_from_one_document_to_another with patient,
}

fn put(id: &str, body: &Value) -> Value {
    json!({"id": id, "change": {"put": body}})
}

/// Writes that cannot be applied where there is only `holder`, whose unique value is `k`.
const FAILING: [(&str, u16, &str); 11] = [
    (r#"{"id": "x", "change": {"merge": {}}}"#, 412, "precondition-failed"),
    (r#"{"id": "x", "change": {"put": {}}, "when": "present"}"#, 412, "precondition-failed"),
    (r#"{"id": "x", "change": {"put": {}}, "when": {"version": 1}}"#, 412, "precondition-failed"),
    (r#"{"id": "x", "change": "delete", "when": "present"}"#, 412, "precondition-failed"),
    (r#"{"id": "holder", "change": {"put": {}}, "when": "absent"}"#, 412, "precondition-failed"),
    (r#"{"id": "x", "change": "delete", "when": "absent"}"#, 422, "impossible-condition"),
    (r#"{"id": "x", "change": {"put": {"unique_key": "k"}}}"#, 409, "already-exists"),
    (r#"{"id": "x", "change": {"put": {"amount": "one"}}}"#, 422, "field-type"),
    (r#"{"id": "x", "change": {"put": []}}"#, 422, "not-an-object"),
    (r#"{"id": "holder", "change": {"merge": {"amount": "one"}}}"#, 422, "field-type"),
    (r#"{"id": "", "change": {"put": {}}}"#, 422, "invalid-id"),
];

async fn a_batch_that_fails_leaves_nothing(gateway: &TestGateway) {
    gateway.put_document("holder", &json!({"unique_key": "k"})).await.assert_status(201);
    for (bad, status, code) in FAILING {
        let bad = value(bad);
        // Before it and behind it, by place and by id.
        let (a, z) = (put("a", &json!({"title": "a"})), put("z", &json!({"title": "z"})));
        for writes in [json!([a, bad]), json!([bad, a]), json!([a, bad, z]), json!([z, bad])] {
            let answer = gateway.apply(&writes).await;
            assert_eq!(answer.status.as_u16(), status, "{writes}: {answer:?}");
            answer.assert_problem(status, code);
            assert_eq!(ids(&gateway.list("").await), ["holder"], "{writes}");
        }
    }
    gateway.assert_stored("holder", &json!({"unique_key": "k"})).await;
}

async fn a_batch_that_fails_leaves_what_was_there(gateway: &TestGateway) {
    let (a, b) = (json!({"title": "a"}), json!({"title": "b"}));
    let a_tag = gateway.put_document("a", &a).await.etag();
    let b_tag = gateway.put_document("b", &b).await.etag();
    let writes = json!([
        {"id": "a", "change": {"merge": {"title": "changed"}}},
        {"id": "b", "change": "delete"},
        {"id": "c", "change": {"put": {}}, "when": "present"},
    ]);
    gateway.apply(&writes).await.assert_problem(412, "precondition-failed");
    assert_eq!(gateway.assert_stored("a", &a).await.etag(), a_tag);
    assert_eq!(gateway.assert_stored("b", &b).await.etag(), b_tag);
    gateway.assert_absent("c").await;
}

async fn the_write_at_fault_is_pointed_to(gateway: &TestGateway) {
    let holder = gateway.put_document("holder", &json!({"unique_key": "k"})).await;
    for (bad, pointer) in [
        (r#"{"id": "x", "change": {"put": {"amount": "one"}}}"#, "/1/change/put/amount"),
        (r#"{"id": "x", "change": {"put": {"unique_key": "k"}}}"#, "/1/change/put"),
        (r#"{"id": "x", "change": {"merge": {}}}"#, "/1/change/merge"),
        (r#"{"id": "x", "change": "delete", "when": "present"}"#, "/1/change"),
    ] {
        let writes = json!([put("a", &json!({})), value(bad), put("z", &json!({}))]);
        assert_eq!(gateway.apply(&writes).await.json()["pointer"], pointer, "{bad}");
    }
    let bad = value(r#"{"id": "holder", "change": {"put": {}}, "when": "absent"}"#);
    let answer = gateway.apply(&json!([put("a", &json!({})), bad])).await;
    assert_eq!(answer.json()["etag"], holder.etag());
    assert_eq!(answer.header("etag"), None);
}

/// Writes that are left out where there is only `holder`, and why.
const SKIPPED: [(&str, &str); 9] = [
    (r#"{"id": "d", "change": {"put": {"unique_key": "k"}}}"#, "duplicate"),
    (r#"{"id": "m", "change": {"merge": {"title": "x"}}}"#, "precondition-failed"),
    (r#"{"id": "holder", "change": {"put": {}}, "when": "absent"}"#, "precondition-failed"),
    (r#"{"id": "s", "change": {"put": {}}, "when": {"version": 1}}"#, "precondition-failed"),
    (r#"{"id": "n", "change": "delete", "when": "present"}"#, "precondition-failed"),
    (r#"{"id": "i", "change": "delete", "when": "absent"}"#, "impossible-condition"),
    (r#"{"id": "w", "change": {"put": {"amount": "one"}}}"#, "field-type"),
    (r#"{"id": "o", "change": {"put": []}}"#, "not-an-object"),
    (r#"{"id": "", "change": {"put": {}}}"#, "invalid-id"),
];

async fn a_write_that_may_be_skipped_says_why(gateway: &TestGateway) {
    gateway.put_document("holder", &json!({"unique_key": "k"})).await.assert_status(201);
    let mut writes = vec![put("first", &json!({"title": "kept"}))];
    for (write, _) in SKIPPED {
        let mut write = value(write);
        write["skip"] = true.into();
        writes.push(write);
    }
    writes.push(put("last", &json!({"title": "kept"})));
    let outcomes = gateway.applied(&json!(writes)).await;
    assert_eq!(outcomes.len(), writes.len());
    for (outcome, (write, why)) in outcomes[1..].iter().zip(SKIPPED) {
        assert_eq!(*outcome, json!({"skipped": why}), "{write}");
    }
    for done in [&outcomes[0], &outcomes[writes.len() - 1]] {
        assert_eq!(done["created"], true);
    }
    let fine = json!([
        {"id": "fine", "change": {"put": {"unique_key": "l"}}, "skip": true},
        {"id": "absent", "change": "delete", "skip": true},
    ]);
    let outcomes = gateway.applied(&fine).await;
    assert_eq!((&outcomes[0]["created"], &outcomes[1]["deleted"]), (&json!(true), &json!(false)));
    assert_eq!(ids(&gateway.list("").await), ["fine", "first", "holder", "last"]);
    gateway.assert_stored("holder", &json!({"unique_key": "k"})).await;
}

async fn each_condition_holds_in_a_batch(gateway: &TestGateway) {
    let stored = gateway.put_document("b", &json!({"title": "b", "amount": 1})).await.json();
    gateway.put_document("c", &json!({"title": "c"})).await.assert_status(201);
    gateway.put_document("d", &json!({"title": "d"})).await.assert_status(201);
    let mut writes = value(
        r#"[
            {"id": "a", "change": {"put": {"title": "a"}}, "when": "absent"},
            {"id": "b", "change": {"merge": {"amount": 2}}},
            {"id": "c", "change": {"put": {"title": "c2"}}, "when": "present"},
            {"id": "d", "change": "delete", "when": "present"},
            {"id": "e", "change": "delete"}
        ]"#,
    );
    writes[1]["when"] = json!({"version": stored["version"]});
    let outcomes = gateway.applied(&writes).await;
    assert_eq!(outcomes[0]["created"], true);
    assert_eq!(outcomes[1]["created"], false);
    assert_eq!(outcomes[2]["created"], false);
    assert_eq!(outcomes[3..], [json!({"deleted": true}), json!({"deleted": false})]);
    gateway.assert_stored("a", &json!({"title": "a"})).await;
    let b = gateway.assert_stored("b", &json!({"title": "b", "amount": 2})).await;
    assert_eq!(b.etag(), format!("\"{}\"", outcomes[1]["version"]));
    gateway.assert_stored("c", &json!({"title": "c2"})).await;
    gateway.assert_absent("d").await;
}

async fn outcomes_stand_in_the_order_of_the_writes(gateway: &TestGateway) {
    let names = ["m", "z", "a", "k", "b", "ä", "Z"];
    let writes: Vec<Value> = names.iter().map(|id| put(id, &json!({"title": id}))).collect();
    let outcomes = gateway.applied(&json!(writes)).await;
    assert_eq!(outcomes.len(), names.len());
    for (id, outcome) in names.iter().zip(&outcomes) {
        let got = gateway.assert_stored(id, &json!({"title": id})).await;
        assert_eq!(got.etag(), format!("\"{}\"", outcome["version"]), "{id}");
    }
}

async fn a_document_named_twice_is_refused(gateway: &TestGateway) {
    for second in [
        r#"{"id": "a", "change": {"put": {"title": "again"}}}"#,
        r#"{"id": "a", "change": {"merge": {}}}"#,
        r#"{"id": "a", "change": "delete"}"#,
        r#"{"id": "a", "change": {"put": {}}, "skip": true}"#,
    ] {
        let second = value(second);
        let writes = json!([put("a", &json!({})), put("b", &json!({})), second]);
        let answer = gateway.apply(&writes).await;
        assert_eq!(answer.status, 422, "{second}: {answer:?}");
        answer.assert_problem(422, "named-twice");
        gateway.assert_nothing_stored().await;
    }
}

async fn an_empty_batch_does_nothing(gateway: &TestGateway) {
    assert_eq!(gateway.applied(&json!([])).await, [""; 0]);
    gateway.assert_nothing_stored().await;
}

async fn a_batch_may_have_1000_writes(gateway: &TestGateway) {
    // Against the order of ids.
    let id = |n: usize| format!("{:04}", 9_999 - n);
    let mut writes: Vec<Value> = (0..1_000).map(|n| put(&id(n), &json!({"amount": n}))).collect();
    let outcomes = gateway.applied(&json!(writes)).await;
    let versions: HashSet<u64> =
        outcomes.iter().filter_map(|outcome| outcome["version"].as_u64()).collect();
    assert_eq!((outcomes.len(), versions.len()), (1_000, 1_000));
    assert!(outcomes.iter().all(|outcome| outcome["created"] == true));
    let page = gateway.list("limit=1000&total=true").await;
    assert_eq!((&page["count"], &page["total"]), (&json!(1_000), &json!(1_000)));
    for item in page["items"].as_array().expect("items") {
        let n = usize::try_from(item["amount"].as_u64().expect("an amount")).unwrap();
        assert_eq!(item["id"], id(n));
        assert_eq!(item["version"], outcomes[n]["version"]);
    }

    writes[999]["when"] = "absent".into();
    for write in &mut writes[..999] {
        write["change"]["put"]["amount"] = json!(-1);
    }
    gateway.apply(&json!(writes)).await.assert_problem(412, "precondition-failed");
    assert_eq!(gateway.list("limit=1000").await["items"], page["items"]);
}

/// By id, the document that gives it up is written before the one that takes it.
async fn a_unique_value_moves_from_one_document_to_another(gateway: &TestGateway) {
    gateway.put_document("a", &json!({"unique_key": "k"})).await.assert_status(201);
    for writes in [
        json!([put("a", &json!({})), put("b", &json!({"unique_key": "k"}))]),
        json!([put("c", &json!({"unique_key": "k"})), json!({"id": "b", "change": "delete"})]),
    ] {
        gateway.applied(&writes).await;
    }
    gateway.assert_stored("a", &json!({})).await;
    gateway.assert_absent("b").await;
    gateway.assert_stored("c", &json!({"unique_key": "k"})).await;
}
