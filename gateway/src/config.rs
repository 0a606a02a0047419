//! `gateway.toml`: every key, its meaning and its default. The annotated example in the
//! repository's root is parsed by a test and states these same defaults.
//!
//! Unknown keys are errors. An environment variable overrides a key: `LOGGIA_STORAGE__URL`
//! stands for `url` in `[storage]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

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
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where clients connect to. Without keys, only a loopback address is accepted.
    pub listen: SocketAddr,
    /// More connections than this wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may take to send a request's headers, in milliseconds. An idle
    /// connection is closed after it, too.
    pub header_timeout_ms: u64,
    /// From the end of the headers to the end of the body, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long requests under way may take after the signal to stop, in milliseconds.
    pub shutdown_grace_ms: u64,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// `sqlite:` and a path, or `postgres://…`.
    pub url: String,
    /// The name of an environment variable that holds the URL.
    pub url_env: Option<String>,
    /// A file that holds the URL.
    pub url_file: Option<PathBuf>,
    /// `PostgreSQL` connections.
    pub pool_size: u32,
    /// How long a request waits for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// How many requests may wait for a connection; more are refused at once.
    pub max_waiters: u32,
    /// Whether connections to `PostgreSQL` are encrypted, and what its certificate must be.
    pub tls: Tls,
    /// The authorities that may have signed its certificate, as PEM; absent: the machine's own.
    pub ca_file: Option<PathBuf>,
    /// The gateway's own certificate, as PEM, for a server that asks for one.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate, as PEM.
    pub key_file: Option<PathBuf>,
    /// Whether each statement is logged, with its duration and without its values.
    pub log_statements: bool,
    /// How often a request that lost a race runs again.
    pub retries: u32,
    /// The pause before the first of these runs, in milliseconds; doubled each time, with jitter.
    pub retry_backoff_ms: u64,
    /// How often what has expired is deleted, in seconds; 0: another gateway does it.
    pub sweep_interval_s: u64,
    /// Whether the numbers of documents and bytes are kept for each tenant and collection.
    pub statistics: bool,
    /// Whether `PostgreSQL` itself keeps tenants apart, too.
    pub row_level_security: bool,
}

/// Whether connections to `PostgreSQL` are encrypted: the names of libpq's `sslmode`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Never.
    Disable,
    /// Where the server can. Protects against nobody who is able to answer in its place.
    Prefer,
    /// Always, with any certificate.
    Require,
    /// The certificate must be signed by an authority that is trusted.
    VerifyCa,
    /// And it must be for the host of the URL.
    VerifyFull,
}

/// `[plugins.<name>]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The component, relative to the configuration file.
    pub path: PathBuf,
    /// The SHA-256 that the file must have, in hexadecimal digits.
    pub sha256: Option<String>,
    /// `tenant`: instances are kept warm for one tenant. `request`: a fresh one for each request.
    #[serde(default = "tenant_isolation")]
    pub isolation: Isolation,
    /// A warm instance is thrown away after so many requests.
    #[serde(default = "thousand")]
    pub max_requests_per_instance: u32,
    /// Changes of its tables that are refused otherwise.
    #[serde(default)]
    pub allow: BTreeSet<Permission>,
}

/// A change of a plugin's tables that is refused unless the operator permits it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Drop the tables of collections that it declares no more, with their documents.
    DropCollection,
    /// Drop the columns of fields that it declares no more. The bodies stay.
    DropField,
    /// Give a field another type.
    ChangeType,
    /// Fill a field from another member.
    ChangePath,
    /// Let documents stay that were to expire.
    DropExpiry,
}

impl Permission {
    /// Its name in `gateway.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DropCollection => "drop-collection",
            Self::DropField => "drop-field",
            Self::ChangeType => "change-type",
            Self::ChangePath => "change-path",
            Self::DropExpiry => "drop-expiry",
        }
    }
}

/// How instances of a plugin are shared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// An instance serves one tenant, at most so many requests, one after the other.
    Tenant,
    /// A fresh instance for each request.
    Request,
}

/// `[limits]`: what one request may consume.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One deadline for all of it, from the end of the body, in milliseconds.
    pub request_ms: u64,
    /// Time that the plugin may compute, in milliseconds.
    pub guest_cpu_ms: u64,
    /// From the first write to the end of the transaction, in milliseconds. Absent: 500 on
    /// `PostgreSQL`, 100 on `SQLite`, where it holds up all other writers.
    pub transaction_ms: Option<u64>,
    /// The largest request body.
    pub body_bytes: usize,
    /// The largest document.
    pub document_bytes: usize,
    /// The largest response body.
    pub response_bytes: usize,
    /// The most that one plugin instance's memory can be.
    pub plugin_memory_bytes: usize,
    /// Storage calls.
    pub storage_calls: u32,
    /// Documents and rows that it may read.
    pub documents_read: u32,
    /// Writes that it may apply.
    pub documents_written: u32,
    /// Bytes of log messages; more are dropped.
    pub log_bytes: usize,
    /// Requests of the whole gateway that may wait for a change at a time.
    pub waiting_requests: usize,
    /// The most that an operation's manifest may ask for.
    pub ceiling: Ceiling,
}

