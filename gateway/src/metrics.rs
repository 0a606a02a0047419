//! What the gateway counts and measures, in the text format of Prometheus: begin reading at
//! [`Metrics`].
//!
//! Labels have few values: names of plugins, operations, tenants and limits, all of them from the
//! configuration and the manifests, and never from a request.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// All metrics of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    answers: Family<AnswerLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    limits: Family<LimitLabels, Counter>,
    traps: Family<PluginLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    handed_over: Counter,
    generation: Gauge,
    plugins: Family<VersionLabels, Gauge>,
    calls: Gauge,
    connections: Gauge,
    waiting: Gauge,
    pool: PoolGauges,
}

/// The metrics of one route, looked up once.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    /// By the first digit of the status, from 2 to 5.
    answers: [Counter; 4],
    durations: Histogram,
    traps: Counter,
}

/// Breaches of one tenant's limits in one plugin.
#[derive(Clone, Debug)]
pub struct Breaches {
    metrics: Arc<Metrics>,
    tenant: String,
    plugin: String,
}

/// What is in use when somebody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct InUse {
    /// Calls of plugins under way.
    pub calls: u32,
    /// Connections to the database that requests hold.
    pub connections: u32,
    /// Requests that wait for a change.
    pub waiting: usize,
    /// `None` on `SQLite`, which has no pool.
    pub pool: Option<Pool>,
}

/// The pool of connections to the database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool {
    /// The most connections at a time.
    pub size: u32,
    /// Connections that requests have.
    pub in_use: u32,
    /// Connections that wait for a request.
    pub idle: u32,
    /// Requests that wait for a connection.
    pub waiters: u32,
}

#[derive(Debug, Default)]
struct PoolGauges {
    size: Gauge,
    in_use: Gauge,
    idle: Gauge,
    waiters: Gauge,
}

