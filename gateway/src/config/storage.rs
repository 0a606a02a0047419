//! `[storage]`: the database.

use std::path::PathBuf;

use serde::Deserialize;

use super::fault::KeyPath;

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

impl Storage {
    /// The URL, from wherever it is kept.
    ///
    /// # Errors
    /// The variable is not set, or the file cannot be read: the key that names it, and why.
    pub fn resolve_url(&self) -> Result<String, (KeyPath, String)> {
        let key = |name| KeyPath::of("storage").key(name);
        if let Some(name) = &self.url_env {
            return std::env::var(name)
                .map_err(|error| (key("url_env"), format!("the variable {name}: {error}")));
        }
        if let Some(path) = &self.url_file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| (key("url_file"), format!("{}: {error}", path.display())))?;
            return Ok(text.trim().to_owned());
        }
        Ok(self.url.clone())
    }
}
