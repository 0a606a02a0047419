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
    reloads: Family<ReloadLabels, Counter>,
    generation: Gauge,
    calls: Gauge,
    connections: Gauge,
    waiting: Gauge,
}

/// The metrics of one route, looked up once.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    /// By the first digit of the status, from 2 to 5.
    answers: [Counter; 4],
    durations: Histogram,
}

/// Breaches of one tenant's limits in one plugin.
#[derive(Clone, Debug)]
pub struct Breaches {
    metrics: Arc<Metrics>,
    tenant: String,
    plugin: String,
}

/// What is in use when somebody looks.
#[derive(Clone, Copy, Debug)]
pub struct InUse {
    /// Calls of plugins under way.
    pub calls: u32,
    /// Connections to the database that requests hold.
    pub connections: u32,
    /// Requests that wait for a change.
    pub waiting: usize,
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
        let mut registry = Registry::with_prefix("loggia");
        let durations =
            Family::new_with_constructor((|| Histogram::new(DURATIONS)) as fn() -> Histogram);
        let metrics = Self {
            answers: Family::default(),
            durations,
            limits: Family::default(),
            reloads: Family::default(),
            generation: Gauge::default(),
            calls: Gauge::default(),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            registry: Registry::default(),
        };
        let Self { answers, durations, limits, reloads, generation, .. } = &metrics;
        registry.register("requests", "Requests that were answered", answers.clone());
        let help = "From the end of a request's headers to its answer";
        registry.register("request_duration_seconds", help, durations.clone());
        let help = "Requests that ended at a limit, by the limit's name";
        registry.register("limit_exceeded", help, limits.clone());
        registry.register("reloads", "Reloads, by their outcome", reloads.clone());
        let help = "The generation that new requests get: 1 at the start, one more for each reload";
        registry.register("generation", help, generation.clone());
        registry.register("calls", "Calls of plugins under way", metrics.calls.clone());
        let help = "Connections to the database that requests hold";
        registry.register("connections", help, metrics.connections.clone());
        let help = "Requests that wait for a change";
        registry.register("waiting_requests", help, metrics.waiting.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
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

    /// The generation that new requests get.
    pub fn set_generation(&self, number: u32) {
        self.generation.set(number.into());
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self, in_use: InUse) -> String {
        self.calls.set(in_use.calls.into());
        self.connections.set(in_use.connections.into());
        self.waiting.set(i64::try_from(in_use.waiting).unwrap_or(i64::MAX));
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: InUse = InUse { calls: 0, connections: 0, waiting: 0 };

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
        metrics.set_generation(3);
        let text = metrics.text(InUse { calls: 2, ..NOTHING });
        let route = r#"plugin="notes",operation="get-note""#;
        for line in [
            &format!(r#"loggia_requests_total{{{route},status="2xx"}} 2"#),
            &format!(r#"loggia_requests_total{{{route},status="4xx"}} 1"#),
            &format!(r#"loggia_request_duration_seconds_bucket{{le="0.001",{route}}} 2"#),
            &format!("loggia_request_duration_seconds_count{{{route}}} 3"),
            r#"loggia_limit_exceeded_total{tenant="acme",plugin="notes",limit="storage_calls"} 1"#,
            r#"loggia_reloads_total{outcome="failed"} 1"#,
            "loggia_generation 3",
            "loggia_calls 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
