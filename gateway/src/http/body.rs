//! The body of a request: read within its limits, and checked before the plugin is called.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, StatusCode};
use jsonschema::Validator;

use super::mismatch;
use super::problem::Problem;
use crate::json;
use crate::manifest::{RequestDeclaration, compile_schema, is_json};

/// The body of one request. It is read once, whichever generation answers in the end.
pub(super) enum Body {
    Arriving(Incoming),
    Read(Bytes),
}

impl Body {
    /// All of it.
    async fn bytes(&mut self, limit: usize, timeout: Duration) -> Result<Bytes, Problem> {
        let bytes = match self {
            Self::Read(bytes) if bytes.len() > limit => return Err(too_large(limit)),
            Self::Read(bytes) => bytes.clone(),
            Self::Arriving(body) => collect(body, limit, timeout).await?,
        };
        *self = Self::Read(bytes.clone());
        Ok(bytes)
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Arriving(body) => body.is_end_stream(),
            Self::Read(bytes) => bytes.is_empty(),
        }
    }
}

/// What an operation takes, worked out before the first request.
pub(super) struct RequestBody {
    content_types: Vec<String>,
    schema: Option<Validator>,
}

impl RequestBody {
    /// # Errors
    /// The schema is none.
    pub(super) fn new(declared: &RequestDeclaration) -> Result<Self, String> {
        let schema = declared.schema.as_ref().map(compile_schema).transpose()?;
        Ok(Self { content_types: declared.content_types.clone(), schema })
    }

    /// Read a body and check it.
    pub(super) async fn read(
        &self,
        body: &mut Body,
        headers: &HeaderMap,
        limit: usize,
        timeout: Duration,
    ) -> Result<Bytes, Problem> {
        let content_type = self.content_type(headers)?;
        let bytes = body.bytes(limit, timeout).await?;
        if is_json(content_type) {
            self.check(&bytes)?;
        }
        Ok(bytes)
    }

    /// Which of those that the operation takes it is.
    fn content_type(&self, headers: &HeaderMap) -> Result<&str, Problem> {
        let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let given = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let mut known = self.content_types.iter();
        known.find(|known| known.eq_ignore_ascii_case(given)).map(String::as_str).ok_or_else(|| {
            let wanted = self.content_types.join(" or ");
            let given = if given.is_empty() { "none" } else { given };
            Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                format!("the content type must be {wanted}; it is {given}"),
            )
        })
    }

    /// Whether it is JSON that can be stored, and of the form that the operation takes.
    pub(super) fn check(&self, body: &[u8]) -> Result<(), Problem> {
        let text = json::check(body).map_err(json_problem)?;
        let Some(schema) = &self.schema else { return Ok(()) };
        let value = serde_json::from_str(text)
            .map_err(|error| Problem::bad_request("invalid-json", error.to_string()))?;
        if schema.is_valid(&value) { Ok(()) } else { Err(mismatch::problem(schema, &value)) }
    }
}

/// The body of an operation that takes none.
pub(super) fn none(body: &Body) -> Result<Bytes, Problem> {
    if body.is_empty() {
        return Ok(Bytes::new());
    }
    Err(Problem::bad_request("unexpected-body", "this operation takes no body; send none"))
}

async fn collect(body: &mut Incoming, limit: usize, timeout: Duration) -> Result<Bytes, Problem> {
    // What the client announces is refused before any of it is read.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let collecting = Limited::new(body, limit).collect();
    match tokio::time::timeout(timeout, collecting).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) => Err(incomplete()),
        Err(_elapsed) => Err(too_slow(timeout)),
    }
}

/// Text that is not JSON is 400; JSON that cannot be stored unchanged is 422.
fn json_problem(fault: json::Fault) -> Problem {
    let status =
        if fault.is_syntax() { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY };
    Problem::new(status, fault.code, fault.to_string())
        .with("pointer", fault.pointer)
        .with("line", fault.line)
        .with("column", fault.column)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {limit} bytes, the limit body_bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
        .with("limit", limit)
        .counts_as("body_bytes")
}

fn incomplete() -> Problem {
    Problem::bad_request("incomplete-body", "the connection ended before the body did")
}

fn too_slow(timeout: Duration) -> Problem {
    let detail = format!("the body did not arrive within {} ms", timeout.as_millis());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", detail)
}
