//! Writes in one call, as a test states them.

use loggia_plugin_sdk::storage::{Error, apply as apply_writes};
use loggia_plugin_sdk::{Collection, Failure, Outcome, Precondition, Request, Response, Write};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::documents::{DOCUMENTS, expiry};
use crate::probe::error_name;

/// A write, such as `{"id": "a", "change": {"put": {"title": "x"}}, "when": {"version": 7}}`.
#[derive(Debug, Deserialize)]
struct Step<'a> {
    id: String,
    #[serde(borrow)]
    change: Change<'a>,
    when: Option<When>,
    #[serde(default)]
    skip: bool,
    ttl_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change<'a> {
    #[serde(borrow)]
    Put(&'a RawValue),
    #[serde(borrow)]
    Merge(&'a RawValue),
    Delete,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Absent,
    Present,
    Version(u64),
}

/// Apply a list of writes, and tell what became of each.
pub(crate) fn apply(request: &Request) -> Result<Response, Failure> {
    let steps: Vec<Step<'_>> = request.json()?;
    let writes = steps.iter().map(|step| step.write(request)).collect();
    let outcomes = apply_writes(writes)
        .map_err(|error| error.pointing(|write| format!("/{write}/{}", steps[write].place())))?;
    let outcomes: Vec<Value> = outcomes.iter().map(describe).collect();
    Response::serialize(200, &json!({"outcomes": outcomes}))
}

impl Step<'_> {
    /// Where in it the body to write stands.
    fn place(&self) -> &'static str {
        match self.change {
            Change::Put(_) => "change/put",
            Change::Merge(_) => "change/merge",
            Change::Delete => "change",
        }
    }

    fn write(&self, request: &Request) -> Write {
        let condition = match self.when {
            None => Precondition::Any,
            Some(When::Absent) => Precondition::Absent,
            Some(When::Present) => Precondition::Present,
            Some(When::Version(version)) => Precondition::Version(version),
        };
        let write: Write = match self.change {
            Change::Put(body) => DOCUMENTS.put_json(&self.id, body.get()).into(),
            Change::Merge(patch) => DOCUMENTS.merge_json(&self.id, patch.get()).into(),
            Change::Delete => DOCUMENTS.delete(&self.id).into(),
        };
        let write = write.when(condition);
        let write = match self.ttl_seconds {
            Some(_) => write.expires(expiry(request, self.ttl_seconds)),
            None => write,
        };
        if self.skip { write.or_skip() } else { write }
    }
}

fn describe(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Written(written) => {
            json!({"version": written.version, "created": written.created})
        }
        Outcome::Deleted(was_there) => json!({"deleted": was_there}),
        Outcome::Skipped(error) => json!({"skipped": error_name(error)}),
    }
}

/// A document as `increment` reads and writes it: nothing but `amount` is its business.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Counter {
    #[serde(default)]
    amount: i64,
    #[serde(flatten)]
    others: Map<String, Value>,
}

const COUNTERS: Collection<Counter> = DOCUMENTS.of();

/// Read, add one, and write what was read: a lost race is run again, so no addition is lost.
pub(crate) fn increment(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let found = COUNTERS.get(id)?;
    let condition = found.as_ref().map(|found| found.version);
    let mut counter = found.map(|found| found.body).unwrap_or_default();
    counter.amount += 1;
    let write = match condition {
        Some(version) => COUNTERS.replace(id, version, &counter),
        None => COUNTERS.insert(id, &counter),
    };
    let written = write.run().map_err(Error::or_retry)?;
    let answer = json!({"amount": counter.amount}).to_string();
    Ok(Response::json(200, answer).etag(written.version))
}

/// Loses what another request writes between the two calls, where the database lets it.
pub(crate) fn lose(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let mut counter = COUNTERS.get(id)?.map(|found| found.body).unwrap_or_default();
    counter.amount += 1;
    COUNTERS.put(id, &counter).run()?;
    Ok(Response::json(200, json!({"amount": counter.amount}).to_string()))
}
