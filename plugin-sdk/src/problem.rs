//! How a handler says no: an RFC 9457 problem, or a wish to be run again, at once or later.

use serde_json::{Map, Value};

use crate::Timestamp;
use crate::bindings::exports::loggia::plugin::handler;
use crate::entity_tag::EntityTag;
use crate::log;
use crate::storage::{Error, Fault, Version};

/// A reader needs no more, and a client must not get back all that it sent.
const MAX_DETAIL_BYTES: usize = 1_000;

/// An RFC 9457 problem for the client. The gateway fills in `type`, `instance` and the trace id.
///
/// ```
/// # use loggia_plugin_sdk::Problem;
/// let problem = Problem::new(409, "version-conflict", "the session has another version")
///     .with("sent", 3)
///     .with("stored", 5);
/// assert_eq!(problem.extensions["stored"], 5);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// From 400 to 599.
    pub status: u16,
    /// A stable code in kebab case.
    pub code: String,
    /// What is wrong and what to do, for the client.
    pub detail: String,
    /// Response headers, such as `etag`.
    pub headers: Vec<(String, String)>,
    /// Further members of the problem.
    pub extensions: Box<Map<String, Value>>,
}

impl Problem {
    /// Begin a problem: a status from 400 to 599, a stable code in kebab case, and what is wrong.
    /// The detail is cut after 1,000 bytes, since it may quote what the client sent.
    #[must_use]
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL_BYTES));
        Self {
            status,
            code: code.to_owned(),
            detail,
            headers: Vec::new(),
            extensions: Box::default(),
        }
    }

    /// 404 `not-found`.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, "not-found", detail)
    }

    /// 412 `precondition-failed`, with the `ETag` of the document that is there, if there is one.
    #[must_use]
    pub fn precondition_failed(found: Option<Version>) -> Self {
        Self::unmatched(found.map(EntityTag::from).as_ref())
    }

    /// As [`precondition_failed`](Self::precondition_failed), by the tag.
    pub(crate) fn unmatched(found: Option<&EntityTag>) -> Self {
        let detail = match found {
            Some(_) => "the stored document is not the one that the condition asks for",
            None => "there is no document that meets the condition",
        };
        let problem = Self::new(412, "precondition-failed", detail);
        match found {
            Some(tag) => problem.header("etag", &tag.to_string()),
            None => problem,
        }
    }

    /// 500 `internal`: the manifest declares an operation that the handler does not know.
    #[must_use]
    pub fn unknown_operation(name: &str) -> Self {
        log::error(&format!("the manifest declares the operation {name}, which has no handler"));
        Self::internal()
    }

    /// Add an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// Add a response header; names are in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn internal() -> Self {
        Self::new(500, "internal", "the plugin could not answer the request")
    }
}

/// Why a handler does not answer. Either way the request's writes are undone.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The client is told.
    Problem(Problem),
    /// The handler saw that it lost a race. The gateway runs the request again, with back-off;
    /// after some times the client gets 503 `contention`.
    Retry,
    /// The request is to be run again when something has changed.
    Wait(Wait),
}

/// Run the request again when something has changed: a long poll, or a wait for a lock. It holds no
/// instance, no connection and no lock meanwhile.
///
/// ```no_run
/// # use loggia_plugin_sdk::{Collection, Failure, Request, Response, Wait, declare};
/// # declare! { STORAGE: const NOTES: Collection = collection("note"); }
/// fn get(request: &Request) -> Result<Response, Failure> {
///     let end = request.received_at().plus_seconds(20);
///     match NOTES.get_json(request.path("id"))? {
///         Some(note) => Ok(Response::json(200, note.body)),
///         None if request.now() < end => Err(Wait::for_change(&["note"], end).into()),
///         None => Ok(Response::empty(204)),
///     }
/// }
/// ```
///
/// The operation's limit `request_ms` must be longer than the wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    changed: Vec<String>,
    until: Timestamp,
}

impl Wait {
    /// Wait for a change of these collections by the same tenant, at most until this time, which
    /// must be later than [`Request::now`](crate::Request::now). The handler is run then in any
    /// case, and with a later `now`.
    #[must_use]
    pub fn for_change(collections: &[&str], until: Timestamp) -> Self {
        Self { changed: collections.iter().map(|&name| name.to_owned()).collect(), until }
    }

    /// Wait until this time.
    #[must_use]
    pub fn until(until: Timestamp) -> Self {
        Self::for_change(&[], until)
    }
}

