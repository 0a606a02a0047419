//! `POST /entries:batchPut`, `:batchGet` and `:batchDelete`: results in order, all or none.

use serde_json::{Value, json};

use super::{JSON, announce, entry, items, route, text, version};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_batch_answers_in_its_order,
    a_batch_that_fails_half_way_writes_nothing,
    a_batch_has_conditions,
    a_batch_is_limited with patient,
    a_batch_keeps_any_bytes_and_metadata,
    what_a_batch_reads_is_limited with patient,
}

fn item(key: &str, value: &str) -> Value {
    json!({"key": text(key), "value": text(value)})
}

async fn put(gateway: &TestGateway, items: Value) -> crate::harness::Answer {
    gateway.ask("entries:batchPut", &json!({"items": items})).await
}

async fn a_batch_answers_in_its_order(gateway: &TestGateway) {
    let old = gateway.stored("b", "old").await;
    let answer = put(gateway, json!([item("c", "3"), item("a", "1"), item("b", "2")])).await;
    let written = items(&answer.assert_status(200));
    let shown = |written: &Value| (written["key"].clone(), written["created"].clone());
    let expected = [("c", true), ("a", true), ("b", false)];
    let expected = expected.map(|(key, created)| (json!(text(key)), json!(created)));
    assert_eq!(written.iter().map(shown).collect::<Vec<_>>(), expected);
    assert_ne!(written[2]["version"], version(&old));
    gateway.assert_entries(&[("a", "1"), ("b", "2"), ("c", "3")]).await;
    let got = gateway.get(&entry("c")).await;
    assert_eq!(written[0]["version"], version(&got));

    let keys = ["b", "none", "a", "b"].map(text);
    let got = gateway.ask("entries:batchGet", &json!({"keys": keys})).await.assert_status(200);
    let got = items(&got);
    let b = json!({
        "key": text("b"), "version": written[2]["version"], "expires_at": null, "metadata": null,
        "value": text("2"),
    });
    assert_eq!((&got[0], &got[1], &got[3]), (&b, &Value::Null, &b));
    assert_eq!((got.len(), &got[2]["value"]), (4, &json!(text("1"))));

    let gone = json!({"items": [{"key": text("c")}, {"key": text("none")}, {"key": text("a")}]});
    let answer = gateway.ask("entries:batchDelete", &gone).await.assert_status(200);
    let expected = [("c", true), ("none", false), ("a", true)];
    let expected = expected.map(|(key, deleted)| json!({"key": text(key), "deleted": deleted}));
    assert_eq!(items(&answer), expected);
    gateway.assert_entries(&[("b", "2")]).await;
    for verb in ["batchPut", "batchDelete"] {
        let answer = gateway.ask(&format!("entries:{verb}"), &json!({"items": []})).await;
        assert_eq!(items(&answer.assert_status(200)), [0; 0]);
    }
    let answer = gateway.ask("entries:batchGet", &json!({"keys": []})).await.assert_status(200);
    assert_eq!(items(&answer), [0; 0]);
}

/// Three items that are right, then this one.
fn with_fourth(fourth: Value) -> Value {
    json!([item("a", "1"), item("b", "2"), item("c", "3"), fourth, item("e", "5")])
}

