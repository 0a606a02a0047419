//! `loggia plugin check`: everything that can be known of a plugin before it is served.
//!
//! The plugin is loaded as `serve` loads it, into an empty database that is gone afterwards.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::ConfigurationFault;
use super::build::Profile;
use super::component::{Engine, component_at, describe_component, faulty};
use super::serve::location;
use super::tenants::stored_limits;
use crate::config::{Config, Isolation};
use crate::http::route_faults;
use crate::manifest::Manifest;
use crate::plugin::{LoadOptions, Plugin, Retry, describe_and_upgrade};
use crate::storage::statement::Dialect;
use crate::storage::{InstallOptions, Schema, Scratch, Storage};

/// What to check against.
#[derive(Debug)]
pub(super) struct Options {
    /// A component, or a folder with one or with a crate.
    pub(super) path: PathBuf,
    /// The configuration that it is to be served with.
    pub(super) config: Option<PathBuf>,
    /// A server to make an empty database on.
    pub(super) postgres: Option<String>,
}

/// A plugin that is looked at.
struct Checked {
    engine: Engine,
    component: Vec<u8>,
    manifest: Manifest,
    config: Config,
}

/// Print warnings, and fail with all faults.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let config = options.config.as_deref().map(Config::load).transpose();
    let config = config.map_err(|error| ConfigurationFault(error.to_string()))?;
    let component = component_at(&options.path, Profile::Release)?;
    let engine = Engine::new()?;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    executor.block_on(async {
        let manifest = describe_component(&engine, &component).await?.manifest;
        check_statements(&manifest)?;
        let is_configured = config.is_some();
        let checked = Checked { engine, component, manifest, config: config.unwrap_or_default() };
        checked.load(Scratch::sqlite()?, "SQLite").await?;
        if let Some(url) = &options.postgres {
            let scratch = Scratch::postgres(url).await.context("a database to check with")?;
            checked.load(scratch, "PostgreSQL").await?;
        }
        if is_configured {
            checked.plan().await?;
        }
        let Manifest { name, version, .. } = &checked.manifest;
        println!("{name} {version}: no faults");
        Ok(())
    })
}

/// For both databases, whichever it is to be served with.
fn check_statements(manifest: &Manifest) -> anyhow::Result<()> {
    let mut faults: Vec<String> = Vec::new();
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        for fault in Schema::compile(manifest, dialect).err().unwrap_or_default() {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faulty(&faults)) }
}

impl Checked {
    /// Load it into an empty database and lay out its routes; print what its operator should know.
    async fn load(&self, scratch: Scratch, database: &str) -> anyhow::Result<()> {
        let warnings = self.load_into(&scratch).await;
        scratch.remove().await.context("the database to check with")?;
        for warning in warnings? {
            println!("warning: on {database}, {warning}");
        }
        Ok(())
    }

    async fn load_into(&self, scratch: &Scratch) -> anyhow::Result<Vec<String>> {
        let storage = Storage::open(&scratch.location()).await?;
        let options = LoadOptions {
            isolation: Isolation::Tenant,
            max_requests_per_instance: 1,
            memory_bytes: self.config.limits.plugin_memory_bytes,
            retry: Retry { times: 0, backoff: Duration::ZERO },
            allow: BTreeSet::new(),
            statistics: self.config.storage.statistics,
            stored_limits: stored_limits(&self.config, &self.manifest.name),
        };
        let plugin = Plugin::load(&self.engine.runtime, &storage, &self.component, options).await;
        let plugin = plugin.map_err(|error| ConfigurationFault(error.to_string()))?;
        let warnings = plugin.warnings().to_vec();
        let faults = route_faults(plugin.manifest(), &self.config.limits.ceiling);
        if faults.is_empty() { Ok(warnings) } else { Err(faulty(&faults)) }
    }

    /// Print what serving it would change in the configured database.
    async fn plan(&self) -> anyhow::Result<()> {
        let name = &self.manifest.name;
        let configured = self.config.plugins.get(name).ok_or_else(|| {
            ConfigurationFault(format!("the configuration names no plugin {name}"))
        })?;
        let memory_bytes = self.config.limits.plugin_memory_bytes;
        let storage = Storage::open(&location(&self.config).map_err(ConfigurationFault::from)?)
            .await
            .context("the database")?;
        let upgrade = describe_and_upgrade(&self.engine.runtime, &self.component, memory_bytes);
        let options = InstallOptions {
            allow: configured.allow.clone(),
            statistics: self.config.storage.statistics,
            stored_limits: stored_limits(&self.config, name),
            upgrade: Some(upgrade.await?.1),
            ..InstallOptions::default()
        };
        let plan = storage.plan(&self.manifest, &options).await?;
        if plan.is_refused() {
            return Err(ConfigurationFault(format!("steps are refused:\n{plan}")).into());
        }
        println!("{plan}");
        Ok(())
    }
}
