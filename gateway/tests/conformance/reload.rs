//! Reloads: new requests get a new generation, those under way end on theirs, and a reload that
//! fails changes nothing.

mod admin;
mod kept;
mod load;
mod program;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use loggia::config::{Config, Plugin};
use loggia::manifest::Manifest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::component::{self, ATTACK, Guest, STORED};
use crate::harness::faults::{document, patient};
use crate::harness::{Answer, TestGateway, on_both_databases, send};
use load::Load;

on_both_databases! {
    ten_reloads_under_load_fail_no_request with by_hand,
    a_request_whose_tables_were_changed_goes_to_the_next_generation with by_hand,
    a_request_ends_on_the_generation_that_it_began_with with patient,
    a_reload_that_fails_changes_nothing with by_hand,
    concurrent_reloads_are_one_after_the_other with by_hand,
}

/// Writes the documents A to Z, one after the other, and never the one that `GET /stored` looks for.
const WRITER: Guest = Guest {
    module: "(global $next (mut i32) (i32.const 0))",
    handle: "(global.set $next (i32.add (global.get $next) (i32.const 1)))
             (i32.store8 (i32.const 520)
               (i32.add (i32.const 65) (i32.rem_u (global.get $next) (i32.const 26))))
             (call $write)
             (i32.store8 (i32.const 520) (i32.const 100))",
    ..component::EMPTY
};

/// A version of the plugin by hand: one more field, index and operation for each.
fn version(number: u32) -> Vec<u8> {
    WRITER.declaring(&declared(number))
}

fn declared(number: u32) -> Value {
    let mut manifest = component::manifest();
    manifest["version"] = json!(format!("0.1.{number}"));
    for number in 1..=number {
        let (field, index) = (format!("f{number}"), format!("by_f{number}"));
        manifest["collections"][0]["fields"][&field] = json!("integer");
        let indexes = manifest["collections"][0]["indexes"].as_array_mut();
        let index = json!({"name": index, "fields": [field]});
        match indexes {
            Some(indexes) => indexes.push(index),
            None => manifest["collections"][0]["indexes"] = json!([index]),
        }
        let operations = manifest["operations"].as_array_mut().unwrap();
        let (name, path) = (format!("stored{number}"), format!("/stored{number}"));
        operations.push(json!({"name": name, "method": "GET", "path": path, "summary": "Look."}));
    }
    manifest
}

/// The plugin by hand in a file of its own, which a test may overwrite.
fn by_hand(config: &mut Config) {
    patient(config);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("reload-{:032x}.wasm", rand::random::<u128>()));
    std::fs::write(&path, version(0)).unwrap();
    config.plugins.insert(component::NAME.to_owned(), Plugin::at(path));
}

fn file(gateway: &TestGateway) -> PathBuf {
    gateway.configuration.lock().unwrap().plugins[component::NAME].path.clone()
}

fn configure(gateway: &TestGateway, change: impl FnOnce(&mut Config)) {
    change(&mut gateway.configuration.lock().unwrap());
}

async fn reload(gateway: &TestGateway) -> Answer {
    send(gateway.admin, "POST", "/admin/v1/reload", &[], "").await
}

async fn reloaded(gateway: &TestGateway) -> u64 {
    reload(gateway).await.assert_status(200).json()["generation"].as_u64().unwrap()
}

