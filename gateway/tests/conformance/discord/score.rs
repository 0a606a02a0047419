//! `GET /guilds/{guild}/users/{user}/suspicion`. Each threshold has its unit test beside the factors;
//! here is what is read of events.

use serde_json::{Value, json};

use super::{DAY, HOUR, MINUTE, ago, join, message, presence, reaction, typing};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_suspicious_user_has_a_high_score,
    a_plain_user_has_none,
    the_last_hundred_count,
    what_is_older_than_a_week_does_not_count,
    thresholds_hold_for_stored_events,
}

async fn score(gateway: &TestGateway, user: &str) -> Value {
    gateway.seen(&format!("guilds/g/users/{user}/suspicion")).await
}

async fn a_suspicious_user_has_a_high_score(gateway: &TestGateway) {
    let mut events: Vec<Value> =
        (1..=10).map(|n| presence("u", n * MINUTE, &["web", "mobile"])).collect();
    events.extend((1..=10).map(|n| reaction("u", n * MINUTE, 100)));
    // The mean of the guild is 1,000.
    events.extend((1..=10).map(|n| reaction("v", n * MINUTE, 1_900)));
    events.push(join("u", 40 * DAY, 0));
    gateway.at_noon().ingest(&events).await;
    // 20 + 15 + 20 + 0.15 × (100 + 80 + 90) / 3 + 10 + 0 + 0 = 78.5.
    let expected = json!({
        "userId": "u", "username": "u's name", "totalScore": 79, "confidence": "medium",
        "factors": {
            "ghostScore": 100.0, "lurkerScore": 100.0, "multiClientFreq": 100.0,
            "timingAnomalies": 90.0, "accountAge": 0, "activityPattern": 0.0,
            "contentSimilarity": 0.0,
        },
        "reasons": [
            "High presence (10) but low engagement (0 messages)",
            "Lurker behavior detected - observing without participating",
            "Frequently online from multiple devices simultaneously",
            "Unusual timing patterns in messages and reactions (bot-like consistency)",
            "New account (0 days old)",
        ],
        "recommendedAction": "Monitor closely - high suspicion",
    });
    assert_eq!(score(gateway, "u").await, expected);
}

async fn a_plain_user_has_none(gateway: &TestGateway) {
    gateway.at_noon().ingest(&[message("u", 30 * DAY, "hello")]).await;
    let expected = json!({
        "userId": "u", "username": "u's name", "totalScore": 0, "confidence": "low",
        "factors": {
            "ghostScore": 0.0, "lurkerScore": 0.0, "multiClientFreq": 0.0,
            "timingAnomalies": 0.0, "accountAge": 9_999, "activityPattern": 0.0,
            "contentSimilarity": 0.0,
        },
        "reasons": ["Monitoring for suspicious patterns"],
        "recommendedAction": "No immediate action needed",
    });
    assert_eq!(score(gateway, "u").await, expected);
}

async fn the_last_hundred_count(gateway: &TestGateway) {
    // 120 messages in 60 minutes, of which the oldest 20 are the only ones that are alike; 10,000
    // presences would be needed for a ratio below 0.01.
    let text = |n: i64| if n <= 100 { format!("message number{n}") } else { "same".to_owned() };
    let mut events: Vec<Value> = (1..=120).map(|n| message("u", n * 1_000, &text(n))).collect();
    // Slow ones before the last hundred do not count: those are 100 of one second.
    events.extend((1..=100).map(|n| reaction("u", n * 1_000, 1_000)));
    events.extend((101..=150).map(|n| reaction("u", n * 1_000, 100_000)));
    // 100 messages to 999 presences would be 0.1; 120 would be more.
    events.extend((1..=1_000).map(|n| presence("u", n * 1_000, &[])));
    gateway.at_noon().ingest(&events).await;
    let score = score(gateway, "u").await;
    let factors = &score["factors"];
    assert_eq!(factors["ghostScore"], 60.0, "100 / 1,001 is less than a tenth: {score}");
    assert_eq!(factors["contentSimilarity"], 0.0);
    // All in one hour: their variance is 399.
    assert_eq!(factors["activityPattern"], 60.0);
    // Regular: 100. Of the guild, all count: its mean is 34,000, and 97.06 % is the distance.
    let timing = factors["timingAnomalies"].as_f64().unwrap();
    assert!((timing - (100.0 + 33_000.0 / 340.0) / 3.0).abs() < 1e-9, "{score}");
}

async fn what_is_older_than_a_week_does_not_count(gateway: &TestGateway) {
    let events = [
        presence("u", 7 * DAY, &["web", "mobile"]),
        presence("u", 7 * DAY + 1, &["web"]),
        presence("u", 8 * DAY, &["web"]),
    ];
    gateway.at_noon().ingest(&events).await;
    assert_eq!(score(gateway, "u").await["factors"]["multiClientFreq"], 100.0);
    let path = format!("guilds/g/users/u/suspicion?since={}", ago(9 * DAY));
    assert_eq!(gateway.seen(&path).await["factors"]["multiClientFreq"], 70.0);
    let path = format!("guilds/g/users/u/suspicion?since={}&until={}", ago(9 * DAY), ago(7 * DAY));
    assert_eq!(gateway.seen(&path).await["factors"]["multiClientFreq"], 0.0);
}

async fn thresholds_hold_for_stored_events(gateway: &TestGateway) {
    let mut events = Vec::new();
    let mut cases = Vec::new();
    // User, messages, typing, presences, of which with several clients; ghost, lurker, clients.
    for (place, (messages, typings, presences, several, expected)) in [
        (0, 0, 4, 0, [100.0, 0.0, 0.0]),
        (0, 0, 5, 3, [100.0, 100.0, 100.0]),
        (0, 1, 9, 1, [100.0, 0.0, 40.0]),
        (1, 1, 10, 3, [60.0, 80.0, 40.0]),
        (2, 0, 10, 4, [40.0, 0.0, 70.0]),
        (2, 0, 9, 5, [0.0, 0.0, 100.0]),
        (1, 0, 20, 2, [80.0, 80.0, 0.0]),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("u{place}");
        events.extend((0..messages).map(|n| message(&user, HOUR + n, "x")));
        events.extend((0..typings).map(|n| typing(&user, HOUR + n, "c")));
        let clients = |n: i64| if n < several { &["web", "mobile"][..] } else { &["web"][..] };
        events.extend((0..presences).map(|n| presence(&user, HOUR + n, clients(n))));
        cases.push((user, expected));
    }
    gateway.at_noon().ingest(&events).await;
    for (user, expected) in cases {
        let score = score(gateway, &user).await;
        let factors = ["ghostScore", "lurkerScore", "multiClientFreq"]
            .map(|name| score["factors"][name].as_f64().unwrap());
        assert_eq!(factors, expected, "{user}");
    }
}
