//! Answers that undo what was written, and one that may be too large.

use loggia_plugin_sdk::{Failure, Problem, Request, Response};

use crate::documents::leave_a_trace;

/// A problem with all that a problem can have.
pub(crate) fn problem(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    let problem = Problem::new(422, "told-to", "the plugin was told to answer with a problem")
        .with("reason", "a test")
        .with("numbers", vec![1, 2])
        .header("retry-after", "7");
    Err(problem.into())
}

/// A race that is always lost.
pub(crate) fn retry(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    Err(Failure::Retry)
}

/// A JSON text of exactly so many bytes.
pub(crate) fn big_response(request: &Request) -> Result<Response, Failure> {
    let bytes = request.query_as("bytes")?.unwrap_or(2_usize);
    let mut body = Vec::with_capacity(bytes);
    body.push(b'"');
    body.resize(bytes - 1, b'x');
    body.push(b'"');
    Ok(Response::bytes(200, "application/json", body))
}
