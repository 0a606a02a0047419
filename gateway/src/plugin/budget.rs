//! What one call may consume. Every limit of `[limits]` that concerns a guest is kept here.

use std::time::Duration;

use tokio::time::Instant;
use wasmtime::ResourceLimiter;

/// The limits of one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time that the guest may compute.
    pub guest_cpu: Duration,
    /// Time from the first write to the end of the transaction.
    pub transaction: Duration,
    /// Memories of an instance together, in bytes.
    pub plugin_memory_bytes: usize,
    /// Storage calls.
    pub storage_calls: u32,
    /// Documents and rows that may be read.
    pub documents_read: u32,
    /// Writes that may be applied.
    pub documents_written: u32,
    /// Bytes of a response's body.
    pub response_bytes: usize,
    /// Bytes of one document.
    pub document_bytes: usize,
    /// Bytes of log messages; more are dropped.
    pub log_bytes: usize,
    /// Requests of the tenant to the plugin that may run at a time.
    pub concurrent_requests: u32,
    /// Those that may wait until they run.
    pub queued_requests: u32,
    /// Those that may wait for a change.
    pub waiting_requests: usize,
}

/// A breach that ends the call, by the name of its setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", self.name())]
pub enum Breach {
    /// The whole request took too long.
    Request,
    /// The guest computed too long.
    GuestCpu,
    /// The transaction was open too long after its first write.
    Transaction,
    /// The guest asked for more memory or table elements, was refused, and trapped.
    Memory,
    /// Too many streams, timers and the like at a time.
    Handles,
    /// Too many storage calls.
    StorageCalls,
    /// The response's body is too large.
    Response,
}

impl Breach {
    /// The name of its setting.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request_ms",
            Self::GuestCpu => "guest_cpu_ms",
            Self::Transaction => "transaction_ms",
            Self::Memory => "plugin_memory_bytes",
            Self::Handles => "handles",
            Self::StorageCalls => "storage_calls",
            Self::Response => "response_bytes",
        }
    }

    /// Whether what ran out is time.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::Request | Self::GuestCpu | Self::Transaction)
    }
}

/// What a call has consumed.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    pub(super) deadline: Instant,
    cpu_ticks: u32,
    storage_calls: u32,
}

impl Budget {
    pub(super) fn new(limits: Limits, deadline: Instant) -> Self {
        Self { limits, deadline, cpu_ticks: 0, storage_calls: 0 }
    }

    /// Called once for each epoch in which the guest runs. A guest that waits for the host does
    /// not get here, so ticks count its own time.
    pub(super) fn tick(&mut self, first_write: Option<Instant>) -> Result<(), Breach> {
        self.cpu_ticks += 1;
        let now = Instant::now();
        if now >= self.deadline {
            return Err(Breach::Request);
        }
        if super::engine::TICK * self.cpu_ticks > self.limits.guest_cpu {
            return Err(Breach::GuestCpu);
        }
        match first_write {
            Some(first) if now - first > self.limits.transaction => Err(Breach::Transaction),
            _ => Ok(()),
        }
    }

    /// Before each storage call; its number, from 1.
    pub(super) fn count_storage_call(&mut self) -> Result<u32, Breach> {
        self.storage_calls += 1;
        if self.storage_calls > self.limits.storage_calls {
            return Err(Breach::StorageCalls);
        }
        Ok(self.storage_calls)
    }
}

/// Adds up all memories and tables of an instance: wasmtime's own limits are for each.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    used: usize,
    /// Set when growth was refused: a trap that follows is most likely for lack of memory.
    pub(super) refused: bool,
}

/// A table element is a pointer.
const ELEMENT_BYTES: usize = 8;

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: 0, refused: false }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let wanted = self.used.saturating_add(bytes);
        let fits = wanted <= self.limit;
        if fits {
            self.used = wanted;
        }
        self.refused |= !fits;
        fits
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(ELEMENT_BYTES)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_added_up() {
        let mut memory = Memory::new(100_000);
        let mut grow = |current, desired| memory.memory_growing(current, desired, None).ok();
        assert_eq!(grow(0, 40_000), Some(true));
        assert_eq!(grow(0, 40_000), Some(true));
        assert_eq!(grow(40_000, 60_001), Some(false));
        assert_eq!(grow(40_000, 50_000), Some(true));
        assert_eq!(memory.table_growing(0, 1_250, None).ok(), Some(true));
        assert_eq!(memory.table_growing(1_250, 1_251, None).ok(), Some(false));
        assert_eq!((memory.used(), memory.refused), (100_000, true));
    }
}
