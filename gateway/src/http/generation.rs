//! A generation: all that comes from the configuration and the files of the plugins. A reload
//! makes another one; a request is answered by the one that it found when it came.

use std::sync::Arc;

use super::grant::{Grant, Grants};
use super::route::Router;
use super::schedule::{self, Schedule};
use crate::config::Ceiling;
use crate::metrics::Metrics;
use crate::plugin::Plugin;
use crate::tenant::Tenants;

/// Plugins, routes, tenants and limits, which go together.
pub struct Generation {
    /// 1 at the start, one more for each reload.
    pub(super) number: u64,
    pub(super) plugins: Vec<Arc<Plugin>>,
    pub(super) tenants: Tenants,
    pub(super) grants: Grants,
    pub(super) router: Router,
    /// What the gateway calls by itself.
    pub(super) schedules: Vec<Arc<Schedule>>,
}

/// What is served of a plugin.
#[derive(Clone, Debug)]
pub struct PluginVersion {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub version: String,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, plugins, .. } = self;
        f.debug_struct("Generation").field("number", number).field("plugins", plugins).finish()
    }
}

impl Generation {
    /// Lay out the routes of these plugins.
    ///
    /// # Errors
    /// Routes that collide, or limits above the ceiling; each fault in a line.
    pub fn new(
        ceiling: &Ceiling,
        metrics: &Metrics,
        tenants: Tenants,
        grants: Grants,
        plugins: Vec<Arc<Plugin>>,
    ) -> Result<Self, Vec<String>> {
        let router = Router::new(&plugins, ceiling, metrics)?;
        let schedules = schedule::all(&plugins, &router);
        Ok(Self { number: 1, plugins, tenants, grants, router, schedules })
    }

    /// 1 at the start, one more for each reload.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it serves.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginVersion> {
        let version = |plugin: &Arc<Plugin>| PluginVersion {
            name: plugin.manifest().name.clone(),
            version: plugin.manifest().version.clone(),
            sha256: plugin.sha256().to_owned(),
        };
        self.plugins.iter().map(version).collect()
    }

    /// The plugin of this name.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.iter().find(|plugin| plugin.manifest().name == name)
    }

    /// What a tenant has of a plugin; `None` where it does not have it.
    #[must_use]
    pub fn grant(&self, tenant: &str, plugin: &str) -> Option<&Grant> {
        self.grants.find(tenant, plugin)
    }

    /// Let the metrics say what is served.
    pub(super) fn announce(&self, metrics: &Metrics) {
        let plugins = self.plugins();
        let versions = plugins.iter().map(|p| (p.name.as_str(), p.version.as_str(), &*p.sha256));
        metrics.set_generation(self.number, versions);
    }
}