/// `[limits.ceiling]`: the most that an operation's manifest may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ceiling {
    /// See [`Limits::body_bytes`].
    pub body_bytes: usize,
    /// See [`Limits::document_bytes`].
    pub document_bytes: usize,
    /// See [`Limits::response_bytes`].
    pub response_bytes: usize,
    /// See [`Limits::request_ms`].
    pub request_ms: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_connections: 2_000,
            header_timeout_ms: 5_000,
            body_timeout_ms: 30_000,
            shutdown_grace_ms: 10_000,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            url: "sqlite:data/loggia.db".to_owned(),
            url_env: None,
            url_file: None,
            pool_size: 10,
            acquire_timeout_ms: 500,
            max_waiters: 256,
            tls: Tls::Prefer,
            ca_file: None,
            cert_file: None,
            key_file: None,
            log_statements: false,
            retries: 3,
            retry_backoff_ms: 50,
            sweep_interval_s: 30,
            statistics: false,
            row_level_security: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_ms: 3_000,
            guest_cpu_ms: 1_000,
            transaction_ms: None,
            body_bytes: 2 << 20,
            document_bytes: 2 << 20,
            response_bytes: 16 << 20,
            plugin_memory_bytes: 64 << 20,
            storage_calls: 1_000,
            documents_read: 100_000,
            documents_written: 20_000,
            log_bytes: 64 << 10,
            waiting_requests: 5_000,
            ceiling: Ceiling::default(),
        }
    }
}

impl Default for Ceiling {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            document_bytes: 16 << 20,
            response_bytes: 128 << 20,
            request_ms: 60_000,
        }
    }
}

/// Why there is no configuration: a text for the operator, with the file and the place in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Read a file and what the environment overrides in it.
    ///
    /// # Errors
    /// The file cannot be read, or holds something unknown or of the wrong type.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed =
            |why: &dyn std::fmt::Display| ConfigError(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let mut config = Self::parse(&text, std::env::vars()).map_err(|error| failed(&error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for plugin in config.plugins.values_mut() {
            plugin.path = folder.join(&plugin.path);
        }
        Ok(config)
    }

    /// Parse a text. The first parse is for its errors, which know lines and columns.
    fn parse(
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let failed = |error: toml::de::Error| ConfigError(error.to_string());
        let config: Self = toml::from_str(text).map_err(failed)?;
        let mut table: toml::Table = toml::from_str(text).map_err(failed)?;
        let mut overridden = false;
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix("LOGGIA_").filter(|path| path.contains("__")) {
                set(&mut table, &path.to_lowercase(), &value);
                overridden = true;
            }
        }
        if !overridden {
            return Ok(config);
        }
        toml::Value::Table(table)
            .try_into()
            .map_err(|error| ConfigError(format!("with the LOGGIA_… variables: {error}")))
    }
}

impl Storage {
    /// The URL, from wherever it is kept.
    ///
    /// # Errors
    /// The variable is not set, or the file cannot be read.
    pub fn resolve_url(&self) -> Result<String, ConfigError> {
        if let Some(name) = &self.url_env {
            let missing = |error| ConfigError(format!("storage.url_env names {name}: {error}"));
            return std::env::var(name).map_err(missing);
        }
        if let Some(path) = &self.url_file {
            let failed =
                |error| ConfigError(format!("storage.url_file {}: {error}", path.display()));
            return Ok(std::fs::read_to_string(path).map_err(failed)?.trim().to_owned());
        }
        Ok(self.url.clone())
    }
}

/// Set a key such as `storage__pool_size`. Text that is not a number or a boolean stays text.
fn set(table: &mut toml::Table, path: &str, text: &str) {
    let (mut keys, mut place) = (path.split("__").peekable(), table);
    while let Some(key) = keys.next() {
        if keys.peek().is_none() {
            let number = text.parse().map(toml::Value::Integer);
            let boolean = || text.parse().map(toml::Value::Boolean);
            let value = number.or_else(|_| boolean());
            let value = value.unwrap_or_else(|_| toml::Value::String(text.to_owned()));
            place.insert(key.to_owned(), value);
            return;
        }
        let below = place.entry(key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let toml::Value::Table(below) = below else {
            return;
        };
        place = below;
    }
}

fn tenant_isolation() -> Isolation {
    Isolation::Tenant
}

fn thousand() -> u32 {
    1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Config::parse(text, environment.iter().map(own))
    }

    #[test]
    fn the_example_states_the_defaults() {
        let example = parse(include_str!("../../gateway.toml"), &[]).expect("gateway.toml parses");
        let defaults = Config { plugins: example.plugins.clone(), ..Config::default() };
        assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
        assert!(example.plugins.contains_key("chat-sessions"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = parse("[server]\nlistenn = \"127.0.0.1:1\"\n", &[]).expect_err("must fail");
        let text = error.to_string();
        assert!(text.contains("listenn") && text.contains("line 2"), "{text}");
    }

    #[test]
    fn the_environment_overrides_a_key() {
        let environment =
            [("LOGGIA_STORAGE__URL", "postgres://x"), ("LOGGIA_STORAGE__POOL_SIZE", "3")];
        let config = parse("[storage]\nurl = \"sqlite:a\"\n", &environment).expect("parses");
        assert_eq!((config.storage.url.as_str(), config.storage.pool_size), ("postgres://x", 3));
        let error = parse("", &[("LOGGIA_STORAGE__POOLSIZE", "3")]).expect_err("must fail");
        assert!(error.to_string().contains("poolsize"), "{error}");
    }
}
