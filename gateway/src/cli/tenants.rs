//! From the tenants of the configuration to those of the gateway: who may ask, and what each has
//! of each plugin.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use super::ConfigurationFault;
use crate::config::{Config, Fault, Key, KeyPath, Limits, Tenant, hint};
use crate::http::{Generation, Grant, Grants};
use crate::manifest::{Manifest, SettingsFault};
use crate::metrics::Metrics;
use crate::plugin::Plugin;
use crate::storage::{self, Storage, StoredLimit};
use crate::tenant::{Caller, DEFAULT_TENANT, Digest, Principal, Tenants};

/// Who may ask.
///
/// # Errors
/// Without a tenant, others could connect to the gateway.
pub(super) fn callers(config: &Config) -> Result<Tenants, Fault> {
    if config.tenants.is_empty() {
        let plugins = config.plugins.keys().cloned();
        return Tenants::keyless(config.server.listen, plugins)
            .map_err(|error| config.fault(KeyPath::of("server").key("listen"), error.to_string()));
    }
    let keys = config.tenants.iter().flat_map(|(name, tenant)| {
        tenant.keys.iter().map(move |key| (digest(key), caller(config, name, tenant, key)))
    });
    Ok(Tenants::with_keys(keys))
}

fn digest(key: &Key) -> Digest {
    Digest::parse(&key.sha256).expect("the configuration has been checked")
}

fn caller(config: &Config, name: &str, tenant: &Tenant, key: &Key) -> Caller {
    let plugins = config.plugins.keys().filter(|plugin| tenant.has_plugin(plugin));
    let principals = plugins.map(|plugin| {
        let roles = key.roles.names_in(plugin);
        (plugin.clone(), Principal { subject: key.name.clone(), roles })
    });
    Caller { tenant: name.to_owned(), subject: key.name.clone(), principals: principals.collect() }
}

/// The settings of each plugin for each tenant that has it, by their names.
pub(super) type AllSettings = BTreeMap<(String, String), Value>;

