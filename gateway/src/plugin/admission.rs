//! Which calls run, and which wait until they may.
//!
//! Each run of a call needs one of the places that all tenants share, whoever asks for it: a
//! request, a schedule, or a request that runs again after a wait. Tenants have turns, so one whose
//! queue is full delays nobody else, and each has no more places than its limit.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::timeout_at;

use super::engine::Runtime;
use super::{CallError, CallOptions, Plugin};
use crate::fair::{Asked, Place, Share};
use crate::storage::Tenant;

/// By this, the calls of one loaded plugin are counted apart from those of others.
pub(super) fn next_matter() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Held while a call runs.
pub(super) type CallPlace = Place<Option<Tenant>>;

/// A place for work of the gateway's own. There is little of it, and it is in a turn with tenants.
pub(super) async fn admit_own(runtime: &Runtime) -> CallPlace {
    let share = Share { matter: 0, most: u32::MAX, queued: u32::MAX };
    match runtime.calls().ask(None, share).expect("its queue is never full") {
        Asked::Now(place) => place,
        Asked::Later(mut waiter) => waiter.place().await,
    }
}

impl Plugin {
    /// A place among the calls that run, before the deadline.
    ///
    /// # Errors
    /// As many of the tenant wait as may, or the deadline has passed.
    pub(super) async fn admit(&self, options: &CallOptions) -> Result<CallPlace, CallError> {
        let share = Share {
            matter: self.matter,
            most: options.limits.concurrent_requests,
            queued: options.limits.queued_requests,
        };
        let asked = self.instances.runtime.calls().ask(Some(options.tenant), share);
        let mut waiter = match asked.map_err(|_full| CallError::TenantQuota("queued_requests"))? {
            Asked::Now(place) => return Ok(place),
            Asked::Later(waiter) => waiter,
        };
        match timeout_at(options.deadline, waiter.place()).await {
            Ok(place) => Ok(place),
            Err(_elapsed) if waiter.has_all() => Err(CallError::TenantQuota("concurrent_requests")),
            Err(_elapsed) => Err(CallError::NoCapacity),
        }
    }
}
