//! `GET /guilds/{guild}/users/{user}/timeline`.

use serde_json::{Value, json};

use super::{
    HOUR, SECOND, ago, deleted_message, each, join, message, one_of_each, presence, reaction,
    role_change, route, typing,
};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_timeline_shows_what_a_user_has_done,
    it_is_filtered_and_searched,
    ten_thousand_events_of_equal_times_are_shown_once with patient,
    what_is_too_close_in_time_is_flagged,
    flags_look_at_the_page_alone,
}

async fn timeline(gateway: &TestGateway, query: &str) -> Value {
    gateway.seen(&format!("guilds/g/users/u/timeline?{query}")).await
}

async fn a_timeline_shows_what_a_user_has_done(gateway: &TestGateway) {
    let mut events = one_of_each("u");
    for (place, event) in events.iter_mut().enumerate() {
        event["id"] = json!(format!("e{place}"));
    }
    events[0]["metadata"] = json!({"note": 1, "clients": "the event's own are shown"});
    events.push(typing("v", 0, "c"));
    gateway.at_noon().ingest(&events).await;
    let item = |id: &str, kind: &str, hours: i64, metadata: Value| {
        json!({
            "id": id, "type": kind, "userId": "u", "username": "u's name",
            "timestamp": ago(hours * HOUR), "metadata": metadata,
        })
    };
    let expected = json!({
        "items": [
            item("e0", "presence", 1, json!({"note": 1, "clients": ["web"]})),
            item("e1", "typing", 2, json!({"channelId": "c", "channel": "#c"})),
            item("e2", "message", 3, json!({
                "messageId": format!("m-u-{}", 3 * HOUR), "channelId": "c", "channel": "#c",
                "content": "hello",
            })),
            item("e3", "join", 4, json!({"accountAgeDays": 100})),
            item("e4", "deleted_message", 5, json!({"channelId": "c", "channel": "#c"})),
            // A reaction time is not shown.
            item("e6", "role_change", 7, json!({"addedRoles": ["r"], "removedRoles": []})),
        ],
        "next_cursor": null, "hasMore": false, "totalCount": 6,
    });
    assert_eq!(timeline(gateway, "").await, expected);
    let nobody = gateway.seen("guilds/g/users/nobody/timeline").await;
    let nothing = json!({"items": [], "next_cursor": null, "hasMore": false, "totalCount": 0});
    assert_eq!(nobody, nothing);
}

async fn it_is_filtered_and_searched(gateway: &TestGateway) {
    let mut renamed = presence("u", 2 * HOUR, &[]);
    renamed["username"] = json!("HELLO kitty");
    let events = [
        message("u", HOUR, "Say Hello to all"),
        renamed,
        typing("u", 3 * HOUR, "othello"),
        message("u", 4 * HOUR, "good-bye"),
        join("u", 5 * HOUR, 1),
        reaction("u", 6 * HOUR, 1),
    ];
    gateway.at_noon().ingest(&events).await;
    for (query, expected, total) in [
        ("search=hello", vec!["message", "presence", "typing"], 3),
        ("search=hello&limit=1", vec!["message"], 3),
        ("search=hello&types=typing&types=join", vec!["typing"], 1),
        ("search=100%25", vec![], 0),
        ("types=join", vec!["join"], 1),
        ("limit=2", vec!["message", "presence"], 5),
    ] {
        let page = timeline(gateway, query).await;
        assert_eq!(each(&page["items"], "type"), expected, "{query}");
        assert_eq!(page["totalCount"], total, "{query}");
        assert_eq!(page["hasMore"], expected.len() < total, "{query}");
    }
    let query = format!("since={}&until={}", ago(3 * HOUR), ago(HOUR));
    let page = timeline(gateway, &query).await;
    assert_eq!(each(&page["items"], "type"), ["presence", "typing"]);
    assert_eq!(page["totalCount"], 2);
}

async fn ten_thousand_events_of_equal_times_are_shown_once(gateway: &TestGateway) {
    let event = |number: i64| {
        let mut event = presence("u", number / 1_000 * HOUR, &[]);
        event["id"] = json!(format!("e{number:05}"));
        event
    };
    let events: Vec<Value> = (0..10_000).map(event).collect();
    gateway.at_noon().ingest(&events).await;
    let (mut ids, mut times, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = timeline(gateway, &format!("limit=777{cursor}")).await;
        ids.extend(each(&page["items"], "id").iter().map(Value::to_string));
        times.extend(each(&page["items"], "timestamp").iter().map(Value::to_string));
        assert_eq!(page["totalCount"], 10_000);
        assert_eq!(page["hasMore"], page["next_cursor"].is_string());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(times.is_sorted_by(|newer, older| newer >= older));
    ids.sort();
    let expected: Vec<String> = (0..10_000).map(|n| format!("\"e{n:05}\"")).collect();
    assert_eq!(ids, expected);
    let other = gateway.get(&route(&format!("guilds/g/users/v/timeline?{}", &cursor[1..]))).await;
    other.assert_problem(400, "invalid-cursor");
}

/// The reasons of a timeline's items, from the newest to the oldest.
async fn reasons(gateway: &TestGateway, query: &str) -> Vec<Option<String>> {
    let page = timeline(gateway, query).await;
    let items = page["items"].as_array().unwrap().iter();
    let reasons = items.map(|item| {
        let reason = item.get("anomalyReason").map(|reason| reason.as_str().unwrap().to_owned());
        assert_eq!(item.get("isAnomalous"), reason.as_ref().map(|_| &json!(true)));
        reason
    });
    reasons.collect()
}

async fn what_is_too_close_in_time_is_flagged(gateway: &TestGateway) {
    let rapid = Some("Rapid activity detected");
    let frequent = Some("Frequent presence changes");
    let joined = Some("Message shortly after joining");
    // From the newest to the oldest, with what each is flagged as.
    let events = [
        (message("u", 0, "x"), None),
        (typing("u", 999, "c"), rapid),
        (message("u", 1_999, "y"), None),
        (presence("u", HOUR, &[]), None),
        (presence("u", HOUR + 4_999, &[]), frequent),
        (presence("u", HOUR + 9_999, &[]), None),
        (message("u", 2 * HOUR, "x"), joined),
        (join("u", 2 * HOUR + 9_999, 1), None),
        (message("u", 3 * HOUR, "x"), None),
        (join("u", 3 * HOUR + 10 * SECOND, 1), None),
        (role_change("u", 4 * HOUR), None),
        (deleted_message("u", 4 * HOUR + 1), None),
        // One after the join, and shortly before another.
        (typing("u", 5 * HOUR, "c"), None),
        (message("u", 5 * HOUR + 10, "x"), rapid),
        (join("u", 5 * HOUR + 20, 1), None),
    ];
    let sent: Vec<Value> = events.iter().map(|(event, _)| event.clone()).collect();
    gateway.at_noon().ingest(&sent).await;
    let came = reasons(gateway, "").await;
    let expected: Vec<Option<&str>> = events.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(came.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

async fn flags_look_at_the_page_alone(gateway: &TestGateway) {
    let events = [message("u", 0, "x"), message("u", 1, "y"), message("u", 2, "z")];
    gateway.at_noon().ingest(&events).await;
    let rapid = Some("Rapid activity detected".to_owned());
    assert_eq!(reasons(gateway, "").await, [None, rapid.clone(), rapid]);
    let page = timeline(gateway, "limit=1").await;
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(reasons(gateway, &format!("limit=1&cursor={next}")).await, [None]);
    // What is filtered out is not looked at.
    let query = format!("until={}", ago(0));
    assert_eq!(reasons(gateway, &query).await[0], None);
}
