//! `GET /guilds/{guild}/analytics/{name}` with values that are worked out by hand.

use serde_json::{Value, json};

use super::{
    DAY, HOUR, SECOND, ago, each, event, join, merge, message, presence, reaction, role_change,
    typing,
};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    ghosts_type_more_than_they_send,
    lurkers_neither_type_nor_send,
    the_heatmap_counts_by_user_and_channel,
    channels_are_counted_once,
    presence_counts_several_clients,
    more_kinds_of_clients_are_a_drift,
    shifts_compare_two_weeks,
    reactions_are_told_by_their_mean,
    role_changes_are_counted,
    suspicion_adds_up_all,
    names_are_the_newest_known,
    another_guild_is_not_seen,
    users_and_times_are_left_out,
    limits_are_those_of_each_analytic,
}

const WEEK: i64 = 7 * DAY;

async fn analytic(gateway: &TestGateway, name: &str) -> Value {
    gateway.seen(&format!("guilds/g/analytics/{name}")).await
}

/// So many events that a function makes, a second apart.
fn times(count: i64, make: impl Fn(i64) -> Value) -> Vec<Value> {
    (1..=count).map(|n| make(n * SECOND)).collect()
}

async fn ghosts_type_more_than_they_send(gateway: &TestGateway) {
    let mut events = times(3, |at| typing("a", at, "c"));
    events.extend(times(5, |at| typing("b", at, "c")));
    events.extend(times(2, |at| message("b", at, "x")));
    events.extend(times(3, |at| typing("c", at, "c")));
    // Who does not type is no ghost.
    events.extend(times(3, |at| message("d", at, "x")));
    gateway.at_noon().ingest(&events).await;
    let row = |user: &str, typing: i64, messages: i64, score: f64| {
        json!({
            "userId": user, "username": format!("{user}'s name"), "typingCount": typing,
            "messageCount": messages, "ghostScore": score,
        })
    };
    let expected = [row("a", 3, 0, 3.0), row("c", 3, 0, 3.0), row("b", 5, 2, 2.5)];
    assert_rows(&analytic(gateway, "ghosts").await, &expected);
}

/// 3 and 3.0 are the same number.
#[track_caller]
fn assert_rows(came: &Value, expected: &[Value]) {
    let as_numbers = |rows: &[Value]| -> Vec<Value> {
        let row = |row: &Value| {
            let members = row.as_object().unwrap().iter().map(|(name, value)| match value {
                Value::Number(number) => (name.clone(), json!(number.as_f64())),
                value => (name.clone(), value.clone()),
            });
            members.collect::<serde_json::Map<_, _>>().into()
        };
        rows.iter().map(row).collect()
    };
    assert_eq!(as_numbers(came.as_array().unwrap()), as_numbers(expected));
}

async fn lurkers_neither_type_nor_send(gateway: &TestGateway) {
    let mut events = times(4, |at| presence("a", at, &[]));
    events.extend(times(5, |at| presence("b", at, &[])));
    for user in ["c", "d"] {
        events.extend(times(9, |at| presence(user, at, &[])));
    }
    events.extend([typing("c", 0, "c"), message("d", 0, "x"), join("e", 0, 1)]);
    gateway.at_noon().ingest(&events).await;
    let row = |user: &str, score: i64, count: i64| {
        let username = format!("{user}'s name");
        json!({"userId": user, "username": username, "lurkerScore": score, "presenceCount": count})
    };
    let came = analytic(gateway, "lurkers").await;
    assert_eq!(came, json!([row("b", 1, 5), row("a", 0, 4)]));
}

async fn the_heatmap_counts_by_user_and_channel(gateway: &TestGateway) {
    let mut events = times(2, |at| typing("a", at, "c"));
    events.extend(times(3, |at| typing("a", at, "d")));
    events.extend(times(2, |at| typing("b", at, "c")));
    events.push(message("b", 0, "x"));
    // The newest name of a channel counts, whoever was there.
    events[0]["createdAt"] = json!(ago(0));
    events[0]["channel"] = json!("#new");
    events[7]["channel"] = json!("#older");
    events[7]["createdAt"] = json!(ago(1));
    gateway.at_noon().ingest(&events).await;
    let row = |user: &str, channel: &str, name: &str, count: i64| {
        json!({
            "userId": user, "username": format!("{user}'s name"), "channelId": channel,
            "channel": name, "count": count,
        })
    };
    let expected = [row("a", "d", "#d", 3), row("a", "c", "#new", 2), row("b", "c", "#new", 2)];
    assert_eq!(analytic(gateway, "heatmap").await, json!(expected));
}

