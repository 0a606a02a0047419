//! Who asks: from a request's credentials to a tenant and its roles.
//!
//! No tenant can be configured yet, so every request runs as the tenant `default`. That is only
//! safe on a loopback address, which [`Tenants::keyless`] checks.

use std::net::SocketAddr;

use crate::plugin::Principal;
use crate::storage::{Error, Storage, Tenant};

/// The tenant of requests without a key.
pub const DEFAULT_TENANT: &str = "default";

/// All tenants of this gateway.
#[derive(Debug)]
pub struct Tenants {
    default: Tenant,
}

/// Who asks, and for whom.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose documents.
    pub tenant: Tenant,
    /// The tenant's name, for the log.
    pub tenant_name: &'static str,
    /// What the plugin is told.
    pub principal: Principal,
}

/// Why a gateway without keys does not serve.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// Anybody on the network could read and write everything.
    #[error(
        "server.listen is {0}, which others can reach, and requests need no key yet: \
         listen on a loopback address such as 127.0.0.1:8080, behind a proxy that authenticates"
    )]
    NotLoopback(SocketAddr),
    /// The database's failure.
    #[error(transparent)]
    Storage(#[from] Error),
}

impl Tenants {
    /// One tenant for everybody.
    ///
    /// # Errors
    /// Others than this machine's users could connect to `listen`, or the database failed.
    pub async fn keyless(storage: &Storage, listen: SocketAddr) -> Result<Self, TenantError> {
        if !listen.ip().is_loopback() {
            return Err(TenantError::NotLoopback(listen));
        }
        Ok(Self { default: storage.tenant(DEFAULT_TENANT).await? })
    }

    /// The caller of a request without a key.
    #[must_use]
    pub fn anonymous(&self) -> Caller {
        let roles = ["reader", "writer", "admin"].map(str::to_owned).to_vec();
        Caller {
            tenant: self.default,
            tenant_name: DEFAULT_TENANT,
            principal: Principal { subject: "anonymous".to_owned(), roles },
        }
    }
}
