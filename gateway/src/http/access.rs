//! Who asks, and whether they may: before anything of a plugin runs.

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::grant::{Grant, RequestLimits};
use super::problem::Problem;
use super::route::Route;
use super::{Generation, role};
use crate::tenant::{Principal, Unauthenticated};

/// Somebody who may ask for an operation.
pub(super) struct Access<'a> {
    pub(super) principal: &'a Principal,
    pub(super) grant: &'a Grant,
    pub(super) limits: RequestLimits,
}

impl<'a> Access<'a> {
    /// By the key in the headers: the tenant, what it has of the plugin, and the key's roles.
    pub(super) fn of(
        generation: &'a Generation,
        headers: &HeaderMap,
        route: &Route,
    ) -> Result<Self, Problem> {
        let authorization = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        let caller = generation.tenants.authenticate(authorization)?;
        let span = tracing::Span::current();
        span.record("tenant", caller.tenant.as_str());
        span.record("subject", caller.subject.as_str());
        let plugin = route.plugin.manifest().name.as_str();
        let principal = caller.principals.get(plugin);
        let grant = generation.grants.find(&caller.tenant, plugin);
        let (Some(principal), Some(grant)) = (principal, grant) else {
            return Err(not_allowed(plugin));
        };
        role::check(route.operation.role(), principal)?;
        let limits = grant.limits(&route.operation.limits);
        Ok(Self { principal, grant, limits })
    }
}

fn not_allowed(plugin: &str) -> Problem {
    let detail = format!("the tenant of this key does not have the plugin {plugin}");
    Problem::new(StatusCode::FORBIDDEN, "plugin-not-allowed", detail)
}

impl From<Unauthenticated> for Problem {
    fn from(why: Unauthenticated) -> Self {
        let (code, detail, challenge) = match why {
            Unauthenticated::NoKey => (
                "key-required",
                "send a key in one header, as Authorization: Bearer loggia_…",
                "Bearer",
            ),
            Unauthenticated::NotAKey => (
                "malformed-key",
                "this is not a whole key: its checksum does not hold; was it cut or mistyped?",
                "Bearer error=\"invalid_token\"",
            ),
            Unauthenticated::UnknownKey => (
                "unknown-key",
                "this gateway does not know the key; was it replaced, or is it another gateway's?",
                "Bearer error=\"invalid_token\"",
            ),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}
