//! `loggia serve`: from a configuration to a listening gateway.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::compile::runtime;
use super::reload::{Reloader, Source};
use super::{ConfigurationFault, generation, watch};
use crate::config::{Config, Fault, KeyPath};
use crate::http::{Gateway, Reload, Server};
use crate::metrics::Metrics;
use crate::plugin::Runtime;
use crate::storage::{Background, Location, PostgresOptions, Storage, TlsOptions};
use crate::telemetry;

/// A gateway that listens, and is not serving yet.
#[derive(Debug)]
pub struct Started {
    /// The listeners.
    pub server: Server,
    /// What they serve.
    pub gateway: Arc<Gateway>,
    /// Makes the next generation.
    pub reload: Reload,
    /// What runs beside requests. It ends when this is stopped or dropped.
    pub background: Background,
}

/// When the next generation is made, beside SIGHUP and the admin call.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReloadWhen {
    /// At no other time.
    Asked,
    /// When the configuration file or a plugin's file has changed.
    Changed,
}

/// Serve until the process is told to stop.
pub(super) fn run(path: &Path, when: ReloadWhen) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let from_file = path.to_owned();
        let source: Source = Arc::new(move || {
            let config = Config::load(&from_file);
            Ok(config.map_err(|error| ConfigurationFault(error.to_string()))?)
        });
        // Before anything else, since SIGHUP ends a process that does not ask for it.
        let hangups = signal(SignalKind::hangup())?;
        let config = source()?;
        let runtime = runtime(config.server.cache_folder())?;
        let started = start_from(Arc::clone(&source), config, &runtime).await?;
        let Started { server, gateway, reload, background } = started;
        let mut reloading = JoinSet::new();
        reloading.spawn(reload_on(hangups, reload.clone()));
        if let ReloadWhen::Changed = when {
            reloading.spawn(watch::start(path, source, reload)?);
        }
        let (address, admin) = (server.local_addr()?, server.admin_addr()?);
        let plugins = gateway.generation().plugins().len();
        tracing::info!(%address, %admin, plugins, "serving");
        server.run(stopped()?).await;
        reloading.shutdown().await;
        background.stop().await;
        drop(gateway);
        Ok(())
    })
}

/// Until SIGTERM or Ctrl-C.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("stopping");
    })
}

/// The outcome stands in the log.
async fn reload_on(mut signals: Signal, reload: Reload) {
    while signals.recv().await.is_some() {
        reload.run().await.ok();
    }
}

/// Open the database, load the plugins, take the addresses. A reload reads the files of the plugins
/// again, and has the same configuration.
///
/// # Errors
/// The first of these that fails, with what to do about it.
pub async fn start_with(config: &Config, runtime: &Runtime) -> anyhow::Result<Started> {
    let same = config.clone();
    start_from(Arc::new(move || Ok(same.clone())), config.clone(), runtime).await
}

/// As [`start_with`], with a configuration that a reload gets anew.
///
/// # Errors
/// As [`start_with`].
pub async fn start_from(
    source: Source,
    config: Config,
    runtime: &Runtime,
) -> anyhow::Result<Started> {
    if config.storage.log_statements {
        telemetry::log_statements();
    }
    let storage = Storage::open(&location(&config).map_err(ConfigurationFault::from)?)
        .await
        .context("the database")?;
    let metrics = Arc::<Metrics>::default();
    let first = generation::make(&config, &storage, runtime, &metrics, None).await?;
    let background = Background::start(&storage, sweep_interval(&config));
    let gateway = Arc::new(Gateway::new(&config.server, storage, Arc::clone(&metrics), first));
    let server_config = config.server.clone();
    let reloader = Reloader::new(source, config, runtime.clone(), Arc::clone(&gateway), metrics);
    let reload = reloader.into_reload();
    let server = Server::bind(&server_config, Arc::clone(&gateway), reload.clone())?;
    Ok(Started { server, gateway, reload, background })
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
