//! HTTP: accepts connections, and answers each request by the plugin whose route it names.
//!
//! Begin reading at `request.rs`: one function is the request. This is the only layer that names
//! hyper and chooses a status for the gateway's own errors; it knows nothing of WebAssembly or SQL.

mod body;
mod call;
mod mismatch;
mod parameter;
mod problem;
mod request;
mod response;
mod role;
mod route;
mod server;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Limits};
use crate::plugin::Plugin;
use crate::storage::{Storage, Tenant};
use crate::tenant::Tenants;
use route::Router;
pub use server::Server;

/// Everything that a request needs.
pub struct Gateway {
    storage: Arc<Storage>,
    plugins: Vec<Arc<Plugin>>,
    tenants: Tenants,
    /// The key in the database of the one tenant that there is.
    default_tenant: Tenant,
    router: Router,
    limits: Limits,
    transaction_limit: Duration,
    body_timeout: Duration,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("plugins", &self.plugins).finish_non_exhaustive()
    }
}

/// On `SQLite` a transaction that writes holds up all others.
const TRANSACTION_MS_POSTGRES: u64 = 500;
const TRANSACTION_MS_SQLITE: u64 = 100;

impl Gateway {
    /// Lay out the routes of these plugins.
    ///
    /// # Errors
    /// Routes that collide, or limits above the ceiling; each fault in a line.
    pub fn new(
        config: &Config,
        storage: Arc<Storage>,
        tenants: Tenants,
        default_tenant: Tenant,
        plugins: Vec<Arc<Plugin>>,
    ) -> Result<Self, Vec<String>> {
        let router = Router::new(&plugins, &config.limits)?;
        let transaction_ms = config.limits.transaction_ms.unwrap_or(if storage.is_sqlite() {
            TRANSACTION_MS_SQLITE
        } else {
            TRANSACTION_MS_POSTGRES
        });
        Ok(Self {
            storage,
            plugins,
            tenants,
            default_tenant,
            router,
            limits: config.limits.clone(),
            transaction_limit: Duration::from_millis(transaction_ms),
            body_timeout: Duration::from_millis(config.server.body_timeout_ms),
        })
    }

    /// Calls that plugins have not answered yet.
    #[must_use]
    pub fn in_calls(&self) -> u32 {
        self.plugins.iter().map(|plugin| plugin.in_calls()).sum()
    }

    /// The database behind it.
    #[must_use]
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }
}
