//! A file of tests: TOML in a plugin's folder `tests`, the same for plugins of every language.
//!
//! Begin at [`TestFile::read`]. `docs/testing.md` tells authors what can stand in one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::steps::{Action, Step};
use crate::config::Limits;

/// All of one file.
#[derive(Debug)]
pub(super) struct TestFile {
    pub(super) path: PathBuf,
    /// Where the clock stands when a test begins, in microseconds since 1970.
    pub(super) clock: i64,
    pub(super) limits: Limits,
    /// Of the plugin, for every tenant; the rest has the manifest's defaults.
    pub(super) settings: Map<String, Value>,
    pub(super) tests: Vec<Test>,
}

/// One test, in a database of its own.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default = "first_of_2026")]
    clock: String,
    #[serde(default)]
    limits: toml::Table,
    #[serde(default)]
    settings: toml::Table,
    #[serde(default, rename = "test")]
    tests: Vec<Spanned<RawTest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: String,
    #[serde(default, rename = "step")]
    steps: Vec<Spanned<toml::Table>>,
}

fn first_of_2026() -> String {
    "2026-01-01T00:00:00Z".to_owned()
}

/// Time is the test's matter, and the machine may be busy: only tests that set these meet them.
const LONG_MS: i64 = 60_000;

impl TestFile {
    /// Read a file.
    ///
    /// # Errors
    /// All of its faults that can be told at once, each with the file and the line.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| vec![format!("{}: {error}", path.display())])?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Vec<String>> {
        let failed = |why: String| vec![format!("{}: {why}", path.display())];
        let raw: RawFile = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
        let mut faults = Vec::new();
        let mut keep = |line: usize, why: String| {
            faults.push(format!("{}:{line}: {why}", path.display()));
        };
        let clock = raw.clock.parse::<jiff::Timestamp>().map(|at| at.as_microsecond());
        let clock = clock.unwrap_or_else(|error| {
            keep(1, format!("clock: {error}"));
            0
        });
        let limits = limits(raw.limits).unwrap_or_else(|why| {
            keep(1, format!("limits: {why}"));
            Limits::default()
        });
        let line_of = |offset: usize| 1 + text[..offset].matches('\n').count();
        let mut tests = Vec::new();
        for test in raw.tests {
            let line = line_of(test.span().start);
            let RawTest { name, steps: raw } = test.into_inner();
            let mut steps = Vec::new();
            for step in raw {
                let line = line_of(step.span().start);
                match Action::read(step.into_inner()) {
                    Ok(action) => steps.push(Step { line, action }),
                    Err(why) => keep(line, format!("{name:?}: {why}")),
                }
            }
            tests.push(Test { line, name, steps });
        }
        for (name, line) in repeated(&tests) {
            keep(line, format!("{name:?} is the name of another test as well"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let settings = raw.settings.into_iter().map(|(name, value)| (name, json(value)));
        let (path, settings) = (path.to_owned(), settings.collect());
        Ok(Self { path, clock, limits, settings, tests })
    }
}

fn limits(given: toml::Table) -> Result<Limits, String> {
    let long = ["request_ms", "transaction_ms"];
    let mut table: toml::Table =
        long.into_iter().map(|name| (name.to_owned(), toml::Value::Integer(LONG_MS))).collect();
    table.extend(given);
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

fn repeated(tests: &[Test]) -> Vec<(String, usize)> {
    let mut seen = BTreeMap::new();
    let again = tests.iter().filter(|test| seen.insert(&test.name, test.line).is_some());
    again.map(|test| (test.name.clone(), test.line)).collect()
}

/// TOML has no null; where one is needed, JSON stands as a text.
pub(super) fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(members) => {
            members.into_iter().map(|(name, value)| (name, json(value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TestFile, Vec<String>> {
        TestFile::parse(Path::new("a.toml"), text)
    }

    #[test]
    fn tests_and_steps_know_their_lines() {
        let text = "clock = \"2030-01-01T00:00:00Z\"\n\n[[test]]\nname = \"one\"\n\n\
                    [[test.step]]\nrequest = \"GET /a\"\n\n[[test.step]]\nadvance = \"61s\"\n";
        let file = read(text).expect("it has no faults");
        assert_eq!(file.clock, 1_893_456_000_000_000);
        let lines: Vec<_> = file.tests[0].steps.iter().map(|step| step.line).collect();
        assert_eq!((file.tests[0].line, lines), (3, vec![6, 9]));
    }

    #[test]
    fn all_faults_are_told_with_their_lines() {
        let text = "clock = \"noon\"\n[limits]\nrequest_mss = 1\n[[test]]\nname = \"one\"\n\
                    [[test.step]]\nrequest = \"GET\"\n[[test.step]]\nadvance = \"soon\"\n\
                    [[test.step]]\nrequest = \"GET /a\"\nbody = 1\n\
                    [[test]]\nname = \"one\"\n";
        let faults = read(text).expect_err("it has faults");
        let places = faults.iter().filter_map(|fault| fault.split(": ").next());
        let places: Vec<_> = places.collect();
        let expected = ["a.toml:1", "a.toml:1", "a.toml:6", "a.toml:8", "a.toml:10", "a.toml:13"];
        assert_eq!(places, expected, "{faults:#?}");
        assert!(faults[1].contains("request_mss"), "{faults:#?}");
        assert!(faults[4].contains("`body`"), "{faults:#?}");
    }
}
