//! PATCH, transitions, agents, trimming and forks; and what a time of expiry does.

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};

use super::path;
use crate::harness::faults::patient;
use crate::harness::tenants::add;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    a_patch_changes_members,
    a_patch_may_replace_the_history,
    a_wrong_patch_changes_nothing,
    states_follow_each_other_as_allowed,
    an_agent_gets_another_state,
    a_session_is_trimmed,
    a_fork_has_the_turns_up_to_one,
    ten_writers_lose_no_update with patient,
    an_operator_lets_sessions_expire with expiring,
}

const JSON: (&str, &str) = ("content-type", "application/json");

async fn send(gateway: &TestGateway, method: &str, path: &str, body: &Value) -> Answer {
    gateway.send(method, path, &[JSON], body.to_string()).await
}

async fn put(gateway: &TestGateway, id: &str, members: Value) {
    let mut session = json!({
        "state": "active", "version": 1, "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    });
    session.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    gateway.put(&path(id), &session).await.assert_status(201);
}

async fn session(gateway: &TestGateway, id: &str) -> Value {
    gateway.get(&path(id)).await.assert_status(200).json()
}

async fn a_patch_changes_members(gateway: &TestGateway) {
    let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
    put(
        gateway,
        "s",
        json!({
            "metadata": {"title": "old", "tags": ["a"], "n": 1.5}, "conversationHistory": turns,
            "sharedContext": {"keep": true, "drop": true},
        }),
    )
    .await;
    let patch =
        json!({"metadata": {"title": "new", "tags": null}, "sharedContext": {"drop": null}});
    let patched = gateway
        .send(
            "PATCH",
            &path("s"),
            &[("content-type", "application/merge-patch+json")],
            patch.to_string(),
        )
        .await;
    assert_eq!(patched.assert_status(200).json(), json!({"id": "s", "version": 2}));
    let got = session(gateway, "s").await;
    assert_eq!(got["metadata"], json!({"title": "new", "n": 1.5}));
    assert_eq!(got["sharedContext"], json!({"keep": true}));
    assert_eq!(
        (got["conversationHistory"].as_array().unwrap().len(), &got["version"]),
        (100, &json!(2))
    );
    assert_ne!(got["updatedAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(got["createdAt"], "2026-01-01T00:00:00.000Z");
    let timed = json!({"updatedAt": "2026-05-05T00:00:00.001Z", "version": 3});
    send(gateway, "PATCH", &path("s"), &timed).await.assert_status(200);
    assert_eq!(session(gateway, "s").await["updatedAt"], "2026-05-05T00:00:00.001Z");
}

async fn a_patch_may_replace_the_history(gateway: &TestGateway) {
    let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
    put(gateway, "s", json!({"conversationHistory": turns})).await;
    let patch = json!({"conversationHistory": [{"sequence": 5}]});
    send(gateway, "PATCH", &path("s"), &patch).await.assert_status(200);
    assert_eq!(session(gateway, "s").await["conversationHistory"], json!([{"sequence": 5}]));
    send(gateway, "PATCH", &path("s"), &json!({"conversationHistory": null}))
        .await
        .assert_status(200);
    assert_eq!(session(gateway, "s").await["conversationHistory"], json!([]));
}

async fn a_wrong_patch_changes_nothing(gateway: &TestGateway) {
    send(gateway, "PATCH", &path("none"), &json!({})).await.assert_problem(404, "not-found");
    put(gateway, "s", json!({})).await;
    for (patch, status, code) in [
        (json!({"state": "sleeping"}), 422, "invalid-session"),
        (json!({"state": null}), 422, "invalid-session"),
        (json!({"id": "t"}), 422, "invalid-session"),
        (json!({"colour": "red"}), 400, "unknown-member"),
        (json!({"version": 1}), 409, "version-conflict"),
        (json!({"version": 3}), 409, "version-conflict"),
        (json!([]), 422, "invalid-session"),
    ] {
        send(gateway, "PATCH", &path("s"), &patch).await.assert_problem(status, code);
    }
    let stale = gateway.send("PATCH", &path("s"), &[JSON, ("if-match", "\"0\"")], "{}").await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(session(gateway, "s").await["version"], 1);
}

async fn states_follow_each_other_as_allowed(gateway: &TestGateway) {
    let states = ["active", "paused", "expired", "invalidated_pending_cleanup", "closed"];
    let allowed = [
        ("active", "paused"),
        ("active", "closed"),
        ("paused", "active"),
        ("paused", "closed"),
        ("expired", "closed"),
        ("invalidated_pending_cleanup", "closed"),
    ];
    for from in states {
        for to in states {
            let id = format!("{from}-{to}");
            put(gateway, &id, json!({"state": from})).await;
            let moved =
                send(gateway, "POST", &format!("{}:transition", path(&id)), &json!({"state": to}))
                    .await;
            if allowed.contains(&(from, to)) {
                let answer = moved.assert_status(200).json();
                assert_eq!(answer, json!({"id": id, "state": to, "version": 2}));
                let got = session(gateway, &id).await;
                assert_eq!((&got["state"], &got["version"]), (&json!(to), &json!(2)));
                assert_ne!(got["updatedAt"], "2026-01-01T00:00:00.000Z");
            } else {
                let problem = moved.assert_problem(409, "invalid-transition");
                assert_eq!((&problem["from"], &problem["to"]), (&json!(from), &json!(to)));
                assert_eq!(session(gateway, &id).await["version"], 1);
            }
        }
    }
    let transition = format!("{}:transition", path("active-active"));
    let unknown = send(gateway, "POST", &transition, &json!({"state": "sleeping"})).await;
    assert_eq!(unknown.assert_problem(422, "invalid-session")["pointer"], "/state");
    let closed = send(gateway, "POST", &transition, &json!({"state": "paused", "why": "x"})).await;
    closed.assert_problem(400, "unknown-member");
    let none = format!("{}:transition", path("none"));
    send(gateway, "POST", &none, &json!({"state": "paused"}))
        .await
        .assert_problem(404, "not-found");
}

async fn an_agent_gets_another_state(gateway: &TestGateway) {
    put(gateway, "s", json!({"agentStates": {"a": {"config": {"old": 1}}}})).await;
    let agent = |name: &str| format!("{}/agents/{name}", path("s"));
    let state = json!({"config": {"n": 2}, "messageHistory": [{"sequence": 1}], "more": true});
    let answer = send(gateway, "PUT", &agent("a"), &state).await.assert_status(200).json();
    assert_eq!(answer, json!({"id": "s", "agent": "a", "created": false, "version": 2}));
    let answer = send(gateway, "PUT", &agent("b%2Fc"), &json!({})).await.assert_status(200).json();
    assert_eq!((&answer["created"], &answer["version"]), (&json!(true), &json!(3)));
    let got = session(gateway, "s").await;
    assert_eq!(got["agentStates"], json!({"a": state, "b/c": {}}));
    let wrong = send(gateway, "PUT", &agent("a"), &json!({"config": 1})).await;
    assert_eq!(wrong.assert_problem(422, "invalid-session")["pointer"], "/config");
    let none = format!("{}/agents/a", path("none"));
    send(gateway, "PUT", &none, &json!({})).await.assert_problem(404, "not-found");
    assert_eq!(super::ids(&super::list(gateway, "agent_id=b/c").await), ["s"]);
}

async fn a_session_is_trimmed(gateway: &TestGateway) {
    let turn = |n: u32| json!({"sequence": n, "timestamp": format!("2026-01-0{n}T00:00:00Z"), "userMessage": "x".repeat(500)});
    let conversation = json!([{"sequence": 1, "userMessage": "y".repeat(500)}]);
    put(
        gateway,
        "s",
        json!({
            "conversationHistory": conversation, "metadata": {"title": "z".repeat(500)},
            "agentStates": {"a": {
                "messageHistory": [turn(1), turn(2), turn(3)],
                "context": {"big": "b".repeat(500), "_metadata": {"big": {"trimmable": true}}},
            }},
        }),
    )
    .await;
    let trim = format!("{}:trim", path("s"));
    let nothing = send(gateway, "POST", &trim, &json!({"max_bytes": 1_000_000})).await;
    let nothing = nothing.assert_status(200).json();
    assert_eq!(nothing["bytes_removed"], 0);
    assert_eq!(session(gateway, "s").await["version"], 1);
    let whole = nothing["bytes"].as_u64().unwrap();
    let some = send(gateway, "POST", &trim, &json!({"max_bytes": whole - 600})).await;
    let some = some.assert_status(200).json();
    assert!(some["bytes"].as_u64().unwrap() <= whole - 600, "{some}");
    assert_eq!(some["bytes"].as_u64().unwrap() + some["bytes_removed"].as_u64().unwrap(), whole);
    let got = session(gateway, "s").await;
    assert_eq!(got["agentStates"]["a"]["messageHistory"], json!([turn(3)]));
    assert!(got["agentStates"]["a"]["context"]["big"].is_string());
    assert_eq!(got["version"], 2);
    let rest =
        send(gateway, "POST", &trim, &json!({"max_bytes": 0})).await.assert_status(200).json();
    let got = session(gateway, "s").await;
    assert_eq!(got["agentStates"]["a"]["context"], json!({"_metadata": {}}));
    assert_eq!(
        (&got["conversationHistory"], got["metadata"]["title"].as_str().unwrap().len()),
        (&conversation, 500)
    );
    assert!(rest["bytes"].as_u64().unwrap() > 1_000, "{rest}");
    send(gateway, "POST", &trim, &json!({})).await.assert_problem(422, "schema-mismatch");
    let none = format!("{}:trim", path("none"));
    send(gateway, "POST", &none, &json!({"max_bytes": 1})).await.assert_problem(404, "not-found");
}

async fn a_fork_has_the_turns_up_to_one(gateway: &TestGateway) {
    let turns: Vec<Value> = (1..=100).map(|n| json!({"sequence": n})).collect();
    put(
        gateway,
        "s",
        json!({"conversationHistory": turns, "agentIds": ["a"], "metadata": {"title": "t"}}),
    )
    .await;
    let fork = format!("{}:fork", path("s"));
    let forked = send(gateway, "POST", &fork, &json!({"sequence": 70, "id": "f"})).await;
    assert_eq!(forked.assert_status(201).json(), json!({"id": "f", "version": 1}));
    let got = session(gateway, "f").await;
    assert_eq!(
        (&got["id"], &got["version"], &got["agentIds"]),
        (&json!("f"), &json!(1), &json!(["a"]))
    );
    assert_eq!(got["conversationHistory"], json!(turns[..70]));
    assert_ne!(got["createdAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(session(gateway, "s").await["conversationHistory"], json!(turns));
    let again = send(gateway, "POST", &fork, &json!({"sequence": 70, "id": "f"})).await;
    again.assert_problem(409, "already-exists");
    let named =
        send(gateway, "POST", &fork, &json!({"sequence": 0})).await.assert_status(201).json();
    let id = named["id"].as_str().unwrap();
    assert_eq!(session(gateway, id).await["conversationHistory"], json!([]));
    let none = format!("{}:fork", path("none"));
    send(gateway, "POST", &none, &json!({"sequence": 1})).await.assert_problem(404, "not-found");
    send(gateway, "POST", &fork, &json!({"id": "g"})).await.assert_problem(422, "schema-mismatch");
}

/// Each reads, adds one, and tries again with what it finds then.
async fn ten_writers_lose_no_update(gateway: &TestGateway) {
    put(gateway, "s", json!({"metadata": {"n": 0}})).await;
    let writers = (0..10).map(|_| async {
        for _ in 0..10 {
            loop {
                let mut session = session(gateway, "s").await;
                session["metadata"]["n"] = json!(session["metadata"]["n"].as_i64().unwrap() + 1);
                session["version"] = json!(session["version"].as_i64().unwrap() + 1);
                let answer = gateway.put(&path("s"), &session).await;
                match answer.status.as_u16() {
                    200 => break,
                    409 | 503 => {}
                    _ => panic!("{answer:?}"),
                }
            }
        }
    });
    join_all(writers).await;
    let session = session(gateway, "s").await;
    assert_eq!((&session["metadata"]["n"], &session["version"]), (&json!(100), &json!(101)));
}

fn expiring(config: &mut Config) {
    for (name, settings) in [
        ("strict", json!({"enforce_expiry": true})),
        ("brief", json!({"session_ttl_seconds": 3_600})),
        ("few", json!({"max_sessions": 2})),
        ("lax", json!({})),
    ] {
        let settings = serde_json::from_value(settings).unwrap();
        add(config, name).settings.insert("chat-sessions".to_owned(), settings);
    }
}

async fn an_operator_lets_sessions_expire(gateway: &TestGateway) {
    let past = json!({"state": "active", "version": 1, "expiresAt": "2026-01-01T00:00:00Z"});
    let strict = gateway.with_key("strict");
    strict.put(&path("s"), &past).await.assert_status(201);
    strict.get(&path("s")).await.assert_problem(410, "session-expired");
    strict.get(&format!("{}/messages", path("s"))).await.assert_problem(410, "session-expired");
    let lax = gateway.with_key("lax");
    lax.put(&path("s"), &past).await.assert_status(201);
    assert_eq!(lax.get(&path("s")).await.assert_status(200).json()["expiresAt"], past["expiresAt"]);
    let brief = gateway.with_key("brief");
    brief.put(&path("a"), &json!({"state": "active"})).await.assert_status(201);
    assert!(brief.get(&path("a")).await.json()["expiresAt"].is_string());
    brief.put(&path("b"), &json!({"state": "active", "expiresAt": null})).await.assert_status(201);
    assert_eq!(brief.get(&path("b")).await.json()["expiresAt"], Value::Null);
    let few = gateway.with_key("few");
    for id in ["a", "b"] {
        few.put(&path(id), &json!({"state": "active", "version": 1})).await.assert_status(201);
    }
    let third = few.put(&path("c"), &json!({"state": "active", "version": 1})).await;
    third.assert_problem(503, "too-many-sessions");
    assert!(third.header("retry-after").is_some());
    few.put(&path("a"), &json!({"state": "active", "version": 2})).await.assert_status(200);
}
