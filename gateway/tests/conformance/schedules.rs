//! Schedules: one gateway at a time runs each, no earlier than its time, for those who are due,
//! whatever fails.

use std::time::Duration;

use futures_util::future::join_all;
use loggia::config::Config;
use loggia::storage::{Claim, Expiry, Turn, Write};
use serde_json::{Value as Json, json};

use crate::harness::faults::route;
use crate::harness::store::{TestStore, put};
use crate::harness::{Database, TestGateway, on_both_databases, send, stores_on_both_databases};
use crate::process::{Program, configure};

stores_on_both_databases! { declaring alarms:
    a_turn_comes_no_earlier_than_its_time,
    of_many_who_ask_for_a_turn_one_gets_it,
    a_turn_whose_gateway_is_gone_is_followed,
    a_turn_that_is_renewed_stays,
    a_turn_that_is_left_is_there_at_once,
    those_are_due_who_have_a_document_that_is,
    what_is_due_is_found_by_an_index,
}

on_both_databases! {
    a_schedule_calls_again_and_again_as_an_admin with scheduled,
    a_schedule_calls_where_something_is_due with scheduled,
    a_call_that_fails_does_not_end_the_schedule with scheduled,
    a_call_that_loops_does_not_end_the_schedule with scheduled,
    a_gateway_with_schedules_off_calls_nothing,
}

fn scheduled(config: &mut Config) {
    config.server.schedules = true;
    config.limits.guest_cpu_ms = 200;
}

/// The interval of the plugin's schedules.
const EVERY_US: i64 = 100_000;

const HOUR: Duration = Duration::from_secs(3_600);

fn alarms() -> Json {
    json!({
        "collections": [{"name": "alarm", "fields": {"at": "timestamp"}, "expires": true}],
        "operations": [{"name": "ring", "method": "POST", "path": "/ring", "summary": "s"}],
        "schedules": [{
            "operation": "ring", "every": "1s", "due": {"collection": "alarm", "field": "at"},
        }],
    })
}

async fn claim(store: &TestStore, every: Duration, lease: Duration) -> Claim {
    store.storage.claim_schedule("test", "ring", every, lease).await.unwrap()
}

async fn taken(store: &TestStore, every: Duration, lease: Duration) -> Turn {
    match claim(store, every, lease).await {
        Claim::Taken(turn) => turn,
        other => panic!("{other:?}"),
    }
}

async fn a_turn_comes_no_earlier_than_its_time(store: TestStore) {
    let turn = taken(&store, HOUR, HOUR).await;
    let other = store.storage.claim_schedule("test", "other", HOUR, HOUR).await.unwrap();
    assert!(matches!(other, Claim::Taken(_)), "{other:?}");
    for ended in [false, true] {
        if ended {
            store.storage.end_schedule(&turn, 1, 0).await.unwrap();
        }
        let next = claim(&store, HOUR, HOUR).await;
        assert!(matches!(next, Claim::NotYet(wait) if wait <= HOUR), "{next:?}");
    }
    let counted = "SELECT calls, failures FROM loggia_schedule WHERE operation = 'ring'";
    assert_eq!(store.database.query(counted).await, [["1", "0"]]);
}

async fn of_many_who_ask_for_a_turn_one_gets_it(store: TestStore) {
    for _ in 0..5 {
        let claims = join_all((0..32).map(|_| claim(&store, Duration::ZERO, HOUR))).await;
        let mut turns = Vec::new();
        for claim in claims {
            match claim {
                Claim::Taken(turn) => turns.push(turn),
                Claim::Held(wait) => assert!(wait <= HOUR, "{wait:?}"),
                Claim::NotYet(wait) => panic!("{wait:?}"),
            }
        }
        assert_eq!(turns.len(), 1);
        store.storage.end_schedule(&turns[0], 0, 0).await.unwrap();
    }
}

async fn a_turn_whose_gateway_is_gone_is_followed(store: TestStore) {
    let lease = Duration::from_millis(300);
    let gone = taken(&store, Duration::ZERO, lease).await;
    let next = loop {
        match claim(&store, Duration::ZERO, HOUR).await {
            Claim::Taken(turn) => break turn,
            Claim::Held(wait) => tokio::time::sleep(wait).await,
            Claim::NotYet(wait) => panic!("{wait:?}"),
        }
    };
    assert!(next.began_at - gone.began_at >= 300_000, "{next:?} came before the lease was over");
    // It comes back to life: the turn is the other's.
    assert!(!store.storage.renew_schedule(&gone, HOUR).await.unwrap());
    store.storage.end_schedule(&gone, 1, 0).await.unwrap();
    let held = claim(&store, Duration::ZERO, HOUR).await;
    assert!(matches!(held, Claim::Held(_)), "{held:?}");
}

