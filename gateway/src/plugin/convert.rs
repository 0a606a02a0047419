//! Between the types that `bindgen!` makes of the WIT and those of the storage layer and of
//! [`super::message`]. The one file that names both.

use super::bindings::exports::loggia::plugin::handler;
use super::bindings::loggia::plugin::{checkpoints, storage as wit_storage, types};
use super::message::{Problem, Request, Response, Wait};
use crate::storage::{
    Change, Checkpoint, Difference, DifferenceKind, Document, Error, Expiry, Fault, Otherwise,
    Outcome, Page, Precondition, Rows, Scope, Value, Write,
};

pub(super) fn document(document: Document) -> types::Document {
    let Document { id, version, created_at, updated_at, expires_at, body } = document;
    types::Document { id, version, created_at, updated_at, expires_at, body }
}

pub(super) fn write(write: types::Write) -> Write {
    let types::Write { collection, id, change, condition, otherwise, expiry } = write;
    Write {
        collection,
        id,
        change: match change {
            types::Change::Put(body) => Change::Put(body),
            types::Change::Merge(patch) => Change::Merge(patch),
            types::Change::Delete => Change::Delete,
        },
        condition: match condition {
            types::Precondition::Any => Precondition::Any,
            types::Precondition::Absent => Precondition::Absent,
            types::Precondition::Present => Precondition::Present,
            types::Precondition::Version(version) => Precondition::Version(version),
        },
        otherwise: match otherwise {
            types::Otherwise::Fail => Otherwise::Fail,
            types::Otherwise::Skip => Otherwise::Skip,
        },
        expiry: match expiry {
            types::Expiry::Keep => Expiry::Keep,
            types::Expiry::Default => Expiry::Default,
            types::Expiry::Never => Expiry::Never,
            types::Expiry::At(instant) => Expiry::At(instant),
        },
    }
}

pub(super) fn outcome(outcome: Outcome) -> types::Outcome {
    match outcome {
        Outcome::Written { version, created } => {
            types::Outcome::Written(types::Written { version, created })
        }
        Outcome::Deleted(was_there) => types::Outcome::Deleted(was_there),
        Outcome::Skipped(why) => types::Outcome::Skipped(error(why)),
    }
}

pub(super) fn arguments(arguments: Vec<(String, types::Value)>) -> Vec<(String, Value)> {
    arguments.into_iter().map(|(name, argument)| (name, value(argument))).collect()
}

fn value(value: types::Value) -> Value {
    match value {
        types::Value::Null => Value::Null,
        types::Value::Boolean(value) => Value::Boolean(value),
        types::Value::Integer(value) => Value::Integer(value),
        types::Value::Number(value) => Value::Number(value),
        types::Value::Text(value) => Value::Text(value),
        types::Value::Timestamp(value) => Value::Timestamp(value),
        types::Value::Texts(value) => Value::Texts(value),
        types::Value::Json(value) => Value::Json(value),
    }
}

pub(super) fn page(page: wit_storage::Page) -> Page {
    let wit_storage::Page { limit, offset, order, after, total } = page;
    Page { limit, offset, order, after, total }
}

pub(super) fn scope(scope: checkpoints::Scope) -> Scope {
    let checkpoints::Scope { statement, args } = scope;
    Scope { statement, arguments: arguments(args) }
}

pub(super) fn checkpoint(checkpoint: Checkpoint) -> checkpoints::Checkpoint {
    let Checkpoint { id, created_at, documents, bytes } = checkpoint;
    checkpoints::Checkpoint { id, created_at, documents, bytes }
}

pub(super) fn difference(difference: Difference) -> checkpoints::Difference {
    let Difference { collection, id, kind } = difference;
    let kind = match kind {
        DifferenceKind::Added => checkpoints::DifferenceKind::Added,
        DifferenceKind::Removed => checkpoints::DifferenceKind::Removed,
        DifferenceKind::Changed => checkpoints::DifferenceKind::Changed,
    };
    checkpoints::Difference { collection, id, kind }
}

/// Only its place counts, not its kind.
pub(super) fn last_difference(last: checkpoints::Difference) -> Difference {
    let checkpoints::Difference { collection, id, kind: _ } = last;
    Difference { collection, id, kind: DifferenceKind::Changed }
}

pub(super) fn rows(rows: Rows) -> wit_storage::Rows {
    let Rows { json, count, next, total } = rows;
    wit_storage::Rows { json, count, next, total }
}

pub(super) fn error(error: Error) -> types::Error {
    match error {
        Error::UnknownName(name) => types::Error::UnknownName(name),
        Error::Invalid(why) => types::Error::Invalid(fault(why)),
        Error::Denied(why) => types::Error::Denied(why),
        Error::PreconditionFailed(why) => types::Error::PreconditionFailed(types::Mismatch {
            index: why.index,
            id: why.id,
            found: why.found,
        }),
        Error::Duplicate(why) => types::Error::Duplicate(fault(why)),
        Error::Reference(why) => types::Error::Reference(fault(why)),
        Error::CountLimit(setting) => types::Error::LimitExceeded(setting),
        Error::LimitExceeded(name) | Error::StoredLimit(name) => {
            types::Error::LimitExceeded(name.to_owned())
        }
        Error::Aborted => types::Error::Aborted,
        Error::Timeout => types::Error::Timeout,
        Error::Unavailable
        | Error::PoolExhausted
        | Error::ConnectionLimit
        | Error::Saturated
        | Error::StorageFull
        | Error::ReadOnly
        | Error::SchemaDrift
        | Error::OutcomeUnknown => types::Error::Unavailable,
        Error::Other(why) => {
            // The text may name tables; it is for the operator.
            tracing::error!(error = %why, "a storage call failed");
            types::Error::Other("the storage call failed; see the gateway's log".to_owned())
        }
    }
}

fn fault(fault: Fault) -> types::Fault {
    let Fault { index, id, name, code, detail } = fault;
    types::Fault { index, id, name, code: code.to_owned(), detail }
}

/// The lists of a request with their texts borrowed, as the interface takes them.
pub(super) struct RequestLists<'a> {
    path_params: Vec<&'a str>,
    query: Vec<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a str)>,
    roles: Vec<&'a str>,
    attributes: [(&'a str, &'a str); 1],
}

impl<'a> RequestLists<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        Self {
            path_params: texts(&request.path_params),
            query: pairs(&request.query),
            headers: pairs(&request.headers),
            roles: texts(&request.principal.roles),
            attributes: [("trace-id", &request.trace_id)],
        }
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

pub(super) fn request<'a>(
    request: &'a Request,
    lists: &'a RequestLists<'a>,
    now: i64,
) -> handler::Request<'a> {
    handler::Request {
        operation: &request.operation,
        path_params: &lists.path_params,
        query: &lists.query,
        headers: &lists.headers,
        body: &request.body,
        principal: handler::Principal { subject: &request.principal.subject, roles: &lists.roles },
        received_at: request.received_at,
        now,
        entropy: request.entropy,
        attributes: &lists.attributes,
    }
}

pub(super) fn response(response: handler::Response) -> Response {
    let handler::Response { status, headers, body } = response;
    Response { status, headers, body: body.into() }
}

pub(super) fn wait(wait: handler::Wait) -> Wait {
    let handler::Wait { changed, until } = wait;
    Wait { changed, until }
}

pub(super) fn problem(problem: handler::Problem) -> Problem {
    let handler::Problem { status, code, detail, headers, extensions } = problem;
    Problem { status, code, detail, headers, extensions }
}
