//! Time to live: from the instant of expiry on, a document does not exist for anything.
//!
//! Most cases write documents whose time is over already, so that none has to wait.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::harness::faults::{document, ids, patient, route, value};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_document_is_there_until_its_time_is_over with patient,
    a_document_disappears_when_its_time_is_over with patient,
    an_expired_document_is_not_found with patient,
    an_expired_document_is_in_no_list with patient,
    an_expired_document_meets_no_condition with patient,
    a_put_over_an_expired_document_creates with patient,
    if_none_match_star_succeeds_over_an_expired_document with patient,
    a_batch_sees_expired_documents_as_absent with patient,
    an_increment_over_an_expired_document_begins_anew with patient,
    a_merge_patch_keeps_the_time_to_live with patient,
    a_put_without_a_time_to_live_has_none with patient,
    an_expired_document_gives_its_unique_value_up with patient,
}

/// Store documents whose time is over, and give back the `ETag` of each.
async fn put_expired(gateway: &TestGateway, documents: &[(&str, Value)]) -> Vec<String> {
    let write =
        |(id, body): &(&str, Value)| json!({"id": id, "change": {"put": body}, "ttl_seconds": -1});
    let writes: Vec<Value> = documents.iter().map(write).collect();
    let outcomes = gateway.applied(&json!(writes)).await;
    outcomes.iter().map(|outcome| format!("\"{}\"", outcome["version"])).collect()
}

async fn put_with_ttl(gateway: &TestGateway, id: &str, ttl_seconds: u32, body: &Value) {
    let path = format!("{}?ttl_seconds={ttl_seconds}", document(id));
    gateway.put(&path, body).await.assert_status(201);
}

async fn a_document_is_there_until_its_time_is_over(gateway: &TestGateway) {
    let body = json!({"title": "t"});
    put_with_ttl(gateway, "d", 1_000, &body).await;
    let got = gateway.assert_stored("d", &body).await;
    let time = |name| got.header(name).expect("a time").parse::<jiff::Timestamp>().unwrap();
    let lives = time("x-expires-at").duration_since(time("x-created-at"));
    assert_eq!(lives.as_secs(), 1_000);
    let page = gateway.list("total=true").await;
    assert_eq!((ids(&page), &page["total"]), (vec!["d".to_owned()], &json!(1)));
    assert_ne!(page["items"][0]["expires_at"], Value::Null);
    let refused = gateway.conditional("PUT", "d", ("if-none-match", "*"), &json!({})).await;
    refused.assert_problem(412, "precondition-failed");
    gateway.conditional("PUT", "d", ("if-match", "*"), &json!({})).await.assert_status(200);
}

