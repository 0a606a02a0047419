//! Snapshots: made, listed, read, compared, restored, deleted.

use serde_json::{Value, json};

use super::{contact, group, ids, network, saved_group, wire};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_snapshot_shows_the_network_as_it_was,
    a_network_becomes_what_it_was,
    snapshots_are_listed_and_deleted,
    a_diff_tells_what_is_added_removed_and_changed,
    a_snapshot_belongs_to_its_network,
    a_restore_heeds_conditions,
}

fn snapshot(id: &str) -> String {
    format!("{}/snapshots/{id}", network("n"))
}

fn groups() -> [Value; 2] {
    let a = json!({"group": {"id": "a", "name": "A", "attributes": {"k": [1, {"x": null}]}},
        "contacts": [{"id": "c2", "content": 1.5}, {"id": "c1", "content": null}],
        "wires": [{"id": "w1", "fromId": "c1", "toId": "c3"}]});
    let b = json!({"group": {"id": "b", "parentId": "a"}, "contacts": [{"id": "c3"}]});
    [a, b]
}

/// Change something of each kind.
async fn change(gateway: &TestGateway) {
    gateway.put(&contact("a", "c1"), &json!({"content": "new"})).await.assert_status(200);
    gateway.put(&contact("a", "c4"), &json!({})).await.assert_status(201);
    gateway.put(&wire("a", "w2"), &json!({"fromId": "c4", "toId": "c2"})).await.assert_status(201);
    gateway.delete(&group("b")).await.assert_status(204);
    gateway.put(&group("c"), &saved_group("c", &["c5"])).await.assert_status(201);
}

async fn a_snapshot_shows_the_network_as_it_was(gateway: &TestGateway) {
    gateway.network_of(&groups()).await;
    let before = gateway.got(&network("n")).await;
    let path = format!("{}/snapshots", network("n"));
    let made = gateway.post_json(&path, &json!({"label": "é 1"})).await.assert_status(201);
    let (tag, made) = (made.etag(), made.json());
    assert_eq!((&made["networkId"], &made["label"]), (&json!("n"), &json!("é 1")));
    assert!(made["createdAt"].is_string() && made["size"].as_u64() > Some(100), "{made}");
    change(gateway).await;
    let id = made["id"].as_str().unwrap();
    let got = gateway.get(&snapshot(id)).await.assert_status(200);
    assert_eq!((got.json(), got.etag()), (before, tag));
    let unnamed = gateway.post_json(&path, &json!({})).await.assert_status(201);
    assert_eq!(unnamed.json()["label"], Value::Null);
    let long = json!({"label": "x".repeat(251)});
    gateway.post_json(&path, &long).await.assert_problem(422, "schema-mismatch");
}

async fn a_network_becomes_what_it_was(gateway: &TestGateway) {
    gateway.network_of(&groups()).await;
    let before = gateway.got(&network("n")).await;
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    let id = gateway.snapshot("one").await;
    change(gateway).await;
    let restore = format!("{}:restore", snapshot(&id));
    let answer = gateway.post(&restore).await.assert_status(200);
    assert!(answer.json()["changed"].as_u64() > Some(5), "{answer:?}");
    assert_eq!(gateway.got(&network("n")).await, before);
    let restored = gateway.got(&format!("{}/stats", network("n"))).await;
    for count in ["groupCount", "contactCount", "wireCount", "totalSize"] {
        assert_eq!(restored[count], stats[count], "{count}");
    }
    // It is whole: found by its words, filters and wires.
    let listed = gateway.get(&format!("{}/groups?q=A", network("n"))).await;
    assert_eq!(ids(&listed, "/group/id"), ["a"]);
    let near = gateway.get(&format!("{}/neighbors?contact=c1", network("n"))).await;
    assert_eq!(ids(&near, "/id"), ["c3"]);
    gateway.network_of(&[]).await;
    gateway.post(&restore).await.assert_status(200);
    assert_eq!(gateway.got(&network("n")).await, before);
}

