//! `gateway.toml`: every key, its meaning and its default. The annotated example in the
//! repository's root is parsed by a test and states these same defaults.
//!
//! Unknown keys are errors. An environment variable overrides a key: `LOGGIA_STORAGE__URL`
//! stands for `url` in `[storage]`. Begin reading at [`Config::load`].

mod check;
mod document;
mod fault;
mod limits;
mod plugin;
mod read;
mod server;
mod storage;
mod suggest;
mod tenant;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

pub use check::is_key_name;
use fault::Source;
pub use fault::{Fault, KeyPath};
pub use limits::{Ceiling, LimitOverrides, Limits};
pub use plugin::{Isolation, Permission, Plugin};
pub use server::Server;
pub use storage::{Storage, Tls};
pub use suggest::hint;
pub use tenant::{Key, Role, Roles, Settings, Tenant};

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Listeners and connections.
    pub server: Server,
    /// The database.
    pub storage: Storage,
    /// Plugins by the name under which their manifest declares them.
    pub plugins: BTreeMap<String, Plugin>,
    /// What one request may consume.
    pub limits: Limits,
    /// Tenants by name. Without any, requests need no key and are for the tenant `default`.
    pub tenants: BTreeMap<String, Tenant>,
    /// Where all of it came from.
    #[serde(skip)]
    source: Source,
}

/// Why there is no configuration: all of its faults, each with its place.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(Vec<Fault>);

impl Config {
    /// Read a file and what the environment overrides in it.
    ///
    /// # Errors
    /// The file cannot be read, or has faults: all of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(vec![Fault::unreadable(path, &error)]))?;
        let source = Source::new(path, text, std::env::vars());
        let mut config = read::read(source).map_err(ConfigError)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for plugin in config.plugins.values_mut() {
            plugin.path = folder.join(&plugin.path);
        }
        Ok(config)
    }

    /// A fault of the value at a key that came to light later, with its place in the file.
    #[must_use]
    pub fn fault(&self, key: KeyPath, what: impl Into<String>) -> Fault {
        self.source.fault(key, what.into())
    }

    /// What the operator says of a tenant's requests to a plugin, where it differs from
    /// [`Config::limits`]: the tenant's word goes before the plugin's.
    #[must_use]
    pub fn limit_overrides(&self, tenant: &str, plugin: &str) -> LimitOverrides {
        let of_plugin = self.plugins.get(plugin).map(|plugin| &plugin.limits);
        let of_plugin = of_plugin.cloned().unwrap_or_default();
        match self.tenants.get(tenant) {
            Some(tenant) => tenant.limits.or(&of_plugin),
            None => of_plugin,
        }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl ConfigError {
    /// The faults in the order of the file.
    #[must_use]
    pub fn into_faults(self) -> Vec<Fault> {
        self.0
    }
}

#[cfg(test)]
mod tests;