async fn a_turn_that_is_renewed_stays(store: TestStore) {
    let turn = taken(&store, Duration::ZERO, Duration::from_secs(60)).await;
    assert!(store.storage.renew_schedule(&turn, HOUR).await.unwrap());
    let held = claim(&store, Duration::ZERO, HOUR).await;
    assert!(matches!(held, Claim::Held(wait) if wait > HOUR / 2), "{held:?}");
}

async fn a_turn_that_is_left_is_there_at_once(store: TestStore) {
    let left = taken(&store, HOUR, HOUR).await;
    store.storage.leave_schedule(&left).await.unwrap();
    let next = taken(&store, HOUR, HOUR).await;
    // It is the other's now.
    store.storage.leave_schedule(&left).await.unwrap();
    assert!(store.storage.renew_schedule(&next, HOUR).await.unwrap());
    let counted = "SELECT calls, failures FROM loggia_schedule WHERE operation = 'ring'";
    assert_eq!(store.database.query(counted).await, [["0", "0"]]);
}

/// 2026-03-01T00:00:00Z
const NOW: i64 = 1_772_323_200_000_000;

async fn those_are_due_who_have_a_document_that_is(store: TestStore) {
    let tenants = ["two", "three", "four", "five"].map(|name| store.as_tenant(name));
    let tenants = join_all(tenants).await;
    let [two, three, four, five] = tenants.as_slice() else { panic!() };
    let alarm = |id: &str, at: &str| put("alarm", id, &json!({"at": at}));
    let (now, later) = ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000001Z");
    store.apply(&[alarm("a", now), alarm("b", now), alarm("c", later)]).await.unwrap();
    two.apply(&[alarm("a", later)]).await.unwrap();
    three.apply(&[put("alarm", "a", &json!({}))]).await.unwrap();
    let expired = |at| Write { expiry: Expiry::At(at), ..alarm("a", now) };
    four.apply(&[expired(NOW)]).await.unwrap();
    five.apply(&[expired(NOW + 1)]).await.unwrap();
    let due = store.storage.due_tenants(&store.schema, "alarm", "at", NOW).await.unwrap();
    assert_eq!(due.len(), 2, "{due:?}");
    assert!(due.contains(&store.tenant) && due.contains(&five.tenant), "{due:?}");
}

async fn what_is_due_is_found_by_an_index(store: TestStore) {
    const INDEX: &str = "test__alarm____due__f__at";
    if store.is_sqlite() {
        // The statement names it, so it fails where there is none.
        let due = store.storage.due_tenants(&store.schema, "alarm", "at", NOW).await;
        assert_eq!(due.unwrap(), []);
        let named = format!("SELECT name FROM sqlite_master WHERE name = '{INDEX}'");
        assert_eq!(store.database.query(&named).await.len(), 1);
        return;
    }
    let explain = "SET enable_seqscan = off; SET loggia.tenant = '*'; \
                   EXPLAIN SELECT DISTINCT tenant FROM test__alarm WHERE f__at <= 1";
    let plan = store.database.query(explain).await.concat().join("\n");
    assert!(plan.contains(INDEX), "{plan}");
}

