//! What a step of a test can be, as its file states it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::expect::Expect;
use super::file::json;
use crate::storage;

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) action: Action,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum Action {
    Request(RequestStep),
    /// Move the clock by so many microseconds.
    Advance(i64),
    Interleave(Interleave),
}

/// A request, and what its answer must be.
#[derive(Debug)]
pub(super) struct RequestStep {
    pub(super) method: String,
    /// Below `/v1/{plugin}`.
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Body,
    pub(super) caller: Caller,
    pub(super) faults: Vec<Fault>,
    /// One of these.
    pub(super) expect: Vec<Expect>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Json(Value),
    Text(String),
}

/// Who asks, and for whom.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Caller {
    pub(super) tenant: String,
    pub(super) roles: Vec<String>,
}

/// What is to go wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) at: Place,
    pub(super) with: FaultKind,
    /// In how many runs of the request.
    pub(super) times: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// The storage call of this number, from 1.
    Call(u32),
    Commit,
    /// In a run of the test for each: every storage call, and the commit.
    Each,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FaultKind {
    /// The transaction loses its race.
    Conflict,
    /// The plugin traps.
    Trap,
    /// The database cannot be reached.
    Unavailable,
    /// The database does not answer in time.
    Timeout,
}

impl FaultKind {
    /// The storage layer's error; none for a trap.
    pub(super) fn error(self) -> Option<storage::Error> {
        match self {
            Self::Conflict => Some(storage::Error::Aborted),
            Self::Unavailable => Some(storage::Error::Unavailable),
            Self::Timeout => Some(storage::Error::Timeout),
            Self::Trap => None,
        }
    }
}

/// Requests that are under way at once.
#[derive(Debug)]
pub(super) struct Interleave {
    pub(super) requests: Vec<RequestStep>,
    pub(super) order: Order,
    /// What all of them answer together: one of these.
    pub(super) outcomes: Vec<Vec<Expect>>,
}

/// Whose turn it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// In a run of the test for each order.
    All,
    /// Places in the list of requests, from 0; then each to its end.
    Stated(Vec<usize>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<toml::Value>,
    text: Option<String>,
    #[serde(default = "one")]
    tenant: String,
    #[serde(default = "all_roles")]
    roles: Vec<String>,
    #[serde(default)]
    fail: Vec<RawFault>,
    expect: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    at: toml::Value,
    with: FaultKind,
    #[serde(default = "once")]
    times: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterleave {
    interleave: Vec<toml::Table>,
    order: Option<toml::Value>,
    #[serde(default)]
    outcomes: Vec<Vec<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAdvance {
    advance: String,
}

fn one() -> String {
    "one".to_owned()
}

fn all_roles() -> Vec<String> {
    ["reader", "writer", "admin"].map(str::to_owned).to_vec()
}

fn once() -> u32 {
    1
}

impl Action {
    /// Of a step's table.
    pub(super) fn read(table: toml::Table) -> Result<Self, String> {
        if table.contains_key("request") {
            return RequestStep::read(table).map(Self::Request);
        }
        if table.contains_key("interleave") {
            return Interleave::read(table).map(Self::Interleave);
        }
        if table.contains_key("advance") {
            let RawAdvance { advance } = take(table)?;
            let by: jiff::SignedDuration =
                advance.parse().map_err(|error| format!("advance: {error}"))?;
            let by = i64::try_from(by.as_micros()).map_err(|_| "advance: too far".to_owned())?;
            return Ok(Self::Advance(by));
        }
        Err("a step has request, interleave or advance".to_owned())
    }
}

impl RequestStep {
    fn read(table: toml::Table) -> Result<Self, String> {
        let raw: RawRequest = take(table)?;
        let (method, path) = raw
            .request
            .split_once(' ')
            .filter(|(_, path)| path.starts_with('/'))
            .ok_or_else(|| format!("request: {:?} is no method and path", raw.request))?;
        let body = match (raw.json, raw.text) {
            (None, None) => Body::None,
            (Some(json), None) => Body::Json(json_or_text(json)?),
            (None, Some(text)) => Body::Text(text),
            (Some(_), Some(_)) => return Err("a body is json or text, not both".to_owned()),
        };
        let faults = raw.fail.into_iter().map(Fault::read).collect::<Result<Vec<_>, _>>()?;
        if faults.len() > 1 && faults.iter().any(|fault| fault.at == Place::Each) {
            return Err("fail: at = \"each\" stands by itself".to_owned());
        }
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: raw.headers,
            body,
            caller: Caller { tenant: raw.tenant, roles: raw.roles },
            faults,
            expect: expectations(raw.expect)?,
        })
    }

    /// The body as it is sent.
    pub(super) fn content_type(&self) -> Option<&'static str> {
        let given = self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        match self.body {
            _ if given => None,
            Body::None => None,
            Body::Json(_) => Some("application/json"),
            Body::Text(_) => Some("text/plain"),
        }
    }
}

