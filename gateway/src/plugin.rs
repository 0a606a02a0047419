//! The plugin host: loads components, runs one request in one, and decides whether what it wrote
//! is kept.
//!
//! Begin reading at [`Plugin::call`]. This is the only layer that names wasmtime; it knows
//! nothing of HTTP's library.

mod admission;
mod bindings;
mod budget;
mod cache;
mod code;
mod compile;
mod convert;
mod engine;
mod error;
mod host;
mod idle;
mod instance;
mod interface;
mod load;
mod log;
mod message;
mod probe;
mod wait_limit;
mod waiting;
mod wasi;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::manifest::{DueDeclaration, Manifest, Mode, TransactionIsolation};
use crate::metrics::Breaches;
use crate::storage::{Error, Schema, SessionOptions, Storage, StoredLimit, Tenant};
use bindings::exports::loggia::plugin::handler;
use budget::Budget;
pub use budget::{Breach, Limits};
pub use cache::Cache;
pub use compile::{COMPILE_COMMAND, CompileBounds, Compiler, NOT_A_COMPONENT, compile_here};
use convert::RequestLists;
pub use engine::Runtime;
pub use error::{CallError, Failed};
use host::CallState;
use instance::{Instance, Instances};
pub use load::{Declared, LoadError, LoadOptions, Prepared, describe, describe_and_upgrade};
pub use message::{Problem, Request, Response, Wait};
pub use probe::{Probe, Stop, Stopped, Verdict};
use waiting::Waiting;

/// A loaded plugin.
pub struct Plugin {
    declared: Declared,
    schema: Arc<Schema>,
    default_settings: Arc<str>,
    storage: Arc<Storage>,
    instances: Instances,
    /// By which its calls are counted.
    matter: usize,
}

/// How often a request that lost a race runs again, and after what pause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// Runs after the first.
    pub times: u32,
    /// The pause before the first of them; doubled each time, with jitter.
    pub backoff: Duration,
}

/// How one request is to be run.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// Whose documents.
    pub tenant: Tenant,
    /// How storage calls are put into a transaction.
    pub mode: Mode,
    /// How its transaction stands to concurrent ones.
    pub isolation: TransactionIsolation,
    /// When the request ends in any case.
    pub deadline: Instant,
    /// What it may consume.
    pub limits: Limits,
    /// The plugin's settings for the tenant: a JSON object.
    pub settings: Arc<str>,
    /// Who decides about it at its stops: a test.
    pub probe: Option<Probe>,
    /// Where breaches that end nothing are counted.
    pub breaches: Arc<Breaches>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.manifest().name).finish_non_exhaustive()
    }
}

