//! `GET /guilds/{guild}/events`, `/activity` and `GET /stats`.

use serde_json::{Value, json};

use super::{
    DAY, HOUR, MINUTE, SECOND, ago, each, join, message, one_of_each, presence, route, typing,
};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    events_are_filtered,
    pages_show_each_event_once,
    activity_is_counted_by_time,
    stats_tell_numbers_and_times,
    parameters_are_checked,
}

async fn kinds(gateway: &TestGateway, query: &str) -> Vec<Value> {
    let page = gateway.seen(&format!("guilds/g/events?{query}")).await;
    each(&page["items"], "type")
}

async fn events_are_filtered(gateway: &TestGateway) {
    gateway.at_noon().ingest(&one_of_each("u")).await;
    let mut elsewhere = typing("u", HOUR, "c");
    elsewhere["guildId"] = json!("h");
    gateway.ingest(&[typing("v", 0, "d"), elsewhere]).await;
    let all = [
        "typing",
        "presence",
        "typing",
        "message",
        "join",
        "deleted_message",
        "reaction_time",
        "role_change",
    ];
    assert_eq!(kinds(gateway, "").await, all);
    assert_eq!(kinds(gateway, "order=createdAt&limit=1").await, ["role_change"]);
    assert_eq!(kinds(gateway, "type=join&type=presence").await, ["presence", "join"]);
    assert_eq!(kinds(gateway, "user_id=v").await, ["typing"]);
    assert_eq!(kinds(gateway, "user_id=u&channel_id=d").await, [""; 0]);
    let in_channel = ["typing", "message", "deleted_message", "reaction_time"];
    assert_eq!(kinds(gateway, "channel_id=c").await, in_channel);
    // The first time belongs to it and the last one does not.
    let query = format!("since={}&until={}", ago(4 * HOUR), ago(2 * HOUR));
    assert_eq!(kinds(gateway, &query).await, ["message", "join"]);
    assert_eq!(gateway.seen("guilds/none/events").await["items"], json!([]));
}

async fn pages_show_each_event_once(gateway: &TestGateway) {
    let events: Vec<Value> =
        (0..500).map(|n| typing(&format!("u{n}"), n / 100 * SECOND, "c")).collect();
    gateway.at_noon().ingest(&events).await;
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("guilds/g/events?limit=33&total=true{cursor}");
        let page = gateway.seen(&path).await;
        assert_eq!(page["total"], 500);
        ids.extend(each(&page["items"], "id").iter().map(Value::to_string));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids.len(), 500);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500);
    let other = gateway.get(&route(&format!("guilds/h/events?{}", &cursor[1..]))).await;
    other.assert_problem(400, "invalid-cursor");
}

async fn activity_is_counted_by_time(gateway: &TestGateway) {
    // Noon is the beginning of an hour, and of the second half of a day.
    gateway
        .at_noon()
        .ingest(&[
            typing("u", 0, "c"),
            typing("u", 1, "c"),
            message("u", HOUR, "x"),
            typing("u", HOUR + 1, "c"),
            join("u", DAY, 1),
        ])
        .await;
    let buckets = async |query: &str| {
        let page = gateway.seen(&format!("guilds/g/activity?{query}")).await;
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| json!([item["bucket"], item["count"]])).collect::<Vec<Value>>()
    };
    let bucket = |milliseconds: i64, count: u64| json!([ago(milliseconds), count]);
    let hours = [bucket(DAY, 1), bucket(2 * HOUR, 1), bucket(HOUR, 2), bucket(0, 1)];
    assert_eq!(buckets("").await, hours);
    assert_eq!(buckets("bucket=1h&order=-bucket&limit=1").await, [bucket(0, 1)]);
    assert_eq!(buckets("bucket=1d").await, [bucket(36 * HOUR, 1), bucket(12 * HOUR, 4)]);
    assert_eq!(buckets("bucket=6h").await, [bucket(DAY, 1), bucket(6 * HOUR, 3), bucket(0, 1)]);
    let minutes = buckets("bucket=1m&type=typing").await;
    let expected = [bucket(HOUR + MINUTE, 1), bucket(MINUTE, 1), bucket(0, 1)];
    assert_eq!(minutes, expected);
    let query = format!("since={}&until={}", ago(HOUR), ago(0));
    assert_eq!(buckets(&query).await, [bucket(HOUR, 2)]);
}

async fn stats_tell_numbers_and_times(gateway: &TestGateway) {
    let nothing = json!({"count": 0, "oldest": null, "newest": null, "items": []});
    assert_eq!(gateway.seen("stats").await, nothing);
    let mut elsewhere = presence("u", 3 * DAY, &[]);
    elsewhere["guildId"] = json!("h");
    gateway
        .at_noon()
        .ingest(&[typing("u", 0, "c"), typing("v", DAY, "c"), join("u", HOUR, 1), elsewhere])
        .await;
    let expected = json!({
        "count": 4, "oldest": ago(3 * DAY), "newest": ago(0),
        "items": [
            {"guildId": "g", "type": "join", "count": 1, "oldest": ago(HOUR), "newest": ago(HOUR)},
            {"guildId": "g", "type": "typing", "count": 2, "oldest": ago(DAY), "newest": ago(0)},
            {"guildId": "h", "type": "presence", "count": 1, "oldest": ago(3 * DAY),
             "newest": ago(3 * DAY)},
        ],
    });
    assert_eq!(gateway.seen("stats").await, expected);
}

async fn parameters_are_checked(gateway: &TestGateway) {
    for path in [
        "guilds/g/events?type=left",
        "guilds/g/events?since=yesterday",
        "guilds/g/events?limit=1001",
        "guilds/g/activity?bucket=2h",
        "guilds/g/analytics/ghost",
        "guilds/g/analytics/ghosts?limit=0",
        "guilds/g/analytics/ghosts?until=tomorrow",
        "guilds/g/analytics/clients?since=2026-01-01T00:00:00Z",
        "guilds/g/analytics/shifts?until=2026-01-01T00:00:00Z",
        "guilds/g/analytics/suspicion?formula=mine",
        "guilds/g/users/u/timeline?types=reaction_time",
        "guilds/g/users/u/suspicion?since=1",
        "guilds/g/messages",
    ] {
        let answer = gateway.get(&route(path)).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
    let unknown = gateway.get(&route("guilds/g/events?user=u")).await;
    unknown.assert_problem(400, "unknown-parameter");
    gateway.get(&route("guilds/g/users/u/suspicion")).await.assert_problem(404, "not-found");
}