async fn a_batch_that_fails_half_way_writes_nothing(gateway: &TestGateway) {
    let present = gateway.stored("present", "v").await;
    let long_key = text(vec![b'k'; 1_025]);
    let long_value = text(vec![0; (1 << 20) + 1]);
    let long_metadata = json!({"a": "x".repeat(9_000)});
    let table = [
        (
            json!({"key": text("present"), "value": "", "if_match": 1_000_000_000}),
            412,
            "precondition-failed",
            "",
        ),
        (
            json!({"key": text("present"), "value": "", "if_none_match": "*"}),
            412,
            "precondition-failed",
            "",
        ),
        (
            json!({"key": text("absent"), "value": "", "if_match": "*"}),
            412,
            "precondition-failed",
            "",
        ),
        (
            json!({"key": text("absent"), "value": "", "if_match": 7}),
            412,
            "precondition-failed",
            "",
        ),
        (
            json!({"key": text("d"), "value": "", "if_match": "*", "if_none_match": "*"}),
            422,
            "impossible-condition",
            "",
        ),
        (json!({"key": "", "value": ""}), 422, "invalid-key", "/key"),
        (json!({"key": "a+b", "value": ""}), 422, "invalid-key", "/key"),
        (json!({"key": long_key, "value": ""}), 422, "invalid-key", "/key"),
        (json!({"key": text("b"), "value": ""}), 422, "named-twice", "/key"),
        (json!({"key": text("d"), "value": "a=="}), 422, "invalid-value", "/value"),
        (json!({"key": text("d"), "value": "/w"}), 422, "invalid-value", "/value"),
        (json!({"key": text("d"), "value": long_value}), 413, "value-too-large", "/value"),
        (
            json!({"key": text("d"), "value": "", "metadata": long_metadata}),
            422,
            "metadata-too-large",
            "/metadata",
        ),
        (
            json!({"key": text("d"), "value": "", "metadata": []}),
            422,
            "schema-mismatch",
            "/metadata",
        ),
        (json!({"key": text("d"), "value": 1}), 422, "schema-mismatch", "/value"),
        (
            json!({"key": text("d"), "value": "", "ttl_seconds": 0}),
            422,
            "schema-mismatch",
            "/ttl_seconds",
        ),
        (json!({"key": text("d")}), 422, "schema-mismatch", ""),
    ];
    for (fourth, status, code, member) in table {
        let answer = put(gateway, with_fourth(fourth.clone())).await;
        let problem = answer.assert_problem(status, code);
        assert_eq!(problem["pointer"], format!("/items/3{member}"), "{problem}");
        gateway.assert_entries(&[("present", "v")]).await;
    }
    let stale =
        put(gateway, with_fourth(json!({"key": text("present"), "value": "", "if_match": 0})))
            .await;
    // The header would be that of the whole batch.
    assert_eq!((&stale.json()["etag"], stale.header("etag")), (&json!(present.etag()), None));

    let mut gone: Vec<Value> = Vec::new();
    for key in ["a", "b", "c"] {
        gateway.stored(key, "v").await;
        gone.push(json!({"key": text(key)}));
    }
    gone.push(json!({"key": text("present"), "if_match": 1_000_000_000}));
    let answer = gateway.ask("entries:batchDelete", &json!({"items": gone})).await;
    assert_eq!(answer.assert_problem(412, "precondition-failed")["pointer"], "/items/3");
    gone[3] = json!({"key": text("a")});
    let answer = gateway.ask("entries:batchDelete", &json!({"items": gone})).await;
    assert_eq!(answer.assert_problem(422, "named-twice")["pointer"], "/items/3/key");
    gateway.assert_entries(&[("a", "v"), ("b", "v"), ("c", "v"), ("present", "v")]).await;
    let keys = [text("a"), "*".to_owned()];
    let answer = gateway.ask("entries:batchGet", &json!({"keys": keys})).await;
    assert_eq!(answer.assert_problem(422, "invalid-key")["pointer"], "/keys/1");
}

async fn a_batch_has_conditions(gateway: &TestGateway) {
    let a = version(&gateway.stored("a", "old").await);
    gateway.stored("b", "old").await;
    let with = |key: &str, name: &str, condition: Value| json!({"key": text(key), "value": text("new"), name: condition});
    let batch = json!([
        with("a", "if_match", json!(a)),
        with("b", "if_match", json!("*")),
        with("c", "if_none_match", json!("*")),
    ]);
    let written = items(&put(gateway, batch.clone()).await.assert_status(200));
    gateway.assert_entries(&[("a", "new"), ("b", "new"), ("c", "new")]).await;
    let again = put(gateway, json!([batch[1], batch[0]])).await;
    assert_eq!(again.assert_problem(412, "precondition-failed")["pointer"], "/items/1");
    let gone = json!({"items": [
        {"key": text("a"), "if_match": written[0]["version"]},
        {"key": text("b"), "if_match": "*"},
    ]});
    gateway.ask("entries:batchDelete", &gone).await.assert_status(200);
    gateway.assert_entries(&[("c", "new")]).await;
    for condition in [json!("\"1\""), json!(-1), json!(1.5), json!([])] {
        let answer = put(gateway, json!([with("a", "if_match", condition)])).await;
        answer.assert_problem(422, "schema-mismatch");
    }
}

