//! The plugins that a configuration names, as far as they can be looked at without a database.

use sha2::{Digest as _, Sha256};

use crate::config::{Config, Fault, KeyPath, Plugin};
use crate::http::route_faults;
use crate::manifest::Manifest;
use crate::plugin::{Runtime, describe};
use crate::storage::Schema;
use crate::storage::statement::Dialect;

/// The component's bytes, if they are those that the operator has pinned.
pub(super) fn read(config: &Config, name: &str, plugin: &Plugin) -> Result<Vec<u8>, Fault> {
    let key = KeyPath::of("plugins").key(name);
    let path = plugin.path.display();
    let component = std::fs::read(&plugin.path).map_err(|error| {
        let what = "build it with `loggia plugin build`, or correct the path";
        config.fault(key.clone().key("path"), format!("{path}: {error}; {what}"))
    })?;
    let digest: String = Sha256::digest(&component).iter().map(|b| format!("{b:02x}")).collect();
    match &plugin.sha256 {
        Some(pinned) if !pinned.eq_ignore_ascii_case(&digest) => {
            let what = format!("{path} has the SHA-256 {digest}; is it another version?");
            Err(config.fault(key.key("sha256"), what))
        }
        _ => Ok(component),
    }
}

/// Whether the plugin is the one that the configuration means.
pub(super) fn check_name(config: &Config, name: &str, manifest: &Manifest) -> Result<(), Fault> {
    if manifest.name == name {
        return Ok(());
    }
    let what = format!("the plugin calls itself {}; use that name in [plugins]", manifest.name);
    Err(config.fault(KeyPath::of("plugins").key(name), what))
}

/// A fault of the component itself.
pub(super) fn faulty(config: &Config, name: &str, plugin: &Plugin, why: &str) -> Fault {
    let what = format!("{}: {why}", plugin.path.display());
    config.fault(KeyPath::of("plugins").key(name), what)
}

/// What a plugin declares, if it could be served. Its tables are not looked at.
pub(super) async fn examine(
    config: &Config,
    runtime: &Runtime,
    dialect: Dialect,
    (name, plugin): (&str, &Plugin),
) -> Result<Manifest, Vec<Fault>> {
    let component = read(config, name, plugin).map_err(|fault| vec![fault])?;
    let one = |why: String| faulty(config, name, plugin, &why);
    let all = |found: Vec<String>| found.into_iter().map(one).collect::<Vec<_>>();
    let memory_bytes = config.limits.with(&plugin.limits).plugin_memory_bytes;
    let text = describe(runtime, &component, memory_bytes).await;
    let text = text.map_err(|error| vec![one(error.to_string())])?;
    let manifest = Manifest::parse(&text).map_err(all)?;
    check_name(config, name, &manifest).map_err(|fault| vec![fault])?;
    let mut faults = Schema::compile(&manifest, dialect).err().unwrap_or_default();
    faults.extend(route_faults(&manifest, &config.limits.ceiling));
    if faults.is_empty() { Ok(manifest) } else { Err(all(faults)) }
}
