//! A server to measure, in a process of its own: the same program, which serves instead.
//!
//! In one process with the client, they would share a runtime, an allocator and the accounting of
//! processor time. The gateway logs a line for each request, as it does in production, to
//! `/dev/null`; set `RUST_LOG=off` to see what that costs.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use loggia::config::{Config, Isolation};
use tokio::sync::oneshot;

use crate::{gateway, native};

/// What is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The handler without a plugin, on `PostgreSQL`.
    Native,
    /// The gateway, with instances that are kept for the tenant.
    Warm,
    /// The gateway, with a fresh instance for each request.
    Fresh,
    /// The gateway with the plugins that people use.
    InUse,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Native, Self::Warm, Self::Fresh, Self::InUse];

    /// As tables and benchmarks call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Warm => "plugin warm",
            Self::Fresh => "plugin fresh",
            Self::InUse => "plugins in use",
        }
    }
}

/// A serving process. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    /// What it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

const KIND_VARIABLE: &str = "LOGGIA_BENCH_SERVE";
const URL_VARIABLE: &str = "LOGGIA_BENCH_URL";

impl Server {
    /// Start it and wait until it listens.
    ///
    /// # Errors
    /// It does not start; its own words are in the error.
    pub fn start(kind: Kind, url: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(KIND_VARIABLE, kind.name())
            .env(URL_VARIABLE, url)
            // The child serves as long as this pipe is open, so it ends when this process does.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().write(true).open("/dev/null")?)
            .spawn()?;
        let stdout = child.stdout.take().context("the server has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().parse() {
            Ok(address) => Ok(Self { kind, address, child }),
            Err(_) => bail!("the server ({}) did not start: {}", kind.name(), line.trim()),
        }
    }

    /// Processor time that it has used so far.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn processor_time(&self) -> Result<Duration> {
        processor_time(&format!("/proc/{}/stat", self.child.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// The system counts in hundredths of a second, whatever its own clock is.
const TICK: Duration = Duration::from_millis(10);

fn processor_time(path: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in it")?;
    let ticks = |place| fields.split_ascii_whitespace().nth(place)?.parse::<u32>().ok();
    let (user, system) = ticks(11).zip(ticks(12)).context("no times in it")?;
    Ok(TICK * (user + system))
}

/// Serve, if this process was started for that, and tell whether it was. The first line of every
/// benchmark's `main`.
#[must_use]
pub fn served() -> bool {
    let Ok(name) = std::env::var(KIND_VARIABLE) else {
        return false;
    };
    if let Err(error) = serve(&name) {
        // In one line: the parent reads one.
        println!("{}", format!("{error:#}").replace('\n', "; "));
    }
    true
}

fn serve(name: &str) -> Result<()> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    let url = std::env::var(URL_VARIABLE)?;
    let started = |address| println!("{address}");
    // As `loggia serve` does it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let gateway = |configuration: Result<Config>| {
        loggia::telemetry::init();
        let configuration = configuration?;
        runtime.block_on(gateway::serve(&configuration, started, end_of_input()))
    };
    match kind.context("no such server")? {
        Kind::Native => runtime.block_on(native::serve(&url, POOL_SIZE, started, end_of_input())),
        Kind::Warm => gateway(gateway::configuration(&url, Isolation::Tenant)),
        Kind::Fresh => gateway(gateway::configuration(&url, Isolation::Request)),
        Kind::InUse => gateway(gateway::serving(&url, Isolation::Tenant, &gateway::IN_USE)),
    }
}

/// As many connections to the database as the gateway has by default.
const POOL_SIZE: u32 = 10;

async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        ended.send(()).ok();
    });
    end.await.ok();
}
