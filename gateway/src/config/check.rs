//! What cannot be said by types: names that must exist elsewhere in the file, forms of texts,
//! numbers that make no sense.

use std::collections::{BTreeSet, HashMap};

use super::document::Document;
use super::fault::KeyPath;
use super::limits::{Ceiling, LimitOverrides};
use super::suggest::hint;
use super::tenant::{Key, Roles, Tenant};
use super::{Config, Plugin};

/// A fault, without its place.
pub(super) type Found = (KeyPath, String);

/// All faults of a configuration whose values have the right types.
pub(super) fn faults(config: &Config) -> Vec<Found> {
    let mut found: Vec<Found> = admin_faults(config).into_iter().collect();
    for (name, plugin) in &config.plugins {
        found.extend(plugin_faults(config, name, plugin));
    }
    found.extend(limit_faults(config));
    let mut digests = HashMap::new();
    for (name, tenant) in &config.tenants {
        let key = KeyPath::of("tenants").key(name);
        found.extend(tenant_faults(config, &key, name, tenant));
        for (number, of_tenant) in tenant.keys.iter().enumerate() {
            let key = key.clone().key("keys").index(number);
            found.extend(key_faults(&key, of_tenant));
            found.extend(role_faults(config, tenant, &key, &of_tenant.roles));
            found.extend(repeated_digest(&mut digests, key, of_tenant));
        }
    }
    found
}

/// Whoever can connect there needs no key.
fn admin_faults(config: &Config) -> Option<Found> {
    let key = KeyPath::of("server").key("admin_listen");
    let what = "others can reach this address, and the admin listener asks for no key: use a \
                loopback address such as 127.0.0.1:9090";
    let reachable = !config.server.admin_listen.ip().is_loopback();
    reachable.then(|| (key, what.to_owned()))
}

/// Integers that may be 0; what it means stands in `gateway.toml`.
const MAY_BE_ZERO: [&str; 14] = [
    "shutdown_grace_ms",
    "retries",
    "retry_backoff_ms",
    "sweep_interval_s",
    "max_waiters",
    "documents_read",
    "documents_written",
    "log_bytes",
    "queued_requests",
    "waiting_requests",
    "requests_per_second",
    "quarantine_traps",
    "stored_documents",
    "stored_bytes",
];

/// A size, a time or a number that is 0 and lets nothing through.
pub(super) fn zeros(document: &Document<'_>) -> Vec<Found> {
    let faults = document.zeros().into_iter().filter(|key| {
        let names: Vec<&str> = key.names().collect();
        let is_setting = names.first() == Some(&"tenants") && names.get(2) == Some(&"settings");
        !is_setting && names.last().is_some_and(|name| !MAY_BE_ZERO.contains(name))
    });
    faults.map(|key| (key, "it must be at least 1".to_owned())).collect()
}

fn plugin_faults(config: &Config, name: &str, plugin: &Plugin) -> Vec<Found> {
    let key = KeyPath::of("plugins").key(name);
    let mut found = Vec::new();
    if plugin.path.as_os_str().is_empty() {
        let what = "it is missing: name the component's file, such as \"plugins/notes.wasm\"";
        found.push((key.clone().key("path"), what.to_owned()));
    }
    if let Some(sha256) = &plugin.sha256
        && !is_digest(sha256)
    {
        found.push((key.clone().key("sha256"), NO_DIGEST.to_owned()));
    }
    let limits = key.key("limits");
    if plugin.limits.connections.is_some() {
        let what = "it is of a tenant, in all plugins: set it in [limits] or [tenants.NAME.limits]";
        found.push((limits.clone().key("connections"), what.to_owned()));
    }
    found.extend(above(&config.limits.ceiling, &limits, &plugin.limits));
    found
}

fn limit_faults(config: &Config) -> Vec<Found> {
    let limits = &config.limits;
    let own = LimitOverrides {
        request_ms: Some(limits.request_ms),
        body_bytes: Some(limits.body_bytes),
        document_bytes: Some(limits.document_bytes),
        response_bytes: Some(limits.response_bytes),
        documents_written: Some(limits.documents_written),
        transaction_ms: Some(limits.transaction_ms),
        ..LimitOverrides::default()
    };
    above(&limits.ceiling, &KeyPath::of("limits"), &own)
}

/// Limits above those that an operator has set for all.
fn above(ceiling: &Ceiling, key: &KeyPath, limits: &LimitOverrides) -> Vec<Found> {
    let bytes = |value: Option<usize>| value.map(|value| value as u64);
    let pairs = [
        ("request_ms", limits.request_ms, ceiling.request_ms),
        ("transaction_ms", limits.transaction_ms.flatten(), ceiling.transaction_ms),
        ("body_bytes", bytes(limits.body_bytes), ceiling.body_bytes as u64),
        ("document_bytes", bytes(limits.document_bytes), ceiling.document_bytes as u64),
        ("response_bytes", bytes(limits.response_bytes), ceiling.response_bytes as u64),
        (
            "documents_written",
            limits.documents_written.map(u64::from),
            u64::from(ceiling.documents_written),
        ),
    ];
    let above = pairs.into_iter().filter(|(_, value, most)| value.is_some_and(|v| v > *most));
    above
        .map(|(name, _, most)| {
            let what =
                format!("it is more than limits.ceiling.{name} = {most}; raise that as well");
            (key.clone().key(name), what)
        })
        .collect()
}

