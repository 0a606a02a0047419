//! `loggia plugin plan`: what serving the configured plugins would change in the database.

use std::path::Path;

use anyhow::Context as _;

use super::ConfigurationFault;
use super::compile::runtime;
use super::configured::read;
use super::serve::location;
use super::tenants::stored_limits;
use crate::config::Config;
use crate::manifest::Manifest;
use crate::plugin::describe_and_upgrade;
use crate::storage::{InstallOptions, Storage};

/// Print the steps of each plugin. Fails when one is refused.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(print(&config))
}

async fn print(config: &Config) -> anyhow::Result<()> {
    let memory_bytes = config.limits.plugin_memory_bytes;
    let runtime = runtime(config.server.cache_folder())?;
    let storage = Storage::open(&location(config).map_err(ConfigurationFault::from)?)
        .await
        .context("the database")?;
    let mut refused = Vec::new();
    for (name, plugin) in &config.plugins {
        let component = read(config, name, plugin).map_err(ConfigurationFault::from)?;
        let faulty = |fault: &dyn std::fmt::Display| {
            ConfigurationFault(format!("the plugin {name} ({}): {fault}", plugin.path.display()))
        };
        let described = describe_and_upgrade(&runtime, &component, memory_bytes).await;
        let (text, upgrade) = described.map_err(|error| faulty(&error))?;
        let manifest = Manifest::parse(&text).map_err(|faults| faulty(&faults.join("\n")))?;
        let options = InstallOptions {
            allow: plugin.allow.clone(),
            statistics: config.storage.statistics,
            stored_limits: stored_limits(config, name),
            upgrade: Some(upgrade),
            ..InstallOptions::default()
        };
        let plan = storage.plan(&manifest, &options).await.map_err(|error| faulty(&error))?;
        if plan.steps.is_empty() {
            println!("{name}: nothing to change");
        } else {
            println!("{name}:\n{plan}");
        }
        if plan.is_refused() {
            refused.push(name.as_str());
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(ConfigurationFault(format!("steps are refused: {}", refused.join(", "))).into())
}
