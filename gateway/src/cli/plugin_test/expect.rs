//! What an answer must be, and what differs when it is not. An expectation may name values of the
//! answer, which later steps use.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::file::json;
use super::steps::json_or_text;
use crate::http::Answer;

/// What an answer must be.
#[derive(Clone, Debug, Default)]
pub(super) struct Expect {
    /// Absent: from 200 to 299.
    status: Option<u16>,
    headers: Vec<(String, Value)>,
    body: ExpectedBody,
    /// How often the request was run.
    runs: Option<u32>,
}

#[derive(Clone, Debug, Default)]
enum ExpectedBody {
    #[default]
    Any,
    /// This JSON.
    Json(Value),
    /// These members, and maybe more, at every depth.
    Contains(Value),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    status: Option<u16>,
    #[serde(default)]
    headers: toml::Table,
    json: Option<toml::Value>,
    contains: Option<toml::Value>,
    text: Option<String>,
    runs: Option<u32>,
}

impl Expect {
    /// Of a step's table.
    pub(super) fn read(value: toml::Value) -> Result<Self, String> {
        let raw: RawExpect = value
            .try_into()
            .map_err(|error: toml::de::Error| format!("expect: {}", error.message()))?;
        let body = match (raw.json, raw.contains, raw.text) {
            (None, None, None) => ExpectedBody::Any,
            (Some(value), None, None) => ExpectedBody::Json(json_or_text(value)?),
            (None, Some(value), None) => ExpectedBody::Contains(json_or_text(value)?),
            (None, None, Some(text)) => ExpectedBody::Text(text),
            _ => return Err("expect: one of json, contains and text".to_owned()),
        };
        let lower = |(name, value): (String, _)| (name.to_ascii_lowercase(), json(value));
        let headers = raw.headers.into_iter().map(lower).collect();
        Ok(Self { status: raw.status, headers, body, runs: raw.runs })
    }

    /// What differs; nothing when the answer is as expected. Named values are kept.
    pub(super) fn check(
        &self,
        answer: &Answer,
        runs: u32,
        captures: &mut Captures,
    ) -> Result<Vec<String>, String> {
        let mut differences = Vec::new();
        match self.status {
            Some(status) if status != answer.status => {
                differences.push(format!("status: expected {status}, came {}", answer.status));
            }
            None if !(200..300).contains(&answer.status) => {
                differences.push(format!("status: expected 200 to 299, came {}", answer.status));
            }
            _ => {}
        }
        if let Some(expected) = self.runs.filter(|expected| *expected != runs) {
            differences.push(format!("runs: expected {expected}, came {runs}"));
        }
        for (name, expected) in &self.headers {
            let came = answer.headers.iter().find(|(known, _)| known == name);
            let came = came.map_or(Value::Null, |(_, value)| Value::from(value.as_str()));
            let mut comparison = Comparison::new(false, captures);
            comparison.compare(&format!("header {name}"), expected, &came)?;
            differences.extend(comparison.differences);
        }
        differences.extend(self.check_body(answer, captures)?);
        Ok(differences)
    }

    fn check_body(&self, answer: &Answer, captures: &mut Captures) -> Result<Vec<String>, String> {
        let (expected, subset) = match &self.body {
            ExpectedBody::Any => return Ok(Vec::new()),
            ExpectedBody::Text(text) => {
                let expected = captures.fill(text)?;
                let came = String::from_utf8_lossy(&answer.body);
                let difference = format!("text: expected {expected:?}, came {came:?}");
                return Ok(if came == expected { Vec::new() } else { vec![difference] });
            }
            ExpectedBody::Json(expected) => (expected, false),
            ExpectedBody::Contains(expected) => (expected, true),
        };
        let came: Value = match serde_json::from_slice(&answer.body) {
            Ok(came) => came,
            Err(error) => {
                let came = String::from_utf8_lossy(&answer.body);
                return Ok(vec![format!("json: {error} in {came:?}")]);
            }
        };
        let mut comparison = Comparison::new(subset, captures);
        comparison.compare("json", expected, &came)?;
        Ok(comparison.differences)
    }
}

