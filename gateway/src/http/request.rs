//! One request, from its headers to its answer: begin reading at [`answer`].

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use rand::RngExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::access::Access;
use super::body::Body;
use super::call::call;
use super::grant::{Grant, RequestLimits};
use super::problem::Problem;
use super::quarantine::Quarantine;
use super::rate::Left;
use super::route::{Matched, Route};
use super::{Gateway, Generation, body, response, trace};
use crate::metrics::{Breaches, RouteMetrics};
use crate::plugin::{self, CallError, CallOptions, Failed, Probe};

/// What is known of a request when it arrives.
struct Arrival {
    at: Instant,
    /// On the database's clock, in microseconds since 1970.
    received_at: i64,
    trace_id: String,
    entropy: (u64, u64),
}

/// A request that can be run.
pub(super) struct Ready {
    pub(super) route: Arc<Route>,
    pub(super) request: plugin::Request,
    pub(super) options: CallOptions,
    pub(super) quarantine: Option<Arc<Quarantine>>,
}

/// What the path of a request leaves behind for its answer, however it ends.
#[derive(Default)]
struct Trail {
    route: Option<RouteMetrics>,
    /// Of its tenant.
    breaches: Option<Arc<Breaches>>,
    /// Where the number of its requests is limited.
    left: Option<Left>,
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
        entropy: entropy(request.extensions().get()),
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
    let mut trail = Trail::default();
    let answering = answer(&gateway, &arrival, &head, Body::Arriving(body), &mut trail);
    let answered = answering.instrument(span.clone()).await;
    if let (Err(problem), Some(breaches)) = (&answered, &trail.breaches) {
        problem.count_breach(breaches);
    }
    let mut response = answered.unwrap_or_else(|problem| problem.into_response(&arrival.trace_id));
    if let Some(left) = trail.left {
        left.tell(response.headers_mut());
    }
    let (status, duration) = (response.status().as_u16(), arrival.at.elapsed());
    trail.route.unwrap_or_else(|| gateway.metrics.no_route()).answered(status, duration);
    span.in_scope(|| {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(status, duration_us, "answered");
    });
    response
}

/// The path of a request: by the generation that it finds, and where that one's tables have been
/// changed meanwhile, by the next.
async fn answer(
    gateway: &Gateway,
    arrival: &Arrival,
    head: &Parts,
    mut body: Body,
    trail: &mut Trail,
) -> Result<Response<Full<Bytes>>, Problem> {
    let mut generation = gateway.generation();
    let mut deadline = None;
    loop {
        let matched = match generation.router.find(&head.method, head.uri.path()) {
            Err(problem) if head.method == Method::OPTIONS => return options(problem),
            found => found?,
        };
        trail.route = Some(matched.route.metrics.clone());
        let mut ready =
            ready(gateway, &generation, arrival, head, &mut body, matched, trail).await?;
        let deadline = *deadline.get_or_insert(ready.options.deadline);
        ready.options.deadline = deadline;
        match run(gateway, ready).await? {
            Err(failed) if failed.is_for_another_generation() => {
                generation = match gateway.later_than(&generation, deadline).await {
                    Some(later) => later,
                    None => return Err(failed.into()),
                };
            }
            answer => return Ok(response::finish(&head.method, &head.headers, answer?)),
        }
    }
}

/// Who asks, whether they may, and what the plugin is told.
async fn ready(
    gateway: &Gateway,
    generation: &Generation,
    arrival: &Arrival,
    head: &Parts,
    body: &mut Body,
    matched: Matched,
    trail: &mut Trail,
) -> Result<Ready, Problem> {
    let route = Arc::clone(&matched.route);
    note_in_span(&route);
    let access = Access::of(generation, &head.headers, &route)?;
    trail.breaches = Some(Arc::clone(&access.grant.breaches));
    // Once, also where a later generation answers it.
    if let (Some(rate), None) = (&access.grant.rate, trail.left) {
        trail.left = Some(rate.take()?);
    }
    let request = read(gateway, arrival, head, body, matched, &access).await?;
    let options = call_options(access.grant, &access.limits, &route, probe(head).cloned());
    Ok(Ready { route, request, options, quarantine: access.grant.quarantine.clone() })
}

/// Everything that the plugin is told, checked.
async fn read(
    gateway: &Gateway,
    arrival: &Arrival,
    head: &Parts,
    body: &mut Body,
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
        None => body::none(body)?,
    };
    Ok(plugin::Request {
        operation: route.operation.name.clone(),
        path_params,
        query,
        headers: visible_headers(&head.headers, &route.plugin.manifest().headers)?,
        body,
        principal: access.principal.clone(),
        received_at: arrival.received_at,
        entropy: arrival.entropy,
        trace_id: arrival.trace_id.clone(),
    })
}

/// Run it, unless traps have closed the plugin to the tenant, and count them.
pub(super) async fn run(
    gateway: &Gateway,
    ready: Ready,
) -> Result<Result<plugin::Response, Failed>, Problem> {
    let Ready { route, request, options, quarantine } = ready;
    if let Some(quarantine) = &quarantine {
        quarantine.check(Instant::now())?;
    }
    let answer = call(gateway, Arc::clone(&route), request, options).await?;
    if let Err(Failed { error: CallError::Trap(_) | CallError::Instantiation(_), .. }) = &answer {
        route.metrics.trapped();
        if quarantine.is_some_and(|quarantine| quarantine.note_trap(Instant::now())) {
            tracing::warn!(
                blame = "plugin",
                "a plugin trapped too often and is closed for a while"
            );
        }
    }
    Ok(answer)
}

/// That of a test is the same each time.
fn entropy(probe: Option<&Probe>) -> (u64, u64) {
    probe.map_or_else(|| rand::rng().random(), |probe| probe.entropy)
}

/// Only requests that came by [`super::Gateway::exchange`] have one.
fn probe(head: &Parts) -> Option<&Probe> {
    head.extensions.get()
}

/// The deadline counts from here: how long the body took to arrive has a limit of its own.
pub(super) fn call_options(
    grant: &Grant,
    limits: &RequestLimits,
    route: &Route,
    probe: Option<Probe>,
) -> CallOptions {
    CallOptions {
        tenant: grant.tenant,
        mode: route.operation.mode(),
        isolation: route.operation.isolation(),
        deadline: Instant::now() + limits.duration,
        limits: limits.call,
        settings: Arc::clone(&grant.settings),
        breaches: Arc::clone(&grant.breaches),
        probe,
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
    tracing::record_all!(
        span,
        plugin = route.plugin.manifest().name,
        operation = route.operation.name
    );
}
