//! chat-sessions over HTTP: a session by itself, the rule of its version under load, and, in the
//! folder, each other row of its table of routes.

mod batches;
mod changes;
mod filters;
mod messages;
mod refusals;
mod removal;
mod values;
mod versions;

use serde_json::{Value, json};

use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    the_script_of_the_readme,
    only_one_of_64_clients_replaces_a_session,
    two_creators_of_one_id_do_not_both_succeed,
    a_list_is_filtered_ordered_and_paged,
    equal_times_are_paged_without_loss_or_repetition,
    a_cursor_of_another_query_is_refused,
    a_session_comes_back_equal,
    ids_hold_any_text,
    an_invalid_session_is_refused_with_its_place,
    a_put_without_a_version_needs_a_condition,
    two_gateways_share_postgresql_and_not_sqlite,
}

pub(super) fn session(id: &str, version: Option<u64>) -> Value {
    let mut session = json!({
        "id": id,
        "state": "active",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
        "expiresAt": "2027-01-01T00:00:00.000Z",
        "agentIds": ["planner"],
        "agentStates": {"planner": {
            "config": {"model": "m", "temperature": 0.1},
            "context": {"_metadata": {"notes": {"trimmable": true}}, "notes": "x".repeat(900)},
            "messageHistory": [],
        }},
        "conversationHistory": [{
            "sequence": 1,
            "timestamp": "2026-01-01T00:00:01.000Z",
            "userMessage": "Grüße, \u{1F980}",
            "agentResponses": [{
                "agentId": "planner",
                "response": "y".repeat(300),
                "timestamp": "2026-01-01T00:00:02.000Z",
            }],
        }],
        "sharedContext": {"a": [1, 2.5, null, true]},
        "metadata": {"userId": "u1", "tags": ["x"], "title": "t"},
    });
    if let Some(version) = version {
        session["version"] = version.into();
    }
    session
}

pub(super) fn path(id: &str) -> String {
    format!("/v1/chat-sessions/sessions/{id}")
}

async fn the_script_of_the_readme(gateway: &TestGateway) {
    let one = path("s1");
    let created = gateway.put(&one, &session("s1", Some(1))).await.assert_status(201);
    let etag = created.header("etag").expect("an ETag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");

    let got = gateway.get(&one).await.assert_status(200);
    assert_eq!(got.json(), session("s1", Some(1)));
    assert_eq!(got.header("etag"), Some(etag.as_str()));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let head = gateway.send("HEAD", &one, &[], "").await.assert_status(200);
    assert_eq!((head.header("etag"), head.body.len()), (Some(etag.as_str()), 0));

    gateway.put(&one, &session("s1", Some(2))).await.assert_status(200);
    let conflict = gateway.put(&one, &session("s1", Some(2))).await;
    let problem = conflict.assert_problem(409, "version-conflict");
    assert_eq!((&problem["sent"], &problem["stored"]), (&json!(2), &json!(2)));

    let current = gateway.get(&one).await.header("etag").expect("an ETag").to_owned();
    assert_ne!(current, etag);
    let unchanged = gateway.send("GET", &one, &[("if-none-match", &current)], "").await;
    assert_eq!(unchanged.assert_status(304).body.len(), 0);
    gateway.send("GET", &one, &[("if-none-match", &etag)], "").await.assert_status(200);

    let stale = gateway.put_if(&one, ("if-match", &etag), &session("s1", Some(3))).await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(stale.header("etag"), Some(current.as_str()));
    let fresh = gateway.put_if(&one, ("if-match", &current), &session("s1", Some(3))).await;
    fresh.assert_status(200);

    let invalid = gateway.put_text(&path("s2"), "{\"id\": \"s2\",\n \"state\" }").await;
    let problem = invalid.assert_problem(400, "invalid-json");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(10)), "{problem}");
    gateway.get(&path("s2")).await.assert_problem(404, "not-found");
    gateway.delete(&one).await.assert_status(204);
    gateway.get(&one).await.assert_problem(404, "not-found");
    gateway.delete(&one).await.assert_problem(404, "not-found");
}

