//! What a plugin imports, on the gateway's side.
//!
//! An error that ends the request is not given to the guest: it becomes a trap, so that the guest
//! cannot go on as if nothing had happened.

use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::{Error, Result, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::bindings::loggia::plugin::{checkpoints, logging, settings, storage, types};
use super::budget::{Budget, Memory};
use super::convert;
use super::engine::Runtime;
use super::log::LogRoom;
use super::probe::{self, Probe};
use super::wait_limit::WaitLimit;
use super::wasi::Wasi;
use crate::storage::{About, Session};

/// The state behind one instance. `call` is set for the time of a call.
#[derive(Debug)]
pub(super) struct HostState {
    pub(super) memory: Memory,
    call: Option<CallState>,
    pub(super) wait_limit: WaitLimit,
    log: Arc<LogRoom>,
    /// Made when the guest first asks for it.
    wasi: Option<Box<Wasi>>,
}

/// What belongs to the call under way.
#[derive(Debug)]
pub(super) struct CallState {
    pub(super) session: Session,
    pub(super) budget: Budget,
    /// The plugin's settings for the tenant.
    pub(super) settings: Arc<str>,
    pub(super) probe: Option<Probe>,
}

/// A storage error that ends the request, on its way through the guest's stack.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct EndsRequest(pub(super) crate::storage::Error);

/// A store whose guest is stopped when a budget is used up.
pub(super) fn new_store(runtime: &Runtime, memory_bytes: usize) -> Store<HostState> {
    let memory = Memory::new(memory_bytes);
    let (log, wait_limit) = (LogRoom::new(), WaitLimit::default());
    let state = HostState { memory, call: None, wait_limit, log, wasi: None };
    let mut store = Store::new(runtime.engine(), state);
    store.limiter(|state| &mut state.memory);
    // Lists whose items lie over each other could stand for more than the guest's memory holds.
    store.set_hostcall_fuel(memory_bytes);
    store.epoch_deadline_callback(|mut context| {
        context.data_mut().tick()?;
        // Behind the other tasks of this worker, or a busy guest would starve them.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store.set_epoch_deadline(1);
    store
}

impl HostState {
    pub(super) fn begin_call(&mut self, call: CallState) {
        self.log.refill(call.budget.limits.log_bytes);
        self.memory.refused = false;
        self.wait_limit.set(None);
        self.call = Some(call);
    }

    pub(super) fn end_call(&mut self) -> CallState {
        if let Some(wasi) = &self.wasi {
            wasi.end_lines();
        }
        self.call.take().expect("a call that ends has begun")
    }

    /// Whether lines of the call that has ended were dropped.
    pub(super) fn has_dropped_lines(&self) -> bool {
        self.log.has_dropped()
    }

    /// Whether the instance can serve another request.
    pub(super) fn is_tidy(&mut self) -> bool {
        self.wasi.as_mut().is_none_or(|wasi| wasi.is_tidy())
    }

    fn tick(&mut self) -> Result<()> {
        match &mut self.call {
            Some(call) => Ok(call.budget.tick(call.session.first_write())?),
            // Instantiation and `describe`: bounded by who awaits them.
            None => Ok(()),
        }
    }

    /// The call under way, with one more storage call counted.
    async fn storage_call(&mut self) -> Result<&mut CallState> {
        let call = self.call.as_mut().ok_or_else(|| Error::msg(NO_CALL))?;
        let number = call.budget.count_storage_call()?;
        self.wait_limit.set(None);
        probe::call(call.probe.as_ref(), number).await?;
        if Instant::now() >= call.budget.deadline {
            return Err(EndsRequest(crate::storage::Error::Timeout).into());
        }
        Ok(call)
    }

    /// What a storage call has come to: something for the guest, or the end of the request.
    fn for_guest<T>(
        &self,
        result: std::result::Result<T, crate::storage::Error>,
    ) -> Result<std::result::Result<T, types::Error>> {
        self.wait_limit.set(self.call.as_ref().and_then(CallState::locks_until));
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(error) if error.ends_request() => Err(EndsRequest(error).into()),
            Err(error) => Ok(Err(convert::error(error))),
        }
    }
}

impl CallState {
    /// Set from the first write on.
    fn locks_until(&self) -> Option<Instant> {
        Some(self.session.first_write()? + self.budget.limits.transaction)
    }
}

const NO_CALL: &str = "an import was called outside a request; `describe` may call none";

impl types::Host for HostState {}

impl storage::Host for HostState {
    async fn get(
        &mut self,
        collection: String,
        ids: Vec<String>,
    ) -> Result<std::result::Result<Vec<Option<types::Document>>, types::Error>> {
        let found = self.storage_call().await?.session.get(&collection, &ids).await;
        self.for_guest(found.map(|documents| {
            documents.into_iter().map(|document| document.map(convert::document)).collect()
        }))
    }

    async fn apply(
        &mut self,
        writes: Vec<types::Write>,
    ) -> Result<std::result::Result<Vec<types::Outcome>, types::Error>> {
        let writes: Vec<_> = writes.into_iter().map(convert::write).collect();
        let outcomes = self.storage_call().await?.session.apply(&writes).await;
        self.for_guest(
            outcomes.map(|outcomes| outcomes.into_iter().map(convert::outcome).collect()),
        )
    }

    async fn select(
        &mut self,
        statement: String,
        arguments: Vec<(String, types::Value)>,
        page: Option<storage::Page>,
    ) -> Result<std::result::Result<storage::Rows, types::Error>> {
        let arguments = convert::arguments(arguments);
        let page = page.map(convert::page);
        let call = self.storage_call().await?;
        let rows = call.session.select(&statement, &arguments, page.as_ref()).await;
        self.for_guest(rows.map(convert::rows))
    }

    async fn update_where(
        &mut self,
        statement: String,
        arguments: Vec<(String, types::Value)>,
        limit: u32,
    ) -> Result<std::result::Result<Vec<types::Document>, types::Error>> {
        let arguments = convert::arguments(arguments);
        let call = self.storage_call().await?;
        let changed = call.session.update_where(&statement, &arguments, limit).await;
        self.for_guest(
            changed.map(|documents| documents.into_iter().map(convert::document).collect()),
        )
    }

    async fn delete_where(
        &mut self,
        statement: String,
        arguments: Vec<(String, types::Value)>,
        limit: u32,
    ) -> Result<std::result::Result<u64, types::Error>> {
        let arguments = convert::arguments(arguments);
        let call = self.storage_call().await?;
        let deleted = call.session.delete_where(&statement, &arguments, limit).await;
        self.for_guest(deleted)
    }

    async fn sweep(
        &mut self,
        collections: Vec<String>,
    ) -> Result<std::result::Result<u64, types::Error>> {
        let done = self.storage_call().await?.session.sweep(&collections).await;
        self.for_guest(done)
    }
}

impl checkpoints::Host for HostState {
    async fn create(
        &mut self,
        subject: String,
        label: String,
        metadata: String,
        scopes: Vec<checkpoints::Scope>,
    ) -> Result<std::result::Result<checkpoints::Checkpoint, types::Error>> {
        let scopes: Vec<_> = scopes.into_iter().map(convert::scope).collect();
        let about = About { subject: &subject, label: &label, metadata: &metadata };
        let created = self.storage_call().await?.session.create_checkpoint(about, &scopes).await;
        self.for_guest(created.map(convert::checkpoint))
    }

    async fn read(
        &mut self,
        id: String,
        collection: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<std::result::Result<Vec<types::Document>, types::Error>> {
        let call = self.storage_call().await?;
        let found = call.session.read_checkpoint(&id, &collection, after.as_deref(), limit).await;
        self.for_guest(
            found.map(|documents| documents.into_iter().map(convert::document).collect()),
        )
    }

    async fn diff(
        &mut self,
        from: String,
        to: Option<String>,
        after: Option<checkpoints::Difference>,
        limit: u32,
    ) -> Result<std::result::Result<Vec<checkpoints::Difference>, types::Error>> {
        let after = after.map(convert::last_difference);
        let call = self.storage_call().await?;
        let found = call.session.diff_checkpoint(&from, to.as_deref(), after.as_ref(), limit).await;
        self.for_guest(found.map(|found| found.into_iter().map(convert::difference).collect()))
    }

    async fn restore(&mut self, id: String) -> Result<std::result::Result<u64, types::Error>> {
        let done = self.storage_call().await?.session.restore_checkpoint(&id).await;
        self.for_guest(done)
    }

    async fn delete(&mut self, ids: Vec<String>) -> Result<std::result::Result<u64, types::Error>> {
        let done = self.storage_call().await?.session.delete_checkpoints(&ids).await;
        self.for_guest(done)
    }
}

impl settings::Host for HostState {
    async fn get(&mut self) -> Result<String> {
        let call = self.call.as_ref().ok_or_else(|| Error::msg(NO_CALL))?;
        Ok(call.settings.as_ref().to_owned())
    }
}

impl logging::Host for HostState {
    async fn log(&mut self, level: logging::Level, message: String) -> Result<()> {
        self.call.as_ref().ok_or_else(|| Error::msg(NO_CALL))?;
        self.log.log(level, &message);
        Ok(())
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&self.log))).view()
    }
}
