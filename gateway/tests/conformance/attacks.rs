//! What a plugin may try on the gateway and on other tenants: each attack ends as documented and
//! leaves nothing behind, and meanwhile another tenant, the victim, is served 200 times a second.
//! Two look at what is left instead, in the log and in memory.
//!
//! What a plugin in Rust can try stands in `list.rs`, what takes a component by hand in `by_hand.rs`,
//! and what is refused when it is loaded in `refused.rs`: the benchmark `attacks` has the same lists.

use std::time::Duration;

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::component::{self, ATTACK, STORED};
use crate::harness::faults::patient;
use crate::harness::tenants::{Client, add};
use crate::harness::{Answer, TestGateway, log, on_both_databases};
use by_hand::ByHand;
use list::{Attack, Expected};

mod at_load;
pub(crate) mod by_hand;
mod by_wasi;
mod list;
pub(crate) mod refused;

/// One case for each attack of the list.
macro_rules! attacks {
    ($($case:ident = $attack:ident),+ $(,)?) => {
        on_both_databases! { $($case with two_tenants),+ }
        $(async fn $case(gateway: &TestGateway) {
            withstand(gateway, list::$attack).await;
        })+
    };
}

attacks! {
    endless_recursion = RECURSION,
    memory_without_end = MEMORY,
    a_trap = TRAPPING,
    a_trap_after_many_writes = TRAP_AFTER_WRITES,
    a_million_storage_calls = STORAGE_CALLS,
    a_giant_id = GIANT_ID,
    a_giant_body = GIANT_BODY,
    a_giant_list_of_ids = GIANT_LIST,
    races_that_are_always_lost = LOST_RACES,
    a_flood_of_log_lines = LOG_FLOOD,
    a_giant_log_line = GIANT_LOG,
    ten_thousand_headers = MANY_HEADERS,
    a_header_of_two_lines = SPLIT_HEADER,
    a_status_that_is_none = BAD_STATUS,
    a_body_above_its_limit = LARGE_BODY,
    a_body_of_a_gigabyte = BODY_OF_A_GIGABYTE,
}

on_both_databases! {
    an_endless_loop with two_tenants_in_a_hurry,
    a_trap_with_a_row_locked with two_tenants,
    forged_log_lines with two_tenants,
    a_secret_left_in_memory with two_tenants,
    sleeping_by_wasi with a_sleeper,
    growing_tables with a_grower_of_tables,
    growing_memory_to_4_gib with a_grower_of_memory,
}

const FAULTS: &str = "/v1/faults";
const DOCUMENTS: &str = "/v1/faults/documents";

/// So many attacks at a time.
const ATTACKERS: usize = 2;
/// The victim's requests during each attack, one each 5 ms.
const REQUESTS: u32 = 60;

fn two_tenants(config: &mut Config) {
    patient(config);
    for name in ["attacker", "victim"] {
        add(config, name);
    }
}

fn two_tenants_in_a_hurry(config: &mut Config) {
    two_tenants(config);
    config.limits.guest_cpu_ms = 300;
}

async fn an_endless_loop(gateway: &TestGateway) {
    withstand(gateway, list::ENDLESS_LOOP).await;
}

/// Attack until the victim has been served, and look at what is left.
async fn withstand(gateway: &TestGateway, attack: Attack) {
    let attacker = gateway.with_key("attacker");
    let send = || async {
        let path = format!("{FAULTS}/{}", attack.path);
        check(&attacker.send(attack.method, &path, &[], "").await, attack.expected);
    };
    beside_a_victim(gateway, send).await;
    let listed = attacker.get(&format!("{DOCUMENTS}?total=true")).await.assert_status(200).json();
    let stays = matches!(attack.expected, Expected::Told(_));
    assert_eq!(listed["total"], u8::from(stays), "{listed}");
}

/// Let several attack over and over while the victim makes its requests, all of which succeed.
async fn beside_a_victim<F: Future<Output = ()>>(gateway: &TestGateway, attack: impl Fn() -> F) {
    let over = std::cell::Cell::new(false);
    let attackers = join_all((0..ATTACKERS).map(|_| async {
        // At least once each, however quick the victim is.
        loop {
            attack().await;
            if over.get() {
                return;
            }
        }
    }));
    let victim = async {
        be_served(gateway.with_key("victim")).await;
        over.set(true);
    };
    tokio::join!(attackers, victim);
}

/// Write and read in turns, 200 times a second.
async fn be_served(victim: Client<'_>) {
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..REQUESTS {
        ticks.tick().await;
        let path = format!("{DOCUMENTS}/{}", number / 2);
        let body = json!({"title": "mine", "amount": number / 2});
        if number % 2 == 0 {
            victim.put(&path, &body).await.assert_status(201);
        } else {
            assert_eq!(victim.get(&path).await.assert_status(200).json(), body);
        }
    }
}

