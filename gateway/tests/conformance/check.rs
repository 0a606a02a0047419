//! `loggia check` and `loggia key new`, as an operator runs them.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::plugin_path;

fn loggia(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
    program.current_dir(folder).args(arguments).output().unwrap()
}

/// Check a configuration in a folder of its own: what is printed, if it ends with this code.
#[track_caller]
fn check(text: &str, code: i32) -> String {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
    let output = loggia(folder.path(), &["check"]);
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(code), "{printed:?}");
    // Nothing is written: no database, not even its folder.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    printed.concat()
}

fn plugins() -> String {
    let plugin = |name| format!("[plugins.{name}]\npath = {:?}\n", plugin_path(name));
    plugin("faults") + &plugin("chat-sessions")
}

#[test]
fn a_configuration_without_faults_is_told_what_it_serves() {
    let told = check(&plugins(), 0);
    assert!(told.starts_with("gateway.toml: no faults\n"), "{told}");
    assert!(told.contains("plugin faults 0.1.0, with "), "{told}");
    assert!(told.contains("no tenants"), "{told}");
    let digest = "0".repeat(64);
    let tenant = format!(
        "[tenants.acme]\nplugins = [\"faults\"]\n[[tenants.acme.keys]]\nname = \"k\"\n\
         sha256 = \"{digest}\"\nroles = [\"reader\"]\n"
    );
    let told = check(&(plugins() + "[server]\nlisten = \"0.0.0.0:80\"\n" + &tenant), 0);
    assert!(told.contains("tenant acme, with 1 plugins and 1 keys"), "{told}");
}

#[test]
fn faults_of_the_file_are_told_with_their_places() {
    let told = check("[server]\nlisten = 1\nport = 1\n[plugin.a]\n", 78);
    for fault in [
        "gateway.toml:2:10: server.listen: ",
        "gateway.toml:3:1: server.port: there is no such key; ",
        "gateway.toml:4:2: plugin: there is no such key; did you mean plugins?",
    ] {
        assert!(told.contains(fault), "{told}");
    }
}

#[test]
fn faults_of_plugins_settings_and_addresses_are_told_at_once() {
    let faults = plugin_path("faults");
    let text = format!(
        r#"[server]
listen = "0.0.0.0:80"
[storage]
url = "mysql://x"
[limits.ceiling]
body_bytes = 5_000_000
[plugins.missing]
path = "missing.wasm"
[plugins.pinned]
path = {faults:?}
sha256 = "{digest}"
[plugins.renamed]
path = {faults:?}
[plugins.text]
path = "gateway.toml"
[plugins.chat-sessions]
path = {sessions:?}
"#,
        digest = "0".repeat(64),
        sessions = plugin_path("chat-sessions"),
    );
    let told = check(&text, 78);
    for fault in [
        "gateway.toml:2:1: server.listen: others can reach 0.0.0.0:80",
        "gateway.toml:4:1: storage.url: it must begin with sqlite: or postgres://",
        "gateway.toml:8:1: plugins.missing.path: missing.wasm: ",
        "gateway.toml:11:1: plugins.pinned.sha256: ",
        "gateway.toml:12:10: plugins.renamed: the plugin calls itself faults; use that name",
        "gateway.toml:14:10: plugins.text: gateway.toml: it is not a plugin of this gateway",
        "gateway.toml:16:10: plugins.chat-sessions: ",
        "it asks for body_bytes = 10485760, and limits.ceiling.body_bytes is 5000000",
    ] {
        assert!(told.contains(fault), "{fault} in {told}");
    }
}

#[test]
fn settings_are_checked_against_what_the_plugin_declares() {
    let text = plugins()
        + &format!(
            "[tenants.acme]\nkeys = [{{ name = \"k\", sha256 = \"{}\", roles = [\"admin\"] }}]\n\
             [tenants.acme.settings.faults]\nmax_limited = \"many\"\nmax_limitd = 1\n",
            "0".repeat(64)
        );
    let told = check(&text, 78);
    let there = "tenants.acme.settings.faults.";
    let unknown = format!("{there}max_limitd: there is no such setting; did you mean max_limited?");
    assert!(told.contains(&format!("gateway.toml:9:1: {unknown}")), "{told}");
    assert!(told.contains(&format!("gateway.toml:8:1: {there}max_limited: ")), "{told}");
}

#[test]
fn a_new_key_is_printed_with_the_lines_that_make_it_known() {
    let folder = TempDir::new().unwrap();
    let output = loggia(folder.path(), &["key", "new", "--name", "ci@example.org"]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stdout).unwrap();
    let key = told.lines().map(str::trim).find(|line| line.starts_with("loggia_")).unwrap();
    assert_eq!(told.matches(key).count(), 1, "{told}");
    let (_, lines) = told.split_once("[[tenants.NAME.keys]]").unwrap();
    let text = format!("{}[[tenants.acme.keys]]{lines}", plugins());
    assert!(check(&text, 0).contains("tenant acme, with 2 plugins and 1 keys"));
    let digest = loggia::tenant::Digest::of_key(key).unwrap();
    assert!(lines.contains(&format!("sha256 = \"{digest}\"")), "{told}");
    assert!(lines.contains("name = \"ci@example.org\""), "{told}");
    let output = loggia(folder.path(), &["key", "new", "--name", "a b"]);
    assert_eq!(output.status.code(), Some(2));
}