async fn channels_are_counted_once(gateway: &TestGateway) {
    let mut events = times(3, |at| typing("a", at, "c"));
    events.extend([typing("b", 1, "c"), typing("b", 2, "d"), message("c", 3, "x")]);
    gateway.at_noon().ingest(&events).await;
    let expected = json!([
        {"userId": "b", "username": "b's name", "channelCount": 2},
        {"userId": "a", "username": "a's name", "channelCount": 1},
    ]);
    assert_eq!(analytic(gateway, "channels").await, expected);
}

async fn presence_counts_several_clients(gateway: &TestGateway) {
    let events = [
        presence("a", 1, &["web", "mobile"]),
        presence("a", 2, &["web"]),
        presence("b", 1, &["web", "mobile"]),
        presence("b", 2, &["web", "mobile", "desktop"]),
        presence("c", 1, &["web"]),
        // One client twice is one client.
        presence("d", 1, &["web", "web"]),
    ];
    gateway.at_noon().ingest(&events).await;
    let expected = json!([
        {"userId": "b", "username": "b's name", "multiClientCount": 2},
        {"userId": "a", "username": "a's name", "multiClientCount": 1},
    ]);
    assert_eq!(analytic(gateway, "presence").await, expected);
}

async fn more_kinds_of_clients_are_a_drift(gateway: &TestGateway) {
    let events = [
        // From one kind to two, at the edges of both weeks.
        presence("a", 2 * WEEK, &["web"]),
        presence("a", WEEK, &["web"]),
        presence("a", 1, &["desktop"]),
        // Another kind, but not more of them.
        presence("b", 8 * DAY, &["web"]),
        presence("b", DAY, &["mobile"]),
        // Fewer.
        presence("c", 8 * DAY, &["web", "mobile"]),
        presence("c", DAY, &["mobile"]),
        // What is older than two weeks does not count.
        presence("d", 2 * WEEK + 1, &["web", "mobile"]),
        presence("d", WEEK + 1, &["web"]),
        presence("d", WEEK, &["web", "mobile"]),
        // Nothing, then something.
        presence("e", DAY, &["web"]),
        presence("f", DAY, &[]),
    ];
    gateway.at_noon().ingest(&events).await;
    let row = |user: &str, old: &[&str], new: &[&str]| {
        json!({
            "userId": user, "username": format!("{user}'s name"), "clientDriftScore": 1,
            "oldClients": old, "newClients": new,
        })
    };
    let expected = json!([
        row("a", &["web"], &["desktop", "web"]),
        row("d", &["web"], &["mobile", "web"]),
        row("e", &[], &["web"]),
    ]);
    assert_eq!(analytic(gateway, "clients").await, expected);
}

async fn shifts_compare_two_weeks(gateway: &TestGateway) {
    let mut events = vec![message("a", 2 * WEEK, "x"), message("b", 2 * WEEK + 1, "x")];
    events.extend([message("c", WEEK + 1, "x"), message("c", WEEK, "x")]);
    let type_often = |user: &str, old: i64, new: i64| {
        let mut events = times(old, |at| typing(user, WEEK + at, "c"));
        events.extend(times(new, |at| typing(user, at, "c")));
        events
    };
    events.extend(type_often("d", 5, 11));
    events.extend(type_often("e", 5, 10));
    events.extend(type_often("f", 4, 20));
    events.extend(type_often("g", 5, 11));
    events.push(message("g", 8 * DAY, "x"));
    events.push(presence("h", 0, &[]));
    gateway.at_noon().ingest(&events).await;
    let row = |user: &str, drop: i64, spike: i64| {
        json!({
            "userId": user, "username": format!("{user}'s name"),
            "behaviorShiftScore": drop + spike, "messageDrop": drop, "typingSpike": spike,
        })
    };
    let expected = json!([
        row("g", 1, 1),
        row("a", 1, 0),
        row("d", 0, 1),
        row("c", 0, 0),
        row("e", 0, 0),
        row("f", 0, 0),
    ]);
    assert_eq!(analytic(gateway, "shifts").await, expected);
}

async fn reactions_are_told_by_their_mean(gateway: &TestGateway) {
    let events = [
        reaction("a", 1, 2_999),
        reaction("a", 2, 3_000),
        reaction("b", 1, 100),
        reaction("b", 2, 201),
        reaction("c", 1, 5_000),
    ];
    gateway.at_noon().ingest(&events).await;
    let row = |user: &str, mean: f64, fast: i64| {
        json!({
            "userId": user, "username": format!("{user}'s name"), "avgReactionTime": mean,
            "fastReactionCount": fast,
        })
    };
    let expected = [row("b", 150.5, 2), row("a", 2_999.5, 1), row("c", 5_000.0, 0)];
    assert_rows(&analytic(gateway, "reactions").await, &expected);
}

