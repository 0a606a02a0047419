//! What a reload keeps: a plugin whose file and options are as they were goes on with its warm
//! instances. They tell by what a request has left in their memory.

use std::path::PathBuf;

use loggia::config::{Config, Isolation, Plugin};
use serde_json::{Value, json};

use super::{configure, reloaded};
use crate::harness::faults::{patient, route};
use crate::harness::tenants::{Client, add};
use crate::harness::{TestGateway, on_both_databases, plugin_path};

on_both_databases! {
    an_unchanged_plugin_keeps_its_warm_instances with two_tenants,
    what_an_instance_was_made_for_has_changed with two_tenants,
    another_way_to_run_it_makes_the_plugin_anew with two_tenants,
    the_limit_of_memory_that_a_reload_brings_holds with two_tenants,
}

fn two_tenants(config: &mut Config) {
    patient(config);
    for name in ["one", "two"] {
        add(config, name);
    }
}

async fn remember(client: &Client<'_>, text: &str) {
    let headers = [("content-type", "text/plain")];
    client.send("POST", &route("remember"), &headers, text.to_owned()).await.assert_status(204);
}

/// What the instance that answers has kept. Only one is warm where requests come one by one. It
/// grows by this: after some it is thrown away.
async fn kept(client: &Client<'_>) -> Value {
    client.get(&route("recall?backwards=-")).await.assert_status(200).json()["kept"].clone()
}

async fn an_unchanged_plugin_keeps_its_warm_instances(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    for generation in 2..5 {
        remember(&one, "mine").await;
        remember(&two, "theirs").await;
        // What belongs to requests, to another plugin or to nobody is no matter of its instances.
        configure(gateway, |config| {
            config.limits.log_bytes += 1;
            add(config, "one").limits.storage_calls = Some(7);
            config.plugins.remove("state");
        });
        assert_eq!(reloaded(gateway).await, generation);
        assert_eq!((kept(&one).await, kept(&two).await), (json!("mine"), json!("theirs")));
    }
    // The new limits hold all the same.
    let path = route("many-calls?calls=8");
    let problem = one.post(&path).await.assert_problem(502, "plugin-resource-limit");
    assert_eq!(problem["limit"], "storage_calls", "{problem}");
    two.post(&path).await.assert_status(200);
}

/// Of one tenant: the other's instances stay.
async fn what_an_instance_was_made_for_has_changed(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let changes: [fn(&mut Config); 2] = [
        |config| {
            let settings = add(config, "one").settings.entry("faults".to_owned()).or_default();
            settings.0.insert("color".to_owned(), json!("blue"));
        },
        |config| add(config, "one").limits.plugin_memory_bytes = Some(32 << 20),
    ];
    for change in changes {
        remember(&one, "mine").await;
        remember(&two, "theirs").await;
        configure(gateway, change);
        reloaded(gateway).await;
        assert_eq!((kept(&one).await, kept(&two).await), (json!(""), json!("theirs")));
    }
    let settings = one.get(&route("settings")).await.assert_status(200).json();
    assert_eq!(settings["color"], "blue");
}

/// The same component with a section of no meaning behind it, which is another file.
fn other_file() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("kept-{:032x}.wasm", rand::random::<u128>()));
    let mut component = std::fs::read(plugin_path("faults")).unwrap();
    component.extend(b"\x00\x05\x04test");
    std::fs::write(&path, component).unwrap();
    path
}

fn faults(config: &mut Config) -> &mut Plugin {
    config.plugins.get_mut("faults").unwrap()
}

async fn another_way_to_run_it_makes_the_plugin_anew(gateway: &TestGateway) {
    let one = gateway.with_key("one");
    let changes: [fn(&mut Config); 4] = [
        |config| faults(config).max_requests_per_instance += 1,
        |config| faults(config).path = other_file(),
        |config| config.storage.retries += 1,
        |config| faults(config).isolation = Isolation::Request,
    ];
    for change in changes {
        remember(&one, "mine").await;
        configure(gateway, change);
        reloaded(gateway).await;
        assert_eq!(kept(&one).await, "");
    }
    // Each request has a new one now.
    remember(&one, "mine").await;
    assert_eq!(kept(&one).await, "");
}

/// Also where an instance is warm that had more.
async fn the_limit_of_memory_that_a_reload_brings_holds(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    for client in [&one, &two] {
        client.get(&route("nothing")).await.assert_status(204);
    }
    configure(gateway, |config| {
        add(config, "one").limits.plugin_memory_bytes = Some(3 << 20);
    });
    reloaded(gateway).await;
    let grows = route("big-response?bytes=4000000");
    let problem = one.get(&grows).await.assert_problem(502, "plugin-resource-limit");
    assert_eq!(problem["limit"], "plugin_memory_bytes", "{problem}");
    two.get(&grows).await.assert_status(200);
}