#[track_caller]
fn check(answer: &Answer, expected: Expected) {
    match expected {
        Expected::Problem(status, code) => drop(answer.assert_problem(status, code)),
        Expected::Limit(status, code, limit) => {
            assert_eq!(answer.assert_problem(status, code)["limit"], limit, "{answer:?}");
        }
        Expected::Told(error) => assert_eq!(answer.json()["error"], error, "{answer:?}"),
        Expected::Harmless => assert!(answer.status.is_success(), "{answer:?}"),
    }
}

/// Whoever waits for the lock gets it as soon as the guest is gone.
async fn a_trap_with_a_row_locked(gateway: &TestGateway) {
    let attacker = gateway.with_key("attacker");
    let held = format!("{DOCUMENTS}/held");
    attacker.put(&held, &json!({"title": "free"})).await.assert_status(201);
    let send = || async {
        let path = format!("{FAULTS}/{}", list::TRAP_WITH_A_LOCK.path);
        let free = json!({"title": "free"});
        let lock = attacker.post(&path);
        let (trapped, written) = tokio::join!(lock, attacker.put(&held, &free));
        check(&trapped, list::TRAP_WITH_A_LOCK.expected);
        written.assert_status(200);
    };
    beside_a_victim(gateway, send).await;
    assert_eq!(attacker.get(&held).await.json(), json!({"title": "free"}));
}

/// One line comes of it, without what would end it or steer a terminal.
async fn forged_log_lines(gateway: &TestGateway) {
    log::capture();
    let trace_id = format!("{:032x}", rand::random::<u128>());
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    let attacker = gateway.with_key("attacker");
    let path = format!("{FAULTS}/{}", list::FORGED_LOG.path);
    let answer = attacker.send("POST", &path, &[("traceparent", &traceparent)], "").await;
    check(&answer, list::FORGED_LOG.expected);
    let lines = log::lines(&trace_id);
    let forged: Vec<_> = lines.iter().filter(|line| line.contains("forged")).collect();
    assert_eq!(forged.len(), 1, "{lines:?}");
    assert!(forged[0].contains("innocent") && !forged[0].contains('\u{1b}'), "{forged:?}");
}

/// The next request of the same tenant may find it; no other tenant's does, neither by the name of
/// the variable nor by looking at all of its memory.
async fn a_secret_left_in_memory(gateway: &TestGateway) {
    let (attacker, victim) = (gateway.with_key("attacker"), gateway.with_key("victim"));
    let secret = format!("secret-{:032x}", rand::random::<u128>());
    let backwards: String = secret.chars().rev().collect();
    let text = [("content-type", "text/plain")];
    let path = format!("{FAULTS}/recall?backwards={backwards}");
    for _ in 0..20 {
        victim.send("POST", "/v1/faults/remember", &text, secret.clone()).await.assert_status(204);
        // A trap throws an instance away, and its slot in the pool goes to the next that is made.
        victim.post("/v1/faults/trap").await.assert_problem(502, "plugin-trap");
        let recalled = attacker.get(&path).await.assert_status(200).json();
        assert_eq!(recalled, json!({"kept": "", "found": false}));
        attacker.post("/v1/faults/trap").await.assert_problem(502, "plugin-trap");
    }
    // It is found where it is: the search is one that finds.
    victim.send("POST", "/v1/faults/remember", &text, secret.clone()).await.assert_status(204);
    let recalled = victim.get(&path).await.assert_status(200).json();
    assert_eq!(recalled, json!({"kept": secret, "found": true}));
}

fn serve_by_hand(config: &mut Config, attack: ByHand) {
    two_tenants(config);
    attack.guest.serve(config);
}

/// Attack by a component by hand until the victim has been served; its document is not there.
async fn withstand_by_hand(gateway: &TestGateway, attack: ByHand) {
    let attacker = gateway.with_key("attacker");
    let send = || async { check(&attacker.post(ATTACK).await, attack.expected) };
    beside_a_victim(gateway, send).await;
    attacker.get(STORED).await.assert_status(404);
}

fn a_sleeper(config: &mut Config) {
    serve_by_hand(config, by_hand::SLEEPING);
    // The default on SQLite, where it holds the writer meanwhile.
    add(config, "attacker").limits.transaction_ms = Some(Some(100));
}

async fn sleeping_by_wasi(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::SLEEPING).await;
}

fn a_grower_of_tables(config: &mut Config) {
    serve_by_hand(config, by_hand::GROWING_TABLES);
}

async fn growing_tables(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::GROWING_TABLES).await;
}

fn a_grower_of_memory(config: &mut Config) {
    serve_by_hand(config, by_hand::GROWING_MEMORY);
}

async fn growing_memory_to_4_gib(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::GROWING_MEMORY).await;
}
