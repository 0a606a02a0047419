//! What a tenant has of a plugin: its settings and limits there, worked out before the first
//! request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::quarantine::Quarantine;
use super::rate::Rate;
use crate::config::{Config, LimitOverrides, Limits};
use crate::manifest::OperationLimits;
use crate::metrics::{Breaches, Metrics};
use crate::plugin;
use crate::storage::{Storage, Tenant};

/// What one tenant has of one plugin.
#[derive(Debug)]
pub struct Grant {
    /// Whose documents.
    pub(super) tenant: Tenant,
    /// The plugin's settings for it: a JSON object.
    pub(super) settings: Arc<str>,
    /// What its requests may consume, with what is said for the tenant and the plugin.
    limits: Limits,
    /// What is said for the tenant and the plugin. It goes before what an operation asks for.
    said: LimitOverrides,
    transaction: Duration,
    /// `None` where its requests are not limited in number.
    pub(super) rate: Option<Arc<Rate>>,
    /// `None` where traps of the plugin close nothing.
    pub(super) quarantine: Option<Arc<Quarantine>>,
    /// Counts breaches of its limits.
    pub(super) breaches: Arc<Breaches>,
}

/// What all tenants have of all plugins.
#[derive(Debug, Default)]
pub struct Grants(HashMap<String, HashMap<String, Grant>>);

/// What a request may consume before it is a call, and as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimits {
    pub(super) body_bytes: usize,
    pub(super) duration: Duration,
    pub(super) call: plugin::Limits,
}

/// On `SQLite` a transaction that writes holds up all others.
const TRANSACTION_MS_POSTGRES: u64 = 500;
const TRANSACTION_MS_SQLITE: u64 = 100;

impl Grants {
    /// Give a tenant a plugin.
    pub fn insert(&mut self, tenant: &str, plugin: &str, grant: Grant) {
        self.0.entry(tenant.to_owned()).or_default().insert(plugin.to_owned(), grant);
    }

    /// The tenants that have a plugin.
    pub(super) fn of_plugin(&self, plugin: &str) -> Vec<(&str, &Grant)> {
        let tenants = self.0.iter();
        tenants.filter_map(|(name, of)| Some((name.as_str(), of.get(plugin)?))).collect()
    }

    /// `None` where the tenant does not have the plugin.
    pub(super) fn find(&self, tenant: &str, plugin: &str) -> Option<&Grant> {
        self.0.get(tenant)?.get(plugin)
    }
}

impl Grant {
    /// What the configuration says of a tenant and a plugin.
    #[must_use]
    pub fn new(
        config: &Config,
        storage: &Storage,
        (name, tenant): (&str, Tenant),
        plugin: &str,
        settings: &Value,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let said = config.limit_overrides(name, plugin);
        let limits = config.limits.with(&said);
        let transaction_ms = limits.transaction_ms.unwrap_or(if storage.is_sqlite() {
            TRANSACTION_MS_SQLITE
        } else {
            TRANSACTION_MS_POSTGRES
        });
        Self {
            tenant,
            settings: settings.to_string().into(),
            transaction: Duration::from_millis(transaction_ms),
            rate: Rate::new(limits.requests_per_second).map(Arc::new),
            quarantine: Quarantine::new(&limits).map(Arc::new),
            breaches: Arc::new(Breaches::new(metrics, name, plugin)),
            limits,
            said,
        }
    }

    /// Go on counting requests where an earlier grant of the same tenant and plugin has counted
    /// them, if no other number of them is allowed now.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        if self.limits.requests_per_second != earlier.limits.requests_per_second {
            return self;
        }
        Self { rate: earlier.rate.clone(), ..self }
    }

    /// What is said for the tenant or the plugin, else what the operation asks for, else the
    /// default.
    pub(super) fn limits(&self, asked: &OperationLimits) -> RequestLimits {
        let Self { said, limits, transaction, .. } = self;
        let request_ms = said.request_ms.or(asked.request_ms).unwrap_or(limits.request_ms);
        let transaction_ms = said.transaction_ms.flatten().or(asked.transaction_ms);
        RequestLimits {
            body_bytes: said.body_bytes.or(asked.body_bytes).unwrap_or(limits.body_bytes),
            duration: Duration::from_millis(request_ms),
            call: plugin::Limits {
                guest_cpu: Duration::from_millis(limits.guest_cpu_ms),
                transaction: transaction_ms.map_or(*transaction, Duration::from_millis),
                plugin_memory_bytes: limits.plugin_memory_bytes,
                storage_calls: limits.storage_calls,
                documents_read: limits.documents_read,
                documents_written: said
                    .documents_written
                    .or(asked.documents_written)
                    .unwrap_or(limits.documents_written),
                response_bytes: said
                    .response_bytes
                    .or(asked.response_bytes)
                    .unwrap_or(limits.response_bytes),
                document_bytes: said
                    .document_bytes
                    .or(asked.document_bytes)
                    .unwrap_or(limits.document_bytes),
                log_bytes: limits.log_bytes,
                concurrent_requests: limits.concurrent_requests,
                queued_requests: limits.queued_requests,
                waiting_requests: limits.waiting_requests,
            },
        }
    }
}
