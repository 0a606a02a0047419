//! `DELETE /users/{user}`, `DELETE /guilds/{guild}` and `POST /retention:run`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loggia::config::{Config, Settings};
use serde_json::{Value, json};

use super::{DAY, JSON, deleted_message, each, one_of_each, reaction, route, typing};
use crate::harness::faults::patient;
use crate::harness::tenants::add;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_user_is_forgotten_in_all_guilds,
    a_guild_is_forgotten,
    events_are_erased_while_others_come with patient,
    each_type_is_kept_for_its_own_days,
    an_operator_sets_the_days with other_days,
    retention_goes_on_while_events_come with patient,
    retention_runs_on_a_schedule with schedules,
}

fn in_guild(guild: &str, mut event: Value) -> Value {
    event["guildId"] = json!(guild);
    event
}

async fn erase(gateway: &TestGateway, path: &str) -> Value {
    gateway.delete(&route(path)).await.assert_status(200).json()
}

async fn a_user_is_forgotten_in_all_guilds(gateway: &TestGateway) {
    let mut events = one_of_each("u");
    events.extend(one_of_each("v"));
    events.push(in_guild("h", typing("u", 0, "c")));
    // Somebody else's reaction to the user tells of the user.
    let mut to_user = reaction("v", 1, 100);
    to_user["actorId"] = json!("u");
    events.push(in_guild("h", to_user));
    gateway.at_noon().ingest(&events).await;
    let update = |roles: Value| {
        json!({"op": 0, "t": "GUILD_MEMBER_UPDATE", "s": 1, "d": {
            "guild_id": "g", "user": {"id": "u", "username": "ann"}, "roles": roles,
        }})
    };
    gateway.send_dispatches(&update(json!([]))).await.assert_status(200);
    assert_eq!(erase(gateway, "users/u").await, json!({"deleted": 9}));
    assert_eq!(erase(gateway, "users/u").await, json!({"deleted": 0}));
    assert_eq!(each(&json!(gateway.all_events().await), "userId"), ["v"; 7]);
    assert_eq!(gateway.seen("guilds/h/events").await["items"], json!([]));
    assert_eq!(gateway.seen("stats").await["count"], 7);
    gateway.get(&route("guilds/g/users/u/suspicion")).await.assert_problem(404, "not-found");
    // The roles are forgotten as well: what comes next is the first sight.
    let answer = gateway.send_dispatches(&update(json!(["r"]))).await.assert_status(200).json();
    assert_eq!((&answer["ingested"], &answer["ignored"]), (&json!(0), &json!(1)));
}

async fn a_guild_is_forgotten(gateway: &TestGateway) {
    let mut events = one_of_each("u");
    events.push(in_guild("h", typing("u", 0, "c")));
    gateway.at_noon().ingest(&events).await;
    assert_eq!(erase(gateway, "guilds/g").await, json!({"deleted": 7}));
    assert_eq!(erase(gateway, "guilds/g").await, json!({"deleted": 0}));
    let items = gateway.seen("stats").await["items"].clone();
    assert_eq!(each(&items, "guildId"), ["h"]);
}

/// Send events of another user, one request after the other, until it is enough; how many.
async fn ingest_until(gateway: &TestGateway, enough: &AtomicBool) -> usize {
    let mut sent = 0;
    while !enough.load(Ordering::SeqCst) {
        let events: Vec<Value> = (0..10).map(|n| typing(&format!("other{sent}"), n, "c")).collect();
        gateway.ingest(&events).await;
        sent += events.len();
    }
    sent
}

async fn events_are_erased_while_others_come(gateway: &TestGateway) {
    // Three steps.
    let events: Vec<Value> = (0..2_500).map(|n| typing("u", n, "c")).collect();
    gateway.at_noon().ingest(&events).await;
    let enough = AtomicBool::new(false);
    let erasing = async {
        let answer = erase(gateway, "users/u").await;
        enough.store(true, Ordering::SeqCst);
        answer
    };
    let (answer, sent) = tokio::join!(erasing, ingest_until(gateway, &enough));
    assert_eq!(answer, json!({"deleted": 2_500}));
    assert!(sent > 0);
    assert_eq!(gateway.seen("stats").await["count"], sent);
}

