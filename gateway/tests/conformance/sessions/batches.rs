//! Several sessions at once.

use serde_json::{Value, json};

use super::{path, session};
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    a_batch_is_saved_and_read,
    a_batch_that_breaks_the_rule_saves_nothing,
    a_batch_with_a_wrong_session_saves_nothing,
    sessions_are_deleted_together,
    batches_that_race_save_all_or_nothing,
}

const SESSIONS: &str = "/v1/chat-sessions/sessions";

async fn post(gateway: &TestGateway, verb: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    gateway.send("POST", &format!("{SESSIONS}:{verb}"), &headers, body.to_string()).await
}

async fn total(gateway: &TestGateway) -> Value {
    super::list(gateway, "total=true").await["total"].clone()
}

async fn a_batch_is_saved_and_read(gateway: &TestGateway) {
    let long = {
        let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
        let mut long = session("long", Some(1));
        long["conversationHistory"] = json!(turns);
        long
    };
    let sessions = [session("a", Some(1)), long, session("c", None)];
    let saved = post(gateway, "batchSave", &json!({"sessions": sessions})).await;
    assert_eq!(saved.assert_status(200).json(), json!({"saved": 3}));
    let next = json!({"sessions": [session("a", Some(2)), session("d", Some(7))]});
    assert_eq!(post(gateway, "batchSave", &next).await.assert_status(200).json()["saved"], 2);
    let wanted = json!({"ids": ["c", "none", "a", "long", "a"]});
    let got = post(gateway, "batchGet", &wanted).await.assert_status(200).json();
    assert_eq!(got["missing"], json!(["none"]));
    assert_eq!(got["sessions"]["a"], session("a", Some(2)));
    assert_eq!(got["sessions"]["c"], session("c", Some(1)));
    assert_eq!(got["sessions"]["long"], sessions[1]);
    assert_eq!(got["sessions"].as_object().unwrap().len(), 3);
    let none = post(gateway, "batchSave", &json!({"sessions": []})).await.assert_status(200);
    assert_eq!(none.json(), json!({"saved": 0}));
}

async fn a_batch_that_breaks_the_rule_saves_nothing(gateway: &TestGateway) {
    gateway.put(&path("b"), &session("b", Some(1))).await.assert_status(201);
    let conflict = json!({"sessions": [session("a", Some(1)), session("b", Some(1))]});
    let problem =
        post(gateway, "batchSave", &conflict).await.assert_problem(409, "version-conflict");
    assert_eq!(
        (&problem["pointer"], &problem["sent"], &problem["stored"]),
        (&json!("/sessions/1"), &json!(1), &json!(1))
    );
    let unguarded = json!({"sessions": [session("a", Some(1)), session("b", None)]});
    let problem = post(gateway, "batchSave", &unguarded).await;
    assert_eq!(problem.assert_problem(428, "precondition-required")["pointer"], "/sessions/1");
    assert_eq!(total(gateway).await, 1);
}

async fn a_batch_with_a_wrong_session_saves_nothing(gateway: &TestGateway) {
    let with = |change: Value| {
        let mut wrong = session("b", Some(1));
        wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"sessions": [session("a", Some(1)), wrong]})
    };
    for (change, pointer) in [
        (json!({"state": "sleeping"}), "/sessions/1/state"),
        (json!({"id": 7}), "/sessions/1/id"),
        (json!({"id": ""}), "/sessions/1/id"),
        (json!({"id": "a"}), "/sessions/1/id"),
        (json!({"agentIds": ["a", 1]}), "/sessions/1/agentIds/1"),
    ] {
        let problem = post(gateway, "batchSave", &with(change)).await;
        assert_eq!(problem.assert_problem(422, "invalid-session")["pointer"], pointer);
    }
    let long = json!({"userId": "u".repeat(2_049)});
    let problem = post(gateway, "batchSave", &with(json!({"metadata": long}))).await;
    assert_eq!(problem.status, 422, "{problem:?}");
    for unknown in [json!({"session": []}), json!({"sessions": [], "more": 1})] {
        assert_eq!(post(gateway, "batchSave", &unknown).await.status, 400);
    }
    let many: Vec<Value> =
        (0..1_001).map(|n| json!({"id": n.to_string(), "state": "active"})).collect();
    let many = post(gateway, "batchSave", &json!({"sessions": many})).await;
    many.assert_problem(422, "schema-mismatch");
    let ids: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    for verb in ["batchGet", "batchDelete"] {
        post(gateway, verb, &json!({"ids": ids})).await.assert_problem(422, "schema-mismatch");
        post(gateway, verb, &json!({"ids": [""]})).await.assert_problem(422, "schema-mismatch");
        post(gateway, verb, &json!({"id": "a"})).await.assert_problem(400, "unknown-member");
    }
    assert_eq!(total(gateway).await, 0);
}

async fn sessions_are_deleted_together(gateway: &TestGateway) {
    for id in ["a", "b", "c"] {
        gateway.put(&path(id), &session(id, Some(1))).await.assert_status(201);
    }
    let deleted = post(gateway, "batchDelete", &json!({"ids": ["a", "none", "c", "a"]})).await;
    assert_eq!(deleted.assert_status(200).json(), json!({"deleted": 2}));
    assert_eq!(super::ids(&super::list(gateway, "").await), ["b"]);
}

/// Both have the same first version of the same sessions, in another order.
async fn batches_that_race_save_all_or_nothing(gateway: &TestGateway) {
    for round in 0..20 {
        let ids: Vec<String> = (0..5).map(|n| format!("{round}-{n}")).collect();
        let batch = |ids: Vec<&String>, title: &str| {
            let one = |id: &&String| {
                let mut one = session(id, Some(1));
                one["metadata"]["title"] = title.into();
                one
            };
            json!({"sessions": ids.iter().map(one).collect::<Vec<_>>()})
        };
        let (one, two) =
            (batch(ids.iter().collect(), "one"), batch(ids.iter().rev().collect(), "two"));
        let (first, second) =
            tokio::join!(post(gateway, "batchSave", &one), post(gateway, "batchSave", &two));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{first:?} {second:?}");
        let got = post(gateway, "batchGet", &json!({"ids": ids})).await.json();
        let titles: Vec<&Value> =
            ids.iter().map(|id| &got["sessions"][id]["metadata"]["title"]).collect();
        assert!(titles.iter().all(|title| *title == titles[0]), "{titles:?}");
    }
}
