//! The README of each plugin: every command is run, in its order and on an empty store of each
//! database, and every answer compared.
//!
//! A block `sh` is one curl command. The block behind it is its answer: `json` is the body, `http`
//! begins with the status line, names the headers worth showing, and has the body after an empty
//! line. What is another one each time is compared by its form: see [`is_like`].

use std::path::PathBuf;
use std::process::Command;

use loggia::config::{Config, Plugin};
use serde_json::Value;

use crate::guide::is_like as is_like_text;
use crate::harness::plugin_list;
use crate::harness::{TestGateway, on_both_databases, plugin_path};

on_both_databases! {
    the_readmes_of_plugins_are_true with every_plugin,
    the_readme_is_true with every_plugin,
}

/// The address in the READMEs.
const ADDRESS: &str = "127.0.0.1:8080";

fn every_plugin(config: &mut Config) {
    let plugins = plugin_list::Plugin::ALL.iter().map(|plugin| plugin.name());
    config.plugins = plugins.map(|name| (name.to_owned(), Plugin::at(plugin_path(name)))).collect();
}

async fn the_readmes_of_plugins_are_true(gateway: &TestGateway) {
    for plugin in plugin_list::Plugin::ALL {
        if *plugin != plugin_list::Plugin::Faults {
            follow(gateway, &format!("plugins/{}/README.md", plugin.name())).await;
        }
    }
}

async fn the_readme_is_true(gateway: &TestGateway) {
    follow(gateway, "README.md").await;
}

async fn follow(gateway: &TestGateway, path: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    let examples = examples(&text);
    assert!(examples.len() > 2, "{path}: {examples:?}");
    let mut sent = String::new();
    for example in examples {
        sent += &example.command;
        let answer = run(gateway, &example).await;
        let compared = example.compare(&answer, &sent);
        if let Err(fault) = compared {
            panic!("{path}:{}: {fault}\n$ {}\n{answer}", example.line, example.command);
        }
    }
}

/// A command and its answer.
#[derive(Debug)]
struct Example {
    line: usize,
    command: String,
    with_head: bool,
    answer: String,
}

