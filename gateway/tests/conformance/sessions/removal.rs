//! Clearing, cleaning up, and counts of what there is.

use loggia::config::Config;
use serde_json::{Value, json};

use super::path;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    sessions_are_cleared_by_age_and_state,
    clean_up_deletes_what_has_expired,
    the_gateway_cleans_up_by_itself with scheduled,
    stats_are_exact,
}

const CHAT: &str = "/v1/chat-sessions";

async fn post(gateway: &TestGateway, verb: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    gateway.send("POST", &format!("{CHAT}/sessions:{verb}"), &headers, body.to_string()).await
}

async fn put(gateway: &TestGateway, id: &str, members: Value) {
    let mut session = json!({"state": "active", "version": 1});
    session.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    gateway.put(&path(id), &session).await.assert_status(201);
}

async fn ids(gateway: &TestGateway) -> Vec<String> {
    super::ids(&super::list(gateway, "order=updatedAt").await)
}

async fn sessions_are_cleared_by_age_and_state(gateway: &TestGateway) {
    for (day, state) in [(1, "active"), (2, "paused"), (3, "active"), (4, "closed")] {
        let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
        put(
            gateway,
            &format!("s{day}"),
            json!({
                "state": state, "updatedAt": format!("2026-01-0{day}T00:00:00.000Z"),
                "conversationHistory": turns,
            }),
        )
        .await;
    }
    let clear = async |body: Value| post(gateway, "clear", &body).await.assert_status(200).json();
    let body = json!({"older_than": "2026-01-03T00:00:00.000Z", "state": "active"});
    assert_eq!(clear(body).await, json!({"deleted": 1}));
    assert_eq!(ids(gateway).await, ["s2", "s3", "s4"]);
    // The time itself is not older.
    assert_eq!(
        clear(json!({"older_than": "2026-01-03T00:00:00.000Z"})).await,
        json!({"deleted": 1})
    );
    assert_eq!(clear(json!({"state": "closed"})).await, json!({"deleted": 1}));
    assert_eq!(ids(gateway).await, ["s3"]);
    for (body, status) in [
        (json!({"state": "sleeping"}), 422),
        (json!({"older_than": "yesterday"}), 422),
        (json!({"older": 1}), 400),
    ] {
        let refused = post(gateway, "clear", &body).await;
        assert!(refused.status.as_u16() == status || refused.status == 400, "{body}: {refused:?}");
    }
    assert_eq!(clear(json!({})).await, json!({"deleted": 1}));
    assert_eq!(clear(json!({})).await, json!({"deleted": 0}));
}

async fn clean_up_deletes_what_has_expired(gateway: &TestGateway) {
    for (id, expires) in [
        ("a", "2026-01-01T00:00:00Z"),
        ("b", "2026-02-01T00:00:00Z"),
        ("c", "2099-01-01T00:00:00Z"),
    ] {
        put(gateway, id, json!({"expiresAt": expires})).await;
    }
    put(gateway, "d", json!({})).await;
    let clean_up =
        async || gateway.post(&format!("{CHAT}/sessions:cleanup")).await.assert_status(200).json();
    assert_eq!(clean_up().await, json!({"deleted": 2}));
    assert_eq!(clean_up().await, json!({"deleted": 0}));
    let mut left = ids(gateway).await;
    left.sort_unstable();
    assert_eq!(left, ["c", "d"]);
}

fn scheduled(config: &mut Config) {
    config.server.schedules = true;
}

async fn the_gateway_cleans_up_by_itself(gateway: &TestGateway) {
    put(gateway, "old", json!({"expiresAt": "2026-01-01T00:00:00Z"})).await;
    put(gateway, "new", json!({"expiresAt": "2099-01-01T00:00:00Z"})).await;
    // The first turn comes at once, and the next ten seconds later.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    while gateway.get(&path("old")).await.status == 200 {
        assert!(std::time::Instant::now() < deadline, "nobody cleans up");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    gateway.get(&path("new")).await.assert_status(200);
}

async fn stats_are_exact(gateway: &TestGateway) {
    let stats = async || gateway.get(&format!("{CHAT}/stats")).await.assert_status(200).json();
    let none = json!({
        "totalSessions": 0, "sizeBytes": 0, "kvEntries": 0,
        "byState": {"active": 0, "paused": 0, "expired": 0, "invalidated_pending_cleanup": 0, "closed": 0},
    });
    assert_eq!(stats().await, none);
    for (id, state) in [("a", "active"), ("b", "active"), ("c", "closed")] {
        put(gateway, id, json!({"state": state})).await;
    }
    gateway.put(&format!("{CHAT}/kv/k"), &json!(1)).await.assert_status(201);
    let before = stats().await;
    assert_eq!((&before["totalSessions"], &before["kvEntries"]), (&json!(3), &json!(1)));
    assert_eq!(
        (&before["byState"]["active"], &before["byState"]["closed"]),
        (&json!(2), &json!(1))
    );
    // Its bytes are those of its JSON text.
    let text = gateway.get(&path("a")).await.json().to_string().len() as u64;
    let bytes = before["sizeBytes"].as_u64().unwrap();
    assert!(bytes >= 3 * text - 10 && bytes <= 3 * text + 10, "{bytes} {text}");
    let messages = format!("{}/messages", path("a"));
    let turn =
        json!({"timestamp": "2026-01-01T00:00:00Z", "userMessage": "x".repeat(1_000)}).to_string();
    gateway
        .send("POST", &messages, &[("content-type", "application/json")], turn)
        .await
        .assert_status(201);
    assert!(stats().await["sizeBytes"].as_u64().unwrap() >= bytes + 1_000);
    gateway.delete(&path("a")).await.assert_status(204);
    let after = stats().await;
    assert_eq!((&after["totalSessions"], &after["byState"]["active"]), (&json!(2), &json!(1)));
    assert!(after["sizeBytes"].as_u64().unwrap() < bytes, "{after}");
}
