//! Where a request stops for `loggia plugin test`: at the beginning of each run, before each storage
//! call and before its commit. There the test decides what becomes of it. Requests of clients have
//! no probe.

use tokio::sync::{mpsc, oneshot};
use wasmtime::Error;

use super::error::CallError;
use super::host::EndsRequest;
use crate::storage;

/// Lets a test decide at each [`Stop`] of one request.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The random bits of the request.
    pub entropy: (u64, u64),
    /// Who decides. Where nobody listens any more, the request goes on.
    pub stops: mpsc::UnboundedSender<Stopped>,
}

/// A place in a run of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// A run begins.
    Run,
    /// Before the storage call of this number, counted from 1 in each run.
    Call(u32),
    /// Before the commit of a transaction.
    Commit,
    /// The request waits for a change, and holds nothing meanwhile.
    Wait,
}

/// A request that stands still until it is told how to go on.
#[derive(Debug)]
pub struct Stopped {
    /// Where.
    pub at: Stop,
    /// How it goes on.
    pub verdict: oneshot::Sender<Verdict>,
}

/// What becomes of a request at a stop.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It goes on.
    Proceed,
    /// The storage call or the commit fails so, without being tried.
    Fail(storage::Error),
    /// The plugin traps.
    Trap,
}

impl Probe {
    async fn stop(&self, at: Stop) -> Verdict {
        let (verdict, decided) = oneshot::channel();
        if self.stops.send(Stopped { at, verdict }).is_err() {
            return Verdict::Proceed;
        }
        decided.await.unwrap_or(Verdict::Proceed)
    }
}

/// Stop where nothing can fail.
pub(super) async fn note(probe: Option<&Probe>, at: Stop) {
    if let Some(probe) = probe {
        probe.stop(at).await;
    }
}

/// Stop before a storage call.
pub(super) async fn call(probe: Option<&Probe>, number: u32) -> wasmtime::Result<()> {
    let Some(probe) = probe else { return Ok(()) };
    match probe.stop(Stop::Call(number)).await {
        Verdict::Proceed => Ok(()),
        Verdict::Fail(error) => Err(EndsRequest(error).into()),
        Verdict::Trap => Err(Error::msg(TRAP)),
    }
}

/// Stop before a commit.
pub(super) async fn commit(probe: Option<&Probe>) -> Result<(), CallError> {
    let Some(probe) = probe else { return Ok(()) };
    match probe.stop(Stop::Commit).await {
        Verdict::Proceed => Ok(()),
        Verdict::Fail(error) => Err(error.into()),
        Verdict::Trap => Err(CallError::Trap(TRAP.to_owned())),
    }
}

const TRAP: &str = "the test wants a trap here";
