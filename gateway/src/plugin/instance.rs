//! Instances: fresh, or kept warm for one tenant between its requests.
//!
//! A warm instance has served only its own tenant, one request at a time, and none of them
//! trapped. Anything else is thrown away: a trap poisons the whole store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Error, Result, Store};

use super::bindings::{Plugin as Guest, PluginPre};
use super::engine::Runtime;
use super::host::{HostState, new_store};
use crate::config::Isolation;
use crate::storage::Tenant;

/// Idle instances of one plugin, of all tenants together.
const MAX_IDLE: usize = 64;
/// An instance that has grown by more than this is not kept.
const MAX_GROWTH_BYTES: usize = 8 << 20;

/// One instance with its store.
pub(super) struct Instance {
    pub(super) store: Store<HostState>,
    pub(super) guest: Guest,
    served: u32,
    /// What its memories had when it was made.
    first_bytes: usize,
    /// Held while it is idle.
    idle_room: Option<OwnedSemaphorePermit>,
}

impl Instance {
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
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    by_tenant: HashMap<Tenant, Vec<Instance>>,
    count: usize,
}

impl Instances {
    pub(super) fn new(
        runtime: Runtime,
        pre: PluginPre<HostState>,
        isolation: Isolation,
        max_requests: u32,
        memory_bytes: usize,
    ) -> Self {
        Self { runtime, pre, isolation, max_requests, memory_bytes, idle: Mutex::default() }
    }

    /// Makes instances of the same plugin for work that is no request.
    pub(super) fn others(&self, memory_bytes: usize) -> Self {
        let (runtime, pre) = (self.runtime.clone(), self.pre.clone());
        Self::new(runtime, pre, Isolation::Request, 1, memory_bytes)
    }

    /// An instance for one request of this tenant, whose instances have so much memory.
    pub(super) async fn take(&self, tenant: Tenant, memory_bytes: usize) -> Result<Instance> {
        match self.take_idle(tenant) {
            Some(instance) => Ok(instance),
            None => self.make(memory_bytes).await,
        }
    }

    /// An instance for work that is of no tenant.
    pub(super) async fn fresh(&self) -> Result<Instance> {
        self.make(self.memory_bytes).await
    }

    async fn make(&self, memory_bytes: usize) -> Result<Instance> {
        let mut store = new_store(&self.runtime, memory_bytes);
        let guest = self.pre.instantiate_async(&mut store).await;
        let guest = guest.map_err(|error| match store.data().memory.refused {
            true => Error::msg(format!(
                "what it begins with is larger than plugin_memory_bytes ({memory_bytes})"
            )),
            false => error,
        })?;
        let first_bytes = store.data().memory.used();
        Ok(Instance { store, guest, served: 0, first_bytes, idle_room: None })
    }

    fn take_idle(&self, tenant: Tenant) -> Option<Instance> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let instance = idle.by_tenant.get_mut(&tenant)?.pop()?;
        idle.count -= 1;
        Some(Instance { idle_room: None, ..instance })
    }

    /// After a request that has ended in order.
    pub(super) fn give_back(&self, tenant: Tenant, mut instance: Instance) {
        instance.served += 1;
        if self.isolation == Isolation::Request || instance.is_worn(self.max_requests) {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.count >= MAX_IDLE {
            // Another tenant's idle instance makes room, or a quiet tenant would keep it for ever.
            idle.evict_other(tenant);
        }
        let Some(room) = self.runtime.room_for_idle() else {
            return;
        };
        if idle.count < MAX_IDLE {
            instance.idle_room = Some(room);
            idle.by_tenant.entry(tenant).or_default().push(instance);
            idle.count += 1;
        }
    }
}

impl Idle {
    fn evict_other(&mut self, tenant: Tenant) {
        let other = self.by_tenant.iter().find(|(t, kept)| **t != tenant && !kept.is_empty());
        let Some(other) = other.map(|(tenant, _)| *tenant) else {
            return;
        };
        if let Some(kept) = self.by_tenant.get_mut(&other) {
            kept.pop();
            self.count -= 1;
            if kept.is_empty() {
                self.by_tenant.remove(&other);
            }
        }
    }
}