fn tenant_faults(config: &Config, key: &KeyPath, name: &str, tenant: &Tenant) -> Vec<Found> {
    let mut found = Vec::new();
    if !is_name(name) {
        let what = "a tenant's name has lower-case letters, digits and single hyphens between \
                    them, begins with a letter, and is no longer than 63";
        found.push((key.clone(), what.to_owned()));
    }
    if tenant.keys.is_empty() {
        let what = "nobody can ask for this tenant: it has no key; `loggia key new` makes one";
        found.push((key.clone().key("keys"), what.to_owned()));
    }
    for (number, plugin) in tenant.plugins.iter().flatten().enumerate() {
        if !config.plugins.contains_key(plugin) {
            let key = key.clone().key("plugins").index(number);
            found.push((key, no_such_plugin(config, plugin)));
        }
    }
    for plugin in tenant.settings.keys() {
        let key = key.clone().key("settings").key(plugin);
        found.extend(not_its_plugin(config, tenant, plugin).map(|what| (key, what)));
    }
    found.extend(above(&config.limits.ceiling, &key.clone().key("limits"), &tenant.limits));
    found.extend(repeated_names(key, tenant));
    found
}

/// Two keys of a tenant with one name could not be told apart in logs.
fn repeated_names(key: &KeyPath, tenant: &Tenant) -> Vec<Found> {
    let mut names = BTreeSet::new();
    let repeated = tenant.keys.iter().enumerate().filter(|(_, of_tenant)| {
        !of_tenant.name.is_empty() && !names.insert(of_tenant.name.as_str())
    });
    repeated
        .map(|(number, _)| {
            let what = "another key of this tenant has this name";
            (key.clone().key("keys").index(number).key("name"), what.to_owned())
        })
        .collect()
}

fn key_faults(key: &KeyPath, of_tenant: &Key) -> Vec<Found> {
    let mut found = Vec::new();
    if !is_key_name(&of_tenant.name) {
        let what = "a key's name has 1 to 63 letters, digits and characters of ._@-";
        found.push((key.clone().key("name"), what.to_owned()));
    }
    if of_tenant.sha256.starts_with("loggia_") {
        let what = "this is the key itself, which no file should hold: put the sha256 here that \
                    `loggia key new` has printed";
        found.push((key.clone().key("sha256"), what.to_owned()));
    } else if !is_digest(&of_tenant.sha256) {
        found.push((key.clone().key("sha256"), NO_DIGEST.to_owned()));
    }
    found
}

const NO_DIGEST: &str = "a SHA-256 has 64 hexadecimal digits";

/// A key that is in the file twice could be of either tenant.
fn repeated_digest(
    digests: &mut HashMap<String, KeyPath>,
    key: KeyPath,
    of_tenant: &Key,
) -> Option<Found> {
    if !is_digest(&of_tenant.sha256) {
        return None;
    }
    let first = digests.insert(of_tenant.sha256.to_lowercase(), key.clone())?;
    Some((key.key("sha256"), format!("{first} is the same key; each key is of one tenant")))
}

fn role_faults(config: &Config, tenant: &Tenant, key: &KeyPath, roles: &Roles) -> Vec<Found> {
    let key = key.clone().key("roles");
    let none = "it may do nothing: give it roles, such as [\"writer\"]".to_owned();
    match roles {
        Roles::Everywhere(roles) if roles.is_empty() => vec![(key, none)],
        Roles::Everywhere(_) => Vec::new(),
        Roles::ByPlugin(plugins) if plugins.is_empty() => vec![(key, none)],
        Roles::ByPlugin(plugins) => {
            let faults = plugins.keys().filter_map(|plugin| {
                let what = not_its_plugin(config, tenant, plugin)?;
                Some((key.clone().key(plugin), what))
            });
            faults.collect()
        }
    }
}

fn not_its_plugin(config: &Config, tenant: &Tenant, plugin: &str) -> Option<String> {
    if !config.plugins.contains_key(plugin) {
        return Some(no_such_plugin(config, plugin));
    }
    let own = tenant.has_plugin(plugin);
    (!own).then(|| format!("the tenant does not have the plugin {plugin}; add it to its plugins"))
}

fn no_such_plugin(config: &Config, plugin: &str) -> String {
    let names = config.plugins.keys().map(String::as_str);
    format!("[plugins] has no {plugin}; {}", hint(plugin, names))
}

fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('-').all(word)
}

/// Whether it can be a key's name: it stands in logs, and plugins may store it.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._@-".contains(&b);
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
