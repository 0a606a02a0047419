//! Keys, roles, settings and limits of tenants, over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use loggia::config::{Config, Role, Roles, Settings};
use serde_json::{Value, json};

use crate::harness::faults::{document, patient, route};
use crate::harness::tenants::{add, configured, key};
use crate::harness::{Answer, Database, TestGateway, on_both_databases};

on_both_databases! {
    a_key_opens_its_tenant_and_no_other with two_tenants,
    without_a_known_key_nothing_of_a_plugin_runs with two_tenants,
    what_is_no_route_needs_no_key with two_tenants,
    a_plugin_that_the_tenant_does_not_have_is_refused with one_plugin_each,
    a_key_has_roles_by_plugin with roles_by_plugin,
    the_plugin_is_told_the_key_and_its_roles with roles_by_plugin,
    settings_of_the_tenant_reach_the_plugin with settings,
    a_limit_of_a_count_is_the_tenants_own with settings,
    a_limit_counts_for_its_tenant_alone with small_bodies,
    memory_is_limited_for_its_tenant_alone with small_memory,
}

fn two_tenants(config: &mut Config) {
    patient(config);
    add(config, "one");
    add(config, "two");
}

async fn a_key_opens_its_tenant_and_no_other(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    one.put(&document("d"), &json!({"title": "of one"})).await.assert_status(201);
    two.get(&document("d")).await.assert_problem(404, "not-found");
    two.put(&document("d"), &json!({"title": "of two"})).await.assert_status(201);
    assert_eq!(one.get(&document("d")).await.json(), json!({"title": "of one"}));
}

#[track_caller]
fn assert_challenge(answer: &Answer, code: &str) -> Value {
    let problem = answer.assert_problem(401, code);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    problem
}

async fn without_a_known_key_nothing_of_a_plugin_runs(gateway: &TestGateway) {
    let ask =
        async |headers: &[(&str, &str)]| gateway.send("POST", &route("trap"), headers, "").await;
    assert_challenge(&ask(&[]).await, "key-required");
    let basic = ("authorization", "Basic b25lOnR3bw==");
    assert_challenge(&ask(&[basic]).await, "key-required");
    let known = format!("Bearer {}", key("one"));
    let twice = [("authorization", known.as_str()), ("authorization", known.as_str())];
    assert_challenge(&ask(&twice).await, "key-required");
    let mistyped = format!("Bearer {}x", &key("one")[..44]);
    let mistyped = if mistyped == known { format!("{known}y") } else { mistyped };
    let problem = assert_challenge(&ask(&[("authorization", &mistyped)]).await, "malformed-key");
    assert!(problem["detail"].as_str().unwrap().contains("checksum"), "{problem}");
    let other = format!("Bearer {}", key("of nobody"));
    let answer = ask(&[("authorization", &other)]).await;
    assert_challenge(&answer, "unknown-key");
    assert!(!String::from_utf8_lossy(&answer.body).contains("loggia_"), "{answer:?}");
    // Before the path's values, the query and the body are looked at.
    let answer = gateway.send("PUT", &document("%00"), &[], "no JSON").await;
    assert_challenge(&answer, "key-required");
}

async fn what_is_no_route_needs_no_key(gateway: &TestGateway) {
    gateway.get("/v1/faults/nowhere").await.assert_problem(404, "no-such-route");
    gateway.post(&document("d")).await.assert_problem(405, "method-not-allowed");
    let answer = gateway.send("OPTIONS", &document("d"), &[], "").await.assert_status(204);
    assert_eq!(answer.header("allow"), Some("DELETE, GET, PATCH, PUT, HEAD, OPTIONS"));
}

fn one_plugin_each(config: &mut Config) {
    two_tenants(config);
    add(config, "one").plugins = Some(vec!["faults".to_owned()]);
    add(config, "two").plugins = Some(vec!["chat-sessions".to_owned()]);
}

async fn a_plugin_that_the_tenant_does_not_have_is_refused(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let sessions = "/v1/chat-sessions/sessions";
    one.get(&route("documents")).await.assert_status(200);
    one.get(sessions).await.assert_problem(403, "plugin-not-allowed");
    two.get(sessions).await.assert_status(200);
    let problem = two.get(&route("documents")).await.assert_problem(403, "plugin-not-allowed");
    assert!(problem["detail"].as_str().unwrap().contains("faults"), "{problem}");
}

fn roles_by_plugin(config: &mut Config) {
    patient(config);
    let roles = [("faults", Role::Admin), ("chat-sessions", Role::Reader)];
    let roles = roles.map(|(plugin, role)| (plugin.to_owned(), vec![role]));
    let tenant = add(config, "one");
    tenant.keys.push(configured("by-plugin", Roles::ByPlugin(BTreeMap::from(roles))));
    tenant.keys.push(configured("writer", Roles::Everywhere(vec![Role::Writer])));
    let only = BTreeMap::from([("chat-sessions".to_owned(), vec![Role::Admin])]);
    tenant.keys.push(configured("elsewhere", Roles::ByPlugin(only)));
}

