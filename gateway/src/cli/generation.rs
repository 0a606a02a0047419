//! From a configuration to a generation that can be served: the start and each reload make theirs
//! here. Begin reading at [`make`].

use std::sync::Arc;
use std::time::Duration;

use super::{ConfigurationFault, configured, tenants};
use crate::config::{Config, Fault, Plugin as PluginConfig};
use crate::http::{Generation, route_faults};
use crate::metrics::Metrics;
use crate::plugin::{Declared, LoadError, LoadOptions, Plugin, Prepared, Retry, Runtime};
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
    let prepared = prepare_all(config, storage, runtime, earlier).await?;
    let manifests = prepared.iter().map(|(_, next)| next.declared().manifest());
    tenants::settings(config, manifests).map_err(|faults| ConfigurationFault::of(&faults))?;
    let plugins = install(config, prepared, storage, earlier).await?;
    let tenants = tenants::known(config, storage).await?;
    let grants = tenants::grants(config, storage, &tenants, &plugins, metrics, earlier).await?;
    let generation = Generation::new(&config.limits.ceiling, metrics, callers, grants, plugins)
        .map_err(|faults| ConfigurationFault(faults.join("\n")))?;
    storage.share_connections(tenants::connections(config, &tenants));
    Ok(generation)
}

/// A plugin of the generation to come.
enum Next {
    New(Box<Prepared>),
    /// That of the earlier generation, whose file and options have not changed. It goes on with its
    /// warm instances.
    Same(Arc<Plugin>),
}

impl Next {
    fn declared(&self) -> &Declared {
        match self {
            Self::New(prepared) => prepared.declared(),
            Self::Same(plugin) => plugin.declared(),
        }
    }

    /// Make its tables, and let it take the place of the earlier one.
    async fn install(
        self,
        storage: &Arc<Storage>,
        earlier: Option<&Plugin>,
    ) -> Result<Arc<Plugin>, LoadError> {
        match self {
            Self::Same(plugin) => plugin.install_again().await.map(|()| plugin),
            Self::New(prepared) => {
                let mut installed = prepared.install(storage).await?;
                if let Some(earlier) = earlier {
                    installed.take_the_place_of(earlier);
                }
                Ok(Arc::new(installed))
            }
        }
    }
}

async fn prepare_all<'a>(
    config: &'a Config,
    storage: &Storage,
    runtime: &Runtime,
    earlier: Option<&Generation>,
) -> Result<Vec<(&'a str, Next)>, ConfigurationFault> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for (name, plugin) in &config.plugins {
        let earlier = earlier.and_then(|earlier| earlier.plugin(name));
        match prepare(config, name, plugin, storage, runtime, earlier).await {
            Ok(next) => all.push((name.as_str(), next)),
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
    earlier: Option<&Arc<Plugin>>,
) -> Result<Next, Vec<Fault>> {
    let component = configured::read(config, name, plugin).map_err(|fault| vec![fault])?;
    let faulty = |why: String| configured::faulty(config, name, plugin, &why);
    let options = load_options(config, name, plugin);
    let next = match earlier.filter(|earlier| earlier.is_made_of(&component, &options)) {
        Some(earlier) => Next::Same(Arc::clone(earlier)),
        None => {
            let prepared = Prepared::new(runtime, &component, options).await;
            Next::New(Box::new(prepared.map_err(|error| vec![faulty(error.to_string())])?))
        }
    };
    let manifest = next.declared().manifest();
    configured::check_name(config, name, manifest).map_err(|fault| vec![fault])?;
    let faults = route_faults(manifest, &config.limits.ceiling);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(faulty).collect());
    }
    let checked = next.declared().check(storage).await;
    checked.map_err(|error| vec![faulty(error.to_string())])?;
    Ok(next)
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
    prepared: Vec<(&str, Next)>,
    storage: &Arc<Storage>,
    earlier: Option<&Generation>,
) -> Result<Vec<Arc<Plugin>>, ConfigurationFault> {
    let mut plugins = Vec::new();
    for (name, next) in prepared {
        let earlier = earlier.and_then(|earlier| earlier.plugin(name)).map(AsRef::as_ref);
        plugins.push(next.install(storage, earlier).await.map_err(|error| {
            configured::faulty(config, name, &config.plugins[name], &error.to_string())
        })?);
    }
    Ok(plugins)
}
