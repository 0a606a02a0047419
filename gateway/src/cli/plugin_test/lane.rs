//! A request on its way, from stop to stop. What is to go wrong with it goes wrong here.

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::steps::{Fault, Place, RequestStep};
use crate::http::Answer;
use crate::plugin::{Stop, Stopped, Verdict};

/// One request.
#[derive(Debug)]
pub(super) struct Lane<'t> {
    pub(super) step: &'t RequestStep,
    stops: mpsc::UnboundedReceiver<Stopped>,
    answering: JoinHandle<Result<Answer, String>>,
    /// How often the request was run.
    pub(super) runs: u32,
    /// Storage calls and commits of the run under way.
    passed: usize,
    /// Which of these a fault in each place is about in this run of the test.
    each: Option<usize>,
    /// By the place of the fault in the step.
    fired: Vec<bool>,
}

/// What comes next of a request.
#[derive(Debug)]
pub(super) enum Event {
    /// It stands still before a storage call or a commit.
    Parked(Held),
    /// It waits for a change.
    Waits,
    /// It runs again.
    Runs,
    Answered(Answer),
}

/// A request that stands still until it is let go.
#[derive(Debug)]
pub(super) struct Held {
    verdict: oneshot::Sender<Verdict>,
    becomes: Verdict,
}

impl Held {
    pub(super) fn let_go(self) {
        // It may have been given up meanwhile, as one is whose time is over.
        self.verdict.send(self.becomes).ok();
    }
}

impl<'t> Lane<'t> {
    pub(super) fn new(
        step: &'t RequestStep,
        stops: mpsc::UnboundedReceiver<Stopped>,
        answering: JoinHandle<Result<Answer, String>>,
    ) -> Self {
        let fired = vec![false; step.faults.len()];
        Self { step, stops, answering, runs: 0, passed: 0, each: None, fired }
    }

    /// Let a fault in each place be about this one.
    pub(super) fn fail_at(&mut self, place: usize) {
        self.each = Some(place);
    }

    /// What comes next. Nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Result<Event, String> {
        let Some(Stopped { at, verdict }) = self.stops.recv().await else {
            let answered = (&mut self.answering).await;
            return answered.map_err(|error| error.to_string())?.map(Event::Answered);
        };
        match at {
            Stop::Run => {
                self.runs += 1;
                self.passed = 0;
                verdict.send(Verdict::Proceed).ok();
                Ok(Event::Runs)
            }
            Stop::Wait => {
                verdict.send(Verdict::Proceed).ok();
                Ok(Event::Waits)
            }
            Stop::Call(_) | Stop::Commit => {
                let becomes = self.verdict(at);
                self.passed += 1;
                Ok(Event::Parked(Held { verdict, becomes }))
            }
        }
    }

    fn verdict(&mut self, at: Stop) -> Verdict {
        let faults = self.step.faults.iter().zip(&mut self.fired);
        for (fault, fired) in faults {
            if self.runs <= fault.times && is_here(fault, at, self.passed, self.each) {
                *fired = true;
                return fault.with.error().map_or(Verdict::Trap, Verdict::Fail);
            }
        }
        Verdict::Proceed
    }

    /// From stop to stop to the answer, with nobody else under way.
    pub(super) async fn answer(&mut self) -> Result<Answer, String> {
        loop {
            match self.next().await? {
                Event::Parked(held) => held.let_go(),
                Event::Waits | Event::Runs => {}
                Event::Answered(answer) => return Ok(answer),
            }
        }
    }

    /// The faults for which there was no occasion.
    pub(super) fn missed(&self) -> impl Iterator<Item = &Fault> {
        let faults = self.step.faults.iter().zip(&self.fired);
        faults.filter(|(_, fired)| !**fired).map(|(fault, _)| fault)
    }
}

fn is_here(fault: &Fault, at: Stop, passed: usize, each: Option<usize>) -> bool {
    match fault.at {
        Place::Call(number) => at == Stop::Call(number),
        Place::Commit => at == Stop::Commit,
        Place::Each => each == Some(passed),
    }
}
