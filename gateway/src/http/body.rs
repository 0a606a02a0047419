//! The body of a request: read within its limits, and checked before the plugin is called.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, StatusCode};

use super::problem::Problem;
use crate::json;
use crate::manifest::OperationDeclaration;

const JSON: &str = "application/json";

/// Read a body and check it against what the operation takes.
pub(super) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    operation: &OperationDeclaration,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    let Some(declared) = &operation.request else {
        return if body.is_end_stream() { Ok(Bytes::new()) } else { Err(unexpected()) };
    };
    check_content_type(headers, &declared.content_type)?;
    // What the client announces is refused before any of it is read.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let collecting = Limited::new(body, limit).collect();
    let bytes = match tokio::time::timeout(timeout, collecting).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(_)) => return Err(incomplete()),
        Err(_elapsed) => return Err(too_slow(timeout)),
    };
    if declared.content_type == JSON {
        json::check(&bytes).map_err(json_problem)?;
    }
    Ok(bytes)
}

fn check_content_type(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let given = if essence.is_empty() { "none" } else { essence };
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        format!("the content type must be {wanted}; it is {given}"),
    ))
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

fn unexpected() -> Problem {
    Problem::bad_request("unexpected-body", "this operation takes no body; send none")
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {limit} bytes, the limit body_bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail).with("limit", limit)
}

fn incomplete() -> Problem {
    Problem::bad_request("incomplete-body", "the connection ended before the body did")
}

fn too_slow(timeout: Duration) -> Problem {
    let detail = format!("the body did not arrive within {} ms", timeout.as_millis());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", detail)
}
