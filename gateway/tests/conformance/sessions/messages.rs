//! Turns: appended one by one, listed, and given back with their session.

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};

use super::path;
use crate::harness::faults::patient;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    appended_turns_are_numbered_from_the_last,
    a_hundred_appends_at_once_are_all_there with patient,
    a_long_history_comes_back_equal,
    a_part_of_a_history_is_its_end,
    turns_are_listed_by_their_sequences,
    conditions_hold_for_an_append,
    what_is_no_turn_is_refused,
    a_session_does_not_grow_beyond_its_limit with small_sessions,
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn messages(id: &str) -> String {
    format!("{}/messages", path(id))
}

async fn append(gateway: &TestGateway, id: &str, turn: &Value) -> Answer {
    gateway.send("POST", &messages(id), &[JSON], turn.to_string()).await
}

fn turn(sequence: usize) -> Value {
    json!({
        "sequence": sequence, "timestamp": "2026-01-01T00:00:00.123Z",
        "userMessage": format!("message {sequence}"),
        "agentResponses": [{"agentId": "a", "response": "yes", "timestamp": "2026-01-01T00:00:01Z"}],
    })
}

async fn put_turns(gateway: &TestGateway, id: &str, turns: usize) -> Value {
    let turns: Vec<Value> = (1..=turns).map(turn).collect();
    let session = json!({
        "id": id, "version": 1, "state": "active", "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z", "metadata": {"title": "t"},
        "conversationHistory": turns,
    });
    gateway.put(&path(id), &session).await.assert_status(201);
    session
}

fn sequences(turns: &Value) -> Vec<i64> {
    turns.as_array().unwrap().iter().map(|turn| turn["sequence"].as_i64().unwrap()).collect()
}

async fn session(gateway: &TestGateway, id: &str) -> Value {
    gateway.get(&path(id)).await.assert_status(200).json()
}

async fn appended_turns_are_numbered_from_the_last(gateway: &TestGateway) {
    append(gateway, "none", &json!({})).await.assert_problem(404, "not-found");
    for turns in [0, 5, 64, 65, 128] {
        let id = format!("s{turns}");
        put_turns(gateway, &id, turns).await;
        let before = gateway.get(&path(&id)).await.header("etag").unwrap().to_owned();
        let appended =
            append(gateway, &id, &json!({"userMessage": "one"})).await.assert_status(201);
        assert_eq!(appended.json(), json!({"sequence": turns + 1, "version": 2}));
        let again = append(gateway, &id, &json!({"userMessage": "two"})).await.assert_status(201);
        assert_eq!(again.json(), json!({"sequence": turns + 2, "version": 3}));
        let got = gateway.get(&path(&id)).await.assert_status(200);
        assert_eq!(got.header("etag"), again.header("etag"));
        assert_ne!(got.header("etag"), Some(before.as_str()));
        let session = got.json();
        let expected: Vec<i64> = (1..=i64::try_from(turns).unwrap() + 2).collect();
        assert_eq!(sequences(&session["conversationHistory"]), expected);
        assert_eq!(session["conversationHistory"][turns]["userMessage"], "one");
        assert_eq!(session["version"], 3);
        assert_ne!(session["updatedAt"], "2026-01-01T00:00:00.000Z");
        let listed = super::list(gateway, "").await;
        let item =
            listed["items"].as_array().unwrap().iter().find(|item| item["id"] == *id).cloned();
        assert_eq!(item.unwrap()["turnCount"], turns + 2);
    }
}

async fn a_hundred_appends_at_once_are_all_there(gateway: &TestGateway) {
    put_turns(gateway, "s", 0).await;
    let appends = (0..100).map(|number| async move {
        let turn = json!({"userMessage": format!("by {number}")});
        append(gateway, "s", &turn).await.assert_status(201).json()["sequence"].as_i64().unwrap()
    });
    let mut given = join_all(appends).await;
    given.sort_unstable();
    let expected: Vec<i64> = (1..=100).collect();
    assert_eq!(given, expected);
    let session = session(gateway, "s").await;
    assert_eq!(sequences(&session["conversationHistory"]), expected);
    let mut texts: Vec<&str> = session["conversationHistory"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn["userMessage"].as_str().unwrap())
        .collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!((texts.len(), &session["version"]), (100, &json!(101)));
}