async fn a_key_has_roles_by_plugin(gateway: &TestGateway) {
    let (by_plugin, writer) = (gateway.with_key("by-plugin"), gateway.with_key("writer"));
    let session = "/v1/chat-sessions/sessions/s";
    by_plugin.post(&route("admin")).await.assert_status(204);
    by_plugin.get(session).await.assert_problem(404, "not-found");
    let body = json!({"id": "s"});
    by_plugin.put(session, &body).await.assert_problem(403, "role-required");
    writer.post(&route("admin")).await.assert_problem(403, "role-required");
    writer.put(&document("d"), &json!({})).await.assert_status(201);
    writer.get(&document("d")).await.assert_status(200);
    // A plugin of the tenant in which the key has no role.
    let elsewhere = gateway.with_key("elsewhere");
    elsewhere.get(&document("d")).await.assert_problem(403, "role-required");
}

async fn the_plugin_is_told_the_key_and_its_roles(gateway: &TestGateway) {
    let plain = [("content-type", "text/plain")];
    let echo = gateway.with_key("writer").send("POST", &route("echo/a/b"), &plain, "").await;
    let echo = echo.assert_status(200).json();
    assert_eq!(echo["subject"], "writer");
    assert_eq!(echo["roles"], json!(["reader", "writer"]));
    assert_eq!(echo["authorization"], Value::Null);
}

fn settings(config: &mut Config) {
    two_tenants(config);
    let given = json!({"max_limited": 1});
    let given = Settings(given.as_object().unwrap().clone());
    add(config, "one").settings.insert("faults".to_owned(), given);
}

async fn settings_of_the_tenant_reach_the_plugin(gateway: &TestGateway) {
    for (tenant, expected) in [("one", 1), ("two", 3)] {
        let told = gateway.with_key(tenant).get(&route("settings")).await.assert_status(200);
        assert_eq!(told.json(), json!({"max_limited": expected}), "{tenant}");
    }
}

async fn a_limit_of_a_count_is_the_tenants_own(gateway: &TestGateway) {
    let limited = json!({"title": "limited"});
    for (tenant, most) in [("one", 1), ("two", 3)] {
        let client = gateway.with_key(tenant);
        for number in 0..most {
            client.put(&document(&format!("d{number}")), &limited).await.assert_status(201);
        }
        let problem = client.put(&document("more"), &limited).await;
        let problem = problem.assert_problem(422, "limit-exceeded");
        assert_eq!(problem["limit"], "max_limited", "{tenant}");
    }
}

fn small_bodies(config: &mut Config) {
    two_tenants(config);
    add(config, "one").limits.body_bytes = Some(100);
    config.plugins.get_mut("faults").unwrap().limits.body_bytes = Some(200);
}

async fn a_limit_counts_for_its_tenant_alone(gateway: &TestGateway) {
    let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    let put = async |key: &str, path: &str, length: usize| {
        let json = ("content-type", "application/json");
        gateway.with_key(key).send("PUT", path, &[json], body(length)).await
    };
    for (key, most) in [("one", 100), ("two", 200)] {
        put(key, &document("d"), most).await.assert_status(201);
        let problem = put(key, &document("d"), most + 1).await;
        assert_eq!(problem.assert_problem(413, "body-too-large")["limit"], most, "{key}");
    }
    // What an operation asks for goes before the default, and behind the tenant's word.
    let session = "/v1/chat-sessions/sessions/s";
    let problem = put("one", session, 101).await.assert_problem(413, "body-too-large");
    assert_eq!(problem["limit"], 100);
    let answer = put("two", session, 3 << 20).await;
    assert!(answer.status != 413, "{answer:?}");
}

fn small_memory(config: &mut Config) {
    two_tenants(config);
    add(config, "one").limits.plugin_memory_bytes = Some(4 << 20);
    add(config, "two").limits.plugin_memory_bytes = Some(32 << 20);
}

async fn memory_is_limited_for_its_tenant_alone(gateway: &TestGateway) {
    let path = route(&format!("big-response?bytes={}", 6 << 20));
    let problem = gateway.with_key("one").get(&path).await;
    let problem = problem.assert_problem(502, "plugin-resource-limit");
    assert_eq!(problem["limit"], "plugin_memory_bytes");
    gateway.with_key("two").get(&path).await.assert_status(200);
}

fn on_every_address(config: &mut Config) {
    add(config, "one");
    config.server.listen = SocketAddr::from(([0, 0, 0, 0], 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_tenant_any_address_is_served() {
    let gateway = TestGateway::start(Database::sqlite(), on_every_address).await;
    gateway.get(&route("documents")).await.assert_problem(401, "key-required");
    gateway.with_key("one").get(&route("documents")).await.assert_status(200);
}