fn examples(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((fence, line)) = lines.next() {
        let Some(kind) = fence.strip_prefix("```") else { continue };
        let block = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```");
        let block = block.collect::<Vec<_>>().join("\n");
        match (kind, examples.last_mut()) {
            ("sh", _) => examples.push(Example {
                line,
                command: block,
                with_head: false,
                answer: String::new(),
            }),
            ("json" | "http", Some(example)) if example.answer.is_empty() => {
                example.with_head = kind == "http";
                example.answer = block;
            }
            _ => {}
        }
    }
    examples.retain(|example| example.command.starts_with("curl "));
    examples
}

/// Run by a shell, as a reader does; what is printed besides the answer is left out.
async fn run(gateway: &TestGateway, example: &Example) -> String {
    let show_head = if example.with_head { "--include" } else { "" };
    let command = example.command.replace(ADDRESS, &gateway.address.to_string());
    let script = format!("curl() {{ command curl --silent {show_head} \"$@\"; }}\n{command}");
    let output = tokio::task::spawn_blocking(move || {
        Command::new("bash").args(["-e", "-c", &script]).output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{example:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

impl Example {
    fn compare(&self, answer: &str, sent: &str) -> Result<(), String> {
        if self.answer.is_empty() {
            return Err("the README has no answer".to_owned());
        }
        if !self.with_head {
            return compare_bodies(&self.answer, answer, sent);
        }
        let (head, body) = self.answer.split_once("\n\n").unwrap_or((&self.answer, ""));
        let (came_head, came_body) = answer.split_once("\n\n").ok_or("it has no head")?;
        for line in head.lines() {
            let is_there = came_head.lines().any(|came| is_like_header(line, came, sent));
            if !is_there {
                return Err(format!("the answer has no {line:?}"));
            }
        }
        compare_bodies(body, came_body, sent)
    }
}

fn is_like_header(expected: &str, came: &str, sent: &str) -> bool {
    match (expected.split_once(": "), came.split_once(": ")) {
        (Some((name, expected)), Some((came_name, came))) => {
            name.eq_ignore_ascii_case(came_name) && is_like(expected, came, sent)
        }
        _ => expected.trim_end() == came.trim_end(),
    }
}

fn compare_bodies(expected: &str, came: &str, sent: &str) -> Result<(), String> {
    match (serde_json::from_str(expected), serde_json::from_str(came)) {
        (Ok(expected), Ok(came)) => compare_values("", &expected, &came, sent),
        _ if is_like(expected.trim_end(), came.trim_end(), sent) => Ok(()),
        _ => Err(format!("expected was {expected:?}")),
    }
}

fn compare_values(at: &str, expected: &Value, came: &Value, sent: &str) -> Result<(), String> {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            if let Some(more) = came.keys().find(|name| !expected.contains_key(*name)) {
                return Err(format!("{at}/{more} is not in the README"));
            }
            expected.iter().try_for_each(|(name, expected)| {
                let at = format!("{at}/{name}");
                let came = came.get(name).ok_or_else(|| format!("{at} is missing"))?;
                compare_values(&at, expected, came, sent)
            })
        }
        (Value::Array(expected), Value::Array(came)) if expected.len() == came.len() => {
            let pairs = expected.iter().zip(came).enumerate();
            pairs.into_iter().try_for_each(|(place, (expected, came))| {
                compare_values(&format!("{at}/{place}"), expected, came, sent)
            })
        }
        (Value::String(expected), Value::String(came)) if is_like(expected, came, sent) => Ok(()),
        (expected, came) if expected == came => Ok(()),
        (expected, came) => Err(format!("{at}: {expected} was expected, not {came}")),
    }
}

/// Equal, or both of the same form where the form is one of what changes: a time, a UUID, a trace
/// id, an `ETag`. What a command has sent does not change. `…` stands for anything.
fn is_like(expected: &str, came: &str, sent: &str) -> bool {
    let changes = |form: Form| form != Form::Other && form == Form::of(came);
    is_like_text(came, expected) || (!sent.contains(expected) && changes(Form::of(expected)))
}

/// How a text is made up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Time,
    HttpDate,
    Hexadecimal(usize),
    ETag,
    Other,
}

impl Form {
    fn of(text: &str) -> Self {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let shape: String =
            text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let is_hexadecimal = |c: char| c.is_ascii_hexdigit() || c == '-';
        if shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z') {
            Self::Time
        } else if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
            Self::ETag
        } else if shape.ends_with(" 00:00:00 GMT") {
            Self::HttpDate
        } else if text.len() >= 32 && !digits.is_empty() && text.chars().all(is_hexadecimal) {
            Self::Hexadecimal(text.len())
        } else {
            Self::Other
        }
    }
}

#[test]
fn what_changes_is_compared_by_its_form() {
    let sent = "-d '{\"at\": \"2026-01-01T00:00:00.000Z\"}'";
    for (expected, came) in [
        ("a", "a"),
        ("2026-01-02T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"),
        ("\"1\"", "\"17\""),
        ("880a6eaabb36b50581d8e5409c248b4a", "87d057519998cdd3bf61048d04caaa6e"),
        ("eyJ…", "eyJ9"),
    ] {
        assert!(is_like(expected, came, sent), "{expected} {came}");
    }
    for (expected, came) in [
        ("a", "b"),
        ("2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2026-01-02T00:00:00.000Z", "2026-01-02"),
        ("\"1\"", "1"),
    ] {
        assert!(!is_like(expected, came, sent), "{expected} {came}");
    }
}

#[test]
fn a_missing_or_new_member_is_a_fault() {
    let compare = |expected: &str, came: &str| compare_bodies(expected, came, "");
    assert_eq!(compare(r#"{"a":1,"b":[2]}"#, r#"{"b":[2],"a":1}"#), Ok(()));
    compare(r#"{"a":1}"#, r#"{"a":1,"b":2}"#).unwrap_err();
    compare(r#"{"a":1,"b":2}"#, r#"{"a":1}"#).unwrap_err();
    compare(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#).unwrap_err();
    compare(r#"{"a":1}"#, r#"{"a":2}"#).unwrap_err();
}
