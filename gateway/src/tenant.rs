//! Who asks: from a request's credentials to a tenant and its roles.
//!
//! Begin reading at [`Tenants::authenticate`]. All of it is worked out when the configuration is
//! loaded, and does not change.

mod key;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

pub use key::{Digest, generate};

/// The tenant of requests without a key.
pub const DEFAULT_TENANT: &str = "default";

/// All tenants of this gateway, and who may ask for them.
#[derive(Debug)]
pub struct Tenants(Access);

#[derive(Debug)]
enum Access {
    /// Everybody is this caller.
    Keyless(Arc<Caller>),
    /// Callers by the beginning of the digest of their key, whose rest is compared in constant
    /// time.
    Keys(HashMap<[u8; 8], Vec<(Digest, Arc<Caller>)>>),
}

/// Who asks, and for whom.
#[derive(Debug)]
pub struct Caller {
    /// The tenant's name.
    pub tenant: String,
    /// The name of the key, or "anonymous".
    pub subject: String,
    /// What each plugin is told of it. A plugin that is not here is not the tenant's.
    pub principals: HashMap<String, Principal>,
}

/// Who asks, as a plugin is told.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The name of the key, or "anonymous".
    pub subject: String,
    /// Roles in the plugin, with those that they include: reader, writer, admin.
    pub roles: Vec<String>,
}

/// Why nobody is known to ask. None of it says whether there is such a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unauthenticated {
    /// No `Authorization`, or none with a key.
    NoKey,
    /// No key at all: it was cut or mistyped.
    NotAKey,
    /// It could be a key, and is not one of this gateway.
    UnknownKey,
}

/// Anybody on the network could read and write everything.
#[derive(Debug, thiserror::Error)]
#[error(
    "others can reach {0}, and without a tenant requests need no key: configure a tenant (`loggia \
     key new` prints what it needs), or listen on a loopback address such as 127.0.0.1:8080"
)]
pub struct NotLoopback(SocketAddr);

impl Tenants {
    /// One tenant for everybody, with all roles in these plugins.
    ///
    /// # Errors
    /// Others than this machine's users could connect to `listen`.
    pub fn keyless(
        listen: SocketAddr,
        plugins: impl IntoIterator<Item = String>,
    ) -> Result<Self, NotLoopback> {
        if !listen.ip().is_loopback() {
            return Err(NotLoopback(listen));
        }
        let roles = ["reader", "writer", "admin"].map(str::to_owned).to_vec();
        let principal = Principal { subject: "anonymous".to_owned(), roles };
        let principals = plugins.into_iter().map(|plugin| (plugin, principal.clone())).collect();
        let caller =
            Caller { tenant: DEFAULT_TENANT.to_owned(), subject: principal.subject, principals };
        Ok(Self(Access::Keyless(Arc::new(caller))))
    }

    /// Those who have these keys.
    #[must_use]
    pub fn with_keys(callers: impl IntoIterator<Item = (Digest, Caller)>) -> Self {
        let mut keys: HashMap<[u8; 8], Vec<_>> = HashMap::new();
        for (digest, caller) in callers {
            keys.entry(digest.beginning()).or_default().push((digest, Arc::new(caller)));
        }
        Self(Access::Keys(keys))
    }

    /// Who asks, by the values of the header `Authorization`.
    ///
    /// # Errors
    /// See [`Unauthenticated`].
    pub fn authenticate<'a>(
        &self,
        authorization: impl Iterator<Item = &'a [u8]>,
    ) -> Result<&Arc<Caller>, Unauthenticated> {
        let keys = match &self.0 {
            Access::Keyless(caller) => return Ok(caller),
            Access::Keys(keys) => keys,
        };
        let key = bearer(authorization).ok_or(Unauthenticated::NoKey)?;
        let digest = Digest::of_key(key).ok_or(Unauthenticated::NotAKey)?;
        let alike = keys.get(&digest.beginning()).into_iter().flatten();
        let mut found = alike.filter(|(known, _)| known.0.ct_eq(&digest.0).into());
        found.next().map(|(_, caller)| caller).ok_or(Unauthenticated::UnknownKey)
    }
}

/// What stands behind `Bearer` in the one header of this name.
fn bearer<'a>(mut authorization: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    let (Some(value), None) = (authorization.next(), authorization.next()) else {
        return None;
    };
    let (scheme, key) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
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
            let listen_on = listen.parse().expect(listen);
            assert_eq!(Tenants::keyless(listen_on, []).is_ok(), served, "{listen}");
        }
    }

    fn caller(tenant: &str) -> Caller {
        let (tenant, subject) = (tenant.to_owned(), "k".to_owned());
        Caller { tenant, subject, principals: HashMap::new() }
    }

    /// A gateway with one key, and that key.
    fn with_a_key() -> (Tenants, String) {
        let key = generate();
        let digest = Digest::of_key(&key).expect("it is a key");
        (Tenants::with_keys([(digest, caller("acme"))]), key)
    }

    fn ask(tenants: &Tenants, headers: &[&str]) -> Result<String, Unauthenticated> {
        let caller = tenants.authenticate(headers.iter().map(|header| header.as_bytes()));
        caller.map(|caller| caller.tenant.clone())
    }

    #[test]
    fn a_key_is_known_by_its_digest() {
        let (tenants, key) = with_a_key();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(ask(&tenants, &[&format!("{scheme} {key}")]), Ok("acme".to_owned()));
        }
        let other = format!("Bearer {}", generate());
        assert_eq!(ask(&tenants, &[&other]), Err(Unauthenticated::UnknownKey));
    }

    #[test]
    fn what_is_no_key_is_refused_before_it_is_looked_for() {
        let (tenants, key) = with_a_key();
        let good = format!("Bearer {key}");
        for headers in [&[][..], &["Basic YTpi"], &["Bearer"], &[&key], &[&good, &good]] {
            assert_eq!(ask(&tenants, headers), Err(Unauthenticated::NoKey), "{headers:?}");
        }
        let cut = &good[..good.len() - 1];
        let longer = format!("{good}0");
        for header in ["Bearer ", "Bearer x", cut, &longer, &good.to_uppercase()] {
            assert_eq!(ask(&tenants, &[header]), Err(Unauthenticated::NotAKey), "{header}");
        }
    }

    #[test]
    fn keys_whose_digests_begin_alike_are_told_apart() {
        let key = generate();
        let digest = Digest::of_key(&key).expect("it is a key");
        let mut other = digest;
        other.0[31] ^= 1;
        let tenants = Tenants::with_keys([(other, caller("other")), (digest, caller("acme"))]);
        assert_eq!(ask(&tenants, &[&format!("Bearer {key}")]), Ok("acme".to_owned()));
    }
}
