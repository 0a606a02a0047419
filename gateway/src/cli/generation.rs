//! From a configuration to a generation that can be served: the start and each reload make theirs
//! here. Begin reading at [`make`].

use std::sync::Arc;
use std::time::Duration;

use super::{ConfigurationFault, configured, tenants};
use crate::config::{Config, Fault, Plugin as PluginConfig};
use crate::http::{Generation, route_faults};
use crate::metrics::Metrics;
use crate::plugin::{LoadOptions, Plugin, Prepared, Retry, Runtime};
use crate::storage::Storage;

/// Load the plugins, lay out their routes and say what each tenant has of them. All that can be
/// wrong with any of them is looked at before the tables of one are changed. What an earlier
/// generation has counted of its tenants goes on.
///
/// # Errors
/// All faults of the plugins at once, or the first of another kind, with what to do about it.
pub(super) async fn make(
    config: &Config,
    storage: &Arc<Storage>,
    runtime: &Runtime,
    metrics: &Arc<Metrics>,
    earlier: Option<&Generation>,
) -> anyhow::Result<Generation> {
    let callers = tenants::callers(config).map_err(ConfigurationFault::from)?;
    let prepared = prepare_all(config, storage, runtime).await?;
    let manifests = prepared.iter().map(|(_, prepared)| prepared.manifest());
    tenants::settings(config, manifests).map_err(|faults| ConfigurationFault::of(&faults))?;
    let plugins = install(config, prepared, storage, earlier).await?;
    let grants = tenants::grants(config, storage, &plugins, metrics, earlier).await?;
    let generation = Generation::new(&config.limits.ceiling, metrics, callers, grants, plugins)
        .map_err(|faults| ConfigurationFault(faults.join("\n")))?;
    storage.share_connections(tenants::connections(config, storage).await?);
    Ok(generation)
}

async fn prepare_all<'a>(
    config: &'a Config,
    storage: &Storage,
    runtime: &Runtime,
) -> Result<Vec<(&'a str, Prepared)>, ConfigurationFault> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for (name, plugin) in &config.plugins {
        match prepare(config, name, plugin, storage, runtime).await {
            Ok(prepared) => all.push((name.as_str(), prepared)),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(ConfigurationFault::of(&faults)) }
}

/// Everything but a change of its tables.
async fn prepare(
    config: &Config,
    name: &str,
    plugin: &PluginConfig,
    storage: &Storage,
    runtime: &Runtime,
) -> Result<Prepared, Vec<Fault>> {
    let component = configured::read(config, name, plugin).map_err(|fault| vec![fault])?;
    let faulty = |why: String| configured::faulty(config, name, plugin, &why);
    let prepared = Prepared::new(runtime, &component, load_options(config, name, plugin)).await;
    let prepared = prepared.map_err(|error| vec![faulty(error.to_string())])?;
    let manifest = prepared.manifest();
    configured::check_name(config, name, manifest).map_err(|fault| vec![fault])?;
    let faults = route_faults(manifest, &config.limits.ceiling);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(faulty).collect());
    }
    prepared.check(storage).await.map_err(|error| vec![faulty(error.to_string())])?;
    Ok(prepared)
}

fn load_options(config: &Config, name: &str, plugin: &PluginConfig) -> LoadOptions {
    LoadOptions {
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
    }
}

async fn install(
    config: &Config,
    prepared: Vec<(&str, Prepared)>,
    storage: &Arc<Storage>,
    earlier: Option<&Generation>,
) -> Result<Vec<Arc<Plugin>>, ConfigurationFault> {
    let mut plugins = Vec::new();
    for (name, prepared) in prepared {
        let mut installed = prepared.install(storage).await.map_err(|error| {
            configured::faulty(config, name, &config.plugins[name], &error.to_string())
        })?;
        if let Some(earlier) = earlier.and_then(|earlier| earlier.plugin(name)) {
            installed.take_the_place_of(earlier);
        }
        plugins.push(Arc::new(installed));
    }
    Ok(plugins)
}
