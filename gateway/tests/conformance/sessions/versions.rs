//! Earlier versions, where the operator lets them be kept.

use loggia::config::Config;
use serde_json::{Value, json};

use super::path;
use crate::harness::tenants::add;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    earlier_versions_are_kept with keeping,
    without_the_setting_none_is_kept,
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn keeping(config: &mut Config) {
    let settings = serde_json::from_value(json!({"keep_versions": 2})).unwrap();
    add(config, "two").settings.insert("chat-sessions".to_owned(), settings);
}

async fn earlier_versions_are_kept(gateway: &TestGateway) {
    let two = gateway.with_key("two");
    let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
    let first = json!({
        "id": "s", "version": 1, "state": "active", "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z", "conversationHistory": turns,
    });
    two.put(&path("s"), &first).await.assert_status(201);
    let versions = async || {
        let listed = two.get(&format!("{}/versions", path("s"))).await.assert_status(200).json();
        let items = listed["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["version"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(versions().await, [0; 0]);
    let send = async |method: &str, path: String, body: Value| {
        two.send(method, &path, &[JSON], body.to_string()).await.assert_status(200)
    };
    let appended = two.send("POST", &format!("{}/messages", path("s")), &[JSON], "{}").await;
    appended.assert_status(201);
    send("PATCH", path("s"), json!({"metadata": {"title": "three"}})).await;
    // An append leaves no version: the second one is not there.
    assert_eq!(versions().await, [1]);
    let read = |version: u32| format!("{}/versions/{version}", path("s"));
    assert_eq!(two.get(&read(1)).await.assert_status(200).json(), first);
    send("POST", format!("{}:transition", path("s")), json!({"state": "paused"})).await;
    assert_eq!(versions().await, [3, 1]);
    let third = two.get(&read(3)).await.assert_status(200).json();
    assert_eq!((&third["metadata"]["title"], &third["version"]), (&json!("three"), &json!(3)));
    assert_eq!(third["conversationHistory"].as_array().unwrap().len(), 101);
    send("PUT", format!("{}/agents/a", path("s")), json!({})).await;
    assert_eq!(versions().await, [4, 3]);
    two.get(&read(1)).await.assert_problem(404, "not-found");
    two.get(&read(0)).await.assert_problem(400, "invalid-parameter");
    two.get(&format!("{}/versions", path("none"))).await.assert_problem(404, "not-found");
    two.send("DELETE", &path("s"), &[], "").await.assert_status(204);
    two.get(&read(3)).await.assert_problem(404, "not-found");
}

async fn without_the_setting_none_is_kept(gateway: &TestGateway) {
    for version in 1..=3 {
        let session = json!({"state": "active", "version": version});
        assert!(gateway.put(&path("s"), &session).await.status.is_success());
    }
    let listed = gateway.get(&format!("{}/versions", path("s"))).await.assert_status(200).json();
    assert_eq!(listed, json!({"items": [], "next_cursor": null}));
}
