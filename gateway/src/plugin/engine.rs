//! The WebAssembly engine: one for the process, made once.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

use super::bindings;
use super::cache::{Cache, CodeName};
use super::compile::Compiler;
use super::host::HostState;
use super::interface;
use super::load::LoadError;
use crate::fair::Places;
use crate::storage::Tenant;

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
    /// One component is compiled at a time.
    compiler: Arc<Mutex<Compiler>>,
    cache: Option<Arc<Cache>>,
    /// Of tenants; of nobody, for work of the gateway's own.
    calls: Places<Option<Tenant>>,
    idle: Arc<Semaphore>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

impl Runtime {
    /// Make the engine.
    ///
    /// # Errors
    /// The machine cannot reserve the address space for the instances.
    pub fn new(compiler: Compiler, cache: Option<Cache>) -> Result<Self> {
        let engine = Engine::new(&config())?;
        start_ticker(&engine)?;
        let mut linker = Linker::new(&engine);
        bindings::Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        Ok(Self {
            engine,
            linker: Arc::new(linker),
            compiler: Arc::new(Mutex::new(compiler)),
            cache: cache.map(Arc::new),
            calls: Places::new(MAX_IN_CALLS),
            idle: Arc::new(Semaphore::new(MAX_IDLE as usize)),
        })
    }

    /// Places for instances in calls.
    pub(super) fn calls(&self) -> &Places<Option<Tenant>> {
        &self.calls
    }

    /// Room for an idle instance, if there is some.
    pub(super) fn room_for_idle(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.idle).try_acquire_owned().ok()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compile a component and resolve its imports, so that a request only instantiates.
    pub(super) async fn prepare(
        &self,
        component: &[u8],
    ) -> std::result::Result<bindings::PluginPre<HostState>, LoadError> {
        interface::check_header(component)?;
        let component = self.compile(component).await?;
        interface::check(&self.engine, &component)?;
        let linked = self.linker.instantiate_pre(&component).and_then(bindings::PluginPre::new);
        linked.map_err(|error| LoadError::component(&format!("{error:#}")))
    }

    async fn compile(&self, bytes: &[u8]) -> std::result::Result<Component, LoadError> {
        let name = CodeName::new(&self.engine, bytes);
        let compiler = self.compiler.lock().await;
        if let Some(component) = self.cached(&name).await {
            return Ok(component);
        }
        let code = compiler.compile(bytes).await?;
        let (engine, cache) = (self.engine.clone(), self.cache.clone());
        let keep_and_load = move || {
            if let Some(cache) = &cache {
                cache.put(&name, &code);
            }
            code.load(&engine)
        };
        let loaded = spawn_blocking(keep_and_load).await.expect("it does not panic");
        loaded.map_err(|error| LoadError::component(&format!("{error:#}")))
    }

    async fn cached(&self, name: &CodeName) -> Option<Component> {
        let cache = Arc::clone(self.cache.as_ref()?);
        let (engine, name) = (self.engine.clone(), name.clone());
        let read = move || cache.get(&name)?.load(&engine).ok();
        spawn_blocking(read).await.expect("it does not panic")
    }
}

/// What compiled code depends on.
pub(super) fn code_config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .shared_memory(false);
    config
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * MAX_CORE_INSTANCES)
        .total_memories(MAX_INSTANCES * MAX_MEMORIES)
        .total_tables(MAX_INSTANCES * MAX_TABLES)
        .total_stacks(MAX_INSTANCES)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .table_elements(TABLE_ELEMENTS)
        // What a plugin may use of it is for its limiter to say.
        .max_memory_size(4 << 30)
        // A fresh instance finds the pages of an earlier one, made new, instead of page faults; and
        // giving pages back stops every thread that runs.
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(TABLE_ELEMENTS * size_of::<usize>())
        .pagemap_scan(Enabled::Auto);
    let mut config = code_config();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(512 << 10)
        // What is left of it is all that the host's functions get.
        .async_stack_size(2 << 20);
    config
}

/// A component in Rust is one core module, an adapter for each direction, and a shim; one in Python
/// is 14 modules that share a memory and a table.
const MAX_CORE_INSTANCES: u32 = 32;
const MAX_MEMORIES: u32 = 2;
const MAX_TABLES: u32 = 8;
/// Functions that a module can call indirectly.
const TABLE_ELEMENTS: usize = 20_000;

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
