//! `[server]`: listeners and connections.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where clients connect to. Without a tenant, only a loopback address is accepted.
    pub listen: SocketAddr,
    /// Where the operator connects to: health, metrics, reload. It asks for no key, so only a
    /// loopback address is accepted.
    pub admin_listen: SocketAddr,
    /// More connections than this wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may take to send a request's headers, in milliseconds. An idle
    /// connection is closed after it, too.
    pub header_timeout_ms: u64,
    /// From the end of the headers to the end of the body, in milliseconds.
    pub body_timeout_ms: u64,
    /// Whether this gateway calls what plugins have scheduled; else another one on the database
    /// does.
    pub schedules: bool,
    /// How long requests under way may take after the signal to stop, in milliseconds.
    pub shutdown_grace_ms: u64,
    /// The folder for compiled code. Empty: it is compiled at each start.
    pub cache_dir: PathBuf,
}

impl Server {
    /// The folder for compiled code, if there is to be one.
    #[must_use]
    pub fn cache_folder(&self) -> Option<&Path> {
        Some(self.cache_dir.as_path()).filter(|folder| !folder.as_os_str().is_empty())
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
            max_connections: 2_000,
            header_timeout_ms: 5_000,
            body_timeout_ms: 30_000,
            schedules: true,
            shutdown_grace_ms: 10_000,
            cache_dir: "data/cache".into(),
        }
    }
}