async fn only_one_of_64_clients_replaces_a_session(gateway: &TestGateway) {
    let one = path("contended");
    gateway.put(&one, &session("contended", Some(1))).await.assert_status(201);
    let body = session("contended", Some(2));
    let puts = (0..64).map(|_| gateway.put(&one, &body));
    let answers = futures_util::future::join_all(puts).await;
    let replaced = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(replaced, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.assert_problem(409, "version-conflict");
    }
    assert_eq!(gateway.get(&one).await.json()["version"], 2);
}

async fn two_creators_of_one_id_do_not_both_succeed(gateway: &TestGateway) {
    for round in 0..1_000 {
        let one = path(&format!("new-{round}"));
        let body = session(&format!("new-{round}"), Some(1));
        let (a, b) = tokio::join!(gateway.put(&one, &body), gateway.put(&one, &body));
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}");
    }
}

async fn put_session(gateway: &TestGateway, id: &str, state: &str, updated: &str) {
    let mut body = session(id, Some(1));
    body["state"] = state.into();
    body["updatedAt"] = updated.into();
    gateway.put(&path(id), &body).await.assert_status(201);
}

pub(super) fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

pub(super) async fn list(gateway: &TestGateway, query: &str) -> Value {
    let answer = gateway.get(&format!("/v1/chat-sessions/sessions?{query}")).await;
    answer.assert_status(200).json()
}

