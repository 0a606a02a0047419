//! `loggia plugin inspect`, `check` and `new`, as an author runs them.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::plugin_path;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loggia")).args(arguments).output().unwrap()
}

#[track_caller]
fn printed(output: &Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn component() -> String {
    plugin_path("faults").display().to_string()
}

#[test]
fn inspect_shows_what_a_plugin_declares() {
    let shown = printed(&run(&["plugin", "inspect", &component()]), 0);
    for line in [
        "  loggia:plugin/storage@0.1.0",
        "    unique index one_unique_key on unique_key",
        "  limited of document, at most max_limited",
        "  PUT    /v1/faults/documents/{id}  put-document  autocommit  writer",
        "  raise  update",
    ] {
        assert!(shown.lines().any(|came| came == line), "{line} is not in:\n{shown}");
    }
    assert!(!shown.contains("SELECT"), "{shown}");
}

#[test]
fn inspect_shows_the_sql_of_both_databases() {
    let shown = printed(&run(&["plugin", "inspect", &component(), "--sql"]), 0);
    assert!(shown.contains("-- PostgreSQL\n") && shown.contains("-- SQLite\n"), "{shown}");
    let json = printed(&run(&["plugin", "inspect", &component(), "--json"]), 0);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["manifest"]["name"], "faults");
    let list = json["statements"].as_array().unwrap().iter().find(|s| s["name"] == "list").unwrap();
    for (database, parameter) in [("postgres", "$1"), ("sqlite", "?1")] {
        let texts = list[database].as_array().unwrap();
        // Three orders, and three conditions with the first.
        assert_eq!(texts.len(), 6, "{list}");
        assert!(texts[0].as_str().unwrap().contains(parameter), "{list}");
    }
}

#[test]
fn check_finds_statements_that_no_index_serves() {
    let checked = printed(&run(&["plugin", "check", &component()]), 0);
    for database in ["SQLite", "PostgreSQL"] {
        let warning = format!("warning: on {database}, the statement list may read all documents");
        assert!(checked.contains(&warning), "{checked}");
    }
    assert!(checked.ends_with(": no faults\n"), "{checked}");
}

#[test]
fn check_says_what_is_no_plugin() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nothing.wasm");
    std::fs::write(&path, "nothing").unwrap();
    let path = path.display().to_string();
    for verb in ["check", "inspect"] {
        let output = run(&["plugin", verb, &path]);
        printed(&output, 78);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("it is not a plugin of this gateway"), "{message}");
    }
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = run(&["plugin", "check", &empty.display().to_string()]);
    printed(&output, 78);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("has no Cargo.toml and 0 files *.wasm"), "{message}");
}

/// As the operator's file has it: its ceilings, and its database.
#[test]
fn check_holds_a_plugin_against_a_configuration() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gateway.toml");
    let configure = |plugin: &str, limits: &str| {
        let database = folder.path().join("loggia.db");
        let text = format!(
            "[storage]\nurl = \"sqlite:{}\"\n[plugins.{plugin}]\npath = \"{}\"\n{limits}",
            database.display(),
            component()
        );
        std::fs::write(&path, text).unwrap();
    };
    let check = || run(&["plugin", "check", &component(), "--config", path.to_str().unwrap()]);
    configure("faults", "");
    let checked = printed(&check(), 0);
    assert!(checked.contains("add-collection document"), "{checked}");
    configure("other", "");
    let output = check();
    printed(&output, 78);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("names no plugin faults"), "{message}");
}

#[test]
fn new_refuses_names_that_no_plugin_can_have() {
    let folder = TempDir::new().unwrap();
    let named = |name: &str| folder.path().join(name).display().to_string();
    printed(&run(&["plugin", "new", &named("My_Notes")]), 78);
    printed(&run(&["plugin", "new", &named("notes"), "--sdk", "nowhere"]), 78);
    printed(&run(&["plugin", "new", &named("notes")]), 0);
    let again = run(&["plugin", "new", &named("notes")]);
    printed(&again, 70);
    let message = String::from_utf8_lossy(&again.stderr);
    assert!(message.contains("exists already"), "{message}");
}
