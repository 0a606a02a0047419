//! The WebAssembly engine: one for the process, made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

use super::bindings;
use super::host::HostState;

/// Instances that can be in calls at a time, of all plugins and tenants together.
const MAX_IN_CALLS: u32 = 128;
/// Instances that can wait for their tenant's next request meanwhile. Counted apart: warm
/// instances of quiet tenants must not take the room of calls.
const MAX_IDLE: u32 = 128;
const MAX_INSTANCES: u32 = MAX_IN_CALLS + MAX_IDLE;

/// An epoch: how long a guest runs before the gateway looks at its budgets.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Compiles components and gives them what they import.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linker: Arc<Linker<HostState>>,
    /// Components by the SHA-256 of their bytes: the same one is compiled once.
    compiled: Arc<Mutex<HashMap<Vec<u8>, Component>>>,
    in_calls: Arc<Semaphore>,
    idle: Arc<Semaphore>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

impl Runtime {
    /// Make the engine. `memory_bytes` is the most that one instance's memory can be.
    ///
    /// # Errors
    /// The machine cannot reserve the address space for the instances.
    pub fn new(memory_bytes: usize) -> Result<Self> {
        let engine = Engine::new(&config(memory_bytes))?;
        start_ticker(&engine)?;
        let mut linker = Linker::new(&engine);
        bindings::Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        Ok(Self {
            engine,
            linker: Arc::new(linker),
            compiled: Arc::default(),
            in_calls: Arc::new(Semaphore::new(MAX_IN_CALLS as usize)),
            idle: Arc::new(Semaphore::new(MAX_IDLE as usize)),
        })
    }

    /// Room for an instance in a call, when there is some.
    pub(super) async fn room_for_call(&self) -> SemaphorePermit<'_> {
        self.in_calls.acquire().await.expect("the semaphore of calls is never closed")
    }

    /// Room for an idle instance, if there is some.
    pub(super) fn room_for_idle(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.idle).try_acquire_owned().ok()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compile a component and resolve its imports, so that a request only instantiates.
    pub(super) fn prepare(&self, component: &[u8]) -> Result<bindings::PluginPre<HostState>> {
        let component = self.compile(component)?;
        bindings::PluginPre::new(self.linker.instantiate_pre(&component)?)
    }

    fn compile(&self, bytes: &[u8]) -> Result<Component> {
        let digest = Sha256::digest(bytes).to_vec();
        let known = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = known().get(&digest) {
            return Ok(component.clone());
        }
        let component = Component::new(&self.engine, bytes)?;
        known().insert(digest, component.clone());
        Ok(component)
    }
}

fn config(memory_bytes: usize) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * MAX_CORE_INSTANCES)
        .total_memories(MAX_INSTANCES * MAX_MEMORIES)
        .total_tables(MAX_INSTANCES * MAX_TABLES)
        .total_stacks(MAX_INSTANCES)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .table_elements(20_000)
        .max_memory_size(memory_bytes)
        // Both spare a fresh instance most of its page faults: 26 µs became 12 µs for a request.
        .linear_memory_keep_resident(1 << 20)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(512 << 10)
        // What is left of it is all that the host's functions get.
        .async_stack_size(2 << 20)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .shared_memory(false);
    config
}

/// A component in Rust is one core module, an adapter for each direction, and a shim; one in Python
/// is 14 modules that share a memory and a table.
const MAX_CORE_INSTANCES: u32 = 32;
const MAX_MEMORIES: u32 = 2;
const MAX_TABLES: u32 = 8;

/// A thread of its own: on the async runtime it would stand still exactly when a guest is busy.
/// It ends with the engine.
fn start_ticker(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("epoch-ticker".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}
