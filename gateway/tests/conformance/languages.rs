//! The example plugins in JavaScript and Python, driven as their READMEs say: one interface for
//! all languages, on both databases.

use std::path::PathBuf;

use futures_util::future::join_all;
use loggia::config::{Config, Plugin};
use serde_json::json;

use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_plugin_in_javascript_stores_lists_and_refuses with javascript,
    a_plugin_in_javascript_heeds_conditions with javascript,
    a_plugin_in_python_counts_and_lists with python,
    a_plugin_in_python_loses_no_addition with python,
}

fn javascript(config: &mut Config) {
    only(config, "bookmarks", "javascript/bookmarks.wasm");
}

fn python(config: &mut Config) {
    only(config, "counters", "python/counters.wasm");
}

/// Serve nothing else. An engine of another language computes longer, above all in its first
/// request, and tests share the machine.
fn only(config: &mut Config, name: &str, component: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let plugin = Plugin::at(root.join("examples/plugins").join(component));
    config.plugins = [(name.to_owned(), plugin)].into();
    config.limits.request_ms = 20_000;
    config.limits.guest_cpu_ms = 10_000;
    config.limits.transaction_ms = Some(10_000);
}

const BOOKMARKS: &str = "/v1/bookmarks/bookmarks";

async fn a_plugin_in_javascript_stores_lists_and_refuses(gateway: &TestGateway) {
    for (id, title, tags) in
        [("c", "C", &["language"][..]), ("rust", "Rust", &["language", "safe"]), ("web", "W", &[])]
    {
        let bookmark = json!({"title": title, "url": "https://example.org/", "tags": tags});
        gateway.put(&format!("{BOOKMARKS}/{id}"), &bookmark).await.assert_status(201);
    }
    let got = gateway.get(&format!("{BOOKMARKS}/rust")).await.assert_status(200);
    let stored =
        json!({"title": "Rust", "url": "https://example.org/", "tags": ["language", "safe"]});
    assert_eq!(got.json(), stored);

    let first = gateway.get(&format!("{BOOKMARKS}?tag=language&limit=1")).await.assert_status(200);
    assert_eq!(first.json()["items"][0]["id"], "c");
    let cursor = first.json()["next_cursor"].as_str().expect("there is another page").to_owned();
    let path = format!("{BOOKMARKS}?tag=language&limit=1&cursor={cursor}");
    let second = gateway.get(&path).await.assert_status(200).json();
    assert_eq!((&second["items"][0]["id"], &second["next_cursor"]), (&json!("rust"), &json!(null)));
    let both = gateway.get(&format!("{BOOKMARKS}?tag=language&tag=safe")).await.json();
    assert_eq!(both["items"].as_array().map(Vec::len), Some(1));

    let path = format!("{BOOKMARKS}?cursor=nonsense");
    gateway.get(&path).await.assert_problem(400, "invalid-cursor");
    gateway.get(&format!("{BOOKMARKS}?limit=0")).await.assert_problem(400, "invalid-parameter");
    let script = json!({"title": "no", "url": "javascript:alert(1)"});
    let refused = gateway.put(&format!("{BOOKMARKS}/no"), &script).await;
    refused.assert_problem(422, "schema-mismatch");
    gateway.get(&format!("{BOOKMARKS}/no")).await.assert_problem(404, "not-found");
    gateway.delete(&format!("{BOOKMARKS}/rust")).await.assert_status(204);
    gateway.delete(&format!("{BOOKMARKS}/rust")).await.assert_problem(404, "not-found");
}

async fn a_plugin_in_javascript_heeds_conditions(gateway: &TestGateway) {
    let path = format!("{BOOKMARKS}/a");
    let bookmark = |title: &str| json!({"title": title, "url": "http://example.org/"});
    let created = gateway.put_if(&path, ("if-none-match", "*"), &bookmark("one")).await;
    let etag = created.assert_status(201).header("etag").expect("an ETag").to_owned();
    let again = gateway.put_if(&path, ("if-none-match", "*"), &bookmark("two")).await;
    let problem = again.assert_problem(412, "precondition-failed");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("bookmark")));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    let replaced = gateway.put_if(&path, ("if-match", &etag), &bookmark("two")).await;
    replaced.assert_status(204);
    let stale = gateway.put_if(&path, ("if-match", &etag), &bookmark("three")).await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(gateway.get(&path).await.json()["title"], "two");
}

const COUNTERS: &str = "/v1/counters/counters";

async fn a_plugin_in_python_counts_and_lists(gateway: &TestGateway) {
    let add = |name: &str, by: i64| format!("{COUNTERS}/{name}:add?by={by}");
    let made = gateway.post(&add("visits", 3)).await.assert_status(201);
    assert_eq!(made.json(), json!({"name": "visits", "value": 3}));
    let added = gateway.post(&add("visits", -1)).await.assert_status(200);
    assert_eq!(added.json(), json!({"name": "visits", "value": 2}));
    assert_ne!(made.header("etag"), added.header("etag"));
    gateway.post(&add("errors", 7)).await.assert_status(201);

    let listed = gateway.get(&format!("{COUNTERS}?order=value")).await.assert_status(200);
    let items = json!([{"name": "errors", "value": 7}, {"name": "visits", "value": 2}]);
    assert_eq!(listed.json(), json!({"items": items, "next_cursor": null}));
    let prefixed = gateway.get(&format!("{COUNTERS}?prefix=v")).await.json();
    assert_eq!(prefixed["items"], json!([{"name": "visits", "value": 2}]));
    gateway.get(&format!("{COUNTERS}?cursor=x")).await.assert_problem(400, "invalid-cursor");
    gateway.post(&add("visits", 1_000_001)).await.assert_problem(400, "invalid-parameter");

    gateway.delete(&format!("{COUNTERS}/visits")).await.assert_status(204);
    gateway.get(&format!("{COUNTERS}/visits")).await.assert_problem(404, "not-found");
}

async fn a_plugin_in_python_loses_no_addition(gateway: &TestGateway) {
    let path = format!("{COUNTERS}/visits:add");
    let answers = join_all((0..20).map(|_| gateway.post(&path))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
    assert_eq!(gateway.get(&format!("{COUNTERS}/visits")).await.json()["value"], 20);
}
