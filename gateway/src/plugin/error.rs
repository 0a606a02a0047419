//! How a call can end other than with a response, and what makes a response acceptable.

use wasmtime_wasi::ResourceTableError;

use super::bindings::exports::loggia::plugin::handler;
use super::budget::{Breach, Limits};
use super::host::EndsRequest;
use super::message::{Problem, Response, Wait, check_headers};
use super::{Answer, convert, log};
use crate::manifest::Manifest;
use crate::storage;

/// Why a call has no response.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin's own answer to the client.
    #[error("problem {}", .0.code)]
    Problem(Problem),
    /// The guest trapped; the text is for the log.
    #[error("the plugin trapped: {0}")]
    Trap(String),
    /// A budget was used up.
    #[error("the call went over the limit {0}")]
    Breach(Breach),
    /// The response is not one that can be sent.
    #[error("the plugin's response cannot be sent: {0}")]
    BadOutput(String),
    /// The request lost a race and may run again.
    #[error("the request lost a race")]
    LostRace,
    /// The request lost its race each time it ran.
    #[error("the request lost its race each time it ran")]
    Contention,
    /// The request is to be run again when something has changed.
    #[error("the request waits for a change")]
    Wait(Wait),
    /// As many requests wait as may.
    #[error("too many requests wait")]
    TooManyWait,
    /// The client has gone while the request waited; nobody reads this.
    #[error("the client has gone")]
    ClientGone,
    /// The tenant has as many requests under way as its limit of this name allows.
    #[error("the tenant's limit {0} is reached")]
    TenantQuota(&'static str),
    /// All instances were in use until the deadline.
    #[error("no instance was free before the deadline")]
    NoCapacity,
    /// No instance could be made; the text is for the log.
    #[error("no instance could be made: {0}")]
    Instantiation(String),
    /// The database failed. [`storage::Error::OutcomeUnknown`]: what was written may be there.
    #[error(transparent)]
    Storage(storage::Error),
}

/// Why a call has no response, and whether something that it wrote stays all the same.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// Why.
    pub error: CallError,
    /// Set when an operation in autocommit mode had written before it failed.
    pub kept: bool,
}

impl Failed {
    /// Whether all that went wrong is that the tables were changed for another generation of the
    /// plugin, which can run the request as if it had come now.
    #[must_use]
    pub fn is_for_another_generation(&self) -> bool {
        !self.kept && matches!(self.error, CallError::Storage(storage::Error::SchemaDrift))
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self { error, kept: false }
    }
}

impl From<storage::Error> for CallError {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Aborted => Self::LostRace,
            error => Self::Storage(error),
        }
    }
}

impl CallError {
    /// Tell the gateway's own reasons to stop a guest from the guest's faults.
    pub(super) fn from_trap(trap: &wasmtime::Error, refused_memory: bool) -> Self {
        if let Some(breach) = trap.downcast_ref::<Breach>() {
            return Self::Breach(*breach);
        }
        if let Some(EndsRequest(error)) = trap.downcast_ref::<EndsRequest>() {
            return error.clone().into();
        }
        if let Some(ResourceTableError::Full) = trap.downcast_ref() {
            return Self::Breach(Breach::Handles);
        }
        if refused_memory || has_passed_too_much(trap) {
            return Self::Breach(Breach::Memory);
        }
        Self::Trap(log::printable(&format!("{trap:#}")))
    }
}

/// Whether the guest has passed more to the gateway in one call than its memory could hold: see
/// `new_store`. wasmtime has no type for it.
fn has_passed_too_much(trap: &wasmtime::Error) -> bool {
    trap.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

/// What a handler returned, if it can be sent.
pub(super) fn check(
    answer: Answer,
    limits: Limits,
    manifest: &Manifest,
) -> Result<Response, CallError> {
    match answer {
        Ok(response) => check_response(convert::response(response), limits, manifest),
        Err(handler::Failure::Retry) => Err(CallError::LostRace),
        Err(handler::Failure::Wait(wait)) => Err(CallError::Wait(convert::wait(wait))),
        Err(handler::Failure::Problem(problem)) => {
            Err(check_problem(convert::problem(problem), limits, manifest))
        }
    }
}

fn check_response(
    response: Response,
    limits: Limits,
    manifest: &Manifest,
) -> Result<Response, CallError> {
    if response.body.len() > limits.response_bytes {
        return Err(CallError::Breach(Breach::Response));
    }
    if !(200..=599).contains(&response.status) {
        return Err(bad_output(format!("{} is not a status from 200 to 599", response.status)));
    }
    if matches!(response.status, 204 | 304) && !response.body.is_empty() {
        return Err(bad_output(format!("a {} response has no body", response.status)));
    }
    check_headers(&response.headers, &manifest.response_headers).map_err(bad_output)?;
    Ok(response)
}

fn check_problem(problem: Problem, limits: Limits, manifest: &Manifest) -> CallError {
    let size = problem.detail.len() + problem.extensions.as_ref().map_or(0, String::len);
    if size > limits.response_bytes {
        return CallError::Breach(Breach::Response);
    }
    if !(400..=599).contains(&problem.status) {
        return bad_output(format!("{} is not a status from 400 to 599", problem.status));
    }
    match check_headers(&problem.headers, &manifest.response_headers) {
        Ok(()) => CallError::Problem(problem),
        Err(why) => bad_output(why),
    }
}

pub(super) fn bad_output(why: String) -> CallError {
    CallError::BadOutput(why)
}
