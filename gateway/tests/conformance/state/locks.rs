//! Locks: one holder at a time, and tokens that tell an old one from the new.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::{encoded, route};
use crate::harness::faults::patient;
use crate::harness::{Answer, TestGateway, on_both_databases};
use crate::waits::until_waiting;

on_both_databases! {
    a_lock_is_taken_renewed_and_released,
    of_50_contenders_no_two_hold_a_lock with patient,
    of_50_that_come_at_once_one_takes_a_lock with patient,
    a_stale_token_is_refused,
    a_holder_that_dies_frees_the_lock_by_time with patient,
    a_release_wakes_who_waits with patient,
    a_wait_that_ends_in_vain_tells_the_holder,
    names_hold_any_text,
    what_a_lock_is_given_is_checked,
}

fn path(name: &str) -> String {
    format!("locks/{}", encoded(name.as_bytes()))
}

async fn acquire(gateway: &TestGateway, name: &str, body: Value) -> Answer {
    gateway.ask(&format!("{}:acquire", path(name)), &body).await
}

async fn renew(gateway: &TestGateway, name: &str, token: &Value) -> Answer {
    let body = json!({"token": token, "ttl_seconds": 60});
    gateway.ask(&format!("{}:renew", path(name)), &body).await
}

async fn release(gateway: &TestGateway, name: &str, token: &Value) -> Answer {
    gateway.ask(&format!("{}:release", path(name)), &json!({"token": token})).await
}

fn by(owner: &str) -> Value {
    json!({"owner": owner, "ttl_seconds": 60})
}

async fn a_lock_is_taken_renewed_and_released(gateway: &TestGateway) {
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    let name = "l";
    gateway.get(&route(&path(name))).await.assert_problem(404, "not-found");
    let taken = acquire(gateway, name, by("a")).await.assert_status(200);
    assert_eq!(taken.json(), json!({"token": 1, "expires_at": "2026-11-26T20:01:00.000Z"}));
    let got = gateway.get(&route(&path(name))).await.assert_status(200);
    assert_eq!(got.etag(), taken.etag());
    let expected = json!({
        "name": "l", "owner": "a", "token": 1, "expires_at": "2026-11-26T20:01:00.000Z",
    });
    assert_eq!(got.json(), expected);
    gateway.send("HEAD", &route(&path(name)), &[], "").await.assert_status(200);

    let refused = acquire(gateway, name, by("b")).await;
    let holder = json!({"owner": "a", "expires_at": "2026-11-26T20:01:00.000Z"});
    assert_eq!(refused.assert_problem(409, "locked")["holder"], holder);
    // An owner is a name, and may be two who do not know of each other.
    acquire(gateway, name, by("a")).await.assert_problem(409, "locked");

    gateway.in_seconds(59);
    let renewed = renew(gateway, name, &json!(1)).await.assert_status(200);
    assert_eq!(renewed.json(), json!({"token": 1, "expires_at": "2026-11-26T20:01:59.000Z"}));
    gateway.in_seconds(59);
    acquire(gateway, name, by("b")).await.assert_problem(409, "locked");
    assert_eq!(release(gateway, name, &json!(1)).await.assert_status(204).body.len(), 0);
    gateway.get(&route(&path(name))).await.assert_problem(404, "not-found");
    let taken = acquire(gateway, name, by("b")).await.assert_status(200);
    assert_eq!(taken.json()["token"], 2, "it grows for ever");
    acquire(gateway, "other", by("b")).await.assert_status(200);
}

async fn of_50_contenders_no_two_hold_a_lock(gateway: &TestGateway) {
    let holders = AtomicUsize::new(0);
    let contend = async |n: usize| {
        let body = json!({"owner": n.to_string(), "ttl_seconds": 600, "wait_seconds": 30});
        let taken = acquire(gateway, "l", body).await.assert_status(200).json();
        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
        // Something that takes time, and that the holder alone does.
        let held = gateway.told("locks/l").await;
        assert_eq!((&held["owner"], &held["token"]), (&json!(n.to_string()), &taken["token"]));
        assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "two held it");
        release(gateway, "l", &taken["token"]).await.assert_status(204);
        taken["token"].as_u64().unwrap()
    };
    let mut tokens = join_all((0..50).map(contend)).await;
    tokens.sort_unstable();
    assert_eq!(tokens, (1..=50).collect::<Vec<u64>>());
}

