//! What a test acts upon: the plugin on a gateway of its own, with a database of its own, a clock
//! that stands still, and random bits that are the same each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::sync::mpsc;

use super::super::component::Engine;
use super::declared::DeclaredAnswers;
use super::expect::Captures;
use super::file::TestFile;
use super::lane::Lane;
use super::steps::{Body, Caller, RequestStep};
use crate::config::{Config, Isolation};
use crate::http::{Gateway, Generation, Grant, Grants, Question};
use crate::metrics::Metrics;
use crate::plugin::{LoadOptions, Plugin, Probe, Retry};
use crate::storage::{Scratch, Storage};
use crate::tenant::{self, Principal, Tenants};

/// The plugin under test.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) engine: Engine,
    pub(super) component: Vec<u8>,
}

/// The kinds of databases.
#[derive(Clone, Debug)]
pub(super) enum On {
    Sqlite,
    /// On the server of this URL.
    Postgres(String),
}

impl On {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    async fn scratch(&self) -> Result<Scratch, crate::storage::Error> {
        match self {
            Self::Sqlite => Scratch::sqlite(),
            Self::Postgres(url) => Scratch::postgres(url).await,
        }
    }
}

/// One test's world.
#[derive(Debug)]
pub(super) struct World {
    scratch: Scratch,
    pub(super) storage: Arc<Storage>,
    plugin: Arc<Plugin>,
    pub(super) declared: DeclaredAnswers,
    config: Config,
    /// Of every tenant.
    settings: Value,
    /// Of the file.
    clock_at_first: i64,
    clock: i64,
    /// The run under way: its tenants are others than those of the runs before it.
    run: usize,
    requests: u64,
    gateways: BTreeMap<Caller, Arc<Gateway>>,
    pub(super) captures: Captures,
    /// Of the interleaving in the run under way, for people.
    pub(super) order: Option<String>,
}

/// Whoever lost a race runs again at once: in a test, nobody else is in the way.
const RETRY: Retry = Retry { times: 3, backoff: Duration::from_micros(100) };

impl World {
    pub(super) async fn open(subject: &Subject, file: &TestFile, on: &On) -> anyhow::Result<Self> {
        let scratch = on.scratch().await.context("a database for the test")?;
        let storage = Storage::open(&scratch.location()).await.context("the test's database")?;
        storage.freeze_clock(file.clock);
        let mut config = Config::default();
        config.limits.clone_from(&file.limits);
        let options = LoadOptions {
            isolation: Isolation::Tenant,
            max_requests_per_instance: 1_000,
            memory_bytes: config.limits.plugin_memory_bytes,
            retry: RETRY,
            allow: BTreeSet::new(),
            statistics: false,
            stored_limits: Vec::new(),
        };
        let plugin =
            Plugin::load(&subject.engine.runtime, &storage, &subject.component, options).await?;
        let manifest = plugin.manifest();
        let declared = DeclaredAnswers::of(manifest).map_err(anyhow::Error::msg)?;
        let settings = manifest.settings_for(&file.settings).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("settings: {}", faults.join("; "))
        })?;
        Ok(Self {
            scratch,
            storage,
            plugin: Arc::new(plugin),
            declared,
            config,
            settings,
            clock_at_first: file.clock,
            clock: file.clock,
            run: 0,
            requests: 0,
            gateways: BTreeMap::new(),
            captures: Captures::default(),
            order: None,
        })
    }

    /// Begin a run of the test: nothing is stored, and the clock stands where it did.
    pub(super) fn begin(&mut self) {
        self.run += 1;
        self.requests = 0;
        self.gateways.clear();
        self.captures = Captures::default();
        self.order = None;
        self.clock = self.clock_at_first;
        self.storage.freeze_clock(self.clock);
    }

    pub(super) fn advance(&mut self, by: i64) {
        self.clock = self.clock.saturating_add(by);
        self.storage.freeze_clock(self.clock);
    }

    /// Send a request; it stands still at its first stop.
    pub(super) async fn send<'t>(&mut self, step: &'t RequestStep) -> anyhow::Result<Lane<'t>> {
        let question = self.question(step).map_err(anyhow::Error::msg)?;
        let gateway = self.gateway(&step.caller).await?;
        self.requests += 1;
        let (stops, stopped) = mpsc::unbounded_channel();
        let probe = Probe { entropy: (self.requests, 0), stops };
        let answering = tokio::spawn(async move { gateway.exchange(question, probe).await });
        Ok(Lane::new(step, stopped, answering))
    }

    fn question(&self, step: &RequestStep) -> Result<Question, String> {
        let path = self.captures.fill(&step.path)?;
        let body = match &step.body {
            Body::None => Body::None,
            Body::Json(value) => Body::Json(self.captures.fill_json(value)?),
            Body::Text(text) => Body::Text(self.captures.fill(text)?),
        };
        let mut headers = Vec::new();
        for (name, value) in &step.headers {
            headers.push((name.clone(), self.captures.fill(value)?));
        }
        headers
            .extend(step.content_type().map(|kind| ("content-type".to_owned(), kind.to_owned())));
        Ok(Question {
            method: step.method.clone(),
            target: format!("/v1/{}{path}", self.plugin.manifest().name),
            headers,
            body: body.bytes(),
        })
    }

    async fn gateway(&mut self, caller: &Caller) -> anyhow::Result<Arc<Gateway>> {
        if let Some(gateway) = self.gateways.get(caller) {
            return Ok(Arc::clone(gateway));
        }
        let name = format!("{}~{}", caller.tenant, self.run);
        let tenant = self.storage.tenant(&name).await?;
        let manifest = self.plugin.manifest();
        let settings = &self.settings;
        self.plugin.limit_counts(tenant, settings).await?;
        let (config, plugin) = (&self.config, manifest.name.as_str());
        let metrics = Arc::<Metrics>::default();
        let grant = Grant::new(config, &self.storage, (&name, tenant), plugin, settings, &metrics);
        let mut grants = Grants::default();
        grants.insert(&name, &manifest.name, grant);
        let tenants = Tenants::everybody_is(caller_of(&name, &manifest.name, &caller.roles));
        let plugins = vec![Arc::clone(&self.plugin)];
        let ceiling = &self.config.limits.ceiling;
        let generation = Generation::new(ceiling, &metrics, tenants, grants, plugins);
        let generation = generation.map_err(|faults| anyhow::anyhow!(faults.join("\n")))?;
        let storage = Arc::clone(&self.storage);
        let gateway = Gateway::new(&self.config.server, storage, metrics, generation);
        let gateway = Arc::new(gateway);
        self.gateways.insert(caller.clone(), Arc::clone(&gateway));
        Ok(gateway)
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        let Self { scratch, storage, plugin, gateways, .. } = self;
        drop((storage, plugin, gateways));
        scratch.remove().await.context("the test's database")
    }
}

/// Who asks, with these roles in the plugin.
fn caller_of(tenant: &str, plugin: &str, roles: &[String]) -> tenant::Caller {
    let principal = Principal { subject: "test".to_owned(), roles: roles.to_vec() };
    tenant::Caller {
        tenant: tenant.to_owned(),
        subject: principal.subject.clone(),
        principals: [(plugin.to_owned(), principal)].into(),
    }
}