/// The one case that waits, for the gateway's own clock.
async fn a_document_disappears_when_its_time_is_over(gateway: &TestGateway) {
    put_with_ttl(gateway, "d", 1, &json!({"title": "t"})).await;
    gateway.put_document("kept", &json!({})).await.assert_status(201);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let got = gateway.get(&document("d")).await;
        if got.status == StatusCode::NOT_FOUND {
            break;
        }
        assert_eq!(got.json(), json!({"title": "t"}));
        assert!(Instant::now() < deadline, "it is still there: {got:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ids(&gateway.list("").await), ["kept"]);
    gateway.put_document("d", &json!({})).await.assert_status(201);
    assert_eq!(gateway.assert_stored("d", &json!({})).await.header("x-expires-at"), None);
}

async fn an_expired_document_is_not_found(gateway: &TestGateway) {
    put_expired(gateway, &[("d", json!({"title": "t"}))]).await;
    gateway.assert_absent("d").await;
    gateway.delete(&document("d")).await.assert_problem(404, "not-found");
    let patched = gateway.patch_document("d", &json!({"title": "u"})).await;
    patched.assert_problem(412, "precondition-failed");
    assert_eq!(patched.header("etag"), None);
    gateway.assert_absent("d").await;
}

async fn an_expired_document_is_in_no_list(gateway: &TestGateway) {
    let expired = [("a", json!({"title": "t", "amount": 1})), ("c", json!({"title": "t"}))];
    put_expired(gateway, &expired).await;
    for id in ["b", "d"] {
        gateway.put_document(id, &json!({"title": "t", "amount": 2})).await.assert_status(201);
    }
    for query in ["", "title=t", "min_amount=1", "order=amount", "order=newest", "limit=2"] {
        let page = gateway.list(&format!("total=true&{query}")).await;
        let mut found = ids(&page);
        found.sort_unstable();
        assert_eq!(found, ["b", "d"], "{query}");
        assert_eq!((&page["total"], &page["next_cursor"]), (&json!(2), &Value::Null), "{query}");
    }
    assert_eq!(ids(&gateway.list("offset=1").await), ["d"]);
}

async fn an_expired_document_meets_no_condition(gateway: &TestGateway) {
    let etag = put_expired(gateway, &[("d", json!({"title": "t"}))]).await.remove(0);
    for method in ["PUT", "PATCH", "DELETE"] {
        for condition in [("if-match", "*"), ("if-match", etag.as_str())] {
            let refused = gateway.conditional(method, "d", condition, &json!({})).await;
            refused.assert_problem(412, "precondition-failed");
            assert_eq!(refused.header("etag"), None, "{method} {condition:?}");
        }
    }
    gateway.assert_absent("d").await;
}

async fn a_put_over_an_expired_document_creates(gateway: &TestGateway) {
    let etag = put_expired(gateway, &[("d", json!({"title": "old", "amount": 1}))]).await.remove(0);
    let body = json!({"title": "new"});
    let created = gateway.put_document("d", &body).await.assert_status(201);
    assert_ne!(created.etag(), etag);
    let got = gateway.assert_stored("d", &body).await;
    assert_eq!(got.header("x-expires-at"), None);
    assert_eq!(gateway.list("").await["items"][0]["amount"], Value::Null);
    gateway.put_document("d", &body).await.assert_status(200);
}

async fn if_none_match_star_succeeds_over_an_expired_document(gateway: &TestGateway) {
    put_expired(gateway, &[("d", json!({"title": "old"}))]).await;
    let (star, body) = (("if-none-match", "*"), json!({"title": "new"}));
    gateway.conditional("PUT", "d", star, &body).await.assert_status(201);
    let got = gateway.assert_stored("d", &body).await;
    assert_eq!(got.header("x-expires-at"), None);
    let refused = gateway.conditional("PUT", "d", star, &json!({})).await;
    refused.assert_problem(412, "precondition-failed");
}

async fn a_batch_sees_expired_documents_as_absent(gateway: &TestGateway) {
    let old = json!({"title": "old"});
    let documents = ["a", "b", "c", "d", "e"].map(|id| (id, old.clone()));
    put_expired(gateway, &documents).await;
    let writes = value(
        r#"[
            {"id": "a", "change": {"put": {}}, "when": "absent"},
            {"id": "b", "change": {"put": {}}, "when": "present", "skip": true},
            {"id": "c", "change": {"merge": {}}, "skip": true},
            {"id": "d", "change": "delete"},
            {"id": "e", "change": {"put": {}}}
        ]"#,
    );
    let outcomes = gateway.applied(&writes).await;
    assert_eq!(outcomes[0]["created"], true);
    assert_eq!(outcomes[1], json!({"skipped": "precondition-failed"}));
    assert_eq!(outcomes[2], json!({"skipped": "precondition-failed"}));
    assert_eq!(outcomes[3], json!({"deleted": false}));
    assert_eq!(outcomes[4]["created"], true);
    assert_eq!(ids(&gateway.list("").await), ["a", "e"]);
    // What is written without a time to live keeps none of the one before.
    assert_eq!(gateway.assert_stored("e", &json!({})).await.header("x-expires-at"), None);
}

async fn an_increment_over_an_expired_document_begins_anew(gateway: &TestGateway) {
    put_expired(gateway, &[("d", json!({"amount": 7}))]).await;
    let answer = gateway.post(&route("increment/d")).await.assert_status(200);
    assert_eq!(answer.json()["amount"], 1);
    gateway.assert_stored("d", &json!({"amount": 1})).await;
}

async fn a_merge_patch_keeps_the_time_to_live(gateway: &TestGateway) {
    put_with_ttl(gateway, "d", 1_000, &json!({"title": "t"})).await;
    let before = gateway.get(&document("d")).await;
    gateway.patch_document("d", &json!({"amount": 1})).await.assert_status(200);
    let after = gateway.assert_stored("d", &json!({"title": "t", "amount": 1})).await;
    assert!(before.header("x-expires-at").is_some());
    assert_eq!(after.header("x-expires-at"), before.header("x-expires-at"));
    assert_eq!(after.header("x-created-at"), before.header("x-created-at"));
}

async fn a_put_without_a_time_to_live_has_none(gateway: &TestGateway) {
    put_with_ttl(gateway, "d", 1_000, &json!({})).await;
    gateway.put_document("d", &json!({})).await.assert_status(200);
    assert_eq!(gateway.get(&document("d")).await.header("x-expires-at"), None);
    for wrong in ["0", "-1", "1.5", "", "never"] {
        let path = format!("{}?ttl_seconds={wrong}", document("d"));
        gateway.put(&path, &json!({})).await.assert_problem(400, "invalid-parameter");
    }
}

async fn an_expired_document_gives_its_unique_value_up(gateway: &TestGateway) {
    let holder = json!({"unique_key": "k"});
    put_expired(gateway, &[("old", holder.clone())]).await;
    gateway.put_document("new", &holder).await.assert_status(201);
    gateway.assert_stored("new", &holder).await;
    gateway.assert_absent("old").await;
}