/// A metric's value, by all that stands before it on its line.
async fn metric(gateway: &TestGateway, name: &str) -> u64 {
    let answer = send(gateway.admin, "GET", "/metrics", &[], "").await.assert_status(200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "it does not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The same file, new versions that change the tables, broken files, and other limits.
async fn ten_reloads_under_load_fail_no_request(gateway: &TestGateway) {
    let path = file(gateway);
    let load = Load::start(gateway.address, 500);
    let mut expected = 1;
    for round in 1..=4 {
        std::fs::write(&path, version(round - 1)).unwrap();
        expected += 1;
        assert_eq!(reloaded(gateway).await, expected, "the same file");
        load.goes_on().await;
        std::fs::write(&path, version(round)).unwrap();
        expected += 1;
        assert_eq!(reloaded(gateway).await, expected, "another version");
        load.goes_on().await;
        std::fs::write(&path, "no component").unwrap();
        reload(gateway).await.assert_problem(422, "reload-failed");
        load.goes_on().await;
        std::fs::write(&path, version(round)).unwrap();
        configure(gateway, |config| config.limits.log_bytes += 1);
        expected += 1;
        assert_eq!(reloaded(gateway).await, expected, "other limits");
        load.goes_on().await;
    }
    let (answers, failures) = load.stop().await;
    assert_eq!(failures, [""; 0]);
    assert!(answers > 0, "nobody asked");
    // The plugin's own answer, and not that there is no such route.
    let answer = gateway.get("/v1/by-hand/stored4").await.assert_status(404);
    assert!(answer.body.is_empty(), "{answer:?}");
}

/// The tables are those of another version, and a reload is under way that will make it known.
async fn a_request_whose_tables_were_changed_goes_to_the_next_generation(gateway: &TestGateway) {
    gateway.post(ATTACK).await.assert_status(204);
    let text = declared(1).to_string();
    let manifest = Manifest::parse(&text).unwrap();
    gateway.storage().install(&manifest, &text).await.unwrap();
    gateway.post(ATTACK).await.assert_problem(503, "schema-drift");

    std::fs::write(file(gateway), version(1)).unwrap();
    let held = gateway.hold_configuration().await;
    let (admin, address) = (gateway.admin, gateway.address);
    let reloading = tokio::spawn(async move {
        send(admin, "POST", "/admin/v1/reload", &[], "").await.assert_status(200);
    });
    until(|| async { gateway.reads.load(Ordering::SeqCst) == 1 }).await;
    let before = metric(gateway, "loggia_requests_handed_over_total").await;
    let writing = tokio::spawn(async move { send(address, "POST", ATTACK, &[], "").await });
    until(|| async { metric(gateway, "loggia_requests_handed_over_total").await == before + 1 })
        .await;
    drop(held);
    writing.await.unwrap().assert_status(204);
    reloading.await.unwrap();
    gateway.get(STORED).await.assert_status(404);
    gateway.post(ATTACK).await.assert_status(204);
}

/// Its body arrives after a reload that makes the limit smaller than it.
async fn a_request_ends_on_the_generation_that_it_began_with(gateway: &TestGateway) {
    let older = gateway.generation();
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000));
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\nexpect: 100-continue\r\n\r\n",
        document("late"),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut continued = [0; 25];
    stream.read_exact(&mut continued).await.unwrap();

    configure(gateway, |config| config.limits.body_bytes = 100);
    assert_eq!(reloaded(gateway).await, 2);
    gateway.put_text(&document("new"), &body).await.assert_problem(413, "body-too-large");
    assert!(older.upgrade().is_some(), "a request is under way");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    // With its last request it goes, and with it its instances.
    until(|| async { older.upgrade().is_none() }).await;
}

type Fault = (&'static str, fn(&mut Config));

async fn a_reload_that_fails_changes_nothing(gateway: &TestGateway) {
    let path = file(gateway);
    let fault: [Fault; 5] = [
        ("missing.wasm", |c| {
            c.plugins.insert("x".to_owned(), Plugin::at("missing.wasm".into()));
        }),
        ("SHA-256", |c| by_hand_in(c).sha256 = Some("0".repeat(64))),
        ("calls itself faults", |c| by_hand_in(c).path = crate::harness::plugin_path("faults")),
        ("storage.pool_size", |c| c.storage.pool_size += 1),
        ("ceiling", |c| c.limits.ceiling.body_bytes = 1),
    ];
    let good = gateway.configuration.lock().unwrap().clone();
    // What would change the tables is not begun when anything else is wrong.
    std::fs::write(&path, version(1)).unwrap();
    for (told, change) in fault {
        configure(gateway, change);
        let problem = reload(gateway).await.assert_problem(422, "reload-failed");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
        assert_eq!(problem["generation"], 1, "{problem}");
        gateway.post(ATTACK).await.assert_status(204);
        configure(gateway, |config| *config = good.clone());
    }
    assert_eq!(metric(gateway, "loggia_reloads_total{outcome=\"failed\"}").await, 5);
    assert_eq!(metric(gateway, "loggia_generation").await, 1);

    assert_eq!(reloaded(gateway).await, 2);
    // The field would be dropped, which needs a permission.
    std::fs::write(&path, version(0)).unwrap();
    let problem = reload(gateway).await.assert_problem(422, "reload-failed");
    assert!(problem["detail"].as_str().unwrap().contains("drop-field"), "{problem}");
    gateway.post(ATTACK).await.assert_status(204);
    configure(gateway, |config| {
        by_hand_in(config).allow = [loggia::config::Permission::DropField].into();
    });
    assert_eq!(reloaded(gateway).await, 3);
    gateway.post(ATTACK).await.assert_status(204);
}

fn by_hand_in(config: &mut Config) -> &mut Plugin {
    config.plugins.get_mut(component::NAME).unwrap()
}

async fn concurrent_reloads_are_one_after_the_other(gateway: &TestGateway) {
    let reloads = futures_util::future::join_all((0..5).map(|_| reloaded(gateway)));
    let mut generations = reloads.await;
    generations.sort_unstable();
    assert_eq!(generations, [2, 3, 4, 5, 6]);
    assert_eq!(metric(gateway, "loggia_reloads_total{outcome=\"done\"}").await, 5);
}
