//! Compiled code, and why it may be run.

use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// Machine code that this gateway's own compiler has made. There are two ways to have it: from the
/// compiler's process, and from the cache, which has made sure that it is unchanged since.
pub(super) struct Code(Vec<u8>);

impl Code {
    /// From the process that has just compiled it.
    pub(super) fn compiled(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// From a file whose MAC was right.
    pub(super) fn authentic(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A component to make instances of. Code for another engine is an error.
    #[expect(unsafe_code, reason = "what is loaded is executed; `Code` says whose it is")]
    pub(super) fn load(&self, engine: &Engine) -> Result<Component> {
        // SAFETY: it is what `Engine::precompile_component` returned, whole and unchanged.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