impl Body {
    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::Json(value) => value.to_string().into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

impl Fault {
    fn read(raw: RawFault) -> Result<Self, String> {
        let at = match &raw.at {
            toml::Value::Integer(number @ 1..=1_000_000) => {
                Place::Call(u32::try_from(*number).unwrap_or(1))
            }
            toml::Value::String(text) if text == "commit" => Place::Commit,
            toml::Value::String(text) if text == "each" => Place::Each,
            other => {
                return Err(format!(
                    "fail: at is the number of a storage call, from 1, \"commit\" or \"each\"; it \
                     is {other}"
                ));
            }
        };
        Ok(Self { at, with: raw.with, times: raw.times })
    }
}

impl Interleave {
    fn read(table: toml::Table) -> Result<Self, String> {
        let raw: RawInterleave = take(table)?;
        let expects = raw.interleave.iter().any(|request| request.contains_key("expect"));
        if expects && !raw.outcomes.is_empty() {
            return Err("interleave: expect or outcomes, not both".to_owned());
        }
        let requests = raw.interleave.into_iter().map(RequestStep::read);
        let requests = requests.collect::<Result<Vec<_>, _>>()?;
        if requests.len() < 2 {
            return Err("interleave: two requests or more".to_owned());
        }
        if requests.iter().flat_map(|request| &request.faults).any(|f| f.at == Place::Each) {
            return Err("interleave: a fault in each place is for a request by itself".to_owned());
        }
        let order = match raw.order {
            None => Order::All,
            Some(toml::Value::String(all)) if all == "all" => Order::All,
            Some(stated) => Order::Stated(stated_order(stated, requests.len())?),
        };
        let alternatives = raw
            .outcomes
            .into_iter()
            .map(|outcome| outcome.into_iter().map(Expect::read).collect::<Result<Vec<_>, _>>());
        let outcomes = alternatives.collect::<Result<Vec<_>, _>>()?;
        if outcomes.iter().any(|outcome| outcome.len() != requests.len()) {
            return Err("outcomes: each has an expectation for every request".to_owned());
        }
        Ok(Self { requests, order, outcomes })
    }
}

fn stated_order(stated: toml::Value, requests: usize) -> Result<Vec<usize>, String> {
    let turns: Vec<usize> = stated.try_into().map_err(|_| {
        "order: \"all\", or a list such as [1, 2, 2, 1]: whose turn it is".to_owned()
    })?;
    let places = turns.into_iter().map(|turn| {
        let place = turn.checked_sub(1).filter(|place| *place < requests);
        place.ok_or_else(|| format!("order: there is no request {turn}"))
    });
    places.collect()
}

fn take<T: serde::de::DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

/// JSON in the form of TOML, or as a text.
pub(super) fn json_or_text(value: toml::Value) -> Result<Value, String> {
    match value {
        toml::Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| format!("json: {text:?}: {error}"))
        }
        value => Ok(json(value)),
    }
}

/// One, or a list of alternatives; without any: a status from 200 to 299.
fn expectations(value: Option<toml::Value>) -> Result<Vec<Expect>, String> {
    match value {
        None => Ok(vec![Expect::default()]),
        Some(toml::Value::Array(alternatives)) => {
            alternatives.into_iter().map(Expect::read).collect()
        }
        Some(one) => Ok(vec![Expect::read(one)?]),
    }
}
