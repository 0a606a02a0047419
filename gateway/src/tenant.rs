//! Who asks: from a request's credentials to a tenant and its roles.
//!
//! No key can be configured yet, so every request is for the tenant `default`. That is only safe
//! on a loopback address, which [`Tenants::keyless`] checks.

use std::net::SocketAddr;

/// The tenant of requests without a key.
pub const DEFAULT_TENANT: &str = "default";

/// All tenants of this gateway, and who may ask for them.
#[derive(Debug)]
pub struct Tenants {
    anonymous: Caller,
}

/// Who asks, and for whom.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant's name.
    pub tenant: String,
    /// What the plugin is told.
    pub principal: Principal,
}

/// Who asks, as a plugin is told.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The name of the key, or "anonymous".
    pub subject: String,
    /// Roles in the plugin: reader, writer, admin.
    pub roles: Vec<String>,
}

/// Anybody on the network could read and write everything.
#[derive(Debug, thiserror::Error)]
#[error(
    "server.listen is {0}, which others can reach, and requests need no key yet: listen on a \
     loopback address such as 127.0.0.1:8080, behind a proxy that authenticates"
)]
pub struct NotLoopback(SocketAddr);

impl Tenants {
    /// One tenant for everybody.
    ///
    /// # Errors
    /// Others than this machine's users could connect to `listen`.
    pub fn keyless(listen: SocketAddr) -> Result<Self, NotLoopback> {
        if !listen.ip().is_loopback() {
            return Err(NotLoopback(listen));
        }
        let roles = ["reader", "writer", "admin"].map(str::to_owned).to_vec();
        let principal = Principal { subject: "anonymous".to_owned(), roles };
        Ok(Self { anonymous: Caller { tenant: DEFAULT_TENANT.to_owned(), principal } })
    }

    /// The caller of a request without a key.
    #[must_use]
    pub fn anonymous(&self) -> &Caller {
        &self.anonymous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_only_a_loopback_address_is_served() {
        for (listen, served) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("0.0.0.0:8080", false),
            ("192.168.1.7:8080", false),
            ("[::]:8080", false),
        ] {
            assert_eq!(Tenants::keyless(listen.parse().expect(listen)).is_ok(), served, "{listen}");
        }
    }
}
