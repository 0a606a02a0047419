//! What an operator lets a network have.

use futures_util::future::join_all;
use loggia::config::{Config, Settings};
use serde_json::{Value, json};

use super::{JSON, contact, group, network, saved_group};
use crate::harness::faults::patient;
use crate::harness::tenants::add;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    a_group_has_so_many_contacts_and_no_more with small,
    a_network_has_so_many_groups_and_no_more with small,
    no_number_of_groups_is_too_many_where_that_is_set with boundless,
    a_network_has_so_many_bytes_and_no_more with few_bytes,
    a_contact_has_so_many_bytes_and_no_more with few_bytes,
    a_large_network_needs_no_other_limits,
    an_operators_limit_goes_before_what_an_operation_asks_for with no_time,
}

fn set(config: &mut Config, settings: Value) {
    patient(config);
    let Value::Object(settings) = settings else { panic!("{settings}") };
    add(config, "one").settings.insert("graph-networks".to_owned(), Settings(settings));
}

fn small(config: &mut Config) {
    set(config, json!({"max_contacts_per_group": 3, "max_groups_per_network": 2}));
}

fn boundless(config: &mut Config) {
    set(config, json!({"max_groups_per_network": 0}));
}

fn few_bytes(config: &mut Config) {
    set(config, json!({"max_network_bytes": 2_000, "max_contact_bytes": 500}));
}

async fn send(gateway: &TestGateway, method: &str, path: &str, body: &Value) -> Answer {
    gateway.with_key("one").send(method, path, &[JSON], body.to_string()).await
}

#[track_caller]
fn assert_limit(answer: &Answer, limit: &str) {
    assert_eq!(answer.assert_problem(422, "limit-exceeded")["limit"], limit);
}

async fn counts(gateway: &TestGateway) -> [u64; 2] {
    let path = format!("{}/stats", network("n"));
    let stats = send(gateway, "GET", &path, &json!({})).await;
    // A GET has no body; the answer says so.
    assert_eq!(stats.status, 400);
    let stats = gateway.with_key("one").send("GET", &path, &[], "").await.assert_status(200).json();
    ["groupCount", "contactCount"].map(|name| stats[name].as_u64().unwrap())
}

async fn a_group_has_so_many_contacts_and_no_more(gateway: &TestGateway) {
    let groups = json!({"groups": [saved_group("a", &["c0", "c1"])]});
    send(gateway, "PUT", &network("n"), &groups).await.assert_status(201);
    let limit = "max_contacts_per_group";
    let four = saved_group("a", &["c0", "c1", "c2", "c3"]);
    assert_limit(&send(gateway, "PUT", &group("a"), &four).await, limit);
    let answer = send(gateway, "PUT", &network("n"), &json!({"groups": [four]})).await;
    assert_limit(&answer, limit);
    let batch = json!({"contacts": [{"id": "c1"}, {"id": "c2"}, {"id": "c3"}]});
    let path = format!("{}/contacts:batchSave", group("a"));
    assert_limit(&send(gateway, "POST", &path, &batch).await, limit);
    assert_eq!(counts(gateway).await, [1, 2]);
    // Of many that come at once one gets the last place.
    let add =
        async |n: u32| send(gateway, "PUT", &contact("a", &format!("new{n}")), &json!({})).await;
    let answers = join_all((0..20).map(add)).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    answers.iter().filter(|a| a.status != 201).for_each(|answer| assert_limit(answer, limit));
    assert_eq!((made, counts(gateway).await), (1, [1, 3]));
    // What is there can still be changed.
    send(gateway, "PUT", &contact("a", "c0"), &json!({"content": 1})).await.assert_status(200);
}

