//! `loggia check`: everything that can be wrong before a gateway starts, told at once.

use std::path::Path;

use super::compile::runtime;
use super::configured::examine;
use super::serve::location;
use super::{ConfigurationFault, tenants};
use crate::config::{Config, Fault};
use crate::manifest::Manifest;
use crate::storage::Location;
use crate::storage::statement::Dialect;

/// Check a configuration and the plugins that it names, and say what there is.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let manifests = executor.block_on(check(&config))?;
    println!("{}: no faults", path.display());
    for Manifest { name, version, operations, .. } in &manifests {
        println!("plugin {name} {version}, with {} operations", operations.len());
    }
    for (name, tenant) in &config.tenants {
        let plugins = manifests.iter().filter(|manifest| tenant.has_plugin(&manifest.name));
        let (keys, plugins) = (tenant.keys.len(), plugins.count());
        println!("tenant {name}, with {plugins} plugins and {keys} keys");
    }
    if config.tenants.is_empty() {
        println!("no tenants: requests need no key, and only this machine can send them");
    }
    Ok(())
}

async fn check(config: &Config) -> anyhow::Result<Vec<Manifest>> {
    // A cache would be written to.
    let runtime = runtime(None)?;
    let (mut manifests, mut faults) = (Vec::new(), Vec::<Fault>::new());
    faults.extend(tenants::callers(config).err());
    let dialect = match location(config) {
        Ok(Location::Postgres(_)) => Dialect::Postgres,
        Ok(Location::Sqlite(_)) => Dialect::Sqlite,
        Err(fault) => {
            faults.push(fault);
            Dialect::Sqlite
        }
    };
    for (name, plugin) in &config.plugins {
        match examine(config, &runtime, dialect, (name, plugin)).await {
            Ok(manifest) => manifests.push(manifest),
            Err(found) => faults.extend(found),
        }
    }
    faults.extend(tenants::settings(config, manifests.iter()).err().into_iter().flatten());
    if faults.is_empty() { Ok(manifests) } else { Err(ConfigurationFault::of(&faults).into()) }
}
