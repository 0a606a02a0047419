//! `[plugins.NAME]`: which components are served, and how.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::limits::LimitOverrides;

/// `[plugins.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plugin {
    /// The component, relative to the configuration file.
    pub path: PathBuf,
    /// The SHA-256 that the file must have, in hexadecimal digits.
    pub sha256: Option<String>,
    /// `tenant`: instances are kept warm for one tenant. `request`: a fresh one for each request.
    pub isolation: Isolation,
    /// A warm instance is thrown away after so many requests.
    pub max_requests_per_instance: u32,
    /// Changes of its tables that are refused otherwise.
    pub allow: BTreeSet<Permission>,
    /// Limits that differ for it.
    pub limits: LimitOverrides,
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
    /// All that there are.
    pub const ALL: [Self; 5] = [
        Self::DropCollection,
        Self::DropField,
        Self::ChangeType,
        Self::ChangePath,
        Self::DropExpiry,
    ];

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

impl Plugin {
    /// A component as it is served where nothing is said.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, ..Self::default() }
    }
}

/// Without a path, which must be given.
impl Default for Plugin {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            sha256: None,
            isolation: Isolation::Tenant,
            max_requests_per_instance: 1_000,
            allow: BTreeSet::new(),
            limits: LimitOverrides::default(),
        }
    }
}
