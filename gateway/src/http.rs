//! HTTP: accepts connections, and answers each request by the plugin whose route it names.
//!
//! Begin reading at `request.rs`: one function is the request. This is the only layer that names
//! hyper and chooses a status for the gateway's own errors; it knows nothing of WebAssembly or SQL.

mod access;
mod admin;
mod body;
mod call;
mod calls;
mod exchange;
mod generation;
mod grant;
mod listener;
mod mismatch;
mod parameter;
mod problem;
mod quarantine;
mod rate;
mod request;
mod response;
mod role;
mod route;
mod schedule;
mod server;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::config;
use crate::metrics::{InUse, Metrics, Pool};
use crate::storage::Storage;
pub use admin::Reload;
use calls::Calls;
pub use exchange::{Answer, Question};
pub use generation::{Generation, PluginVersion};
pub use grant::{Grant, Grants};
pub use route::route_faults;
pub use server::Server;

/// What lives as long as the process, and the generation that new requests get.
#[derive(Debug)]
pub struct Gateway {
    storage: Arc<Storage>,
    metrics: Arc<Metrics>,
    current: ArcSwap<Generation>,
    /// Held while a reload is under way.
    reloading: Mutex<()>,
    calls: Calls,
    body_timeout: Duration,
}

impl Gateway {
    /// Serve a first generation.
    #[must_use]
    pub fn new(
        config: &config::Server,
        storage: Arc<Storage>,
        metrics: Arc<Metrics>,
        first: Generation,
    ) -> Self {
        first.announce(&metrics);
        Self {
            storage,
            metrics,
            current: ArcSwap::from_pointee(first),
            reloading: Mutex::default(),
            calls: Calls::default(),
            body_timeout: Duration::from_millis(config.body_timeout_ms),
        }
    }

    /// What a request that comes now is answered by.
    #[must_use]
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Give new requests another generation, when it is made; those under way end on theirs. One
    /// reload runs at a time.
    ///
    /// # Errors
    /// What `make` says. Nothing has changed then.
    pub async fn replace<E>(
        &self,
        make: impl Future<Output = Result<Generation, E>>,
    ) -> Result<u64, E> {
        let _reloading = self.reloading.lock().await;
        let number = self.current.load().number + 1;
        let next = Generation { number, ..make.await? };
        next.announce(&self.metrics);
        self.current.store(Arc::new(next));
        Ok(number)
    }

    /// A later generation than this one, when there is one or a reload under way makes one in
    /// time.
    async fn later_than(
        &self,
        generation: &Generation,
        deadline: Instant,
    ) -> Option<Arc<Generation>> {
        self.metrics.handed_over();
        // A reload that is under way has this until it has ended.
        drop(timeout_at(deadline, self.reloading.lock()).await.ok()?);
        Some(self.generation()).filter(|current| current.number > generation.number)
    }

    /// Calls that plugins have not answered yet.
    #[must_use]
    pub fn in_calls(&self) -> u32 {
        self.calls.count()
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

    /// All metrics as text.
    fn metrics_text(&self) -> String {
        let pool = self.storage.pool().map(|pool| Pool {
            size: pool.size,
            in_use: pool.in_use,
            idle: pool.idle,
            waiters: pool.waiters,
        });
        self.metrics.text(&InUse {
            calls: self.in_calls(),
            connections: self.storage.in_use().connections,
            waiting: self.storage.watching(),
            pool,
        })
    }
}