async fn a_long_history_comes_back_equal(gateway: &TestGateway) {
    for turns in [0, 1, 64, 65, 1_000] {
        let id = format!("s{turns}");
        let sent = put_turns(gateway, &id, turns).await;
        assert_eq!(session(gateway, &id).await, sent, "{turns}");
    }
    // A session without a history has none, and one that is replaced has the new one only.
    let without = json!({
        "id": "s1000", "version": 2, "state": "active", "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    });
    gateway.put(&path("s1000"), &without).await.assert_status(200);
    assert_eq!(session(gateway, "s1000").await, without);
    append(gateway, "s1000", &json!({})).await.assert_status(201);
    assert_eq!(sequences(&session(gateway, "s1000").await["conversationHistory"]), [1]);
}

async fn a_part_of_a_history_is_its_end(gateway: &TestGateway) {
    put_turns(gateway, "s", 200).await;
    for _ in 0..70 {
        append(gateway, "s", &json!({})).await.assert_status(201);
    }
    for (last, first) in [(1, 270), (3, 268), (64, 207), (100, 171), (271, 1)] {
        let path = format!("{}?history=last:{last}", path("s"));
        let part = gateway.get(&path).await.assert_status(200).json();
        let expected: Vec<i64> = (first..=270).collect();
        assert_eq!(sequences(&part["conversationHistory"]), expected, "{last}");
        assert_eq!(part["metadata"], json!({"title": "t"}));
    }
    let none = gateway.get(&format!("{}?history=none", path("s"))).await.assert_status(200).json();
    assert_eq!(none["conversationHistory"], json!([]));
    for wrong in ["all", "last", "last:-1", "last:x"] {
        let answer = gateway.get(&format!("{}?history={wrong}", path("s"))).await;
        assert_eq!(answer.assert_problem(400, "invalid-parameter")["parameter"], "history");
    }
}

async fn turns_are_listed_by_their_sequences(gateway: &TestGateway) {
    gateway.get(&messages("none")).await.assert_problem(404, "not-found");
    put_turns(gateway, "s", 150).await;
    append(gateway, "s", &json!({"userMessage": "last"})).await.assert_status(201);
    let list = async |query: &str| {
        gateway.get(&format!("{}?{query}", messages("s"))).await.assert_status(200).json()
    };
    let first = list("").await;
    assert_eq!(sequences(&first["items"]), (1..=50).collect::<Vec<i64>>());
    assert_eq!(first["items"][4], turn(5));
    assert_eq!(sequences(&list("after=148").await["items"]), [149, 150, 151]);
    assert_eq!(sequences(&list("before=3").await["items"]), [1, 2]);
    let middle = list("after=10&before=14&total=true").await;
    assert_eq!((sequences(&middle["items"]), &middle["total"]), (vec![11, 12, 13], &json!(3)));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("limit=40{cursor}")).await;
        seen.extend(sequences(&page["items"]));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, (1..=151).collect::<Vec<i64>>());
    for wrong in [format!("after=1{cursor}"), "cursor=x".to_owned()] {
        let answer = gateway.get(&format!("{}?{wrong}", messages("s"))).await;
        answer.assert_problem(400, "invalid-cursor");
    }
    for wrong in ["limit=0", "limit=1001", "after=x", "since=1"] {
        assert_eq!(gateway.get(&format!("{}?{wrong}", messages("s"))).await.status, 400, "{wrong}");
    }
    // Clients may number turns as they like.
    let turns = json!([{"sequence": 7, "a": 1}, {"sequence": -2}, {"sequence": 7, "a": 2}]);
    let session = json!({"state": "active", "version": 1, "conversationHistory": turns});
    gateway.put(&path("odd"), &session).await.assert_status(201);
    let listed = gateway.get(&messages("odd")).await.assert_status(200).json();
    assert_eq!(listed["items"], json!([turns[1], turns[0], turns[2]]));
    let next = append(gateway, "odd", &json!({})).await.assert_status(201).json();
    assert_eq!(next["sequence"], 8);
}

async fn conditions_hold_for_an_append(gateway: &TestGateway) {
    put_turns(gateway, "s", 1).await;
    let etag = gateway.get(&path("s")).await.header("etag").unwrap().to_owned();
    let send = async |condition: (&str, &str)| {
        gateway.send("POST", &messages("s"), &[JSON, condition], "{}").await
    };
    send(("if-match", "\"0\"")).await.assert_problem(412, "precondition-failed");
    send(("if-none-match", "*")).await.assert_problem(412, "precondition-failed");
    send(("if-match", &etag)).await.assert_status(201);
    send(("if-match", &etag)).await.assert_problem(412, "precondition-failed");
    assert_eq!(sequences(&session(gateway, "s").await["conversationHistory"]), [1, 2]);
}

async fn what_is_no_turn_is_refused(gateway: &TestGateway) {
    put_turns(gateway, "s", 1).await;
    for (turn, pointer) in [
        (json!({"sequence": 2}), "/sequence"),
        (json!({"userMessage": 1}), "/userMessage"),
        (json!({"timestamp": "now"}), "/timestamp"),
        (
            json!({"agentResponses": [{"agentId": "a", "response": 1}]}),
            "/agentResponses/0/response",
        ),
        (json!([]), ""),
    ] {
        let problem = append(gateway, "s", &turn).await.assert_problem(422, "invalid-session");
        assert_eq!(problem["pointer"], pointer, "{turn}");
    }
    assert_eq!(session(gateway, "s").await["version"], 1);
}

fn small_sessions(config: &mut Config) {
    let settings = serde_json::from_value(json!({"max_session_bytes": 1_000})).unwrap();
    crate::harness::tenants::add(config, "small")
        .settings
        .insert("chat-sessions".to_owned(), settings);
}

async fn a_session_does_not_grow_beyond_its_limit(gateway: &TestGateway) {
    let small = gateway.with_key("small");
    let session =
        json!({"state": "active", "version": 1, "metadata": {"title": "x".repeat(1_000)}});
    let refused = small.put(&path("s"), &session).await;
    assert_eq!(refused.assert_problem(413, "session-too-large")["max_session_bytes"], 1_000);
    small.put(&path("s"), &json!({"state": "active", "version": 1})).await.assert_status(201);
    let turn = json!({"userMessage": "x".repeat(400)}).to_string();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses
            .push(small.send("POST", &messages("s"), &[JSON], turn.clone()).await.status.as_u16());
    }
    assert_eq!(statuses, [201, 413, 413]);
    let stored = small.get(&path("s")).await.assert_status(200).json();
    assert_eq!(
        (sequences(&stored["conversationHistory"]), &stored["version"]),
        (vec![1], &json!(2))
    );
}