async fn a_batch_is_limited(gateway: &TestGateway) {
    let of = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"key": text(n.to_string()), "value": ""})).collect()
    };
    let answer = put(gateway, json!(of(1_001))).await;
    answer.assert_problem(422, "schema-mismatch");
    gateway.assert_entries(&[]).await;
    assert_eq!(items(&put(gateway, json!(of(1_000))).await.assert_status(200)).len(), 1_000);
    let keys: Vec<String> = (0..1_001).map(|n| text(n.to_string())).collect();
    let answer = gateway.ask("entries:batchGet", &json!({"keys": keys})).await;
    answer.assert_problem(422, "schema-mismatch");
    let answer = gateway.ask("entries:batchGet", &json!({"keys": keys[..1_000]})).await;
    assert!(items(&answer.assert_status(200)).iter().all(|item| !item.is_null()));
    let gone: Vec<Value> = keys.iter().map(|key| json!({"key": key})).collect();
    let answer = gateway.ask("entries:batchDelete", &json!({"items": gone})).await;
    answer.assert_problem(422, "schema-mismatch");
    let answer = gateway.ask("entries:batchDelete", &json!({"items": gone[..1_000]})).await;
    answer.assert_status(200);
    assert_eq!(gateway.told("count").await, json!({"count": 0}));
    let value = text(vec![7; 1 << 20]);
    let large: Vec<Value> =
        (0..5).map(|n| json!({"key": text(n.to_string()), "value": value})).collect();
    assert_eq!(items(&put(gateway, json!(large)).await.assert_status(200)).len(), 5);
    for verb in ["batchPut", "batchGet", "batchDelete"] {
        let line = format!("POST {}", route(&format!("entries:{verb}")));
        let answer = announce(gateway, &line, JSON).await;
        assert!(answer.contains("body-too-large"), "{verb}: {answer}");
    }
}

async fn a_batch_keeps_any_bytes_and_metadata(gateway: &TestGateway) {
    let bytes: Vec<u8> = (0..=255).collect();
    let metadata = json!({"a": {"b": [1, "ä", null]}, "line": "\n\t\u{7f}"});
    let sent = json!([{
        "key": text(&bytes), "value": text(&bytes), "ttl_seconds": 3_600, "metadata": metadata,
    }]);
    put(gateway, sent).await.assert_status(200);
    let got = gateway.ask("entries:batchGet", &json!({"keys": [text(&bytes)]})).await;
    let got = items(&got.assert_status(200)).remove(0);
    assert_eq!((&got["value"], &got["metadata"]), (&json!(text(&bytes)), &metadata));
    assert!(got["expires_at"].is_string(), "{got}");
    let got = gateway.get(&entry(&bytes)).await.assert_status(200);
    assert_eq!(got.body, bytes);
    let shown: Value = serde_json::from_str(got.header("x-metadata").unwrap()).unwrap();
    assert_eq!(shown, metadata);
    assert!(got.header("expires").is_some());
    // Text that JSON has escaped is the same text.
    let escaped = r#"{"items":[{"key":"\u0059Q","value":"\u0059Q"}]}"#;
    let path = route("entries:batchPut");
    gateway.send("POST", &path, &[JSON], escaped).await.assert_status(200);
    assert_eq!(&gateway.get(&entry("a")).await.body[..], b"a");
}

async fn what_a_batch_reads_is_limited(gateway: &TestGateway) {
    let value = vec![b'v'; 1 << 20];
    for n in 0..8 {
        gateway.stored(n.to_string(), &value).await;
    }
    let keys: Vec<String> = (0..9).map(|n| text(n.to_string())).collect();
    let got = gateway.ask("entries:batchGet", &json!({"keys": keys})).await.assert_status(200);
    assert_eq!(items(&got).iter().filter(|item| !item.is_null()).count(), 8);
    gateway.stored("8", "v").await;
    let answer = gateway.ask("entries:batchGet", &json!({"keys": keys})).await;
    assert_eq!(answer.assert_problem(422, "batch-too-large")["limit"], 8 << 20);
}
