//! `POST /jobs` and `POST /jobs:batchCreate`: new jobs.

mod request_key;
mod unique;

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Write, apply};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::change::read;
use crate::job::{JOBS, Job};
use crate::new_job::{MAX_OBJECT_BYTES, NewJob};
use crate::sequence;
use crate::settings::Settings;
use request_key::RequestKey;
use unique::Place;

pub(crate) use request_key::{HEADER, STORAGE as REQUEST_STORAGE};
pub(crate) use unique::STORAGE as UNIQUE_STORAGE;

/// A job's parameters, and what stands around them.
const MAX_BODY_BYTES: u64 = MAX_OBJECT_BYTES as u64 + 65_536;

const MAX_BATCH_BYTES: u64 = 8 << 20;

pub(crate) const ROUTE: Route =
    Route::post("create-job", "/jobs", "Create a job.", create).with(|operation| {
        operation.body::<NewJob>().body_bytes(MAX_BODY_BYTES).answers(201, "The new job.").answers(
            200,
            "The job that has the unique key, or that the request had created before.",
        )
    });

pub(crate) const BATCH_ROUTE: Route =
    Route::post("create-jobs", "/jobs:batchCreate", "Create jobs, all or none.", batch_create)
        .with(|operation| {
            operation
                .body::<Batch>()
                .body_bytes(MAX_BATCH_BYTES)
                // A thousand jobs at once are more than most requests write.
                .request_ms(10_000)
                .transaction_ms(5_000)
        });

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[schemars(length(min = 1, max = 1_000))]
    jobs: Vec<NewJob>,
}

/// What came of one item of the request.
struct Created {
    id: String,
    job: Job,
    is_new: bool,
}

impl Created {
    fn outcome(&self) -> Value {
        let sequence_number = self.job.sequence_number;
        json!({"id": self.id, "sequence_number": sequence_number, "created": self.is_new})
    }
}

fn create(request: &Request) -> Result<Response, Failure> {
    let new: NewJob = request.json()?;
    let created = create_all(request, vec![new], |_, problem| problem)?;
    let created = created.into_iter().next();
    let created = created.ok_or_else(|| Error::Other("no job came of it".to_owned()))?;
    let status = if created.is_new { 201 } else { 200 };
    let shown = created.job.shown(&created.id)?;
    let location = format!("/v1/job-fsm/jobs/{}", encoded(&created.id));
    Ok(Response::serialize(status, &shown)?.header("location", &location))
}

fn batch_create(request: &Request) -> Result<Response, Failure> {
    let Batch { jobs } = request.json()?;
    let created = create_all(request, jobs, pointing)?;
    let status = if created.iter().any(|created| created.is_new) { 201 } else { 200 };
    let outcomes: Vec<Value> = created.iter().map(Created::outcome).collect();
    Response::serialize(status, &json!({"jobs": outcomes}))
}

/// In the order of the request, one for each.
fn create_all(
    request: &Request,
    jobs: Vec<NewJob>,
    pointing: fn(usize, Problem) -> Problem,
) -> Result<Vec<Created>, Failure> {
    for (index, job) in jobs.iter().enumerate() {
        job.check().map_err(|problem| pointing(index, problem))?;
    }
    let request_key = RequestKey::read(request)?;
    if let Some(ids) = request_key.as_ref().map(RequestKey::answered).transpose()?.flatten() {
        return ids.into_iter().map(existing).collect();
    }
    let places = unique::places(&jobs)?;
    let created = number(request, jobs, places)?;
    let mut writes: Vec<Write> = created
        .iter()
        .filter(|created| created.is_new)
        .map(|created| JOBS.insert(&created.id, &created.job).into())
        .collect();
    let ids = created.iter().map(|created| created.id.clone()).collect();
    writes.extend(request_key.map(|key| key.answer(ids, request.now())));
    apply(writes).map_err(|error| refusal(error, &created, pointing))?;
    Ok(created)
}

fn existing(id: String) -> Result<Created, Failure> {
    let job = read(&id)?.body;
    Ok(Created { id, job, is_new: false })
}

/// Give the new ones among them their numbers, in their order. From here on nobody else creates
/// jobs of this tenant until the end of the request.
fn number(
    request: &Request,
    jobs: Vec<NewJob>,
    places: Vec<Place>,
) -> Result<Vec<Created>, Failure> {
    let new = places.iter().filter(|place| matches!(place, Place::New)).count() as i64;
    let now = request.now();
    let mut next = if new > 0 { sequence::take(new, now, &Settings::read()?)? } else { 0 };
    let mut created: Vec<Created> = Vec::with_capacity(jobs.len());
    for (job, place) in jobs.into_iter().zip(places) {
        let item = match place {
            Place::New => {
                let id = job.id.clone().unwrap_or_else(|| request.uuid());
                let job = job.into_job(next, now);
                next += 1;
                Created { id, job, is_new: true }
            }
            Place::Existing(id) => existing(id)?,
            Place::SameAs(index) => {
                let Created { id, job, .. } = &created[index];
                Created { id: id.clone(), job: job.clone(), is_new: false }
            }
        };
        created.push(item);
    }
    Ok(created)
}

/// Why they could not be stored. Who was faster with a unique key or the same request is found by
/// the next run.
fn refusal(error: Error, created: &[Created], pointing: fn(usize, Problem) -> Problem) -> Failure {
    let mismatch = match error {
        Error::Duplicate(fault) if fault.name == "unique_key" => return Failure::Retry,
        Error::PreconditionFailed(mismatch) => mismatch,
        // An id twice in the request.
        error => return error.into(),
    };
    let is_it = |created: &Created| created.is_new && created.id == mismatch.id;
    match created.iter().position(is_it) {
        Some(index) => pointing(index, already_exists()).into(),
        None => Failure::Retry,
    }
}

fn already_exists() -> Problem {
    Problem::new(409, "already-exists", "there is a job with this id").with("pointer", "/id")
}

/// The same problem of an item of the batch.
fn pointing(index: usize, problem: Problem) -> Problem {
    let within = problem.extensions.get("pointer").and_then(Value::as_str).unwrap_or_default();
    let pointer = format!("/jobs/{index}{within}");
    problem.with("pointer", pointer)
}

/// As it stands in a path.
fn encoded(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn an_id_is_encoded_for_a_path() {
        assert_eq!(encoded("a-b_c.d~9"), "a-b_c.d~9");
        assert_eq!(encoded("a/b:c é"), "a%2Fb%3Ac%20%C3%A9");
    }
}
