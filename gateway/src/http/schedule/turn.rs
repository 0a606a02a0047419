//! One turn of a schedule: the operation is called for each tenant that it concerns. A call that
//! fails is logged and counted, and stops no other.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, future, stream};
use rand::RngExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::super::problem::Problem;
use super::super::request::{self, Ready};
use super::super::{Gateway, Generation, trace};
use super::{LEASE, Schedule};
use crate::manifest::is_json;
use crate::plugin;
use crate::storage::{self, Turn};
use crate::tenant::Principal;

/// So many tenants are served at a time: a slow one does not hold up the others, and all of them
/// together leave room for requests.
const AT_A_TIME: usize = 4;

/// What a turn has done.
#[derive(Clone, Copy, Default)]
struct Counts {
    calls: u32,
    failures: u32,
}

/// Make the calls of a turn while it is this gateway's, and end it.
pub(super) async fn take(
    gateway: &Gateway,
    generation: &Generation,
    schedule: &Schedule,
    turn: &Turn,
    stopped: watch::Receiver<()>,
) {
    let (plugin, operation) = schedule.name();
    let counts = tokio::select! {
        counts = call_all(gateway, generation, schedule, turn, stopped) => counts,
        () = keep(gateway, turn) => {
            tracing::warn!(%plugin, %operation, "another gateway has taken a schedule over");
            return;
        }
    };
    if let Err(error) = gateway.storage.end_schedule(turn, counts.calls, counts.failures).await {
        tracing::warn!(%plugin, %operation, %error, "a turn of a schedule ends by its lease alone");
    }
}

/// Leave a turn, in which nothing was called, to whoever asks next.
pub(super) async fn leave(gateway: &Gateway, schedule: &Schedule, turn: &Turn) {
    if let Err(error) = gateway.storage.leave_schedule(turn).await {
        let (plugin, operation) = schedule.name();
        tracing::warn!(%plugin, %operation, %error, "a turn that was left ends by its lease alone");
    }
}

/// Until the turn is this gateway's no more.
async fn keep(gateway: &Gateway, turn: &Turn) {
    loop {
        sleep(LEASE / 3).await;
        match gateway.storage.renew_schedule(turn, LEASE).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the turn of a schedule was not renewed"),
        }
    }
}

/// When the gateway stops, no further tenant's turn comes.
async fn call_all(
    gateway: &Gateway,
    generation: &Generation,
    schedule: &Schedule,
    turn: &Turn,
    stopped: watch::Receiver<()>,
) -> Counts {
    let tenants = match whom(generation, schedule, turn).await {
        Ok(tenants) => tenants,
        Err(error) => {
            let (plugin, operation) = schedule.name();
            tracing::warn!(%plugin, %operation, %error, "a schedule could not see who is due");
            return Counts::default();
        }
    };
    stream::iter(tenants)
        .take_while(|_| future::ready(stopped.has_changed().is_ok()))
        .map(|name| call(gateway, generation, schedule, name, turn.began_at))
        .buffer_unordered(AT_A_TIME)
        .fold(Counts::default(), |counts, succeeded| {
            let Counts { calls, failures } = counts;
            future::ready(Counts { calls: calls + 1, failures: failures + u32::from(!succeeded) })
        })
        .await
}

/// The tenants that have the plugin, and where the schedule asks for it, something that is due.
async fn whom(
    generation: &Generation,
    schedule: &Schedule,
    turn: &Turn,
) -> Result<Vec<String>, storage::Error> {
    let (plugin, _) = schedule.name();
    let mut tenants = generation.grants.of_plugin(&plugin);
    if let Some(due) = &schedule.due {
        let found = schedule.route.plugin.due_tenants(due, turn.began_at).await?;
        tenants.retain(|(_, grant)| found.contains(&grant.tenant));
    }
    Ok(tenants.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// Call the operation for one tenant, and log one line; false where it fails.
async fn call(
    gateway: &Gateway,
    generation: &Generation,
    schedule: &Schedule,
    name: String,
    began_at: i64,
) -> bool {
    let trace_id = trace::new_trace_id();
    let (plugin, operation) = schedule.name();
    let span = tracing::info_span!("schedule", %trace_id, %plugin, %operation, tenant = %name);
    let (at, route) = (Instant::now(), Arc::clone(&schedule.route));
    let grant = generation.grants.find(&name, &plugin);
    let grant = grant.expect("it is one of those that have the plugin");
    let calling = async {
        let request = told(schedule, began_at, trace_id)?;
        let limits = grant.limits(&route.operation.limits);
        let options = request::call_options(grant, &limits, &route, None);
        let ready = Ready { route, request, options, quarantine: grant.quarantine.clone() };
        Ok(request::run(gateway, ready).await??)
    };
    let answer: Result<plugin::Response, Problem> = calling.instrument(span.clone()).await;
    if let Err(problem) = &answer {
        problem.count_breach(&grant.breaches);
    }
    span.in_scope(|| log(&answer, at))
}

fn log(answer: &Result<plugin::Response, Problem>, at: Instant) -> bool {
    let duration_us = u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX);
    match answer {
        Ok(response) if response.status < 400 => {
            tracing::info!(status = response.status, duration_us, "ran by schedule");
            true
        }
        Ok(response) => {
            tracing::warn!(status = response.status, duration_us, "failed by schedule");
            false
        }
        Err(problem) => {
            let (status, code) = (problem.status().as_u16(), problem.code());
            tracing::warn!(status, code, duration_us, "failed by schedule");
            false
        }
    }
}

/// What the plugin is told. All tenants of a turn are told the same time.
fn told(schedule: &Schedule, began_at: i64, trace_id: String) -> Result<plugin::Request, Problem> {
    let operation = &schedule.route.operation;
    let mut content_types = operation.request.iter().flat_map(|request| &request.content_types);
    let json = content_types.find(|content_type| is_json(content_type));
    let roles = ["reader", "writer", "admin"].map(str::to_owned).to_vec();
    Ok(plugin::Request {
        operation: operation.name.clone(),
        path_params: Vec::new(),
        query: schedule.route.parameters.query(None)?,
        headers: json.map(|json| ("content-type".to_owned(), json.clone())).into_iter().collect(),
        body: if json.is_some() { Bytes::from_static(b"{}") } else { Bytes::new() },
        principal: Principal { subject: "schedule".to_owned(), roles },
        received_at: began_at,
        entropy: rand::rng().random(),
        trace_id,
    })
}
