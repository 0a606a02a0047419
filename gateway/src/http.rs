//! HTTP: accepts connections, and answers each request by the plugin whose route it names.
//!
//! Begin reading at `request.rs`: one function is the request. This is the only layer that names
//! hyper and chooses a status for the gateway's own errors; it knows nothing of WebAssembly or SQL.

mod access;
mod body;
mod grant;
mod mismatch;
mod parameter;
mod problem;
mod rate;
mod request;
mod response;
mod role;
mod route;
mod server;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::plugin::Plugin;
use crate::storage::Storage;
use crate::tenant::Tenants;
pub use grant::{Grant, Grants};
use route::Router;
pub use route::route_faults;
pub use server::Server;

/// Everything that a request needs.
pub struct Gateway {
    storage: Arc<Storage>,
    plugins: Vec<Arc<Plugin>>,
    tenants: Tenants,
    grants: Grants,
    metrics: Arc<Metrics>,
    router: Router,
    body_timeout: Duration,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("plugins", &self.plugins).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Lay out the routes of these plugins.
    ///
    /// # Errors
    /// Routes that collide, or limits above the ceiling; each fault in a line.
    pub fn new(
        config: &Config,
        storage: Arc<Storage>,
        tenants: Tenants,
        grants: Grants,
        plugins: Vec<Arc<Plugin>>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<String>> {
        let router = Router::new(&plugins, &config.limits.ceiling)?;
        Ok(Self {
            storage,
            plugins,
            tenants,
            grants,
            metrics,
            router,
            body_timeout: Duration::from_millis(config.server.body_timeout_ms),
        })
    }

    /// Calls that plugins have not answered yet.
    #[must_use]
    pub fn in_calls(&self) -> u32 {
        self.plugins.iter().map(|plugin| plugin.in_calls()).sum()
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The database behind it.
    #[must_use]
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }
}
