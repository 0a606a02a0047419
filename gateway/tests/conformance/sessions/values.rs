//! The store of values by key.

use serde_json::{Value, json};

use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    any_json_comes_back,
    a_value_is_replaced_under_conditions,
    a_time_to_live_ends_and_is_cleared,
    keys_are_listed_in_the_order_of_their_bytes,
}

fn path(key: &str) -> String {
    let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
    format!("/v1/chat-sessions/kv/{key}")
}

async fn any_json_comes_back(gateway: &TestGateway) {
    for (place, value) in [
        Value::Null,
        json!(true),
        json!(-1.5),
        json!(9_007_199_254_740_993_i64),
        json!("text"),
        json!([1, [null]]),
        json!({"a": {"b": []}}),
    ]
    .into_iter()
    .enumerate()
    {
        let key = path(&format!("k{place}"));
        gateway.put(&key, &value).await.assert_status(201);
        assert_eq!(gateway.get(&key).await.assert_status(200).json(), value);
    }
    // A stored null is not an absent key.
    gateway.get(&path("none")).await.assert_problem(404, "not-found");
    for key in ["a/b", "ä ö", "..", "%2F", &"k".repeat(1_024)] {
        gateway.put(&path(key), &json!(key)).await.assert_status(201);
        assert_eq!(gateway.get(&path(key)).await.assert_status(200).json(), key);
    }
    let head = gateway.send("HEAD", &path("k0"), &[], "").await.assert_status(200);
    assert!(head.header("etag").is_some() && head.body.is_empty());
    assert_eq!(gateway.send("HEAD", &path("none"), &[], "").await.status, 404);
    gateway.put_text(&path("k"), "{").await.assert_problem(400, "invalid-json");
}

async fn a_value_is_replaced_under_conditions(gateway: &TestGateway) {
    let key = path("k");
    let first = gateway.put_if(&key, ("if-none-match", "*"), &json!(1)).await.assert_status(201);
    let etag = first.header("etag").unwrap().to_owned();
    gateway
        .put_if(&key, ("if-none-match", "*"), &json!(2))
        .await
        .assert_problem(412, "precondition-failed");
    let second = gateway.put_if(&key, ("if-match", &etag), &json!(2)).await.assert_status(200);
    gateway
        .put_if(&key, ("if-match", &etag), &json!(3))
        .await
        .assert_problem(412, "precondition-failed");
    let current = second.header("etag").unwrap().to_owned();
    gateway.send("GET", &key, &[("if-none-match", &current)], "").await.assert_status(304);
    let stale = gateway.send("DELETE", &key, &[("if-match", &etag)], "").await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(gateway.get(&key).await.json(), 2);
    gateway.delete(&key).await.assert_status(204);
    gateway.delete(&key).await.assert_problem(404, "not-found");
}

async fn a_time_to_live_ends_and_is_cleared(gateway: &TestGateway) {
    for key in ["brief", "kept"] {
        gateway.put(&format!("{}?ttl_seconds=1", path(key)), &json!(1)).await.assert_status(201);
    }
    gateway.put(&path("kept"), &json!(2)).await.assert_status(200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while gateway.get(&path("brief")).await.status == 200 {
        assert!(std::time::Instant::now() < deadline, "it does not expire");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(gateway.get(&path("kept")).await.assert_status(200).json(), 2);
    // What has expired can be put again.
    gateway.put_if(&path("brief"), ("if-none-match", "*"), &json!(3)).await.assert_status(201);
    assert_eq!(gateway.get(&path("brief")).await.assert_status(200).json(), 3);
    for wrong in ["0", "x", "-1"] {
        let refused = gateway.put(&format!("{}?ttl_seconds={wrong}", path("k")), &json!(1)).await;
        refused.assert_problem(400, "invalid-parameter");
    }
    gateway
        .put(&format!("{}?ttl=1", path("k")), &json!(1))
        .await
        .assert_problem(400, "unknown-parameter");
}

async fn keys_are_listed_in_the_order_of_their_bytes(gateway: &TestGateway) {
    let keys = ["A", "a", "a/b", "ab", "b", "é", "\u{1F980}"];
    for key in keys.iter().rev() {
        gateway.put(&path(key), &json!(1)).await.assert_status(201);
    }
    let list = async |query: &str| {
        gateway.get(&format!("/v1/chat-sessions/kv?{query}")).await.assert_status(200).json()
    };
    let found = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found(&list("").await), keys);
    let some = list("prefix=a&total=true").await;
    assert_eq!(
        (found(&some), &some["total"]),
        (vec!["a".to_owned(), "a/b".to_owned(), "ab".to_owned()], &json!(3))
    );
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("limit=3{cursor}")).await;
        seen.extend(found(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, keys);
    gateway.get("/v1/chat-sessions/kv?cursor=x").await.assert_problem(400, "invalid-cursor");
    gateway.get("/v1/chat-sessions/kv?limit=0").await.assert_problem(400, "invalid-parameter");
}