async fn role_changes_are_counted(gateway: &TestGateway) {
    let events = [role_change("a", 1), role_change("b", 1), role_change("b", 2)];
    gateway.at_noon().ingest(&events).await;
    let expected = json!([
        {"userId": "b", "username": "b's name", "roleChangeCount": 2, "roleDriftScore": 1},
        {"userId": "a", "username": "a's name", "roleChangeCount": 1, "roleDriftScore": 0},
    ]);
    assert_eq!(analytic(gateway, "roles").await, expected);
}

async fn suspicion_adds_up_all(gateway: &TestGateway) {
    // Seven times typing in two channels and two messages make 3.5, twice, and 2 for the channels.
    let mut events = times(6, |at| typing("a", at, "c"));
    events.extend([typing("a", 1, "d"), message("a", 1, "x"), message("a", 2, "x")]);
    // 2 × 1.5 for presences, of which the old week had none: a drift, 2.
    events.extend(times(2, |at| presence("a", at, &["web", "mobile"])));
    // 3 for a young account; of two joins the later one counts, whenever that was.
    events.extend([join("a", 30 * DAY, 13), join("a", 31 * DAY, 14)]);
    // 0.5 for a fast reaction and 2 for their mean.
    events.extend([reaction("a", 1, 1_000), reaction("a", 2, 4_000)]);
    // 2 for two changes of roles.
    events.extend([role_change("a", 1), role_change("a", 2)]);
    // b: a lurker, 4, with clients that it did not have, 2; its account is old enough.
    events.extend(times(5, |at| presence("b", at, &["web"])));
    events.push(join("b", DAY, 14));
    // c has ceased to send: 2. d has only joined, and e was last here before both weeks.
    events.extend([message("c", 8 * DAY, "x"), join("d", 0, 0), typing("e", 15 * DAY, "c")]);
    gateway.at_noon().ingest(&events).await;
    let nothing = json!({
        "typingCount": 0, "messageCount": 0, "ghostScore": 0, "lurkerScore": 0,
        "presenceCount": 0, "channelCount": 0, "multiClientCount": 0, "clientDriftScore": 0,
        "oldClients": [], "newClients": [], "behaviorShiftScore": 0, "messageDrop": 0,
        "typingSpike": 0, "avgReactionTime": null, "fastReactionCount": 0, "roleChangeCount": 0,
        "roleDriftScore": 0, "accountAgeDays": null,
    });
    let row = |user: &str, score: f64, more: Value| {
        let mut row = nothing.clone();
        merge(&mut row, &json!({"userId": user, "username": format!("{user}'s name")}));
        merge(&mut row, &more);
        row["suspicionScore"] = json!(score);
        row
    };
    let a = json!({
        "typingCount": 7, "messageCount": 2, "ghostScore": 3.5, "presenceCount": 2,
        "channelCount": 2, "multiClientCount": 2, "clientDriftScore": 1,
        "newClients": ["mobile", "web"], "avgReactionTime": 2_500, "fastReactionCount": 1,
        "roleChangeCount": 2, "roleDriftScore": 1, "accountAgeDays": 13,
    });
    let b = json!({
        "lurkerScore": 1, "presenceCount": 5, "clientDriftScore": 1, "newClients": ["web"],
        "accountAgeDays": 14,
    });
    let c = json!({"behaviorShiftScore": 1, "messageDrop": 1});
    let full = [
        row("a", 7.0 + 2.0 + 3.0 + 3.0 + 0.5 + 2.0 + 2.0 + 2.0, a.clone()),
        row("b", 4.0 + 2.0, b.clone()),
        row("c", 2.0, c.clone()),
    ];
    assert_rows(&analytic(gateway, "suspicion").await, &full);
    let original = [row("a", 17.5, a), row("b", 4.0, b), row("c", 0.0, c)];
    assert_rows(&analytic(gateway, "suspicion?formula=original").await, &original);
    // From the beginning, e has typed.
    let since = analytic(gateway, "suspicion?since=2026-01-01T00:00:00Z").await;
    assert_eq!(each(&since, "userId"), ["a", "b", "e", "c"]);
}

