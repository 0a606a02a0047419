//! `loggia serve`: from a configuration to a listening gateway.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::compile::runtime;
use super::{ConfigurationFault, configured, tenants};
use crate::config::{Config, Fault, KeyPath};
use crate::http::{Gateway, Server};
use crate::metrics::Metrics;
use crate::plugin::{LoadOptions, Plugin, Retry, Runtime};
use crate::storage::{Background, Location, PostgresOptions, Storage, TlsOptions};
use crate::telemetry;

/// A gateway that listens, and is not serving yet.
#[derive(Debug)]
pub struct Started {
    /// The listener.
    pub server: Server,
    /// What it serves.
    pub gateway: Arc<Gateway>,
    /// What runs beside requests. It ends when this is stopped or dropped.
    pub background: Background,
}

/// Serve until the process is told to stop.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let Started { server, gateway, background } = start(&config).await?;
        let address = server.local_addr()?;
        tracing::info!(%address, plugins = config.plugins.len(), "serving");
        let mut terminated = signal(SignalKind::terminate())?;
        let stop = async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            tracing::info!("stopping");
        };
        server.run(stop).await;
        background.stop().await;
        drop(gateway);
        Ok(())
    })
}

async fn start(config: &Config) -> anyhow::Result<Started> {
    start_with(config, &runtime(config.server.cache_folder())?).await
}

/// Open the database, load the plugins, take the address.
///
/// # Errors
/// The first of these that fails, with what to do about it.
pub async fn start_with(config: &Config, runtime: &Runtime) -> anyhow::Result<Started> {
    let callers = tenants::callers(config).map_err(ConfigurationFault::from)?;
    if config.storage.log_statements {
        telemetry::log_statements();
    }
    let storage = Storage::open(&location(config).map_err(ConfigurationFault::from)?)
        .await
        .context("the database")?;
    let plugins = load_plugins(config, &storage, runtime).await?;
    let metrics = Arc::<Metrics>::default();
    let grants = tenants::grants(config, &storage, &plugins, &metrics).await?;
    let background = Background::start(&storage, sweep_interval(config));
    let gateway = Gateway::new(config, storage, callers, grants, plugins, metrics)
        .map_err(|faults| ConfigurationFault(faults.join("\n")))?;
    let gateway = Arc::new(gateway);
    let server = Server::bind(&config.server, Arc::clone(&gateway))
        .await
        .with_context(|| format!("server.listen {}", config.server.listen))?;
    Ok(Started { server, gateway, background })
}

/// None where this gateway does not sweep.
fn sweep_interval(config: &Config) -> Option<Duration> {
    let seconds = config.storage.sweep_interval_s;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

pub(super) fn location(config: &Config) -> Result<Location, Fault> {
    let of_storage = |key| KeyPath::of("storage").key(key);
    let url = config.storage.resolve_url().map_err(|(key, what)| config.fault(key, what))?;
    if let Some(path) = url.strip_prefix("sqlite:") {
        if config.storage.row_level_security {
            let what = "SQLite has no row level security. Remove this, or let storage.url name a \
                        PostgreSQL database";
            return Err(config.fault(of_storage("row_level_security"), what));
        }
        return Ok(Location::Sqlite(path.into()));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Location::Postgres(PostgresOptions {
            url,
            pool_size: config.storage.pool_size,
            acquire_timeout: Duration::from_millis(config.storage.acquire_timeout_ms),
            max_waiters: config.storage.max_waiters,
            tls: TlsOptions {
                mode: config.storage.tls,
                ca_file: config.storage.ca_file.clone(),
                cert_file: config.storage.cert_file.clone(),
                key_file: config.storage.key_file.clone(),
            },
            row_level_security: config.storage.row_level_security,
        }));
    }
    // Not the URL itself: it may hold a password.
    Err(config.fault(of_storage("url"), "it must begin with sqlite: or postgres://"))
}

async fn load_plugins(
    config: &Config,
    storage: &Arc<Storage>,
    runtime: &Runtime,
) -> anyhow::Result<Vec<Arc<Plugin>>> {
    let (mut plugins, mut faults) = (Vec::new(), Vec::new());
    for (name, plugin) in &config.plugins {
        let component = match configured::read(config, name, plugin) {
            Ok(component) => component,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let options = LoadOptions {
            isolation: plugin.isolation,
            max_requests_per_instance: plugin.max_requests_per_instance,
            memory_bytes: config.limits.with(&plugin.limits).plugin_memory_bytes,
            retry: Retry {
                times: config.storage.retries,
                backoff: Duration::from_millis(config.storage.retry_backoff_ms),
            },
            allow: plugin.allow.clone(),
            statistics: config.storage.statistics,
            stored_limits: tenants::stored_limits(config, name),
        };
        match Plugin::load(runtime, storage, &component, options).await {
            Ok(loaded) => {
                faults.extend(configured::check_name(config, name, loaded.manifest()).err());
                plugins.push(Arc::new(loaded));
            }
            Err(error) => {
                faults.push(configured::faulty(config, name, plugin, &error.to_string()));
            }
        }
    }
    if faults.is_empty() { Ok(plugins) } else { Err(ConfigurationFault::of(&faults).into()) }
}