async fn a_list_is_filtered_ordered_and_paged(gateway: &TestGateway) {
    for day in 1..=5 {
        let state = if day % 2 == 0 { "paused" } else { "active" };
        let updated = format!("2026-01-0{day}T00:00:00.000Z");
        put_session(gateway, &format!("s{day}"), state, &updated).await;
    }
    let all = list(gateway, "").await;
    assert_eq!(ids(&all), ["s5", "s4", "s3", "s2", "s1"]);
    assert_eq!(all["next_cursor"], Value::Null);
    let first = &all["items"][0];
    assert_eq!(
        *first,
        json!({
            "id": "s5", "state": "active", "updatedAt": "2026-01-05T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z", "agentCount": 1, "turnCount": 1,
            "version": 1, "metadata": {"userId": "u1", "tags": ["x"], "title": "t"},
        })
    );
    assert_eq!(ids(&list(gateway, "state=active").await), ["s5", "s3", "s1"]);
    assert_eq!(ids(&list(gateway, "state=closed").await), [""; 0]);
    let page = list(gateway, "state=active&limit=2&total=true").await;
    assert_eq!((ids(&page), &page["total"]), (vec!["s5".to_owned(), "s3".to_owned()], &json!(3)));
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let page = list(gateway, &format!("state=active&limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&page), &page["next_cursor"]), (vec!["s1".to_owned()], &Value::Null));
    for (query, code) in [
        ("limit=0", "invalid-parameter"),
        ("limit=1001", "invalid-parameter"),
        ("limit=two", "invalid-parameter"),
        ("state=sleeping", "invalid-parameter"),
        ("colour=red", "unknown-parameter"),
    ] {
        let answer = gateway.get(&format!("/v1/chat-sessions/sessions?{query}")).await;
        answer.assert_problem(400, code);
    }
}

async fn equal_times_are_paged_without_loss_or_repetition(gateway: &TestGateway) {
    for hundred in 0..10 {
        let puts = (0..100).map(|n| async move {
            let id = format!("tie-{hundred}-{n:02}");
            put_session(gateway, &id, "active", "2026-01-01T00:00:00.000Z").await;
        });
        futures_util::future::join_all(puts).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(gateway, &format!("limit=70{cursor}")).await;
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1_000);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1_000);
}

async fn a_cursor_of_another_query_is_refused(gateway: &TestGateway) {
    for n in 0..3 {
        put_session(gateway, &format!("c{n}"), "active", "2026-01-01T00:00:00.000Z").await;
    }
    let page = list(gateway, "state=active&limit=1").await;
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let altered: String = cursor.chars().rev().collect();
    for query in [
        format!("state=paused&limit=1&cursor={cursor}"),
        format!("limit=1&cursor={cursor}"),
        format!("state=active&limit=1&cursor={altered}"),
        "state=active&cursor=x".to_owned(),
    ] {
        let answer = gateway.get(&format!("/v1/chat-sessions/sessions?{query}")).await;
        answer.assert_problem(400, "invalid-cursor");
    }
}

async fn a_session_comes_back_equal(gateway: &TestGateway) {
    let mut body = session("equal", Some(1));
    body["metadata"]["numbers"] =
        json!([0, -1, 9_007_199_254_740_993_i64, i64::MAX, i64::MIN, 0.1, 1.5e300, -2.5e-300]);
    body["metadata"]["text"] = "\u{1}\t\"\\/\u{7f}ä€\u{10ffff}".into();
    body["metadata"][""] = "an empty name".into();
    gateway.put(&path("equal"), &body).await.assert_status(201);
    assert_eq!(gateway.get(&path("equal")).await.json(), body);
}

async fn ids_hold_any_text(gateway: &TestGateway) {
    let long = "i".repeat(1_024);
    for id in ["123", "a b", "ä/ö:ü", "%2F", "..", "a'b\"c;--", "\u{1F980}", &long] {
        let encoded = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
        let one = path(&encoded.to_string());
        gateway.put(&one, &session(id, Some(1))).await.assert_status(201);
        assert_eq!(gateway.get(&one).await.json()["id"], id);
        gateway.delete(&one).await.assert_status(204);
    }
    let too_long = "i".repeat(1_025);
    let refused = gateway.put(&path(&too_long), &session(&too_long, Some(1))).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
}

async fn an_invalid_session_is_refused_with_its_place(gateway: &TestGateway) {
    let change = |pointer: &str, value: Value| {
        let mut body = session("s", Some(1));
        *body.pointer_mut(pointer).expect("a member") = value;
        body
    };
    for (pointer, value) in [
        ("/state", json!("sleeping")),
        ("/state", json!(1)),
        ("/createdAt", json!("yesterday")),
        ("/agentIds", json!("planner")),
        ("/agentIds/0", json!(7)),
        ("/conversationHistory/0/sequence", json!("one")),
        ("/conversationHistory/0/agentResponses", json!({})),
        ("/agentStates/planner", json!([])),
        ("/metadata", json!([])),
        ("/version", json!(0)),
        ("/id", json!("another")),
    ] {
        let answer = gateway.put(&path("s"), &change(pointer, value)).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{pointer}: {answer:?}");
        assert_eq!(answer.json()["pointer"], pointer, "{answer:?}");
    }
    let mut unknown = session("s", Some(1));
    unknown["colour"] = "red".into();
    let answer = gateway.put(&path("s"), &unknown).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    assert!(answer.json()["detail"].as_str().expect("a detail").contains("colour"));
    gateway.get(&path("s")).await.assert_problem(404, "not-found");
}

async fn a_put_without_a_version_needs_a_condition(gateway: &TestGateway) {
    let one = path("unversioned");
    let created = gateway.put(&one, &session("unversioned", None)).await.assert_status(201);
    assert_eq!(gateway.get(&one).await.json()["version"], 1);
    gateway
        .put(&one, &session("unversioned", None))
        .await
        .assert_problem(428, "precondition-required");
    let etag = created.header("etag").expect("an ETag").to_owned();
    gateway
        .put_if(&one, ("if-match", &etag), &session("unversioned", None))
        .await
        .assert_status(200);
    assert_eq!(gateway.get(&one).await.json()["version"], 2);
    gateway
        .put_if(&one, ("if-none-match", "*"), &session("unversioned", None))
        .await
        .assert_problem(412, "precondition-failed");
}

async fn two_gateways_share_postgresql_and_not_sqlite(gateway: &TestGateway) {
    gateway.put(&path("kept"), &session("kept", Some(1))).await.assert_status(201);
    let etag = gateway.get(&path("kept")).await.header("etag").expect("an ETag").to_owned();
    match gateway.second().await {
        Ok(second) if !gateway.is_sqlite() => {
            let got = second.get(&path("kept")).await.assert_status(200);
            assert_eq!(got.header("etag"), Some(etag.as_str()));
        }
        Ok(_) => panic!("a second gateway has opened the same file"),
        Err(error) => {
            assert!(gateway.is_sqlite(), "{error:#}");
            assert!(format!("{error:#}").contains("another gateway has this database open"));
        }
    }
}