impl Plugin {
    /// What it has declared.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.declared.manifest
    }

    /// The same, with how it is run.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// What the operator should know of it: statements that no index serves.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.schema.warnings()
    }

    /// The settings of a tenant for which the operator has set none: a JSON object.
    #[must_use]
    pub fn default_settings(&self) -> Arc<str> {
        Arc::clone(&self.default_settings)
    }

    /// Let a tenant's counts reach what its settings say, where a count names one as its limit.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn limit_counts(&self, tenant: Tenant, settings: &Value) -> Result<(), Error> {
        let limits: BTreeSet<&String> =
            self.manifest().counts.iter().filter_map(|count| count.limit.as_ref()).collect();
        for name in limits {
            let most = settings[name].as_i64().unwrap_or_default();
            self.storage.set_limit(&self.schema, tenant, name, most).await?;
        }
        Ok(())
    }

    /// The tenants that have a document in which this field is due.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn due_tenants(&self, due: &DueDeclaration, now: i64) -> Result<Vec<Tenant>, Error> {
        self.storage.due_tenants(&self.schema, &due.collection, &due.field, now).await
    }

    /// Limit what a tenant stores; 0 for no limit. It holds where the plugin was loaded to be so
    /// limited.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn limit_stored(
        &self,
        tenant: Tenant,
        limit: StoredLimit,
        most: u64,
    ) -> Result<(), Error> {
        self.storage.limit_stored(&self.schema, tenant, limit, most).await
    }

    /// Count its calls together with those of the plugin that it takes the place of, of which some
    /// may be under way.
    pub fn take_the_place_of(&mut self, earlier: &Self) {
        self.matter = earlier.matter;
    }

    /// The SHA-256 of its component, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.declared.sha256
    }

    /// Run one request, again where it lost a race or waits for a change, and make what it wrote
    /// last if it succeeds. It is not run again when its client is `gone`.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn call(
        &self,
        request: &Request,
        options: &CallOptions,
        gone: impl Future<Output = ()>,
    ) -> Result<Response, Failed> {
        let mut gone = pin!(gone);
        let mut waiting = Waiting::new(self, options);
        let mut now = self.storage.now();
        loop {
            match self.run_with_retries(request, now, options).await {
                // What an operation in autocommit mode has written stays, so it runs once.
                Err(Failed { error: CallError::Wait(_), kept: true }) => {
                    let why = "it waits after a write in autocommit mode".to_owned();
                    return Err(Failed { error: error::bad_output(why), kept: true });
                }
                Err(Failed { error: CallError::Wait(wish), kept: false }) => {
                    probe::note(options.probe.as_ref(), Stop::Wait).await;
                    now = waiting.wait(self, options, wish, now, &mut gone).await?;
                }
                answer => return answer,
            }
        }
    }

    /// Until it has an answer or wishes to wait, in a place among the calls that run.
    async fn run_with_retries(
        &self,
        request: &Request,
        now: i64,
        options: &CallOptions,
    ) -> Result<Response, Failed> {
        let _place = self.admit(options).await?;
        let mut run = 0;
        loop {
            match self.run(request, now, options).await {
                // What an operation in autocommit mode has written stays, so it runs once.
                Err(Failed { error: CallError::LostRace, kept: false })
                    if run < self.declared.options.retry.times =>
                {
                    self.pause(run, options.deadline).await?;
                    run += 1;
                }
                Err(Failed { error: CallError::LostRace, kept }) => {
                    return Err(Failed { error: CallError::Contention, kept });
                }
                answer => return answer,
            }
        }
    }

    /// One run: instance, handler, check, commit.
    async fn run(
        &self,
        request: &Request,
        now: i64,
        options: &CallOptions,
    ) -> Result<Response, Failed> {
        probe::note(options.probe.as_ref(), Stop::Run).await;
        let mut instance = self.instance(options).await?;
        let session = self.session(now, options);
        let (answer, session) = handle(&mut instance, session, request, now, options).await;
        match &answer {
            Ok(_) => self.instances.give_back(options.tenant, instance),
            // It has trapped. Nobody uses it again, and it does not wait for the database.
            Err(_) => drop(instance),
        }
        let kept = session.kept();
        let mut answer =
            answer.and_then(|answer| error::check(answer, options.limits, self.manifest()));
        if answer.is_ok() && options.mode == Mode::Write {
            answer = probe::commit(options.probe.as_ref()).await.and(answer);
        }
        let ended = match answer {
            Ok(response) => session.commit().await.map(|()| response).map_err(CallError::from),
            Err(error) => {
                session.rollback().await;
                Err(error)
            }
        };
        ended.map_err(|error| Failed { error, kept })
    }

    /// A component may run code when it is instantiated, so that has a deadline, too.
    async fn instance(&self, options: &CallOptions) -> Result<Instance, CallError> {
        let (memory_bytes, settings) = (options.limits.plugin_memory_bytes, &options.settings);
        let instantiating = self.instances.take(options.tenant, memory_bytes, settings);
        match timeout_at(options.deadline, instantiating).await {
            Ok(made) => made.map_err(|error| CallError::Instantiation(format!("{error:#}"))),
            Err(_elapsed) => Err(CallError::Breach(Breach::Request)),
        }
    }

    fn session(&self, now: i64, options: &CallOptions) -> crate::storage::Session {
        let session_options = SessionOptions {
            mode: options.mode,
            isolation: options.isolation,
            now,
            deadline: options.deadline,
            document_bytes: options.limits.document_bytes,
            documents_read: options.limits.documents_read,
            documents_written: options.limits.documents_written,
        };
        self.storage.session(options.tenant, &self.schema, session_options)
    }

    /// Between half of the pause and all of it, so that those who met once do not meet again.
    async fn pause(&self, run: u32, deadline: Instant) -> Result<(), CallError> {
        let backoff = self.declared.options.retry.backoff;
        let longest = backoff.saturating_mul(1 << run.min(10));
        let pause = longest.mul_f64(rand::rng().random_range(0.5..=1.0));
        if Instant::now() + pause >= deadline {
            return Err(CallError::Contention);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Give the guest its session, call it, and take the session back, whatever happened.
async fn handle(
    instance: &mut Instance,
    session: crate::storage::Session,
    request: &Request,
    now: i64,
    options: &CallOptions,
) -> (Result<Answer, CallError>, crate::storage::Session) {
    let Instance { store, guest, .. } = instance;
    let budget = Budget::new(options.limits, options.deadline);
    store.data_mut().begin_call(CallState {
        session,
        budget,
        settings: Arc::clone(&options.settings),
        probe: options.probe.clone(),
    });
    store.set_epoch_deadline(1);
    let limit = store.data().wait_limit.clone();
    let lists = RequestLists::of(request);
    let request = convert::request(request, &lists, now);
    let called = guest.loggia_plugin_handler().call_handle(&mut *store, request);
    let called = limit.bound(options.deadline + GRACE, called).await;
    let refused_memory = store.data().memory.refused;
    let call = store.data_mut().end_call();
    if store.data().has_dropped_lines() {
        options.breaches.count("log_bytes");
    }
    if call.session.has_refused_size() {
        options.breaches.count("document_bytes");
    }
    let answer = match called {
        Ok(called) => called.map_err(|trap| CallError::from_trap(&trap, refused_memory)),
        Err(breach) => Err(CallError::Breach(breach)),
    };
    (answer, call.session)
}

/// Ticks end a guest that computes past its deadline, and the session ends its storage calls. Who
/// sleeps is ended later than that, so that no storage call is cut short on its way.
const GRACE: Duration = Duration::from_millis(100);

/// What a handler returns.
type Answer = Result<handler::Response, handler::Failure>;
