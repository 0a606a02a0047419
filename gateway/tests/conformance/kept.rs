//! What the gateway keeps for a plugin, over HTTP: checkpoints and counts.

use serde_json::json;

use crate::harness::faults::{document, route};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_checkpoint_is_made_read_compared_restored_and_deleted,
    an_unknown_checkpoint_is_404,
    counts_are_kept_and_their_limit_is_422,
}

async fn a_checkpoint_is_made_read_compared_restored_and_deleted(gateway: &TestGateway) {
    for id in ["a", "b"] {
        gateway.put_document(id, &json!({"title": "t", "n": 1})).await.assert_status(201);
    }
    gateway.put_document("other", &json!({"title": "u"})).await.assert_status(201);
    let made = gateway.post(&route("checkpoints?title=t&label=first")).await;
    let made = made.assert_status(201).json();
    assert_eq!(made["documents"], 2);
    let id = made["id"].as_str().unwrap();
    gateway.put_document("a", &json!({"title": "t", "n": 2})).await.assert_status(200);
    gateway.delete(&document("b")).await.assert_status(204);
    gateway.put_document("c", &json!({"title": "t"})).await.assert_status(201);

    let read = gateway.get(&route(&format!("checkpoints/{id}"))).await.assert_status(200).json();
    let bodies: Vec<_> =
        read["items"].as_array().unwrap().iter().map(|i| &i["body"]["n"]).collect();
    assert_eq!(bodies, [1, 1]);
    let diff = gateway.get(&route(&format!("checkpoints/{id}:diff"))).await;
    assert_eq!(
        diff.assert_status(200).json()["items"],
        json!([
            {"id": "a", "kind": "changed"}, {"id": "b", "kind": "removed"},
            {"id": "c", "kind": "added"},
        ])
    );
    let list = gateway.get(&route("checkpoints")).await.assert_status(200).json();
    assert_eq!(
        list,
        json!([{"id": id, "subject": "t", "label": "first", "metadata": {"from": "faults"},
                "documents": 2}])
    );
    let restored = gateway.post(&route(&format!("checkpoints/{id}:restore"))).await;
    assert_eq!(restored.assert_status(200).json(), json!({"restored": 3}));
    gateway.assert_stored("a", &json!({"title": "t", "n": 1})).await;
    gateway.assert_stored("b", &json!({"title": "t", "n": 1})).await;
    gateway.assert_absent("c").await;
    gateway.assert_stored("other", &json!({"title": "u"})).await;
    let deleted = gateway.delete(&route(&format!("checkpoints/{id}"))).await;
    assert_eq!(deleted.assert_status(200).json(), json!({"deleted": 1}));
    assert_eq!(gateway.get(&route("checkpoints")).await.json(), json!([]));
}

async fn an_unknown_checkpoint_is_404(gateway: &TestGateway) {
    for (method, path) in [
        ("GET", "checkpoints/none"),
        ("GET", "checkpoints/none:diff"),
        ("POST", "checkpoints/none:restore"),
    ] {
        let answer = gateway.send(method, &route(path), &[], "").await;
        answer.assert_problem(404, "checkpoint-not-found");
    }
    let deleted = gateway.delete(&route("checkpoints/none")).await.assert_status(200).json();
    assert_eq!(deleted, json!({"deleted": 0}));
}

async fn counts_are_kept_and_their_limit_is_422(gateway: &TestGateway) {
    for id in ["a", "b", "c"] {
        gateway.put_document(id, &json!({"title": "limited"})).await.assert_status(201);
    }
    let full = gateway.put_document("d", &json!({"title": "limited"})).await;
    let problem = full.assert_problem(422, "limit-exceeded");
    assert_eq!(problem["limit"], "max_limited");
    gateway.assert_absent("d").await;
    gateway.put_document("a", &json!({"title": "limited", "n": 2})).await.assert_status(200);
    gateway.delete(&document("a")).await.assert_status(204);
    gateway.put_document("d", &json!({"title": "limited"})).await.assert_status(201);
    let counts = gateway.get(&route("count")).await.assert_status(200).json();
    assert_eq!(counts, json!([{"title": "limited", "documents": 3}]));
}
