//! Instances: fresh, or kept warm for one tenant between its requests.
//!
//! A warm instance has served only its own tenant, one request at a time, with one limit of memory
//! and the same settings, and none of them trapped. Anything else is thrown away: a trap poisons
//! the whole store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Error, Result, Store};

use super::bindings::{Plugin as Guest, PluginPre};
use super::engine::Runtime;
use super::host::{HostState, new_store};
use super::idle::{Idle, SharedIdle, evict_regularly, lock};
use crate::config::Isolation;
use crate::storage::Tenant;

/// Idle instances of one plugin, of all tenants together.
const MAX_IDLE: usize = 64;
/// How long at least an idle instance waits before it is thrown away.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);
/// An instance that has grown by more than this is not kept.
const MAX_GROWTH_BYTES: usize = 8 << 20;

/// One instance with its store.
pub(super) struct Instance {
    pub(super) store: Store<HostState>,
    pub(super) guest: Guest,
    served: u32,
    memory_bytes: usize,
    /// A guest may have kept what it has made of them.
    settings: Arc<str>,
    /// What its memories had when it was made.
    first_bytes: usize,
    /// Held while it is idle.
    idle_room: Option<OwnedSemaphorePermit>,
}

impl Instance {
    /// A reload may have changed these since it was made.
    fn suits(&self, memory_bytes: usize, settings: &str) -> bool {
        self.memory_bytes == memory_bytes && *self.settings == *settings
    }

    fn is_worn(&mut self, max_requests: u32) -> bool {
        let grown = self.store.data().memory.used() - self.first_bytes;
        self.served >= max_requests || grown > MAX_GROWTH_BYTES || !self.store.data_mut().is_tidy()
    }
}

/// Makes instances of one plugin and keeps the warm ones.
pub(super) struct Instances {
    pub(super) runtime: Runtime,
    pre: PluginPre<HostState>,
    isolation: Isolation,
    max_requests: u32,
    memory_bytes: usize,
    idle: SharedIdle<Tenant, Instance>,
}

impl Instances {
    pub(super) fn new(
        runtime: Runtime,
        pre: PluginPre<HostState>,
        isolation: Isolation,
        max_requests: u32,
        memory_bytes: usize,
    ) -> Self {
        let idle = Arc::new(Mutex::new(Idle::new(MAX_IDLE)));
        if isolation == Isolation::Tenant {
            evict_regularly(&idle, MAX_IDLE_TIME);
        }
        Self { runtime, pre, isolation, max_requests, memory_bytes, idle }
    }

    /// Makes instances of the same plugin for work that is no request.
    pub(super) fn others(&self, memory_bytes: usize) -> Self {
        let (runtime, pre) = (self.runtime.clone(), self.pre.clone());
        Self::new(runtime, pre, Isolation::Request, 1, memory_bytes)
    }

    /// An instance for one request of this tenant, whose instances have so much memory and see
    /// these settings.
    pub(super) async fn take(
        &self,
        tenant: Tenant,
        memory_bytes: usize,
        settings: &Arc<str>,
    ) -> Result<Instance> {
        match self.take_idle(tenant, memory_bytes, settings) {
            Some(instance) => Ok(instance),
            None => self.make(memory_bytes, Arc::clone(settings)).await,
        }
    }

    /// An instance for work that is of no tenant.
    pub(super) async fn fresh(&self) -> Result<Instance> {
        self.make(self.memory_bytes, "".into()).await
    }

    async fn make(&self, memory_bytes: usize, settings: Arc<str>) -> Result<Instance> {
        let mut store = new_store(&self.runtime, memory_bytes);
        let guest = self.pre.instantiate_async(&mut store).await;
        let guest = guest.map_err(|error| match store.data().memory.refused {
            true => Error::msg(format!(
                "what it begins with is larger than plugin_memory_bytes ({memory_bytes})"
            )),
            false => error,
        })?;
        let first_bytes = store.data().memory.used();
        let (served, idle_room) = (0, None);
        Ok(Instance { store, guest, served, memory_bytes, settings, first_bytes, idle_room })
    }

    fn take_idle(&self, tenant: Tenant, memory_bytes: usize, settings: &str) -> Option<Instance> {
        loop {
            let instance = lock(&self.idle).take(tenant)?;
            if instance.suits(memory_bytes, settings) {
                return Some(Instance { idle_room: None, ..instance });
            }
        }
    }

    /// After a request that has ended in order.
    pub(super) fn give_back(&self, tenant: Tenant, mut instance: Instance) {
        instance.served += 1;
        if self.isolation == Isolation::Request || instance.is_worn(self.max_requests) {
            return;
        }
        let Some(room) = self.runtime.room_for_idle() else {
            return;
        };
        instance.idle_room = Some(room);
        let evicted = lock(&self.idle).put(tenant, instance);
        // Not under the lock: it gives memory back.
        drop(evicted);
    }
}
