//! `POST /events`: store events that come as an array or line by line. Those that cannot be stored are
//! told by their places, and stop none of the others unless `strict` says so.

use std::collections::HashSet;

use loggia_plugin_sdk::manifest::{Mode, Param};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Outcome, Problem, Request, Response, Route, apply};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::event::{EVENTS, Event, Made};

/// The largest body; 10,000 events have some 4 MB.
const MAX_BODY_BYTES: u64 = 16 << 20;

/// The most events of a request.
const MAX_EVENTS: usize = 10_000;

/// One call writes them all, however long the database takes for it.
const REQUEST_MS: u64 = 30_000;

pub(crate) const ROUTE: Route =
    Route::post("ingest", "/events", "Store events.", ingest).with(|operation| {
        operation
            // One call writes, all or nothing.
            .mode(Mode::Autocommit)
            .param("strict", Param::boolean().default(false).describe("Store all events or none."))
            .json_body()
            .body_type("application/x-ndjson")
            .body_bytes(MAX_BODY_BYTES)
            .request_ms(REQUEST_MS)
    });

/// What has become of events.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) ingested: usize,
    pub(crate) duplicates: usize,
    pub(crate) rejected: Vec<Rejected>,
}

/// An event that could not be stored.
#[derive(Debug, Serialize)]
pub(crate) struct Rejected {
    index: usize,
    code: String,
    detail: String,
}

/// Events with their places in the request, each id once.
#[derive(Default)]
struct Batch {
    events: Vec<(usize, Made)>,
    seen: HashSet<String>,
    report: Report,
}

fn ingest(request: &Request) -> Result<Response, Failure> {
    let mut batch = Batch::read(request)?;
    if request.query_as("strict")?.unwrap_or(false) {
        batch.refuse_bad_events()?;
        batch.store_all()?;
    } else {
        batch.store_good_ones()?;
    }
    Response::serialize(200, &batch.report)
}

impl Batch {
    fn read(request: &Request) -> Result<Self, Failure> {
        let is_ndjson = request.header("content-type").is_some_and(|media_type| {
            media_type.to_ascii_lowercase().starts_with("application/x-ndjson")
        });
        let mut batch = Self::default();
        if is_ndjson {
            for (place, line) in request.ndjson::<&RawValue>().enumerate() {
                check_number(place + 1)?;
                batch.add(place, line.and_then(event));
            }
        } else {
            let events: Vec<&RawValue> = request.json()?;
            check_number(events.len())?;
            for (place, text) in events.into_iter().enumerate() {
                batch.add(place, event(text));
            }
        }
        Ok(batch)
    }

    fn add(&mut self, place: usize, event: Result<Event, Problem>) {
        match event.and_then(Event::make) {
            Ok(made) if self.seen.insert(made.id.clone()) => self.events.push((place, made)),
            Ok(_) => self.report.duplicates += 1,
            Err(problem) => self.report.reject(place, problem),
        }
    }

    fn refuse_bad_events(&self) -> Result<(), Problem> {
        let rejected = &self.report.rejected;
        if rejected.is_empty() {
            return Ok(());
        }
        let detail = format!("{} events cannot be stored, so none was", rejected.len());
        Err(Problem::new(422, "invalid-events", detail).with("rejected", json!(rejected)))
    }

    /// As one step: what is there already is left out before, so that nothing may fail.
    fn store_all(&mut self) -> Result<(), Failure> {
        let ids: Vec<String> = self.events.iter().map(|(_, made)| made.id.clone()).collect();
        let known = EVENTS.get_many_json(&ids)?;
        let events = std::mem::take(&mut self.events).into_iter().zip(&known);
        let new = events.filter(|(_, known)| known.is_none()).map(|(event, _)| event);
        let (places, events): (Vec<usize>, Vec<Made>) = new.unzip();
        match apply(events.into_iter().map(Made::insert).collect()) {
            Ok(stored) => self.report.ingested = stored.len(),
            // Another request has stored one of them since they were looked up.
            Err(Error::PreconditionFailed(_)) => return Err(Failure::Retry),
            Err(error) => return Err(error.pointing(|write| format!("/{}", places[write]))),
        }
        self.report.duplicates += known.iter().flatten().count();
        Ok(())
    }

    fn store_good_ones(&mut self) -> Result<(), Failure> {
        let (places, events): (Vec<usize>, Vec<Made>) =
            std::mem::take(&mut self.events).into_iter().unzip();
        let writes = events.into_iter().map(|made| made.insert().or_skip());
        self.report.add(&places, apply(writes.collect())?);
        Ok(())
    }
}

impl Report {
    /// Count what has become of events at these places of the request.
    pub(crate) fn add(&mut self, places: &[usize], outcomes: Vec<Outcome>) {
        for (place, outcome) in places.iter().zip(outcomes) {
            match outcome {
                Outcome::Skipped(Error::PreconditionFailed(_)) => self.duplicates += 1,
                outcome => match outcome.problem() {
                    Some(problem) => self.reject(*place, problem),
                    None => self.ingested += 1,
                },
            }
        }
        self.rejected.sort_by_key(|rejected| rejected.index);
    }

    pub(crate) fn reject(&mut self, index: usize, problem: Problem) {
        let Problem { code, detail, .. } = problem;
        self.rejected.push(Rejected { index, code, detail });
    }
}

fn event(text: &RawValue) -> Result<Event, Problem> {
    serde_json::from_str(text.get())
        .map_err(|fault| Problem::new(422, "invalid-event", fault.to_string()))
}

fn check_number(events: usize) -> Result<(), Problem> {
    if events <= MAX_EVENTS {
        return Ok(());
    }
    let detail = format!("a request has at most {MAX_EVENTS} events; send the others in another");
    Err(Problem::new(422, "too-many-events", detail).with("limit", MAX_EVENTS))
}
