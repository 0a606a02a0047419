//! A reload: the configuration and the plugins' files are read again, and new requests get what
//! comes of them. Begin reading at [`Reloader::reload`].

use std::sync::Arc;

use super::{ConfigurationFault, generation};
use crate::config::Config;
use crate::http::{Gateway, Generation, Reload};
use crate::metrics::{self, Metrics};
use crate::plugin::Runtime;

/// Where the configuration comes from, each time anew.
pub type Source = Arc<dyn Fn() -> anyhow::Result<Config> + Send + Sync>;

/// Makes one generation after the other.
pub(super) struct Reloader {
    source: Source,
    /// What the process was started with.
    first: Config,
    runtime: Runtime,
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
}

impl Reloader {
    pub(super) fn new(
        source: Source,
        first: Config,
        runtime: Runtime,
        gateway: Arc<Gateway>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { source, first, runtime, gateway, metrics }
    }

    /// As a function that everybody can call.
    pub(super) fn into_reload(self) -> Reload {
        let reloader = Arc::new(self);
        Reload::new(move || {
            let reloader = Arc::clone(&reloader);
            async move { reloader.reload().await }
        })
    }

    /// Make the next generation and serve it; the number of it, or why the gateway goes on with
    /// the one that it has.
    async fn reload(&self) -> Result<u64, String> {
        match self.gateway.replace(self.next()).await {
            Ok(generation) => {
                self.metrics.reloaded(metrics::Reload::Done);
                tracing::info!(generation, "reloaded");
                Ok(generation)
            }
            Err(error) => {
                self.metrics.reloaded(metrics::Reload::Failed);
                let generation = self.gateway.generation().number();
                let why = format!("{error:#}");
                tracing::error!(generation, %why, "the reload failed; this generation goes on");
                Err(why)
            }
        }
    }

    async fn next(&self) -> anyhow::Result<Generation> {
        let source = Arc::clone(&self.source);
        // A worker that waits for a disk can be the one that all requests wait for.
        let config = tokio::task::spawn_blocking(move || source()).await??;
        let fixed = fixed(&self.first, &config);
        if !fixed.is_empty() {
            let keys = fixed.join(", ");
            let fault = format!("a reload cannot change {keys}: restart, or undo the change");
            return Err(ConfigurationFault(fault).into());
        }
        let (storage, earlier) = (self.gateway.storage(), self.gateway.generation());
        generation::make(&config, storage, &self.runtime, &self.metrics, Some(&earlier)).await
    }
}

/// The keys that differ and belong to the process: sockets, connections, background tasks.
fn fixed(first: &Config, next: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    macro_rules! compare {
        ($($section:ident . $key:ident),+ $(,)?) => {
            $(if first.$section.$key != next.$section.$key {
                keys.push(concat!(stringify!($section), ".", stringify!($key)));
            })+
        };
    }
    compare!(
        server.listen,
        server.admin_listen,
        server.max_connections,
        server.header_timeout_ms,
        server.body_timeout_ms,
        server.shutdown_grace_ms,
        server.cache_dir,
        storage.url,
        storage.url_env,
        storage.url_file,
        storage.pool_size,
        storage.acquire_timeout_ms,
        storage.max_waiters,
        storage.tls,
        storage.ca_file,
        storage.cert_file,
        storage.key_file,
        storage.log_statements,
        storage.sweep_interval_s,
        storage.row_level_security,
    );
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_process_is_named() {
        let first = Config::default();
        let mut next = first.clone();
        next.limits.body_bytes += 1;
        next.storage.retries += 1;
        assert_eq!(fixed(&first, &next), [""; 0]);
        next.storage.pool_size += 1;
        next.server.admin_listen.set_port(1);
        assert_eq!(fixed(&first, &next), ["server.admin_listen", "storage.pool_size"]);
    }
}
