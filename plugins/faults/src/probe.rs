//! Storage calls that must fail. A probe answers with the name of the error, so that a test sees
//! what a plugin sees.

use loggia_plugin_sdk::bindings::loggia::plugin::storage;
use loggia_plugin_sdk::storage::{Error, Value, sweep};
use loggia_plugin_sdk::{Failure, Handler, Page, Response, Route};
use serde_json::json;

use crate::documents::{DOCUMENTS, Filter, LIST};

pub(crate) const SWEEP_IN_READ: Route = probe("/sweep-in-read", |_| tell(sweep(&["document"])));
pub(crate) const WRITE_IN_READ: Route =
    probe("/write-in-read", |_| tell(DOCUMENTS.put_json("a", "{}").run()));
pub(crate) const DELETE_IN_READ: Route =
    probe("/delete-in-read", |_| tell(DOCUMENTS.delete("a").run()));
pub(crate) const UNKNOWN_COLLECTION: Route =
    probe("/unknown-collection", |_| tell(storage::get("nothing", &["a".to_owned()])));
pub(crate) const EMPTY_ID: Route = probe("/empty-id", |_| tell(DOCUMENTS.get_json("")));
pub(crate) const LONG_ID: Route =
    probe("/long-id", |_| tell(DOCUMENTS.get_json(&"x".repeat(1_025))));
pub(crate) const SELECT_UNKNOWN_STATEMENT: Route =
    probe("/select-unknown-statement", |_| tell(storage::select("nothing", &[], None)));
pub(crate) const SELECT_UNKNOWN_ARGUMENT: Route =
    probe("/select-unknown-argument", |_| select_with("nothing", 1));
pub(crate) const SELECT_WRONG_TYPE: Route =
    probe("/select-wrong-type", |_| select_with("title", 1));
pub(crate) const SELECT_UNKNOWN_ORDER: Route = probe("/select-unknown-order", |_| {
    select_page(&Page { order: Some("nothing".to_owned()), ..Page::default() })
});
pub(crate) const SELECT_LIMIT_0: Route =
    probe("/select-limit-0", |_| select_page(&Page { limit: 0, ..Page::default() }));

/// A route whose name is its path; it runs in the mode `read`.
const fn probe(path: &'static str, handler: Handler) -> Route {
    let (_, name) = path.split_at(1);
    Route::get(name, path, "Make a call that must fail, and tell its error.", handler)
}

/// The SDK lets nobody give an argument that the statement's type has not.
fn select_with(name: &str, value: i64) -> Result<Response, Failure> {
    tell(storage::select("list", &[(name.to_owned(), Value::Integer(value))], None))
}

fn select_page(page: &Page) -> Result<Response, Failure> {
    tell(LIST.page(&Filter::default(), page))
}

/// Answer with the error.
fn tell<T>(called: Result<T, Error>) -> Result<Response, Failure> {
    let error = called.err();
    Response::serialize(200, &json!({"error": error.as_ref().map(error_name)}))
}

/// The name of an error in the WIT text; an invalid call has the name of its fault.
pub(crate) fn error_name(error: &Error) -> &str {
    match error {
        Error::UnknownName(_) => "unknown-name",
        Error::Invalid(fault) => &fault.code,
        Error::Denied(_) => "denied",
        Error::PreconditionFailed(_) => "precondition-failed",
        Error::Duplicate(_) => "duplicate",
        Error::Reference(_) => "reference",
        Error::LimitExceeded(_) => "limit-exceeded",
        Error::Aborted => "aborted",
        Error::Timeout => "timeout",
        Error::Unavailable => "unavailable",
        Error::Other(_) => "other",
    }
}
