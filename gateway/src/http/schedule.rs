//! Schedules: operations that the gateway calls by itself, for each tenant that has the plugin.
//!
//! Begin reading at [`run`]. Of all gateways on a database one at a time has a schedule's turn, in
//! which it calls the operation for each tenant, several at a time, as if an admin of the tenant
//! had asked: with the same limits, and the same room among other calls. Whose turn it is stands in
//! the database, see `storage/schedule.rs`.

mod turn;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use rand::RngExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::route::{Route, Router};
use super::{Gateway, Generation};
use crate::manifest::DueDeclaration;
use crate::plugin::Plugin;
use crate::storage::Claim;

/// A declared schedule, with the route of its operation.
pub(super) struct Schedule {
    route: Arc<Route>,
    every: Duration,
    due: Option<DueDeclaration>,
}

/// Plugin and operation.
type Name = (String, String);

/// A turn that is taken for another one's is looked for so often, and so are schedules of plugins
/// that were loaded meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// So long a gateway that says nothing counts as alive; then another takes its schedules over.
const LEASE: Duration = Duration::from_secs(10);

/// Turns get later by up to this part of their time, so that not all schedules that began together
/// stay together.
const JITTER: f64 = 0.1;

/// The schedules of these plugins.
pub(super) fn all(plugins: &[Arc<Plugin>], router: &Router) -> Vec<Arc<Schedule>> {
    plugins.iter().flat_map(|plugin| of_plugin(plugin, router)).collect()
}

fn of_plugin(plugin: &Plugin, router: &Router) -> Vec<Arc<Schedule>> {
    let manifest = plugin.manifest();
    let schedules = manifest.schedules.iter().filter_map(|declared| {
        let mut operations = manifest.operations.iter();
        let operation = operations.find(|operation| operation.name == declared.operation)?;
        // There are no parameters in the path of such an operation, so its template is a path.
        let path = format!("/v1/{}{}", manifest.name, operation.path);
        let method = Method::from_bytes(operation.method.as_bytes()).ok()?;
        let route = router.find(&method, &path).ok()?.route;
        let (every, due) = (declared.every, declared.due.clone());
        Some(Arc::new(Schedule { route, every, due }))
    });
    schedules.collect()
}

/// Run all schedules until `stopped`, and let the calls under way end.
pub(super) async fn run(gateway: Arc<Gateway>, mut stopped: watch::Receiver<()>) {
    let mut schedules = Schedules {
        gateway,
        stopped: stopped.clone(),
        next: HashMap::new(),
        under_way: JoinSet::new(),
    };
    loop {
        schedules.look_at_due();
        tokio::select! {
            _ = stopped.changed() => break,
            () = schedules.next() => {}
        }
    }
    while schedules.under_way.join_next().await.is_some() {}
}

struct Schedules {
    gateway: Arc<Gateway>,
    stopped: watch::Receiver<()>,
    /// When each is looked at next; `None` while it is.
    next: HashMap<Name, Option<Instant>>,
    /// Tells of each when to look at it again.
    under_way: JoinSet<(Name, Instant)>,
}

impl Schedules {
    /// Begin to look at those whose time has come.
    fn look_at_due(&mut self) {
        let (now, generation) = (Instant::now(), self.gateway.generation());
        let current = &generation.schedules;
        // A plugin may have gone; what is under way for it ends by itself.
        let is_current = |name: &Name| current.iter().any(|schedule| schedule.name() == *name);
        self.next.retain(|name, next| next.is_none() || is_current(name));
        for schedule in current {
            let next = self.next.entry(schedule.name()).or_insert(Some(now));
            if next.is_some_and(|next| next <= now) {
                *next = None;
                let (gateway, stopped) = (Arc::clone(&self.gateway), self.stopped.clone());
                let (schedule, generation) = (Arc::clone(schedule), Arc::clone(&generation));
                self.under_way.spawn(async move {
                    let again = look(&gateway, &generation, &schedule, stopped).await;
                    (schedule.name(), again)
                });
            }
        }
    }

    /// Until it is time to look at one.
    async fn next(&mut self) {
        let latest = Instant::now() + LOOK;
        let next = self.next.values().flatten().min().map_or(latest, |next| latest.min(*next));
        tokio::select! {
            Some(ended) = self.under_way.join_next() => match ended {
                Ok((name, again)) => drop(self.next.insert(name, Some(again))),
                Err(error) => {
                    tracing::error!(%error, "a schedule panicked");
                    // Which one is not known. The lease keeps the others from running twice.
                    self.next.retain(|_, next| next.is_some());
                }
            },
            () = sleep_until(next) => {}
        }
    }
}

/// Take a turn of a schedule if it is time, and tell when to look again. A gateway that stops
/// meanwhile leaves the turn to others: were the claim cut off, it might be made all the same, and
/// the turn be nobody's.
async fn look(
    gateway: &Gateway,
    generation: &Generation,
    schedule: &Schedule,
    stopped: watch::Receiver<()>,
) -> Instant {
    let (plugin, operation) = schedule.name();
    let every = schedule.every.mul_f64(1.0 + JITTER * rand::rng().random_range(0.0..=1.0));
    let claimed = gateway.storage.claim_schedule(&plugin, &operation, every, LEASE).await;
    let now = Instant::now();
    match claimed {
        Ok(Claim::Taken(taken)) if stopped.has_changed().is_err() => {
            turn::leave(gateway, schedule, &taken).await;
            now
        }
        Ok(Claim::Taken(taken)) => {
            turn::take(gateway, generation, schedule, &taken, stopped).await;
            now + every
        }
        Ok(Claim::NotYet(wait)) => now + wait,
        Ok(Claim::Held(wait)) => now + wait.min(LOOK),
        Err(error) => {
            tracing::warn!(%plugin, %operation, %error, "a schedule could not be looked at");
            now + LOOK
        }
    }
}

impl Schedule {
    fn name(&self) -> Name {
        (self.route.plugin.manifest().name.clone(), self.route.operation.name.clone())
    }
}
