//! `GET /stats` and `POST /entries:clear`: exact numbers.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{deleted, encoded, entry, keys, route, text};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    statistics_are_exact,
    statistics_are_exact_under_concurrent_writes with patient,
    a_clear_is_of_all_or_of_a_prefix,
}

fn stats(entries: u64, bytes: u64, puts: u64, deletes: u64) -> Value {
    json!({"entries": entries, "bytes": bytes, "puts": puts, "deletes": deletes})
}

async fn statistics_are_exact(gateway: &TestGateway) {
    let told = async || gateway.told("stats").await;
    assert_eq!(told().await, stats(0, 0, 0, 0));
    gateway.stored("a", "12345").await;
    gateway.stored("b", "123").await;
    assert_eq!(told().await, stats(2, 8, 2, 0));
    gateway.stored("a", "1").await;
    gateway.stored("a", "2").await;
    assert_eq!(told().await, stats(2, 4, 4, 0));
    gateway.store(&entry("a"), &[("if-match", "\"0\"")], "x").await.assert_status(412);
    gateway.delete(&entry("none")).await.assert_status(204);
    assert_eq!(told().await, stats(2, 4, 4, 0), "nothing was done");
    let batch = json!({"items": [
        {"key": text("a"), "value": text("11")}, {"key": text("c"), "value": text("33")},
    ]});
    gateway.ask("entries:batchPut", &batch).await.assert_status(200);
    assert_eq!(told().await, stats(3, 7, 6, 0));
    gateway.delete(&entry("a")).await.assert_status(204);
    let batch = json!({"items": [{"key": text("a")}, {"key": text("b")}]});
    gateway.ask("entries:batchDelete", &batch).await.assert_status(200);
    assert_eq!(told().await, stats(1, 2, 6, 2));
    gateway.post(&route("entries:clear")).await.assert_status(200);
    assert_eq!(told().await, stats(0, 0, 6, 3));
    gateway.send("HEAD", &route("stats"), &[], "").await.assert_status(200);
}

async fn statistics_are_exact_under_concurrent_writes(gateway: &TestGateway) {
    let write = |n: usize| async move {
        let key = format!("k{}", n % 20);
        gateway.stored(&key, "v").await;
        if n.is_multiple_of(4) {
            gateway.delete(&entry(&key)).await.assert_status(204);
        }
    };
    join_all((0..200).map(write)).await;
    let (told, count) = (gateway.told("stats").await, gateway.told("count").await);
    let page = gateway.told("entries?limit=1000").await;
    assert_eq!((&told["entries"], &told["bytes"]), (&count["count"], &count["count"]));
    assert_eq!(told["entries"], keys(&page).len());
    assert_eq!(told["puts"], 200);
}

async fn a_clear_is_of_all_or_of_a_prefix(gateway: &TestGateway) {
    for key in [&b"a"[..], b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\0"] {
        gateway.stored(key, "v").await;
    }
    let clear = async |prefix: &[u8]| {
        let path = route(&format!("entries:clear?prefix={}", encoded(prefix)));
        gateway.post(&path).await.assert_status(200).json()
    };
    assert_eq!(clear(b"c").await, deleted(0));
    assert_eq!(clear(b"a\xff").await, deleted(2));
    assert_eq!(keys(&gateway.told("entries").await), [&b"a"[..], b"b", b"\xff", b"\xff\0"]);
    assert_eq!(clear(b"\xff").await, deleted(2));
    let all = gateway.post(&route("entries:clear")).await.assert_status(200);
    assert_eq!(all.json(), deleted(2));
    assert_eq!(gateway.told("count").await, json!({"count": 0}));
}
