use std::path::Path;

use super::fault::Source;
use super::{Config, KeyPath, read};

const EXAMPLE: &str = include_str!("../../../gateway.toml");

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let source = Source::new(Path::new("g.toml"), text.to_owned(), environment.iter().map(own));
    let lines = |faults: Vec<super::Fault>| {
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    read::read(source).map_err(lines)
}

#[track_caller]
fn assert_faults(text: &str, expected: &[&str]) {
    let found = parse(text, &[]).expect_err("it has faults");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_example_states_the_defaults() {
    let example = parse(EXAMPLE, &[]).expect("gateway.toml parses");
    let defaults = Config {
        plugins: example.plugins.clone(),
        source: example.source.clone(),
        ..Config::default()
    };
    assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
    assert!(example.plugins.contains_key("chat-sessions") && example.plugins.contains_key("state"));
}

#[test]
fn the_example_of_a_tenant_is_one() {
    let (_, tenant) = EXAMPLE.split_once("#\n# [tenants.acme]").expect("it is the last");
    let text = format!("{EXAMPLE}\n[tenants.acme]{}", tenant.replace("\n# ", "\n"));
    let config = parse(&text, &[]).expect("it parses");
    let tenant = &config.tenants["acme"];
    assert_eq!(tenant.keys[0].roles.names_in("chat-sessions"), ["reader", "writer"]);
    assert_eq!(tenant.limits.body_bytes, Some(1 << 20));
    assert!(tenant.has_plugin("chat-sessions") && !tenant.has_plugin("faults"));
    assert!(tenant.settings.contains_key("chat-sessions"));
}

#[test]
fn the_environment_overrides_a_key() {
    let environment = [("LOGGIA_STORAGE__URL", "postgres://x"), ("LOGGIA_STORAGE__POOL_SIZE", "3")];
    let config = parse("[storage]\nurl = \"sqlite:a\"\n", &environment).expect("parses");
    assert_eq!((config.storage.url.as_str(), config.storage.pool_size), ("postgres://x", 3));
    let environment = [("LOGGIA_LIMITS__CEILING__BODY_BYTES", "99999999")];
    assert_eq!(parse("", &environment).expect("parses").limits.ceiling.body_bytes, 99_999_999);
}

#[test]
fn a_variable_with_a_fault_is_named() {
    let environment = [
        ("LOGGIA_STORAGE__POOLSIZE", "3"),
        ("LOGGIA_LIMITS__BODY_BYTES", "many"),
        ("LOGGIA_LIMITS__REQUEST_MS", "0"),
        ("LOGGIA_SERVER__LISTEN__PORT", "1"),
        ("LOGGIA_NOTHING__AT__ALL", "1"),
    ];
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[limits]\nrequest_ms = 5\n";
    let faults = parse(text, &environment).expect_err("all of them are faults");
    assert_eq!(
        faults.lines().collect::<Vec<_>>(),
        [
            "LOGGIA_LIMITS__BODY_BYTES: limits.body_bytes: invalid type: string \"many\", \
             expected a whole number, 0 or more",
            "LOGGIA_LIMITS__REQUEST_MS: limits.request_ms: it must be at least 1",
            "LOGGIA_NOTHING__AT__ALL: nothing: there is no such key; possible are server, \
             storage, plugins, limits, tenants",
            "LOGGIA_SERVER__LISTEN__PORT: server.listen.port: it names a key of something that is \
             no table",
            "LOGGIA_STORAGE__POOLSIZE: storage.poolsize: there is no such key; did you mean \
             pool_size?",
        ]
    );
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    assert_faults(
        r#"
[server]
listenn = "127.0.0.1:1"
listen = "somewhere"
max_connections = -1

[storage]
tls = "verify-fulll"
pool_size = 0
retries = 0

[plugins.a]
path = "a.wasm"
allow = ["drop-field", "drop-all", "drop-everything"]
sha256 = "abc"

[plugins.b]
isolation = "tenant"

[limits]
body_bytes = 99_999_999
request_ms = 1.5

[extra]
"#,
        &[
            "g.toml:3:1: server.listenn: there is no such key; did you mean listen?",
            "g.toml:4:10: server.listen: invalid socket address syntax",
            "g.toml:5:19: server.max_connections: invalid value: integer `-1`, expected a whole \
             number, 0 or more",
            "g.toml:8:7: storage.tls: \"verify-fulll\" is not possible; did you mean verify-full?",
            "g.toml:9:1: storage.pool_size: it must be at least 1",
            "g.toml:14:24: plugins.a.allow[1]: \"drop-all\" is not possible; did you mean \
             drop-field?",
            "g.toml:14:36: plugins.a.allow[1]: \"drop-everything\" is not possible; did you mean \
             drop-expiry?",
            "g.toml:15:1: plugins.a.sha256: a SHA-256 has 64 hexadecimal digits",
            "g.toml:17:10: plugins.b.path: it is missing: name the component's file, such as \
             \"plugins/notes.wasm\"",
            "g.toml:21:1: limits.body_bytes: it is more than limits.ceiling.body_bytes = \
             67108864; raise that as well",
            "g.toml:22:14: limits.request_ms: invalid type: floating point `1.5`, expected a \
             whole number, 0 or more",
            "g.toml:24:2: extra: there is no such key; possible are server, storage, plugins, \
             limits, tenants",
        ],
    );
}

#[test]
fn every_fault_of_tenants_is_told_at_once() {
    let digest = "0".repeat(64);
    assert_faults(
        &format!(
            r#"
[plugins.a]
path = "a.wasm"
[plugins.b]
path = "b.wasm"

[tenants.Acme]
plugins = ["a", "aa"]
[[tenants.Acme.keys]]
name = "backend"
sha256 = "{digest}"
roles = ["writer", "writter"]
[[tenants.Acme.keys]]
name = "backend"
sha256 = "{digest}"
roles = {{ a = ["admin"], b = ["reader"], c = ["reader"] }}
[[tenants.Acme.keys]]
sha256 = "loggia_"
[tenants.Acme.settings.b]
x = 0
[tenants.Acme.limits]
storage_calls = 0
request_ms = 60_001
log_bytes = 0

[tenants.empty]
plugin = ["a"]
"#
        ),
        &[
            "g.toml:7:10: tenants.Acme: a tenant's name has lower-case letters, digits and single \
             hyphens between them, begins with a letter, and is no longer than 63",
            "g.toml:8:17: tenants.Acme.plugins[1]: [plugins] has no aa; did you mean a?",
            "g.toml:12:20: tenants.Acme.keys[0].roles[1]: \"writter\" is not possible; did you \
             mean writer?",
            "g.toml:14:1: tenants.Acme.keys[1].name: another key of this tenant has this name",
            "g.toml:15:1: tenants.Acme.keys[1].sha256: tenants.Acme.keys[0] is the same key; \
             each key is of one tenant",
            "g.toml:16:26: tenants.Acme.keys[1].roles.b: the tenant does not have the plugin b; \
             add it to its plugins",
            "g.toml:16:42: tenants.Acme.keys[1].roles.c: [plugins] has no c; possible are a, b",
            "g.toml:17:1: tenants.Acme.keys[2].name: a key's name has 1 to 63 letters, digits \
             and characters of ._@-",
            "g.toml:17:1: tenants.Acme.keys[2].roles: it may do nothing: give it roles, such as \
             [\"writer\"]",
            "g.toml:18:1: tenants.Acme.keys[2].sha256: this is the key itself, which no file \
             should hold: put the sha256 here that `loggia key new` has printed",
            "g.toml:19:24: tenants.Acme.settings.b: the tenant does not have the plugin b; add it \
             to its plugins",
            "g.toml:22:1: tenants.Acme.limits.storage_calls: it must be at least 1",
            "g.toml:23:1: tenants.Acme.limits.request_ms: it is more than \
             limits.ceiling.request_ms = 60000; raise that as well",
            "g.toml:26:10: tenants.empty.keys: nobody can ask for this tenant: it has no key; \
             `loggia key new` makes one",
            "g.toml:27:1: tenants.empty.plugin: there is no such key; did you mean plugins?",
        ],
    );
}

#[test]
fn limits_of_tenants_are_checked() {
    assert_faults(
        r#"
[limits]
concurrent_requests = 0
connections = 0
queued_requests = 0
requests_per_second = 0
quarantine_traps = 0
quarantine_window_ms = 0
stored_documents = 0
stored_bytes = -1
documents_written = 1_000_001
[plugins.a]
path = "a.wasm"
limits = { connections = 1, concurrent_request = 1 }
"#,
        &[
            "g.toml:3:1: limits.concurrent_requests: it must be at least 1",
            "g.toml:4:1: limits.connections: it must be at least 1",
            "g.toml:8:1: limits.quarantine_window_ms: it must be at least 1",
            "g.toml:10:16: limits.stored_bytes: invalid value: integer `-1`, expected a whole \
             number, 0 or more",
            "g.toml:11:1: limits.documents_written: it is more than \
             limits.ceiling.documents_written = 1000000; raise that as well",
            "g.toml:14:12: plugins.a.limits.connections: it is of a tenant, in all plugins: set it \
             in [limits] or [tenants.NAME.limits]",
            "g.toml:14:29: plugins.a.limits.concurrent_request: there is no such key; did you mean \
             concurrent_requests?",
        ],
    );
}

#[test]
fn the_admin_listener_is_on_a_loopback_address() {
    assert_faults(
        "[server]\nadmin_listen = \"0.0.0.0:9090\"\n",
        &[
            "g.toml:2:1: server.admin_listen: others can reach this address, and the admin listener \
           asks for no key: use a loopback address such as 127.0.0.1:9090",
        ],
    );
    for address in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1"] {
        parse(&format!("[server]\nadmin_listen = \"{address}\"\n"), &[]).expect(address);
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    assert_faults(
        "[limits]\nbody_bytes = \nlog_bytes = 1 2\n[server]\nlistenn = 1\n",
        &[
            "g.toml:2:14: this is not TOML: string values must be quoted, expected literal string",
            "g.toml:3:13: this is not TOML: string values must be quoted, expected literal string",
            "g.toml:5:1: server.listenn: there is no such key; did you mean listen?",
        ],
    );
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let error = Config::load(Path::new("/nothing/gateway.toml")).expect_err("there is none");
    assert!(error.to_string().starts_with("/nothing/gateway.toml: it cannot be read: "), "{error}");
}

#[test]
fn the_word_of_a_tenant_goes_before_that_of_a_plugin() {
    let text = r#"
[limits]
log_bytes = 1
storage_calls = 1
documents_read = 1
[plugins.a]
path = "a.wasm"
limits = { storage_calls = 2, documents_read = 2 }
[tenants.t]
keys = [{ name = "k", sha256 = "0000000000000000000000000000000000000000000000000000000000000000", roles = ["admin"] }]
limits = { documents_read = 3 }
"#;
    let config = parse(text, &[]).expect("parses");
    let limits = config.limits.with(&config.limit_overrides("t", "a"));
    assert_eq!((limits.log_bytes, limits.storage_calls, limits.documents_read), (1, 2, 3));
    let limits = config.limits.with(&config.limit_overrides("other", "a"));
    assert_eq!((limits.log_bytes, limits.storage_calls, limits.documents_read), (1, 2, 2));
}

#[test]
fn a_fault_that_comes_to_light_later_has_its_place() {
    let config = parse("[plugins.a]\npath = \"a.wasm\"\n", &[]).expect("parses");
    let key = KeyPath::of("plugins").key("a").key("path");
    assert_eq!(config.fault(key, "no").to_string(), "g.toml:2:1: plugins.a.path: no");
    let made = Config::default();
    assert_eq!(made.fault(KeyPath::of("limits"), "no").to_string(), "limits: no");
}

#[test]
fn settings_and_roles_are_what_the_file_says() {
    let text = r#"
[plugins.a]
path = "a.wasm"
[tenants.t]
[[tenants.t.keys]]
name = "k"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
roles = { a = ["writer"] }
[tenants.t.settings.a]
number = 0
list = [1.5, true]
table = { text = "x", day = 2026-11-26 }
"#;
    let config = parse(text, &[]).expect("parses");
    let tenant = &config.tenants["t"];
    let expected = serde_json::json!({
        "number": 0, "list": [1.5, true], "table": {"text": "x", "day": "2026-11-26"},
    });
    assert_eq!(serde_json::Value::Object(tenant.settings["a"].0.clone()), expected);
    assert_eq!(tenant.keys[0].roles.names_in("a"), ["reader", "writer"]);
    assert_eq!(tenant.keys[0].roles.names_in("b"), [""; 0]);
}
