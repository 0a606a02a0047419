//! The gateway as the benchmarks configure it: the defaults, and the plugins that are measured.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use loggia::cli::{Started, start_with};
use loggia::config::{Config, Isolation, Plugin};
use loggia::plugin::{CompileBounds, Compiler, Runtime};

/// The plugin that is measured. Its documents are plain: nearly all of its time is the gateway's.
const PLUGIN: &str = "faults";

/// How long a request waits for a connection to the database, and how long it may take in all.
/// More than by default: where a machine runs all tests at once, a server starts slowly.
pub(crate) const ACQUIRE_TIMEOUT_MS: u64 = 10_000;
pub(crate) const REQUEST_TIMEOUT_MS: u64 = 20_000;

/// The plugins that people use, whose own workloads are replayed.
pub(crate) const IN_USE: [&str; 5] =
    ["chat-sessions", "discord-events", "graph-networks", "job-fsm", "state"];

/// The component of the plugin.
///
/// # Errors
/// It was not built.
pub fn component() -> Result<PathBuf> {
    component_of(PLUGIN)
}

pub(crate) fn component_of(name: &str) -> Result<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(format!("plugins/{name}.wasm"));
    ensure!(path.exists(), "{} is missing; run `cargo xtask plugins`", path.display());
    Ok(path)
}

/// An engine whose compiler is the program that was built beside the benchmark.
///
/// # Errors
/// There is none, or the machine has no room for the instances.
pub fn runtime() -> Result<Runtime> {
    runtime_within(CompileBounds::default())
}

/// The same with a compiler that may take so much.
///
/// # Errors
/// As [`runtime`].
pub fn runtime_within(bounds: CompileBounds) -> Result<Runtime> {
    let compiler = Compiler { program: program()?, bounds };
    Runtime::new(compiler, None)
        .map_err(|error| anyhow::anyhow!("the WebAssembly engine: {error:#}"))
}

/// The gateway's program that was built beside the benchmark.
pub(crate) fn program() -> Result<PathBuf> {
    let benchmark = std::env::current_exe()?;
    let mut folders = benchmark.ancestors().skip(1);
    let program = folders.find_map(|folder| {
        let program = folder.join("loggia");
        program.is_file().then_some(program)
    });
    program.context("the gateway is missing; run `cargo build --release`")
}

/// Default settings on a free port.
///
/// # Errors
/// The plugin was not built.
pub fn configuration(url: &str, isolation: Isolation) -> Result<Config> {
    serving(url, isolation, &[PLUGIN])
}

pub(crate) fn serving(url: &str, isolation: Isolation, plugins: &[&str]) -> Result<Config> {
    let mut configuration = Config::default();
    configuration.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    configuration.server.admin_listen = configuration.server.listen;
    configuration.storage.url = url.to_owned();
    configuration.server.schedules = false;
    configuration.storage.acquire_timeout_ms = ACQUIRE_TIMEOUT_MS;
    configuration.limits.request_ms = REQUEST_TIMEOUT_MS;
    for name in plugins {
        let plugin = Plugin { isolation, ..Plugin::at(component_of(name)?) };
        configuration.plugins.insert((*name).to_owned(), plugin);
    }
    Ok(configuration)
}

/// Start it and tell its address; then serve until `stop` ends.
///
/// # Errors
/// It does not start.
pub async fn serve(
    configuration: &Config,
    started: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let Started { server, background, .. } = start_with(configuration, &runtime()?).await?;
    started(server.local_addr()?);
    server.run(stop).await;
    background.stop().await;
    Ok(())
}
