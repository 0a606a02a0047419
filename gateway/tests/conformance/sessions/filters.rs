//! Lists by each filter.

use serde_json::{Value, json};

use super::{ids, list, path};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    each_filter_finds_its_sessions,
    words_are_found_in_titles_and_in_any_turn,
    an_offset_skips,
    what_is_no_time_is_refused,
}

async fn put(gateway: &TestGateway, id: &str, members: Value) {
    let mut session = json!({"state": "active", "version": 1});
    session.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    gateway.put(&path(id), &session).await.assert_status(201);
}

async fn fill(gateway: &TestGateway) {
    let day = |day: u32| format!("2026-02-{day:02}T12:00:00.000Z");
    for (id, members) in [
        (
            "a",
            json!({
                "createdAt": day(1), "updatedAt": day(11), "agentIds": ["planner", "critic"],
                "metadata": {"userId": "ada", "tags": ["red", "blue"], "title": "A walk"},
            }),
        ),
        (
            "b",
            json!({
                "createdAt": day(2), "updatedAt": day(12), "agentStates": {"critic": {}},
                "metadata": {"userId": "bob", "tags": ["red"]}, "state": "paused",
            }),
        ),
        ("c", json!({"createdAt": day(3), "updatedAt": day(13), "metadata": {"userId": "ada"}})),
    ] {
        put(gateway, id, members).await;
    }
}

async fn each_filter_finds_its_sessions(gateway: &TestGateway) {
    fill(gateway).await;
    for (query, expected) in [
        ("", &["c", "b", "a"][..]),
        ("order=updatedAt", &["a", "b", "c"]),
        ("order=-createdAt", &["c", "b", "a"]),
        ("state=paused", &["b"]),
        ("user_id=ada", &["c", "a"]),
        ("user_id=ada&state=paused", &[]),
        ("tag=red", &["b", "a"]),
        ("tag=red&tag=blue", &["a"]),
        ("tag=green", &[]),
        ("agent_id=critic", &["b", "a"]),
        ("agent_id=planner", &["a"]),
        ("created_after=2026-02-01T12:00:00.000Z", &["c", "b"]),
        ("created_before=2026-02-03T12:00:00.000Z", &["b", "a"]),
        ("updated_after=2026-02-11T11:59:59.999Z&updated_before=2026-02-13T12:00:00Z", &["b", "a"]),
        ("updated_after=2026-02-13T14:00:00%2B02:00", &[]),
    ] {
        let page = list(gateway, &format!("{query}&total=true")).await;
        assert_eq!(
            (ids(&page), &page["total"]),
            (expected.iter().map(|&id| id.to_owned()).collect(), &json!(expected.len())),
            "{query}"
        );
    }
    let counted = list(gateway, "agent_id=planner").await;
    assert_eq!(counted["items"][0]["agentCount"], 2);
}

async fn words_are_found_in_titles_and_in_any_turn(gateway: &TestGateway) {
    let turns: Vec<Value> = (1..=200)
        .map(|n| {
            json!({"sequence": n, "userMessage": format!("turn{n} walnut"), "agentResponses": [
            {"agentId": "a", "response": format!("answer{n}")}]})
        })
        .collect();
    put(
        gateway,
        "short",
        json!({
            "metadata": {"title": "Élan vital"},
            "conversationHistory": [{"sequence": 1, "userMessage": "about hedgehogs"}],
        }),
    )
    .await;
    put(gateway, "long", json!({"metadata": {"title": "Nuts"}, "conversationHistory": turns}))
        .await;
    put(gateway, "none", json!({})).await;
    let appended = json!({"userMessage": "a late pangolin"});
    for id in ["short", "long"] {
        let path = format!("{}/messages", path(id));
        let headers = [("content-type", "application/json")];
        gateway.send("POST", &path, &headers, appended.to_string()).await.assert_status(201);
    }
    for (q, expected) in [
        ("elan", &["short"][..]),
        ("HEDGEHOGS", &["short"]),
        ("walnut", &["long"]),
        ("turn200", &["long"]),
        ("answer77", &["long"]),
        ("pangolin", &["long", "short"]),
        ("pang*", &["long", "short"]),
        ("pangolin+late", &["long", "short"]),
        ("nowhere", &[]),
    ] {
        let mut found = ids(&list(gateway, &format!("q={q}")).await);
        found.sort_unstable();
        assert_eq!(found, expected, "{q}");
    }
    // What is gone is found no more.
    let replaced = json!({"state": "active", "version": 3});
    gateway.put(&path("long"), &replaced).await.assert_status(200);
    assert_eq!(ids(&list(gateway, "q=walnut").await), [""; 0]);
}

async fn an_offset_skips(gateway: &TestGateway) {
    fill(gateway).await;
    assert_eq!(ids(&list(gateway, "offset=1").await), ["b", "a"]);
    assert_eq!(ids(&list(gateway, "offset=1&limit=1").await), ["b"]);
    assert_eq!(ids(&list(gateway, "offset=3").await), [""; 0]);
}

async fn what_is_no_time_is_refused(gateway: &TestGateway) {
    for name in ["created_after", "created_before", "updated_after", "updated_before"] {
        let answer = gateway.get(&format!("/v1/chat-sessions/sessions?{name}=yesterday")).await;
        assert_eq!(answer.assert_problem(400, "invalid-parameter")["parameter"], name);
    }
    for query in ["offset=-1", "order=state", "tags=red"] {
        let answer = gateway.get(&format!("/v1/chat-sessions/sessions?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}