/// The first of the alternatives that holds, or what differs from each.
pub(super) fn check_any(
    alternatives: &[Expect],
    answer: &Answer,
    runs: u32,
    captures: &mut Captures,
) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for (number, expect) in alternatives.iter().enumerate() {
        let mut tried = captures.clone();
        let differences = expect.check(answer, runs, &mut tried)?;
        if differences.is_empty() {
            *captures = tried;
            return Ok(Vec::new());
        }
        if alternatives.len() > 1 {
            all.push(format!("not alternative {}:", number + 1));
        }
        all.extend(differences);
    }
    Ok(all)
}

/// Values that earlier steps have named.
#[derive(Clone, Debug, Default)]
pub(super) struct Captures(BTreeMap<String, Value>);

impl Captures {
    /// A text with each `${name}` replaced.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, after) =
                behind.split_once('}').ok_or_else(|| format!("${{ without }} in {text:?}"))?;
            filled.push_str(before);
            match self.named(name)? {
                Value::String(value) => filled.push_str(value),
                value => filled.push_str(&value.to_string()),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// A value with each `${name}` in its texts replaced. A text that is nothing else becomes the
    /// value that was named, of whatever type it is.
    pub(super) fn fill_json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match whole_name(text) {
                Some(name) => self.named(name)?.clone(),
                None => self.fill(text)?.into(),
            },
            Value::Array(items) => {
                items.iter().map(|item| self.fill_json(item)).collect::<Result<_, _>>()?
            }
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.fill_json(value)?)))
                .collect::<Result<_, String>>()?,
            other => other.clone(),
        })
    }

    fn named(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).ok_or_else(|| format!("no earlier step has captured {name:?}"))
    }
}

fn whole_name(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}').filter(|name| !name.contains(['$', '}']))
}

/// `{capture = "name"}`: anything, by that name.
fn capture_name(expected: &Value) -> Option<&str> {
    let members = expected.as_object().filter(|members| members.len() == 1)?;
    members.get("capture")?.as_str()
}

struct Comparison<'c> {
    /// Whether objects may have more members than are expected.
    subset: bool,
    captures: &'c mut Captures,
    differences: Vec<String>,
}

impl<'c> Comparison<'c> {
    fn new(subset: bool, captures: &'c mut Captures) -> Self {
        Self { subset, captures, differences: Vec::new() }
    }

    fn compare(&mut self, at: &str, expected: &Value, came: &Value) -> Result<(), String> {
        if let Some(name) = capture_name(expected) {
            if came.is_null() && at.starts_with("header") {
                self.differences.push(format!("{at}: missing"));
            }
            self.captures.0.insert(name.to_owned(), came.clone());
            return Ok(());
        }
        match (expected, came) {
            (Value::Object(expected), Value::Object(came)) => self.objects(at, expected, came),
            (Value::Array(expected), Value::Array(came)) if expected.len() == came.len() => {
                let pairs = expected.iter().zip(came).enumerate();
                pairs.into_iter().try_for_each(|(place, (expected, came))| {
                    self.compare(&format!("{at}/{place}"), expected, came)
                })
            }
            (Value::Array(expected), Value::Array(came)) => {
                let (expected, length) = (expected.len(), came.len());
                let came = Value::from(came.as_slice());
                self.differences
                    .push(format!("{at}: expected {expected} elements, came {length}: {came}"));
                Ok(())
            }
            _ => {
                let expected = self.captures.fill_json(expected)?;
                if !equal(&expected, came) {
                    self.differences.push(format!("{at}: expected {expected}, came {came}"));
                }
                Ok(())
            }
        }
    }

    fn objects(
        &mut self,
        at: &str,
        expected: &serde_json::Map<String, Value>,
        came: &serde_json::Map<String, Value>,
    ) -> Result<(), String> {
        for (name, expected) in expected {
            match came.get(name) {
                Some(came) => self.compare(&format!("{at}/{name}"), expected, came)?,
                None => self.differences.push(format!("{at}/{name}: missing")),
            }
        }
        if !self.subset {
            let more = came.iter().filter(|(name, _)| !expected.contains_key(*name));
            let more = more.map(|(name, value)| format!("{at}/{name}: not expected, came {value}"));
            self.differences.extend(more);
        }
        Ok(())
    }
}

/// `1` and `1.0` are the same number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(a), Some(b)) if one.as_i64().is_none() || other.as_i64().is_none() => a == b,
        _ => one == other,
    }
}
