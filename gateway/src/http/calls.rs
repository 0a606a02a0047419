//! Counts the calls of plugins under way, of all generations: the gateway waits for them when it
//! stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many calls are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<AtomicU32>);

/// Counts as a call until it is dropped.
pub(super) struct Call(Calls);

impl Calls {
    pub(super) fn begin(&self) -> Call {
        self.0.fetch_add(1, Ordering::AcqRel);
        Call(self.clone())
    }

    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
