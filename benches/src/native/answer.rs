//! One request of the native handler: begin reading at [`respond`].

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::fields::Fields;
use super::store::{Failure, Found, Store};
use crate::document::Documents;
use crate::gateway::REQUEST_TIMEOUT_MS;

/// One deadline for all of it.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(REQUEST_TIMEOUT_MS);
const BODY_LIMIT_BYTES: usize = 2 << 20;

/// Answer a request, whatever comes of it.
pub(super) async fn respond(store: &Store, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    match tokio::time::timeout(REQUEST_TIMEOUT, answer(store, &head, body)).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(_elapsed) => Problem(504, "it took too long".to_owned()).into_response(),
    }
}

/// Status and what is wrong.
struct Problem(u16, String);

async fn answer(
    store: &Store,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Problem> {
    let path = head.uri.path();
    let mut all = Documents::ALL.into_iter();
    let place = all.find_map(|documents| Some((documents, path.strip_prefix(documents.path())?)));
    let (documents, id) = place.ok_or_else(|| Problem(404, "there is no such path".to_owned()))?;
    let id = percent_decode_str(id).decode_utf8();
    let id = id.map_err(|_| Problem(400, "the id is not UTF-8".to_owned()))?;
    match (&head.method, documents) {
        (&Method::GET, Documents::Counted) => found(head, store.get(&id).await?),
        (&Method::PUT, _) => put(store, documents, head, &id, body).await,
        _ => Err(Problem(405, "only GET of documents and PUT".to_owned())),
    }
}

fn found(head: &Parts, found: Option<Found>) -> Result<Response<Full<Bytes>>, Problem> {
    let found = found.ok_or_else(|| Problem(404, "there is no such document".to_owned()))?;
    let etag = format!("\"{}\"", found.version);
    let mut response = if head.headers.get(IF_NONE_MATCH).is_some_and(|known| known == &etag) {
        Response::builder().status(StatusCode::NOT_MODIFIED).body(Full::default())
    } else {
        Response::builder().header(CONTENT_TYPE, "application/json").body(Full::new(found.body))
    }
    .map_err(unsendable)?;
    let headers = response.headers_mut();
    headers.insert(ETAG, etag.parse().map_err(unsendable)?);
    headers.insert("x-created-at", timestamp(found.created_at)?);
    if let Some(expires_at) = found.expires_at {
        headers.insert("x-expires-at", timestamp(expires_at)?);
    }
    Ok(response)
}

async fn put(
    store: &Store,
    documents: Documents,
    head: &Parts,
    id: &str,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Problem> {
    if head.headers.contains_key(IF_MATCH) || head.headers.contains_key(IF_NONE_MATCH) {
        return Err(Problem(501, "the benchmarks send no conditions".to_owned()));
    }
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type != Some("application/json") {
        return Err(Problem(415, "the content type must be application/json".to_owned()));
    }
    let body = Limited::new(body, BODY_LIMIT_BYTES).collect().await;
    let body = body.map_err(|error| Problem(400, error.to_string()))?.to_bytes();
    let text = std::str::from_utf8(&body).map_err(|error| Problem(400, error.to_string()))?;
    let fields = Fields::parse(text).map_err(|why| Problem(400, why))?;
    let written = store.put(documents, id, text, &fields).await?;
    Response::builder()
        .status(if written.created { StatusCode::CREATED } else { StatusCode::OK })
        .header(CONTENT_TYPE, "application/json")
        .header(ETAG, format!("\"{}\"", written.version))
        .body(Full::from(format!("{{\"version\":{}}}", written.version)))
        .map_err(unsendable)
}

/// RFC 3339 with milliseconds, as the plugin writes it.
fn timestamp(microseconds: i64) -> Result<HeaderValue, Problem> {
    let milliseconds = microseconds.div_euclid(1_000);
    let time = jiff::Timestamp::from_millisecond(milliseconds).map_err(unsendable)?;
    format!("{time:.3}").parse().map_err(unsendable)
}

fn unsendable(error: impl std::fmt::Display) -> Problem {
    Problem(500, error.to_string())
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoConnection => Self(503, "the database has no free connection".to_owned()),
            Failure::Postgres(error) => Self(500, error.to_string()),
        }
    }
}

impl Problem {
    fn into_response(self) -> Response<Full<Bytes>> {
        let Self(status, detail) = self;
        let body = serde_json::json!({"status": status, "detail": detail}).to_string();
        let mut response = Response::new(Full::from(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response
    }
}
