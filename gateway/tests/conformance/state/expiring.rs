//! Time to live: what has expired is not there for anybody, and makes room.

use serde_json::{Value, json};

use super::{deleted, entry, keys, route};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    what_has_expired_is_not_there,
    a_put_after_expiry_is_visible,
    a_put_without_a_time_to_live_clears_the_old_one,
    a_time_to_live_is_shown,
    a_time_to_live_is_a_number_of_seconds,
    a_cleanup_counts_each_entry_once_whoever_took_it with patient,
}

async fn what_has_expired_is_not_there(gateway: &TestGateway) {
    let path = entry("short");
    gateway.in_seconds(0);
    let short = format!("{path}?ttl_seconds=10");
    gateway.store(&short, &[("x-metadata", "{\"a\":1}")], "v").await.assert_status(201);
    gateway.stored("stays", "v").await;
    gateway.in_seconds(9);
    gateway.get(&path).await.assert_status(200);
    gateway.in_seconds(1);
    gateway.get(&path).await.assert_problem(404, "not-found");
    gateway.send("HEAD", &path, &[], "").await.assert_status(404);
    let page = gateway.told("entries?total=true").await;
    assert_eq!((keys(&page), &page["total"]), (vec![b"stays".to_vec()], &json!(1)));
    assert_eq!(gateway.told("count").await, json!({"count": 1}));
    assert_eq!(gateway.told("count?prefix=s").await, json!({"count": 1}));
    assert_eq!(gateway.told("entries:query?metadata={}").await["items"], json!([]));
    assert_eq!(gateway.told("stats").await["entries"], 1);
    let got = gateway.ask("entries:batchGet", &json!({"keys": [super::text("short")]})).await;
    assert_eq!(got.json(), json!({"items": [null]}));
    gateway.send("DELETE", &path, &[("if-match", "*")], "").await.assert_status(412);
    let answer = gateway.delete(&format!("{path}?report=true")).await;
    assert_eq!(answer.json(), json!({"deleted": false}));
    let answer = gateway.post(&route("entries:clear")).await.assert_status(200);
    assert_eq!(answer.json(), deleted(1));
}

/// The forerunner left what was written to an expired key invisible.
async fn a_put_after_expiry_is_visible(gateway: &TestGateway) {
    let path = entry("k");
    gateway.in_seconds(0);
    let old = gateway.store(&format!("{path}?ttl_seconds=1"), &[], "old").await.etag();
    gateway.in_seconds(5);
    gateway.store(&path, &[("if-match", &old)], "x").await.assert_status(412);
    let new = gateway.store(&path, &[("if-none-match", "*")], "new").await.assert_status(201);
    let got = gateway.get(&path).await.assert_status(200);
    assert_eq!((&got.body[..], got.etag(), got.header("expires")), (&b"new"[..], new.etag(), None));
    assert_eq!(keys(&gateway.told("entries").await), [b"k"]);
    // Nor is it taken by a sweep.
    let answer = gateway.post(&route("entries:cleanup")).await.assert_status(200);
    assert_eq!(answer.json(), deleted(0));
    gateway.get(&path).await.assert_status(200);
}

async fn a_put_without_a_time_to_live_clears_the_old_one(gateway: &TestGateway) {
    let path = entry("k");
    gateway.in_seconds(0);
    gateway.store(&format!("{path}?ttl_seconds=5"), &[], "1").await.assert_status(201);
    gateway.store(&path, &[], "2").await.assert_status(200);
    assert_eq!(gateway.get(&path).await.header("expires"), None);
    gateway.in_seconds(60);
    gateway.get(&path).await.assert_status(200);
    gateway.store(&format!("{path}?ttl_seconds=5"), &[], "3").await.assert_status(200);
    let item = json!({"key": super::text("k"), "value": ""});
    gateway.ask("entries:batchPut", &json!({"items": [item]})).await.assert_status(200);
    gateway.in_seconds(60);
    gateway.get(&path).await.assert_status(200);
}

async fn a_time_to_live_is_shown(gateway: &TestGateway) {
    // 2026-11-26T20:00:00.250Z
    gateway.storage().freeze_clock(1_795_723_200_250_000);
    let path = entry("k");
    gateway.store(&format!("{path}?ttl_seconds=86400.5"), &[], "v").await.assert_status(201);
    let got = gateway.get(&path).await.assert_status(200);
    assert_eq!(got.header("expires"), Some("Fri, 27 Nov 2026 20:00:00 GMT"));
    let expires_at = &gateway.told("entries").await["items"][0]["expires_at"];
    assert_eq!(*expires_at, "2026-11-27T20:00:00.750Z");
    let got = gateway.ask("entries:batchGet", &json!({"keys": [super::text("k")]})).await;
    assert_eq!(got.json()["items"][0]["expires_at"], *expires_at);
    gateway.stored("other", "v").await;
    assert_eq!(gateway.told("entries").await["items"][1]["expires_at"], Value::Null);
}

async fn a_time_to_live_is_a_number_of_seconds(gateway: &TestGateway) {
    for wrong in ["0", "-1", "0.0001", "x", "", "3153600001", "1e999"] {
        let answer = gateway.store(&format!("{}?ttl_seconds={wrong}", entry("k")), &[], "v").await;
        let problem = answer.assert_problem(400, "invalid-parameter");
        assert_eq!(problem["parameter"], "ttl_seconds", "{wrong}");
    }
    gateway.assert_entries(&[]).await;
    for right in ["0.001", "1", "3153600000"] {
        let path = format!("{}?ttl_seconds={right}", entry(right));
        gateway.store(&path, &[], "v").await.assert_status(201);
    }
}

async fn a_cleanup_counts_each_entry_once_whoever_took_it(gateway: &TestGateway) {
    let cleanup = async || gateway.post(&route("entries:cleanup")).await.assert_status(200).json();
    let put = async |name: &str, count: usize| {
        for n in 0..count {
            let path = format!("{}?ttl_seconds=1", entry(format!("{name}-{n}")));
            gateway.store(&path, &[], "v").await.assert_status(201);
        }
    };
    gateway.in_seconds(0);
    assert_eq!(cleanup().await, deleted(0));
    put("first", 7).await;
    gateway.stored("stays", "v").await;
    assert_eq!(cleanup().await, deleted(0), "they are there still");
    gateway.in_seconds(2);
    let swept = gateway.storage().sweep_expired(gateway.storage().now()).await.unwrap();
    assert_eq!(swept.expired, 7);
    put("second", 5).await;
    gateway.in_seconds(2);
    assert_eq!(cleanup().await, deleted(12), "seven of the sweeper's and five of its own");
    assert_eq!(cleanup().await, deleted(0));
    put("third", 3).await;
    gateway.in_seconds(2);
    // Two at a time: each entry is counted by one of them.
    let (one, other) = tokio::join!(cleanup(), cleanup());
    let both = one["deleted"].as_u64().unwrap() + other["deleted"].as_u64().unwrap();
    assert_eq!(both, 3, "{one} {other}");
    gateway.assert_entries(&[("stays", "v")]).await;
}