async fn names_are_the_newest_known(gateway: &TestGateway) {
    let named = |mut event: Value, name: &str| {
        event["username"] = json!(name);
        event
    };
    let events = [
        named(typing("a", 2 * HOUR, "c"), "first"),
        named(typing("a", 3 * HOUR, "c"), "zeroth"),
        // Of another kind than what is counted, and later than what is asked for.
        named(join("a", HOUR, 1), "newest"),
    ];
    gateway.at_noon().ingest(&events).await;
    let path = format!("ghosts?until={}", ago(2 * HOUR - 1));
    let rows = analytic(gateway, &path).await;
    assert_eq!(each(&rows, "username"), ["newest"], "a user who is renamed has one row");
    assert_eq!(rows[0]["typingCount"], 2);
    // A member's name is newer than its events.
    let update = json!({"op": 0, "t": "GUILD_MEMBER_UPDATE", "s": 1, "d": {
        "guild_id": "g", "user": {"id": "a", "username": "renamed"}, "roles": [],
    }});
    gateway.send_dispatches(&update).await.assert_status(200);
    for name in ["ghosts", "heatmap", "channels", "shifts", "suspicion"] {
        assert_eq!(each(&analytic(gateway, name).await, "username"), ["renamed"], "{name}");
    }
    assert_eq!(gateway.seen("guilds/g/users/a/suspicion").await["username"], "renamed");
    gateway.ingest(&[named(typing("a", -HOUR, "c"), "renamed again")]).await;
    assert_eq!(each(&analytic(gateway, "ghosts").await, "username"), ["renamed again"]);
}

async fn another_guild_is_not_seen(gateway: &TestGateway) {
    let mut events = super::one_of_each("u");
    for event in &mut events {
        event["guildId"] = json!("h");
    }
    gateway.at_noon().ingest(&events).await;
    for name in super::differential::NAMES {
        assert_eq!(analytic(gateway, name).await, json!([]), "{name}");
        let theirs = gateway.seen(&format!("guilds/h/analytics/{name}")).await;
        // The user sends, so it is no lurker, and has one client.
        let expected = usize::from(!["lurkers", "presence"].contains(&name));
        assert_eq!(theirs.as_array().unwrap().len(), expected, "{name}");
    }
}

async fn users_and_times_are_left_out(gateway: &TestGateway) {
    let mut events: Vec<Value> = Vec::new();
    for user in ["a", "b", "c"] {
        events.extend(super::one_of_each(user));
        events.extend([presence(user, 1, &["web", "mobile"]), typing(user, 2, "c")]);
    }
    // Lurkers are others.
    events.extend(["x", "y", "z"].map(|user| presence(user, HOUR, &[])));
    gateway.at_noon().ingest(&events).await;
    for name in super::differential::NAMES {
        let users = if name == "lurkers" { ["x", "y", "z"] } else { ["a", "b", "c"] };
        let query = format!("{name}?exclude_users={}&exclude_users={}", users[0], users[2]);
        let rows = analytic(gateway, &query).await;
        let rest = each(&rows, "userId");
        assert!(rest.contains(&json!(users[1])), "{name}: {rest:?}");
        assert!(!rest.contains(&json!(users[0])) && !rest.contains(&json!(users[2])), "{name}");
        assert_eq!(
            analytic(gateway, &format!("{name}?limit=2")).await.as_array().unwrap().len(),
            2
        );
    }
    let within = format!("since={}&until={}", ago(2 * HOUR), ago(2 * HOUR - 1));
    let rows = analytic(gateway, &format!("ghosts?{within}")).await;
    assert_eq!(each(&rows, "typingCount"), [1, 1, 1]);
    let behind = format!("since={}&until={}", ago(2 * HOUR - 1), ago(3));
    assert_eq!(analytic(gateway, &format!("ghosts?{behind}")).await, json!([]));
}

async fn limits_are_those_of_each_analytic(gateway: &TestGateway) {
    let mut events = Vec::new();
    for number in 0..501 {
        let user = format!("u{number:03}");
        events.extend([
            typing(&user, HOUR, "c"),
            presence(&user, HOUR, &["web", "mobile"]),
            reaction(&user, HOUR, 100),
            role_change(&user, HOUR),
            event("presence", &format!("l{number:03}"), HOUR, &json!({"clients": []})),
        ]);
    }
    gateway.at_noon().ingest(&events).await;
    for (name, rows) in [
        ("ghosts", 100),
        ("lurkers", 501),
        ("heatmap", 500),
        ("channels", 100),
        ("presence", 100),
        ("clients", 501),
        ("shifts", 200),
        ("reactions", 501),
        ("roles", 100),
        ("suspicion", 1_002),
    ] {
        let came = analytic(gateway, name).await;
        assert_eq!(came.as_array().unwrap().len(), rows, "{name}");
    }
}
