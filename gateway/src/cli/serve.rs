//! `loggia serve`: from a configuration to a listening gateway.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{SignalKind, signal};

use super::ConfigurationFault;
use super::compile::runtime;
use crate::config::{Config, KeyPath, Plugin as PluginConfig};
use crate::http::{Gateway, Server};
use crate::plugin::{LoadOptions, Plugin, Retry, Runtime};
use crate::storage::{Background, Location, PostgresOptions, Storage, TlsOptions};
use crate::telemetry;
use crate::tenant::{DEFAULT_TENANT, Tenants};

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
    let tenants = Tenants::keyless(config.server.listen)
        .map_err(|error| ConfigurationFault(error.to_string()))?;
    if config.storage.log_statements {
        telemetry::log_statements();
    }
    let storage = Storage::open(&location(config)?).await.context("the database")?;
    let plugins = load_plugins(config, &storage, runtime).await?;
    let tenant = storage.tenant(DEFAULT_TENANT).await.context("the database")?;
    let background = Background::start(&storage, sweep_interval(config));
    let gateway = Gateway::new(config, storage, tenants, tenant, plugins)
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

pub(super) fn location(config: &Config) -> anyhow::Result<Location> {
    let fault = |key, what: String| ConfigurationFault(config.fault(key, what).to_string());
    let of_storage = |key| KeyPath::of("storage").key(key);
    let url = config.storage.resolve_url().map_err(|(key, what)| fault(key, what))?;
    if let Some(path) = url.strip_prefix("sqlite:") {
        if config.storage.row_level_security {
            let what = "SQLite has no row level security. Remove this, or let storage.url name a \
                        PostgreSQL database";
            return Err(fault(of_storage("row_level_security"), what.to_owned()).into());
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
    let what = "it must begin with sqlite: or postgres://".to_owned();
    Err(fault(of_storage("url"), what).into())
}

async fn load_plugins(
    config: &Config,
    storage: &Arc<Storage>,
    runtime: &Runtime,
) -> anyhow::Result<Vec<Arc<Plugin>>> {
    let mut plugins = Vec::new();
    for (name, plugin) in &config.plugins {
        let component = read(name, plugin)?;
        let options = LoadOptions {
            isolation: plugin.isolation,
            max_requests_per_instance: plugin.max_requests_per_instance,
            memory_bytes: config.limits.plugin_memory_bytes,
            retry: Retry {
                times: config.storage.retries,
                backoff: Duration::from_millis(config.storage.retry_backoff_ms),
            },
            allow: plugin.allow.clone(),
            statistics: config.storage.statistics,
        };
        let loaded = Plugin::load(runtime, storage, &component, options).await;
        let loaded = loaded.map_err(|error| {
            let path = plugin.path.display();
            ConfigurationFault(format!("the plugin {name} ({path}): {error}"))
        })?;
        check_name(name, &loaded)?;
        plugins.push(Arc::new(loaded));
    }
    Ok(plugins)
}

/// The component's bytes, if they are those that the operator has pinned.
pub(super) fn read(name: &str, plugin: &PluginConfig) -> anyhow::Result<Vec<u8>> {
    let path = plugin.path.display();
    let component = std::fs::read(&plugin.path).map_err(|error| {
        let what = "build it with `loggia plugin build`, or correct the path";
        ConfigurationFault(format!("the plugin {name}: {path}: {error}; {what}"))
    })?;
    let digest: String = Sha256::digest(&component).iter().map(|b| format!("{b:02x}")).collect();
    match &plugin.sha256 {
        Some(pinned) if !pinned.eq_ignore_ascii_case(&digest) => Err(ConfigurationFault(format!(
            "the plugin {name}: {path} has the SHA-256 {digest}, and the configuration asks for \
             {pinned}"
        ))
        .into()),
        _ => Ok(component),
    }
}

fn check_name(name: &str, plugin: &Plugin) -> anyhow::Result<()> {
    let declared = &plugin.manifest().name;
    if declared == name {
        return Ok(());
    }
    let fault = format!("the plugin {name} calls itself {declared}; use that name in [plugins]");
    Err(ConfigurationFault(fault).into())
}