/// How a reload has ended.
#[derive(Clone, Copy, Debug)]
pub enum Reload {
    /// The gateway serves the new generation.
    Done,
    /// It serves the generation that it served before.
    Failed,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RouteLabels {
    plugin: String,
    operation: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct PluginLabels {
    plugin: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct VersionLabels {
    plugin: String,
    version: String,
    sha256: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AnswerLabels {
    plugin: String,
    operation: String,
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct LimitLabels {
    tenant: String,
    plugin: String,
    limit: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReloadLabels {
    outcome: &'static str,
}

const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// In seconds: from what a read on `SQLite` takes to the longest request that is usual.
const DURATIONS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];

impl Default for Metrics {
    fn default() -> Self {
        let durations =
            Family::new_with_constructor((|| Histogram::new(DURATIONS)) as fn() -> Histogram);
        let mut metrics = Self {
            registry: Registry::with_prefix("loggia"),
            answers: Family::default(),
            durations,
            limits: Family::default(),
            traps: Family::default(),
            reloads: Family::default(),
            handed_over: Counter::default(),
            generation: Gauge::default(),
            plugins: Family::default(),
            calls: Gauge::default(),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            pool: PoolGauges::default(),
        };
        metrics.register_counts();
        metrics.register_states();
        metrics
    }
}

impl Metrics {
    fn register_counts(&mut self) {
        let Self { registry, answers, durations, limits, traps, reloads, handed_over, .. } = self;
        registry.register("requests", "Requests that were answered", answers.clone());
        let help = "From the end of a request's headers to its answer";
        registry.register("request_duration_seconds", help, durations.clone());
        let help = "Breaches of limits, by the limit's name";
        registry.register("limit_exceeded", help, limits.clone());
        registry.register("plugin_traps", "Calls in which a plugin trapped", traps.clone());
        registry.register("reloads", "Reloads, by their outcome", reloads.clone());
        let help = "Requests whose plugin's tables were changed meanwhile, for a later generation";
        registry.register("requests_handed_over", help, handed_over.clone());
    }

    fn register_states(&mut self) {
        let Self { registry, generation, plugins, calls, connections, waiting, pool, .. } = self;
        let help = "The generation that new requests get: 1 at the start, one more for each reload";
        registry.register("generation", help, generation.clone());
        registry.register("plugin_info", "The plugins that new requests get", plugins.clone());
        registry.register("calls", "Calls of plugins under way", calls.clone());
        let help = "Connections to the database that requests hold";
        registry.register("connections", help, connections.clone());
        registry.register("waiting_requests", "Requests that wait for a change", waiting.clone());
        let help = "The most connections to PostgreSQL at a time; 0 on SQLite, as for all of pool";
        registry.register("pool_size", help, pool.size.clone());
        registry.register("pool_in_use", "Connections that requests have", pool.in_use.clone());
        registry.register("pool_idle", "Connections that wait for a request", pool.idle.clone());
        let help = "Requests that wait for a connection";
        registry.register("pool_waiters", help, pool.waiters.clone());
    }

    /// The metrics of one operation. A later generation's operation of the same name goes on with
    /// the same numbers.
    #[must_use]
    pub fn route(&self, plugin: &str, operation: &str) -> RouteMetrics {
        let labels = |status| AnswerLabels {
            plugin: plugin.to_owned(),
            operation: operation.to_owned(),
            status,
        };
        let of_route = RouteLabels { plugin: plugin.to_owned(), operation: operation.to_owned() };
        RouteMetrics {
            answers: STATUSES.map(|status| self.answers.get_or_create_owned(&labels(status))),
            durations: self.durations.get_or_create_owned(&of_route),
            traps: self.traps.get_or_create_owned(&PluginLabels { plugin: plugin.to_owned() }),
        }
    }

    /// Count a request that ended at a limit of this name.
    pub fn limit_exceeded(&self, tenant: &str, plugin: &str, limit: &str) {
        let labels = LimitLabels {
            tenant: tenant.to_owned(),
            plugin: plugin.to_owned(),
            limit: limit.to_owned(),
        };
        self.limits.get_or_create(&labels).inc();
    }

    /// Count a reload.
    pub fn reloaded(&self, outcome: Reload) {
        let outcome = match outcome {
            Reload::Done => "done",
            Reload::Failed => "failed",
        };
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Count a request that a later generation is to run.
    pub fn handed_over(&self) {
        self.handed_over.inc();
    }

    /// Requests that no operation's route matches.
    #[must_use]
    pub fn no_route(&self) -> RouteMetrics {
        self.route("", "")
    }

    /// The generation that new requests get, with its plugins' names, versions and digests.
    pub fn set_generation<'a>(
        &self,
        number: u64,
        plugins: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) {
        self.generation.set(number.try_into().unwrap_or(i64::MAX));
        self.plugins.clear();
        for (plugin, version, sha256) in plugins {
            let [plugin, version, sha256] = [plugin, version, sha256].map(str::to_owned);
            self.plugins.get_or_create(&VersionLabels { plugin, version, sha256 }).set(1);
        }
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self, in_use: &InUse) -> String {
        self.calls.set(in_use.calls.into());
        self.connections.set(in_use.connections.into());
        self.waiting.set(i64::try_from(in_use.waiting).unwrap_or(i64::MAX));
        let pool = in_use.pool.unwrap_or_default();
        self.pool.size.set(pool.size.into());
        self.pool.in_use.set(pool.in_use.into());
        self.pool.idle.set(pool.idle.into());
        self.pool.waiters.set(pool.waiters.into());
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all that is written to it");
        text
    }
}

impl Breaches {
    /// Those of a tenant in a plugin.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, tenant: &str, plugin: &str) -> Self {
        let (tenant, plugin) = (tenant.to_owned(), plugin.to_owned());
        Self { metrics: Arc::clone(metrics), tenant, plugin }
    }

    /// Count one, by the limit's name in `gateway.toml`.
    pub fn count(&self, limit: &'static str) {
        self.metrics.limit_exceeded(&self.tenant, &self.plugin, limit);
    }
}

impl RouteMetrics {
    /// Count an answer. A status below 200, which no answer has, counts as 2xx.
    pub fn answered(&self, status: u16, duration: Duration) {
        let class = usize::from(status / 100).saturating_sub(2).min(STATUSES.len() - 1);
        self.answers[class].inc();
        self.durations.observe(duration.as_secs_f64());
    }

    /// Count a trap of the plugin.
    pub fn trapped(&self) {
        self.traps.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        let route = metrics.route("notes", "get-note");
        route.answered(200, Duration::from_micros(700));
        route.answered(404, Duration::from_secs(5));
        // Another generation's route of the same name.
        metrics.route("notes", "get-note").answered(204, Duration::ZERO);
        metrics.limit_exceeded("acme", "notes", "storage_calls");
        metrics.reloaded(Reload::Failed);
        route.trapped();
        metrics.set_generation(2, [("notes", "1.0.0", "aa")]);
        metrics.set_generation(3, [("notes", "1.1.0", "bb")]);
        let pool = Some(Pool { waiters: 4, ..Pool::default() });
        let text = metrics.text(&InUse { calls: 2, pool, ..InUse::default() });
        let route = r#"plugin="notes",operation="get-note""#;
        for line in [
            &format!(r#"loggia_requests_total{{{route},status="2xx"}} 2"#),
            &format!(r#"loggia_requests_total{{{route},status="4xx"}} 1"#),
            &format!(r#"loggia_request_duration_seconds_bucket{{le="0.001",{route}}} 2"#),
            &format!("loggia_request_duration_seconds_count{{{route}}} 3"),
            r#"loggia_limit_exceeded_total{tenant="acme",plugin="notes",limit="storage_calls"} 1"#,
            r#"loggia_reloads_total{outcome="failed"} 1"#,
            r#"loggia_plugin_traps_total{plugin="notes"} 1"#,
            r#"loggia_plugin_info{plugin="notes",version="1.1.0",sha256="bb"} 1"#,
            "loggia_generation 3",
            "loggia_calls 2",
            "loggia_pool_waiters 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("1.0.0"), "a generation that has gone is still there\n{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
