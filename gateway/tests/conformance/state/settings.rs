//! What an operator sets for each tenant.

use futures_util::future::join_all;
use loggia::config::{Config, Settings};
use serde_json::{Value, json};

use super::{BYTES, JSON, entry, route};
use crate::harness::faults::patient;
use crate::harness::tenants::add;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_tenant_may_have_larger_values with larger_and_smaller_values,
    the_newest_checkpoints_are_kept with two_checkpoints,
}

fn set(config: &mut Config, tenant: &str, settings: Value) {
    patient(config);
    let Value::Object(settings) = settings else { panic!("{settings}") };
    add(config, tenant).settings.insert("state".to_owned(), Settings(settings));
}

fn larger_and_smaller_values(config: &mut Config) {
    set(config, "large", json!({"max_value_bytes": 8_000_000}));
    set(config, "small", json!({"max_value_bytes": 4}));
}

async fn a_tenant_may_have_larger_values(gateway: &TestGateway) {
    let (large, small) = (gateway.with_key("large"), gateway.with_key("small"));
    let value = vec![b'v'; 8_000_000];
    large.send("PUT", &entry("k"), &[BYTES], value.clone()).await.assert_status(201);
    let got = large.send("GET", &entry("k"), &[], "").await.assert_status(200);
    assert!(got.body == value);
    small.send("PUT", &entry("k"), &[BYTES], "1234").await.assert_status(201);
    let answer = small.send("PUT", &entry("k"), &[BYTES], "12345").await;
    assert_eq!(answer.assert_problem(413, "value-too-large")["limit"], 4);
    let batch = json!({"items": [{"key": "YQ", "value": "MTIzNDU"}]}).to_string();
    let answer = small.send("POST", &route("entries:batchPut"), &[JSON], batch).await;
    assert_eq!(answer.assert_problem(413, "value-too-large")["pointer"], "/items/0/value");
}

fn two_checkpoints(config: &mut Config) {
    set(config, "one", json!({"max_checkpoints": 2}));
}

async fn the_newest_checkpoints_are_kept(gateway: &TestGateway) {
    let one = gateway.with_key("one");
    let make = async |label: String| {
        let body = json!({"label": label}).to_string();
        one.send("POST", &route("checkpoints"), &[JSON], body).await.assert_status(201);
    };
    let labels = async || -> Vec<String> {
        let page = one.send("GET", &route("checkpoints"), &[], "").await.assert_status(200).json();
        let items = page["items"].as_array().unwrap();
        items.iter().map(|one| one["label"].as_str().unwrap().to_owned()).collect()
    };
    for n in 0..5 {
        gateway.in_seconds(1);
        make(n.to_string()).await;
    }
    assert_eq!(labels().await, ["4", "3"]);
    // At once, none sees what the others are about to make.
    gateway.in_seconds(1);
    join_all((0..8).map(|n| make(format!("at once {n}")))).await;
    let kept = labels().await;
    assert!(kept.len() == 2 && kept.iter().all(|label| label.starts_with("at once")), "{kept:?}");
}