/// Events of each type of a user, older by so many days.
fn older(user: &str, days: i64) -> Vec<Value> {
    let mut events = one_of_each(user);
    for event in &mut events {
        let time: jiff::Timestamp = event["createdAt"].as_str().unwrap().parse().unwrap();
        let time = time - jiff::SignedDuration::from_millis(days * DAY);
        event["createdAt"] = json!(format!("{time:.3}"));
    }
    events
}

async fn run_retention(gateway: &TestGateway) -> Value {
    gateway.post(&route("retention:run")).await.assert_status(200).json()
}

async fn each_type_is_kept_for_its_own_days(gateway: &TestGateway) {
    let mut events = older("old", 90);
    events.extend(older("new", 89));
    // What is exactly 30 days old stays.
    events.extend([deleted_message("edge", 30 * DAY), deleted_message("over", 30 * DAY + 1)]);
    events.push(in_guild("h", typing("old", 91 * DAY, "c")));
    gateway.at_noon().ingest(&events).await;
    // All of the old one's, the deleted message of the new one, the one over the edge, and that of h.
    assert_eq!(run_retention(gateway).await, json!({"deleted": 7 + 1 + 1 + 1}));
    assert_eq!(run_retention(gateway).await, json!({"deleted": 0}));
    let left = gateway.all_events().await;
    let of = |user: &str| left.iter().filter(|event| event["userId"] == user).count();
    assert_eq!((of("old"), of("new"), of("edge"), of("over")), (0, 6, 1, 0));
}

fn other_days(config: &mut Config) {
    let Value::Object(settings) = json!({"retention_days": {"typing": 1, "message": 0}}) else {
        unreachable!("it is an object");
    };
    add(config, "acme").settings.insert("discord-events".to_owned(), Settings(settings));
}

async fn an_operator_sets_the_days(gateway: &TestGateway) {
    let acme = gateway.at_noon().with_key("acme");
    let mut events = older("u", 200);
    events.extend([typing("v", DAY, "c"), typing("w", DAY + 1, "c")]);
    let body = json!(events).to_string();
    acme.send("POST", &route("events"), &[JSON], body).await.assert_status(200);
    let answer = acme.send("POST", &route("retention:run"), &[], "").await;
    assert_eq!(answer.assert_status(200).json(), json!({"deleted": 7}));
    let left = acme.send("GET", &route("guilds/g/events"), &[], "").await.assert_status(200);
    assert_eq!(each(&left.json()["items"], "type"), ["typing", "message"]);
}

async fn retention_goes_on_while_events_come(gateway: &TestGateway) {
    let events: Vec<Value> = (0..2_500).map(|n| typing("u", 91 * DAY + n, "c")).collect();
    gateway.at_noon().ingest(&events).await;
    let enough = AtomicBool::new(false);
    let running = async {
        let answer = run_retention(gateway).await;
        enough.store(true, Ordering::SeqCst);
        answer
    };
    let (answer, sent) = tokio::join!(running, ingest_until(gateway, &enough));
    assert_eq!(answer, json!({"deleted": 2_500}));
    assert!(sent > 0);
    assert_eq!(gateway.seen("stats").await["count"], sent);
}

fn schedules(config: &mut Config) {
    config.server.schedules = true;
}

async fn retention_runs_on_a_schedule(gateway: &TestGateway) {
    let turns = "SELECT calls, failures FROM loggia_schedule WHERE operation = 'run-retention'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while gateway.database().query(turns).await != [["1", "0"]] {
        assert!(Instant::now() < deadline, "it was not called");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