async fn a_network_has_so_many_groups_and_no_more(gateway: &TestGateway) {
    let groups = json!({"groups": [saved_group("a", &[])]});
    send(gateway, "PUT", &network("n"), &groups).await.assert_status(201);
    let add = async |n: u32| {
        let id = format!("g{n}");
        send(gateway, "PUT", &group(&id), &saved_group(&id, &[&format!("c{n}")])).await
    };
    let answers = join_all((0..20).map(add)).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status != 201);
    refused.for_each(|answer| assert_limit(answer, "max_groups_per_network"));
    assert_eq!((made, counts(gateway).await), (1, [2, 1]));
    let three =
        json!({"groups": [saved_group("x", &[]), saved_group("y", &[]), saved_group("z", &[])]});
    let answer = send(gateway, "PUT", &network("n"), &three).await;
    assert_limit(&answer, "max_groups_per_network");
    assert_eq!(counts(gateway).await, [2, 1]);
    // As many others in their place are no more.
    let two = json!({"groups": [saved_group("x", &[]), saved_group("y", &[])]});
    send(gateway, "PUT", &network("n"), &two).await.assert_status(200);
}

async fn no_number_of_groups_is_too_many_where_that_is_set(gateway: &TestGateway) {
    let groups: Vec<Value> = (0..1_001).map(|n| saved_group(&format!("g{n}"), &[])).collect();
    let answer = send(gateway, "PUT", &network("n"), &json!({"groups": groups})).await;
    answer.assert_status(201);
}

async fn a_network_has_so_many_bytes_and_no_more(gateway: &TestGateway) {
    send(gateway, "PUT", &network("n"), &json!({"groups": []})).await.assert_status(201);
    for id in ["a", "b", "c", "d", "e"] {
        send(gateway, "PUT", &group(id), &saved_group(id, &[])).await.assert_status(201);
    }
    // Each takes some 400 bytes, so that four of the groups can have one.
    let content = json!({"content": "x".repeat(350)});
    let add = async |id: &'static str| send(gateway, "PUT", &contact(id, id), &content).await;
    let answers = join_all(["a", "b", "c", "d", "e"].map(add)).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status != 201);
    refused.for_each(|answer| assert_limit(answer, "max_network_bytes"));
    assert_eq!((made, counts(gateway).await), (4, [5, 4]));
    let big = json!({"group": {"name": "x".repeat(2_000)}});
    assert_limit(&send(gateway, "PUT", &group("a"), &big).await, "max_network_bytes");
    let patch = send(gateway, "PATCH", &group("a"), &json!({"name": "x".repeat(2_000)})).await;
    assert_limit(&patch, "max_network_bytes");
}

async fn a_contact_has_so_many_bytes_and_no_more(gateway: &TestGateway) {
    let groups = json!({"groups": [saved_group("a", &["c"])]});
    send(gateway, "PUT", &network("n"), &groups).await.assert_status(201);
    let large = json!({"id": "c", "content": "x".repeat(500)});
    let limit = "max_contact_bytes";
    assert_limit(&send(gateway, "PUT", &contact("a", "c"), &large).await, limit);
    let path = format!("{}/content", contact("a", "c"));
    assert_limit(&send(gateway, "PUT", &path, &large["content"]).await, limit);
    let body = json!({"group": {}, "contacts": [large]});
    assert_limit(&send(gateway, "PUT", &group("a"), &body).await, limit);
    let read = gateway.with_key("one").send("GET", &contact("a", "c"), &[], "").await;
    assert!(read.json().get("content").is_none());
}

/// 10,000 contacts in 10 groups.
fn large() -> Value {
    let group = |group: u32| {
        let contacts: Vec<Value> =
            (0..1_000).map(|n| json!({"id": format!("c{group}-{n}")})).collect();
        json!({"group": {"id": format!("g{group}")}, "contacts": contacts})
    };
    json!({"groups": (0..10).map(group).collect::<Vec<_>>()})
}

async fn a_large_network_needs_no_other_limits(gateway: &TestGateway) {
    for status in [201, 200] {
        gateway.put(&network("n"), &large()).await.assert_status(status);
    }
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!(stats["contactCount"], 10_000);
    gateway.delete(&network("n")).await.assert_status(204);
}

fn no_time(config: &mut Config) {
    let plugin = config.plugins.get_mut("graph-networks").unwrap();
    plugin.limits.transaction_ms = Some(Some(1));
}

async fn an_operators_limit_goes_before_what_an_operation_asks_for(gateway: &TestGateway) {
    let problem = gateway.put(&network("n"), &large()).await.assert_problem(504, "plugin-timeout");
    assert_eq!(problem["limit"], "transaction_ms");
    gateway.get(&network("n")).await.assert_problem(404, "network-not-found");
}