async fn of_50_that_come_at_once_one_takes_a_lock(gateway: &TestGateway) {
    for round in 1..=3 {
        let answers = join_all((0..50).map(|n| acquire(gateway, "l", by(&n.to_string())))).await;
        let taken: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(taken.len(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_problem(409, "locked");
        }
        assert_eq!(taken[0].json()["token"], round);
        release(gateway, "l", &json!(round)).await.assert_status(204);
    }
}

async fn a_stale_token_is_refused(gateway: &TestGateway) {
    gateway.in_seconds(0);
    for answer in [renew(gateway, "l", &json!(1)).await, release(gateway, "l", &json!(1)).await] {
        answer.assert_problem(404, "not-found");
    }
    acquire(gateway, "l", by("a")).await.assert_status(200);
    let assert_stale = async |token: u64| {
        renew(gateway, "l", &json!(token)).await.assert_problem(409, "stale-token");
        release(gateway, "l", &json!(token)).await.assert_problem(409, "stale-token");
    };
    assert_stale(0).await;
    assert_stale(2).await;
    release(gateway, "l", &json!(1)).await.assert_status(204);
    assert_stale(1).await;
    acquire(gateway, "l", by("b")).await.assert_status(200);
    assert_stale(1).await;
    assert_eq!(gateway.told("locks/l").await["token"], 2);
    // Its time is over, though nobody has taken the lock since.
    gateway.in_seconds(60);
    assert_stale(2).await;
    let taken = acquire(gateway, "l", by("c")).await.assert_status(200);
    assert_eq!(taken.json()["token"], 3);
    assert_stale(2).await;
}

async fn a_holder_that_dies_frees_the_lock_by_time(gateway: &TestGateway) {
    let dying = json!({"owner": "dies", "ttl_seconds": 0.5});
    let held = acquire(gateway, "l", dying).await.assert_status(200).json();
    let next = json!({"owner": "next", "ttl_seconds": 60, "wait_seconds": 30});
    let taken = acquire(gateway, "l", next).await.assert_status(200).json();
    assert_eq!(taken["token"], 2);
    release(gateway, "l", &held["token"]).await.assert_problem(409, "stale-token");
    assert_eq!(gateway.told("locks/l").await["owner"], "next");
}

async fn a_release_wakes_who_waits(gateway: &TestGateway) {
    let held = acquire(gateway, "l", by("a")).await.assert_status(200).json();
    let waits = acquire(gateway, "l", json!({"owner": "b", "ttl_seconds": 60, "wait_seconds": 30}));
    let releases = async {
        until_waiting(gateway, 1).await;
        release(gateway, "l", &held["token"]).await.assert_status(204);
    };
    let (taken, ()) = join(waits, releases).await;
    assert_eq!(taken.assert_status(200).json()["token"], 2);
    assert_eq!(gateway.waiting(), 0);
}

async fn a_wait_that_ends_in_vain_tells_the_holder(gateway: &TestGateway) {
    acquire(gateway, "l", by("a")).await.assert_status(200);
    let body = json!({"owner": "b", "ttl_seconds": 60, "wait_seconds": 0.05});
    let refused = acquire(gateway, "l", body).await;
    assert_eq!(refused.assert_problem(409, "locked")["holder"]["owner"], "a");
    let body = json!({"owner": "b", "ttl_seconds": 60, "wait_seconds": 0});
    acquire(gateway, "l", body).await.assert_problem(409, "locked");
}

async fn names_hold_any_text(gateway: &TestGateway) {
    let longest = "n".repeat(1_024);
    for name in ["123", "a/b", "a:acquire", "..", "ä'\"", "\u{1F980}", &longest] {
        acquire(gateway, name, by("a")).await.assert_status(200);
        assert_eq!(gateway.told(&path(name)).await["name"], name);
    }
    let too_long = acquire(gateway, &"n".repeat(1_025), by("a")).await;
    too_long.assert_problem(422, "invalid-id");
}

async fn what_a_lock_is_given_is_checked(gateway: &TestGateway) {
    for (body, status, code) in [
        (json!({}), 422, "schema-mismatch"),
        (json!({"owner": "a"}), 422, "schema-mismatch"),
        (json!({"owner": "", "ttl_seconds": 1}), 422, "schema-mismatch"),
        (json!({"owner": "a", "ttl_seconds": 0}), 422, "schema-mismatch"),
        (json!({"owner": "a", "ttl_seconds": -1}), 422, "schema-mismatch"),
        (json!({"owner": "a", "ttl_seconds": "1"}), 422, "schema-mismatch"),
        (json!({"owner": "a", "ttl_seconds": 1, "wait_seconds": 31}), 422, "schema-mismatch"),
        (json!({"owner": "a", "ttl_seconds": 1, "wait_seconds": -1}), 422, "schema-mismatch"),
        (json!({"owner": "a", "ttl_seconds": 1, "until": 1}), 400, "unknown-member"),
        (json!({"owner": "o".repeat(2_049), "ttl_seconds": 1}), 422, "field-too-long"),
    ] {
        acquire(gateway, "l", body).await.assert_problem(status, code);
    }
    gateway.get(&route("locks/l")).await.assert_problem(404, "not-found");
    for (verb, body, status, code) in [
        ("renew", json!({"token": 1}), 422, "schema-mismatch"),
        ("renew", json!({"token": 1, "ttl_seconds": 0}), 422, "schema-mismatch"),
        ("renew", json!({"token": "1", "ttl_seconds": 1}), 422, "schema-mismatch"),
        ("renew", json!({"token": 1, "ttl_seconds": 1, "owner": "a"}), 400, "unknown-member"),
        ("release", json!({}), 422, "schema-mismatch"),
        ("release", json!({"token": -1}), 422, "schema-mismatch"),
        ("release", json!({"token": 1, "owner": "a"}), 400, "unknown-member"),
    ] {
        gateway.ask(&format!("locks/l:{verb}"), &body).await.assert_problem(status, code);
    }
}
