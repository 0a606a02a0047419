//! One request, from its headers to its answer: begin reading at [`answer`].

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use rand::RngExt as _;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::access::Access;
use super::problem::Problem;
use super::rate::Rate;
use super::route::{Matched, Route};
use super::{Gateway, body, response, trace};
use crate::plugin::{self, CallOptions};

/// What is known of a request when it arrives.
struct Arrival {
    at: Instant,
    /// On the database's clock, in microseconds since 1970.
    received_at: i64,
    trace_id: String,
}

/// Answer a request, whatever comes of it, and log one line.
pub(super) async fn respond(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let arrival = Arrival {
        at: Instant::now(),
        received_at: gateway.storage.now(),
        trace_id: trace::trace_id(request.headers()),
    };
    let (head, body) = request.into_parts();
    let span = tracing::info_span!(
        "request",
        trace_id = %arrival.trace_id,
        method = %head.method,
        plugin = tracing::field::Empty,
        operation = tracing::field::Empty,
        tenant = tracing::field::Empty,
        subject = tracing::field::Empty,
    );
    let answered = answer(&gateway, &arrival, &head, body).instrument(span.clone()).await;
    let response = answered.unwrap_or_else(|problem| problem.into_response(&arrival.trace_id));
    span.in_scope(|| {
        let duration_us = u64::try_from(arrival.at.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), duration_us, "answered");
    });
    response
}

/// The path of a request.
async fn answer(
    gateway: &Arc<Gateway>,
    arrival: &Arrival,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Problem> {
    let matched = match gateway.router.find(&head.method, head.uri.path()) {
        Err(problem) if head.method == Method::OPTIONS => return options(problem),
        found => found?,
    };
    let route = Arc::clone(&matched.route);
    note_in_span(&route);
    let access = Access::of(gateway, &head.headers, &route)?;
    let answered = admitted(gateway, arrival, head, body, matched, &access).await;
    if let Some(limit) = answered.as_ref().err().and_then(Problem::limit) {
        access.grant.breaches.count(limit);
    }
    answered
}

/// The path of a request that its caller may make.
async fn admitted(
    gateway: &Arc<Gateway>,
    arrival: &Arrival,
    head: &Parts,
    body: Incoming,
    matched: Matched,
    access: &Access<'_>,
) -> Result<Response<Full<Bytes>>, Problem> {
    let left = access.grant.rate.as_ref().map(Rate::take).transpose()?;
    let route = Arc::clone(&matched.route);
    let request = read(gateway, arrival, head, body, matched, access).await?;
    let options = call_options(access, &route);
    let answer = call(route, request, options).await?;
    let mut response = response::finish(&head.method, &head.headers, answer);
    if let Some(left) = left {
        left.tell(response.headers_mut());
    }
    Ok(response)
}

/// Everything that the plugin is told, checked.
async fn read(
    gateway: &Gateway,
    arrival: &Arrival,
    head: &Parts,
    body: Incoming,
    matched: Matched,
    access: &Access<'_>,
) -> Result<plugin::Request, Problem> {
    let Matched { route, path_params } = matched;
    let path_params = route.parameters.path(&path_params)?;
    let query = route.parameters.query(head.uri.query())?;
    let body = match &route.body {
        Some(taken) => {
            let limit = access.limits.body_bytes;
            taken.read(body, &head.headers, limit, gateway.body_timeout).await?
        }
        None => body::none(&body)?,
    };
    Ok(plugin::Request {
        operation: route.operation.name.clone(),
        path_params,
        query,
        headers: visible_headers(&head.headers, &route.plugin.manifest().headers)?,
        body,
        principal: access.principal.clone(),
        received_at: arrival.received_at,
        entropy: rand::rng().random(),
        trace_id: arrival.trace_id.clone(),
    })
}

/// In a task of its own: when the client goes away, the call goes on to its end, so that a commit
/// is never left half decided and the connection goes back to the pool clean.
async fn call(
    route: Arc<Route>,
    request: plugin::Request,
    options: CallOptions,
) -> Result<plugin::Response, Problem> {
    // Lives as long as hyper waits for the answer, which it does while there is a client.
    let (_here, left) = oneshot::channel::<()>();
    let gone = async move { drop(left.await) };
    let work = async move { route.plugin.call(&request, &options, gone).await };
    match tokio::spawn(work.in_current_span()).await {
        Ok(answer) => Ok(answer?),
        Err(error) => {
            tracing::error!(%error, "a request panicked");
            Err(Problem::panicked())
        }
    }
}

/// The deadline counts from here: how long the body took to arrive has a limit of its own.
fn call_options(access: &Access<'_>, route: &Route) -> CallOptions {
    CallOptions {
        tenant: access.grant.tenant,
        mode: route.operation.mode(),
        isolation: route.operation.isolation(),
        deadline: Instant::now() + access.limits.duration,
        limits: access.limits.call,
        settings: Arc::clone(&access.grant.settings),
        breaches: Arc::clone(&access.grant.breaches),
    }
}

/// OPTIONS asks for what a 405 would say, and for nothing where there is no route.
fn options(problem: Problem) -> Result<Response<Full<Bytes>>, Problem> {
    let Some(allow) = problem.allow() else {
        return Err(problem);
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow);
    Ok(response)
}

/// The content type, the conditional headers, and those that the manifest asks for.
fn visible_headers(
    headers: &HeaderMap,
    declared: &[String],
) -> Result<Vec<(String, String)>, Problem> {
    let always = [CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH];
    let visible = headers.iter().filter(|(name, _)| {
        always.contains(name) || declared.iter().any(|wanted| wanted == name.as_str())
    });
    visible
        .map(|(name, value)| Ok((name.as_str().to_owned(), text(name.as_str(), value)?)))
        .collect()
}

fn text(name: &str, value: &HeaderValue) -> Result<String, Problem> {
    value.to_str().map(str::to_owned).map_err(|_| {
        let detail = format!("the header {name} holds bytes that are not printable ASCII");
        Problem::bad_request("invalid-header", detail)
    })
}

fn note_in_span(route: &Route) {
    let span = tracing::Span::current();
    span.record("plugin", route.plugin.manifest().name.as_str());
    span.record("operation", route.operation.name.as_str());
}