async fn snapshots_are_listed_and_deleted(gateway: &TestGateway) {
    gateway.network_of(&groups()).await;
    let path = format!("{}/snapshots", network("n"));
    assert_eq!(gateway.got(&path).await["items"], json!([]));
    let mut now = gateway.storage().now();
    let mut made = Vec::new();
    for label in ["one", "two", "three"] {
        now += 1_000_000;
        gateway.storage().freeze_clock(now);
        made.push(gateway.snapshot(label).await);
    }
    made.reverse();
    assert_eq!(ids(&gateway.get(&path).await, "/id"), made);
    let first = gateway.got(&format!("{path}?limit=2&total=true")).await;
    assert_eq!(first["total"], 3);
    let cursor = super::encoded(first["next_cursor"].as_str().unwrap());
    let rest = gateway.get(&format!("{path}?limit=2&cursor={cursor}")).await;
    assert_eq!(ids(&rest, "/label"), ["one"]);
    let tag = gateway.get(&snapshot(&made[0])).await.etag();
    let stale = [("if-match", "\"1\"")];
    let refused = gateway.send("DELETE", &snapshot(&made[0]), &stale, "").await;
    refused.assert_problem(412, "precondition-failed");
    let fresh = [("if-match", tag.as_str())];
    gateway.send("DELETE", &snapshot(&made[0]), &fresh, "").await.assert_status(204);
    gateway.delete(&snapshot(&made[0])).await.assert_problem(404, "snapshot-not-found");
    gateway.get(&snapshot(&made[0])).await.assert_problem(404, "snapshot-not-found");
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!(stats["snapshotCount"], 2);
}

async fn a_diff_tells_what_is_added_removed_and_changed(gateway: &TestGateway) {
    gateway.network_of(&groups()).await;
    let one = gateway.snapshot("one").await;
    let diff =
        async |from: &str, to: &str| gateway.got(&format!("{}:diff{to}", snapshot(from))).await;
    let nothing = json!({"groups": [], "contacts": [], "wires": []});
    let same = json!({"added": nothing, "removed": nothing, "changed": nothing});
    assert_eq!(diff(&one, "").await, same);
    change(gateway).await;
    let added = json!({"groups": ["c"], "contacts": ["c4", "c5"], "wires": ["w2"]});
    // The wire to a contact that went has gone with it.
    let removed = json!({"groups": ["b"], "contacts": ["c3"], "wires": ["w1"]});
    let changed = json!({"groups": [], "contacts": ["c1"], "wires": []});
    let expected = json!({"added": added, "removed": removed, "changed": changed});
    assert_eq!(diff(&one, "").await, expected);
    assert_eq!(diff(&one, "?to=current").await, expected);
    let two = gateway.snapshot("two").await;
    assert_eq!(diff(&one, &format!("?to={two}")).await, expected);
    let back = json!({"added": removed, "removed": added, "changed": changed});
    assert_eq!(diff(&two, &format!("?to={one}")).await, back);
    assert_eq!(diff(&two, "").await, same);
    gateway.post(&format!("{}:restore", snapshot(&one))).await.assert_status(200);
    assert_eq!(diff(&one, "").await, same);
    let unknown = gateway.get(&format!("{}:diff?to=none", snapshot(&one))).await;
    unknown.assert_problem(404, "snapshot-not-found");
}

async fn a_snapshot_belongs_to_its_network(gateway: &TestGateway) {
    gateway.network_of(&groups()).await;
    let id = gateway.snapshot("one").await;
    gateway.put(&network("m"), &json!({"groups": []})).await.assert_status(201);
    let other = format!("{}/snapshots/{id}", network("m"));
    gateway.get(&other).await.assert_problem(404, "snapshot-not-found");
    gateway.delete(&other).await.assert_problem(404, "snapshot-not-found");
    gateway.post(&format!("{other}:restore")).await.assert_problem(404, "snapshot-not-found");
    gateway.get(&format!("{other}:diff")).await.assert_problem(404, "snapshot-not-found");
    assert_eq!(gateway.got(&network("m")).await["groups"], json!([]));
}

async fn a_restore_heeds_conditions(gateway: &TestGateway) {
    let tag = gateway.network_of(&groups()).await.etag();
    let id = gateway.snapshot("one").await;
    change(gateway).await;
    let restore = format!("{}:restore", snapshot(&id));
    let answer = gateway.send("POST", &restore, &[("if-match", tag.as_str())], "").await;
    answer.assert_problem(412, "precondition-failed");
    let tag = gateway.get(&network("n")).await.etag();
    gateway.send("POST", &restore, &[("if-match", tag.as_str())], "").await.assert_status(200);
}
