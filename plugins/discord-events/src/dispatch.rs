//! `POST /dispatch`: dispatches of Discord's gateway as a bot receives them, one or several.
//!
//! `dispatch/payload.rs` reads what Discord documents, `dispatch/make.rs` makes events of it, and
//! `dispatch/known.rs` knows what a dispatch leaves out.

mod known;
mod make;
mod payload;
mod snowflake;

use std::collections::HashSet;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Write, apply, digest_id};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Event, Made};
use crate::ingest::Report;
use known::Known;
pub(crate) use known::STORAGE;
use make::Maker;
use payload::Payload;

/// The most dispatches of a request: each may need four of its thousand storage calls.
const MAX_DISPATCHES: usize = 200;

pub(crate) const ROUTE: Route =
    Route::post("dispatch", "/dispatch", "Store what Discord's gateway has sent.", dispatch)
        .with(|operation| operation.json_body());

/// A message of the gateway.
#[derive(Debug, Deserialize)]
struct Dispatch {
    /// The client's id of the event, where it has one.
    id: Option<String>,
    op: u32,
    t: Option<String>,
    s: Option<u64>,
    #[serde(default)]
    d: Value,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    /// Dispatches of which no event is made: those of bots, and of other kinds.
    ignored: usize,
}

/// What is made of the dispatches of a request.
struct Batch {
    known: Known,
    events: Vec<(usize, Made)>,
    seen: HashSet<String>,
    answer: Answer,
}

fn dispatch(request: &Request) -> Result<Response, Failure> {
    let mut batch = Batch {
        known: Known::default(),
        events: Vec::new(),
        seen: HashSet::new(),
        answer: Answer { report: Report::default(), ignored: 0 },
    };
    for (place, text) in read(request)?.into_iter().enumerate() {
        match serde_json::from_str(text.get()) {
            Ok(dispatch) => batch.add(place, dispatch, request)?,
            Err(fault) => {
                let problem = Problem::new(422, "invalid-dispatch", fault.to_string());
                batch.answer.report.reject(place, problem);
            }
        }
    }
    let answer = batch.store()?;
    Response::serialize(200, &answer)
}

/// One or several, as they stand in the body.
fn read(request: &Request) -> Result<Vec<&RawValue>, Failure> {
    let is_one = request.text()?.trim_start().starts_with('{');
    let dispatches = if is_one { vec![request.json()?] } else { request.json()? };
    if dispatches.len() <= MAX_DISPATCHES {
        return Ok(dispatches);
    }
    let detail = format!("a request has at most {MAX_DISPATCHES} dispatches");
    Err(Problem::new(422, "too-many-dispatches", detail).with("limit", MAX_DISPATCHES).into())
}

impl Batch {
    fn add(&mut self, place: usize, dispatch: Dispatch, request: &Request) -> Result<(), Failure> {
        let id = dispatch.event_id();
        let payload = match dispatch.payload() {
            Ok(Some(payload)) => payload,
            Ok(None) => {
                self.answer.ignored += 1;
                return Ok(());
            }
            Err(problem) => {
                self.answer.report.reject(place, problem);
                return Ok(());
            }
        };
        let mut maker = Maker { known: &mut self.known, now: request.received_at(), id: &id };
        match maker.events(payload) {
            Ok(events) if events.is_empty() => self.answer.ignored += 1,
            Ok(events) => self.take(place, &id, events),
            Err(make::Refused::Duplicate) => self.answer.report.duplicates += 1,
            Err(make::Refused::Problem(problem)) => self.answer.report.reject(place, problem),
            Err(make::Refused::Storage(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// The first event has the id of the dispatch, and the others one that follows from it.
    fn take(&mut self, place: usize, id: &str, events: Vec<Event>) {
        for (number, mut event) in events.into_iter().enumerate() {
            let own = match number {
                0 => id.to_owned(),
                _ => digest_id([id, &number.to_string()]),
            };
            event.id = Some(own.clone());
            match event.make() {
                Ok(made) if self.seen.insert(own) => self.events.push((place, made)),
                Ok(_) => self.answer.report.duplicates += 1,
                Err(problem) => self.answer.report.reject(place, problem),
            }
        }
    }

    /// Events and members as one step. Where another request has changed a member meanwhile, all is
    /// read again.
    fn store(mut self) -> Result<Answer, Failure> {
        let (places, events): (Vec<usize>, Vec<Made>) = self.events.into_iter().unzip();
        let events = events.into_iter().map(|made| made.insert().or_skip());
        let writes: Vec<Write> = events.chain(self.known.writes()).collect();
        let outcomes = apply(writes).map_err(Error::or_retry)?;
        self.answer.report.add(&places, outcomes);
        Ok(self.answer)
    }
}

impl Dispatch {
    /// The client's id, else a digest, so that the same dispatch twice is one event.
    fn event_id(&self) -> String {
        if let Some(id) = &self.id {
            return id.clone();
        }
        let mut payload = self.d.clone();
        payload.sort_all_objects();
        let sequence = self.s.map(|s| s.to_string()).unwrap_or_default();
        digest_id([self.t.clone().unwrap_or_default(), sequence, payload.to_string()])
    }

    /// What it tells, if it is of a kind that makes events.
    fn payload(self) -> Result<Option<Payload>, Problem> {
        match (self.op, &self.t) {
            (0, Some(name)) => Payload::read(name, self.d),
            _ => Ok(None),
        }
    }
}
