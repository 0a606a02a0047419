//! The gateway under test: started as `loggia serve` starts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loggia::cli::{Source, Started, start_from};
use loggia::config::{Config, Plugin};
use loggia::http::{Gateway, Generation};
use loggia::metrics::InUse;
use loggia::plugin::{Cache, CompileBounds, Compiler, Runtime};
use loggia::storage::{Background, Storage};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Answer, send};
use super::database::Database;
use super::plugin_list;

/// A serving gateway. Dropping it fails the test when it has left something open.
#[derive(Debug)]
pub(crate) struct TestGateway {
    pub(crate) address: SocketAddr,
    /// Where the operator asks.
    pub(crate) admin: SocketAddr,
    gateway: Arc<Gateway>,
    /// What a reload finds.
    pub(crate) configuration: Arc<Mutex<Config>>,
    /// How often a reload has asked for it.
    pub(crate) reads: Arc<AtomicUsize>,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    database: Arc<Database>,
    _background: Background,
}

/// See [`TestGateway::hold_configuration`].
#[derive(Debug)]
pub(crate) struct HeldConfiguration {
    _release: mpsc::Sender<()>,
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl TestGateway {
    /// Start a gateway with all plugins on a database.
    pub(crate) async fn start(database: Database, configure: fn(&mut Config)) -> Self {
        Self::start_at(database.url(), database, configure).await
    }

    /// The same where the database is reached by another URL, such as a proxy's.
    pub(crate) async fn start_at(
        url: String,
        database: Database,
        configure: fn(&mut Config),
    ) -> Self {
        let mut configuration = Config::default();
        configuration.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        configuration.server.admin_listen = configuration.server.listen;
        configuration.storage.url = url;
        // Cases about schedules switch them on.
        configuration.server.schedules = false;
        // Tests run beside each other; how long a request waits for a connection is not their
        // matter, but for those that set it.
        configuration.storage.acquire_timeout_ms = 10_000;
        for name in plugin_list::Plugin::ALL.iter().map(|plugin| plugin.name()) {
            configuration.plugins.insert(name.to_owned(), Plugin::at(plugin_path(name)));
        }
        configure(&mut configuration);
        Self::serve(configuration, Arc::new(database)).await.unwrap()
    }

    async fn serve(configuration: Config, database: Arc<Database>) -> anyhow::Result<Self> {
        let shared = Arc::new(Mutex::new(configuration.clone()));
        let reads = Arc::<AtomicUsize>::default();
        let (read, count) = (Arc::clone(&shared), Arc::clone(&reads));
        let source: Source = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(read.lock().unwrap().clone())
        });
        let started = start_from(source, configuration, engine()).await?;
        let Started { server, gateway, background, reload: _ } = started;
        let (address, admin) = (server.local_addr()?, server.admin_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async { stopped.await.unwrap_or(()) }));
        let serving = Some((stop, serving));
        let configuration = shared;
        let _background = background;
        Ok(Self { address, admin, gateway, configuration, reads, serving, database, _background })
    }

    /// Another gateway on the same database.
    pub(crate) async fn second(&self) -> anyhow::Result<Self> {
        let configuration = self.configuration.lock().unwrap().clone();
        Self::serve(configuration, Arc::clone(&self.database)).await
    }

    /// Keep reloads waiting for the configuration until this is dropped.
    pub(crate) async fn hold_configuration(&self) -> HeldConfiguration {
        let configuration = Arc::clone(&self.configuration);
        let (held, is_held) = oneshot::channel();
        let (release, released) = mpsc::channel();
        // The lock may not be held across an await.
        std::thread::spawn(move || {
            let _held = configuration.lock().unwrap();
            held.send(()).unwrap();
            released.recv().ok();
        });
        is_held.await.unwrap();
        HeldConfiguration { _release: release }
    }

    /// What new requests get now, without keeping it.
    pub(crate) fn generation(&self) -> Weak<Generation> {
        Arc::downgrade(&self.gateway.generation())
    }

    /// The database behind it.
    pub(crate) fn storage(&self) -> &Arc<Storage> {
        self.gateway.storage()
    }

    /// The same with another configuration.
    pub(crate) async fn second_with(&self, configure: fn(&mut Config)) -> Self {
        let mut configuration = self.configuration.lock().unwrap().clone();
        configure(&mut configuration);
        Self::serve(configuration, Arc::clone(&self.database)).await.unwrap()
    }

    /// A look behind its back.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Stop it as a signal does, and wait until it has stopped.
    pub(crate) async fn stop(&mut self) {
        if let Some((stop, serving)) = self.serving.take() {
            stop.send(()).unwrap();
            serving.await.unwrap();
        }
    }

    /// How many requests wait for a change.
    pub(crate) fn waiting(&self) -> usize {
        self.gateway.storage().watching()
    }

    /// Requests that are not answered yet, and connections that they hold.
    pub(crate) fn under_way(&self) -> (u32, u32) {
        (self.gateway.in_calls(), self.gateway.storage().in_use().connections)
    }

    /// How often a tenant's limit in the plugin `faults` was broken, as the metrics have it.
    pub(crate) fn counted(&self, tenant: &str, limit: &str) -> u64 {
        self.counted_in("faults", tenant, limit)
    }

    /// The same for another plugin.
    pub(crate) fn counted_in(&self, plugin: &str, tenant: &str, limit: &str) -> u64 {
        let text = self.gateway.metrics().text(&InUse::default());
        let labels = format!("{{tenant=\"{tenant}\",plugin=\"{plugin}\",limit=\"{limit}\"}} ");
        let begin = format!("loggia_limit_exceeded_total{labels}");
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(&begin));
        lines.next().map_or(0, |number| number.parse().unwrap())
    }

    /// Whether it runs on `SQLite`.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.gateway.storage().is_sqlite()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        send(self.address, method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[JSON], body.to_string()).await
    }

    pub(crate) async fn put_text(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[JSON], body.to_owned()).await
    }

    pub(crate) async fn put_if(&self, path: &str, condition: (&str, &str), body: &Value) -> Answer {
        self.send("PUT", path, &[JSON, condition], body.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], "").await
    }

    /// What is out of the pool or under way, once requests had time to end.
    fn left_open(&self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let (in_use, in_calls) = (self.gateway.storage().in_use(), self.gateway.in_calls());
            if in_use.connections == 0 && in_calls == 0 {
                return None;
            }
            if Instant::now() >= deadline {
                return Some(format!("{in_use:?}, {in_calls} calls under way"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        let left_open = self.left_open();
        if let Some((_, serving)) = self.serving.take() {
            serving.abort();
        }
        if let (Some(what), false) = (left_open, std::thread::panicking()) {
            panic!("the test left something open: {what}");
        }
    }
}

/// One for all tests of the process, with a cache for all runs.
pub(crate) fn engine() -> &'static Runtime {
    static ENGINE: OnceLock<Runtime> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let cache = Cache::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("code")).unwrap();
        Runtime::new(compiler(), Some(cache)).unwrap()
    })
}

/// The program that the tests are of.
pub(crate) fn compiler() -> Compiler {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_loggia"));
    Compiler { program, bounds: CompileBounds::default() }
}

/// The component that `cargo xtask test` has built.
pub(crate) fn plugin_path(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(format!("plugins/{name}.wasm"));
    assert!(path.exists(), "{} is missing; run `cargo xtask test`", path.display());
    path
}