/// The calls of an operation that were noted, once there are so many.
async fn calls(gateway: &TestGateway, operation: &str, least: usize) -> Vec<Json> {
    loop {
        let noted = noted(gateway, operation).await;
        if noted.len() >= least {
            return noted;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn noted(gateway: &TestGateway, operation: &str) -> Vec<Json> {
    let answer = gateway.get(&route(&format!("tallies/{operation}"))).await;
    match answer.status.as_u16() {
        404 => Vec::new(),
        _ => answer.assert_status(200).json()["calls"].as_array().unwrap().clone(),
    }
}

/// Fail unless between two turns there was the schedule's time.
fn assert_apart(calls: &[Json]) {
    let times: Vec<i64> = calls.iter().map(|call| call["at"].as_i64().unwrap()).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= EVERY_US, "two turns within the interval: {times:?}");
    }
}

async fn behave(gateway: &TestGateway, behavior: &str) {
    let body = json!({"as": behavior});
    gateway.put(&route("tallies/behavior"), &body).await.assert_status(204);
}

async fn a_schedule_calls_again_and_again_as_an_admin(gateway: &TestGateway) {
    let calls = calls(gateway, "tick", 4).await;
    assert_apart(&calls);
    for call in &calls {
        assert_eq!(call["subject"], "schedule");
        assert_eq!(call["roles"], json!(["reader", "writer", "admin"]));
        // Defaults are filled in, and it takes no body.
        assert_eq!((&call["behave"], &call["body"]), (&json!("by schedule"), &json!("")));
    }
}

async fn a_schedule_calls_where_something_is_due(gateway: &TestGateway) {
    let alarm = async |id: &str, at: &str| {
        let body = json!({"at": at});
        gateway.put(&route(&format!("alarms/{id}")), &body).await.assert_status(204);
    };
    alarm("later", "2999-01-01T00:00:00Z").await;
    // The other schedule is the clock: it has had three turns, so this one has had some.
    calls(gateway, "tick", 3).await;
    assert_eq!(noted(gateway, "ring").await, [] as [Json; 0]);
    alarm("now", "2026-01-01T00:00:00Z").await;
    let rung = calls(gateway, "ring", 1).await;
    assert_eq!(rung[0]["body"], "{}");
    // The alarm is gone, so nothing is due.
    let ticks = noted(gateway, "tick").await.len();
    calls(gateway, "tick", ticks + 3).await;
    assert_eq!(noted(gateway, "ring").await.len(), 1);
}

async fn a_call_that_fails_does_not_end_the_schedule(gateway: &TestGateway) {
    for behavior in ["problem", "trap"] {
        behave(gateway, behavior).await;
        let before = noted(gateway, "tick").await.len();
        assert_apart(&calls(gateway, "tick", before + 3).await);
    }
    assert!(failures(gateway).await >= 4, "they were not counted");
}

async fn a_call_that_loops_does_not_end_the_schedule(gateway: &TestGateway) {
    behave(gateway, "loop").await;
    let before = noted(gateway, "tick").await.len();
    assert_apart(&calls(gateway, "tick", before + 2).await);
    behave(gateway, "well").await;
    let before = noted(gateway, "tick").await.len();
    calls(gateway, "tick", before + 2).await;
    assert!(failures(gateway).await >= 1, "they were not counted");
    assert!(gateway.counted("default", "guest_cpu_ms") >= 1, "their breaches were not counted");
}

async fn failures(gateway: &TestGateway) -> u64 {
    let failures = "SELECT failures FROM loggia_schedule WHERE operation = 'tick'";
    gateway.database().query(failures).await[0][0].parse().unwrap()
}

async fn a_gateway_with_schedules_off_calls_nothing(gateway: &TestGateway) {
    // There is nothing to wait for: some of the schedules' time, in which they would have begun.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(gateway.database().query("SELECT operation FROM loggia_schedule").await.len(), 0);
    assert_eq!(noted(gateway, "tick").await, [] as [Json; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_database_take_turns() {
    let first = TestGateway::start(Database::postgres().await, scheduled).await;
    let second = first.second().await.unwrap();
    assert_apart(&calls(&first, "tick", 15).await);
    drop(second);
    // The other goes on, at the latest when the lease of a turn that was cut off is over.
    let before = noted(&first, "tick").await.len();
    assert_apart(&calls(&first, "tick", before + 3).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_in_its_turn_is_followed() {
    let gateway = TestGateway::start(Database::postgres().await, |_| {}).await;
    behave(&gateway, "loop").await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = configure(&folder, &gateway.database().url());
    let mut text = std::fs::read_to_string(&configuration).unwrap();
    text.push_str("[limits]\nrequest_ms = 60000\nguest_cpu_ms = 60000\n");
    std::fs::write(&configuration, text).unwrap();
    let program = Program::start(&configuration);
    // It is in its turn: the call was noted, and loops.
    calls(&gateway, "tick", 1).await;
    program.kill();
    let held = "SELECT count(*) FROM loggia_schedule WHERE operation = 'tick' AND holder <> ''";
    assert_eq!(gateway.database().query(held).await, [["1"]]);
    behave(&gateway, "well").await;
    let follower = Program::start(&configuration);
    let before = noted(&gateway, "tick").await.len();
    assert_apart(&calls(&gateway, "tick", before + 2).await);
    send(follower.address, "GET", "/v1/faults/tallies/tick", &[], "").await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_stops_ends_its_turn() {
    let mut gateway = TestGateway::start(Database::postgres().await, scheduled).await;
    let looker = gateway.second_with(|config| config.server.schedules = false).await;
    behave(&gateway, "loop").await;
    calls(&gateway, "tick", 1).await;
    gateway.stop().await;
    let held = "SELECT operation FROM loggia_schedule WHERE holder <> ''";
    assert_eq!(looker.database().query(held).await.len(), 0, "a turn was cut off");
}