/// Check what is set against what the plugins declare.
///
/// # Errors
/// All faults.
pub(super) fn settings<'a>(
    config: &Config,
    manifests: impl Iterator<Item = &'a Manifest>,
) -> Result<AllSettings, Vec<Fault>> {
    let without_a_key = BTreeMap::from([(DEFAULT_TENANT.to_owned(), Tenant::default())]);
    let tenants = if config.tenants.is_empty() { &without_a_key } else { &config.tenants };
    let (mut all, mut faults) = (BTreeMap::new(), Vec::new());
    for manifest in manifests {
        for (name, tenant) in tenants.iter().filter(|(_, of)| of.has_plugin(&manifest.name)) {
            let given = tenant.settings.get(&manifest.name).cloned().unwrap_or_default();
            match manifest.settings_for(&given.0) {
                Ok(settings) => drop(all.insert((name.clone(), manifest.name.clone()), settings)),
                Err(found) => {
                    let key = KeyPath::of("tenants").key(name).key("settings").key(&manifest.name);
                    faults.extend(found.into_iter().map(|fault| located(config, &key, fault)));
                }
            }
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(faults) }
}

fn located(config: &Config, settings: &KeyPath, fault: SettingsFault) -> Fault {
    match fault {
        SettingsFault::Unknown { name, known } => {
            let hint = hint(&name, known.iter().map(String::as_str));
            config.fault(settings.clone().key(&name), format!("there is no such setting; {hint}"))
        }
        SettingsFault::Invalid { pointer, why } => {
            let steps = pointer.split('/').skip(1);
            let key = steps.fold(settings.clone(), |key, step| match step.parse() {
                Ok(index) => key.index(index),
                Err(_) => key.key(step),
            });
            config.fault(key, why)
        }
    }
}

/// So many questions go to the database at a time: a thousand tenants are not to be asked for one
/// by one. None waits for a connection; `SQLite` commits those together that come together.
fn at_a_time(config: &Config, storage: &Storage) -> usize {
    if storage.is_sqlite() { 64 } else { config.storage.pool_size.try_into().unwrap_or(1) }
}

/// The tenants of the configuration by their names, as the database knows them from now on.
pub(super) type Known = HashMap<String, storage::Tenant>;

/// Let the database know the tenants.
pub(super) async fn known(config: &Config, storage: &Storage) -> anyhow::Result<Known> {
    let asked = tenant_names(config).into_iter().map(|name| async move {
        let tenant = storage.tenant(name).await.context("the database")?;
        anyhow::Ok((name.to_owned(), tenant))
    });
    // The compiler cannot follow the closure's lifetimes into a future that is sent.
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffer_unordered(at_a_time(config, storage)).try_collect().await
}

/// Let the database know the limits of the tenants' counts, and say what each tenant has.
pub(super) async fn grants(
    config: &Config,
    storage: &Storage,
    tenants: &Known,
    plugins: &[Arc<Plugin>],
    metrics: &Arc<Metrics>,
    earlier: Option<&Generation>,
) -> anyhow::Result<Grants> {
    let manifests = plugins.iter().map(|plugin| plugin.manifest());
    let settings = settings(config, manifests).map_err(|f| ConfigurationFault::of(&f))?;
    limit_all(config, storage, tenants, plugins, &settings).await?;
    let mut grants = Grants::default();
    for ((name, of_plugin), settings) in &settings {
        let tenant = (name.as_str(), tenants[name]);
        let grant = Grant::new(config, storage, tenant, of_plugin, settings, metrics);
        let grant = match earlier.and_then(|earlier| earlier.grant(name, of_plugin)) {
            Some(earlier) => grant.after(earlier),
            None => grant,
        };
        grants.insert(name, of_plugin, grant);
    }
    Ok(grants)
}

/// Set the limits of what each tenant stores with each plugin.
async fn limit_all(
    config: &Config,
    storage: &Storage,
    tenants: &Known,
    plugins: &[Arc<Plugin>],
    settings: &AllSettings,
) -> anyhow::Result<()> {
    for plugin in plugins {
        let stored = stored_limits(config, &plugin.manifest().name);
        let of_it = settings.iter().filter(|((_, name), _)| *name == plugin.manifest().name);
        let limiting = of_it.map(|((name, _), settings)| {
            limit(config, plugin, (name, tenants[name]), settings, &stored)
        });
        let limiting: Vec<_> = limiting.collect();
        let limiting = stream::iter(limiting).buffer_unordered(at_a_time(config, storage));
        limiting.try_collect::<()>().await.context("the database")?;
    }
    Ok(())
}

async fn limit(
    config: &Config,
    plugin: &Plugin,
    (name, tenant): (&str, storage::Tenant),
    settings: &Value,
    stored: &[StoredLimit],
) -> Result<(), storage::Error> {
    plugin.limit_counts(tenant, settings).await?;
    for limit in stored {
        let most = stored_limit(&limits(config, name, &plugin.manifest().name), *limit);
        plugin.limit_stored(tenant, *limit, most).await?;
    }
    Ok(())
}

/// The most connections that each tenant may have, in all plugins.
pub(super) fn connections(config: &Config, tenants: &Known) -> HashMap<storage::Tenant, u32> {
    // Without tenants nobody else wants one.
    let usual = if config.tenants.is_empty() {
        config.limits.connections.max(config.storage.pool_size)
    } else {
        config.limits.connections
    };
    let most = |name: &String| {
        config.tenants.get(name).and_then(|tenant| tenant.limits.connections).unwrap_or(usual)
    };
    tenants.iter().map(|(name, tenant)| (*tenant, most(name))).collect()
}

/// Without a tenant, everybody is one.
fn tenant_names(config: &Config) -> Vec<&str> {
    let without_a_key = config.tenants.is_empty().then_some(DEFAULT_TENANT);
    config.tenants.keys().map(String::as_str).chain(without_a_key).collect()
}

/// What a tenant may consume with a plugin.
fn limits(config: &Config, tenant: &str, plugin: &str) -> Limits {
    config.limits.with(&config.limit_overrides(tenant, plugin))
}

/// What some tenant may not store without an end. Counting it has a price for each write.
pub(super) fn stored_limits(config: &Config, plugin: &str) -> Vec<StoredLimit> {
    let tenants = tenant_names(config).into_iter();
    let limits: Vec<_> = tenants.map(|tenant| limits(config, tenant, plugin)).collect();
    let is_limited = |limit: &StoredLimit| limits.iter().any(|of| stored_limit(of, *limit) > 0);
    StoredLimit::ALL.into_iter().filter(is_limited).collect()
}

fn stored_limit(limits: &Limits, limit: StoredLimit) -> u64 {
    match limit {
        StoredLimit::Documents => limits.stored_documents,
        StoredLimit::Bytes => limits.stored_bytes,
    }
}