impl From<Wait> for Failure {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What a failed storage call means to the client, so that a handler can end with `?`:
///
/// | error | failure |
/// |---|---|
/// | `PreconditionFailed` | 412 `precondition-failed` with the `ETag` found |
/// | `Duplicate` | 409 `already-exists`, naming the `index` |
/// | `Reference` | 409 `reference-missing` or `still-referenced`, naming the `reference` |
/// | `Invalid` | 422 with the fault's code and a `pointer`; 400 for `invalid-cursor`, 404 for `checkpoint-not-found`, 409 for `checkpoint-outdated` |
/// | `LimitExceeded` | 422 `limit-exceeded`, naming the `limit` |
/// | `Aborted` | run again |
/// | `Timeout`, `Unavailable` | 504 `storage-timeout`, 503 `storage-unavailable` |
/// | all others | 500 `internal`; the reason goes to the log only |
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let problem = match error {
            Error::PreconditionFailed(mismatch) => Problem::precondition_failed(mismatch.found),
            Error::Duplicate(fault) => {
                Problem::new(409, "already-exists", fault.detail).with("index", fault.name)
            }
            Error::Reference(fault) => {
                Problem::new(409, &fault.code, fault.detail).with("reference", fault.name)
            }
            Error::Invalid(fault) => invalid(fault),
            Error::LimitExceeded(limit) => {
                Problem::new(422, "limit-exceeded", "the request needs more than its limit")
                    .with("limit", limit)
            }
            Error::Aborted => return Self::Retry,
            Error::Timeout => {
                Problem::new(504, "storage-timeout", "the database did not answer in time")
            }
            Error::Unavailable => {
                Problem::new(503, "storage-unavailable", "the database cannot be reached")
            }
            Error::UnknownName(_) | Error::Denied(_) | Error::Other(_) => {
                log::error(&error.to_string());
                Problem::internal()
            }
        };
        Self::Problem(problem)
    }
}

fn invalid(fault: Fault) -> Problem {
    let status = match fault.code.as_str() {
        "invalid-cursor" => 400,
        "checkpoint-not-found" => 404,
        "checkpoint-outdated" => 409,
        _ => 422,
    };
    let problem = Problem::new(status, &fault.code, fault.detail);
    // Faults that are not in a body have no pointer.
    if fault.name.is_empty() { problem } else { problem.with("pointer", fault.name) }
}

impl From<Failure> for handler::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Problem(problem) => Self::Problem(problem.into()),
            Failure::Retry => Self::Retry,
            Failure::Wait(Wait { changed, until }) => {
                Self::Wait(handler::Wait { changed, until: until.as_micros() })
            }
        }
    }
}

impl From<Problem> for handler::Problem {
    fn from(problem: Problem) -> Self {
        let Problem { status, code, detail, headers, extensions } = problem;
        let extensions = (!extensions.is_empty()).then(|| Value::Object(*extensions).to_string());
        Self { status, code, detail, headers, extensions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Mismatch;

    fn check(error: Error, status: u16, code: &str) -> Problem {
        let Failure::Problem(problem) = Failure::from(error) else {
            panic!("{code} is no problem")
        };
        assert_eq!((problem.status, problem.code.as_str()), (status, code));
        problem
    }

    fn fault(name: &str, code: &str) -> Fault {
        Fault {
            index: 0,
            id: "a".to_owned(),
            name: name.to_owned(),
            code: code.to_owned(),
            detail: "wrong".to_owned(),
        }
    }

    #[test]
    fn a_failed_precondition_names_the_version_found() {
        let mismatch = |found| Mismatch { index: 0, id: "a".to_owned(), found };
        let code = "precondition-failed";
        let problem = check(Error::PreconditionFailed(mismatch(Some(7))), 412, code);
        assert_eq!(problem.headers, [("etag".to_owned(), "\"7\"".to_owned())]);
        let problem = check(Error::PreconditionFailed(mismatch(None)), 412, code);
        assert!(problem.headers.is_empty());
    }

    #[test]
    fn a_fault_of_the_client_is_explained() {
        let problem =
            check(Error::Duplicate(fault("by_email", "duplicate")), 409, "already-exists");
        assert_eq!(problem.extensions["index"], "by_email");
        let problem = check(Error::Invalid(fault("/a/b", "wrong-type")), 422, "wrong-type");
        assert_eq!(
            (problem.detail.as_str(), &problem.extensions["pointer"]),
            ("wrong", &"/a/b".into())
        );
        let problem = check(Error::Invalid(fault("", "invalid-cursor")), 400, "invalid-cursor");
        assert!(problem.extensions.is_empty());
        check(Error::LimitExceeded("storage_calls".to_owned()), 422, "limit-exceeded");
    }

    #[test]
    fn a_fault_of_the_server_says_nothing_of_its_inside() {
        for secret in [Error::Other, Error::UnknownName, Error::Denied] {
            let problem = check(secret("password".to_owned()), 500, "internal");
            assert!(!format!("{problem:?}").contains("password"));
        }
        check(Error::Timeout, 504, "storage-timeout");
        check(Error::Unavailable, 503, "storage-unavailable");
    }

    #[test]
    fn a_lost_race_runs_again() {
        assert_eq!(Failure::from(Error::Aborted), Failure::Retry);
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        assert_eq!(Problem::not_found("é".repeat(2_000)).detail, "é".repeat(500));
        assert_eq!(Problem::not_found(format!("x{}", "é".repeat(500))).detail.len(), 999);
    }

    #[test]
    fn extensions_are_sent_as_an_object_or_not_at_all() {
        let sent = |problem: Problem| handler::Problem::from(problem).extensions;
        assert_eq!(sent(Problem::not_found("gone")), None);
        let problem = Problem::new(409, "conflict", "no").with("b", 1).with("a", "x");
        assert_eq!(sent(problem).as_deref(), Some(r#"{"b":1,"a":"x"}"#));
    }
}
