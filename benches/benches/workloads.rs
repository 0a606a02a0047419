//! The workloads of the systems that came before, replayed over HTTP on both databases, beside
//! what those systems reached in process. Prints a table for each plugin.
//!
//! `cargo bench -p loggia-benches --bench workloads -- [chat] [discord] [graph] [jobs] [state]`
//!
//! The forerunners' figures were taken on a machine with 2 cores and `PostgreSQL` 15, client and
//! server on the same one, without HTTP. A workload has the same number as there.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

#[path = "workloads/chat.rs"]
mod chat;
#[path = "workloads/discord.rs"]
mod discord;
#[path = "workloads/graph.rs"]
mod graph;
#[path = "workloads/jobs.rs"]
mod jobs;
#[path = "workloads/report.rs"]
mod report;
#[path = "workloads/state.rs"]
mod state;

use anyhow::{Result, bail};
use loggia_benches::database::Database;
use loggia_benches::replay::Client;
use loggia_benches::server::{Kind, Server, served};

use report::Report;

fn main() -> Result<()> {
    if served() {
        return Ok(());
    }
    let Some(options) = Options::from_args(std::env::args().skip(1))? else {
        return Ok(());
    };
    if options.test {
        println!("A test: a few requests of each, whose times say nothing.");
    }
    for database in [Database::postgres()?, Database::sqlite()?] {
        let load = std::fs::read_to_string("/proc/loadavg")?;
        println!("\n# {}; load average before: {}", database.describe()?, load.trim());
        let server = Server::start(Kind::InUse, &database.url())?;
        let (client, test) = (Client::new(server.address)?, options.test);
        let bench = Bench { client, database, test };
        for (name, run) in PLUGINS {
            if options.plugins.is_empty() || options.plugins.iter().any(|wanted| wanted == name) {
                let mut report = Report::new(name);
                run(&bench, &mut report)?;
            }
        }
    }
    Ok(())
}

type Run = fn(&Bench, &mut Report) -> Result<()>;

/// The workloads of each plugin.
const PLUGINS: [(&str, Run); 5] = [
    ("chat", chat::run),
    ("discord", discord::run),
    ("graph", graph::run),
    ("jobs", jobs::run),
    ("state", state::run),
];

/// A server to measure.
pub(crate) struct Bench {
    pub(crate) client: Client,
    pub(crate) database: Database,
    pub(crate) test: bool,
}

impl Bench {
    /// So many times; a few in a test.
    pub(crate) fn times(&self, times: usize) -> usize {
        if self.test { times.min(3) } else { times }
    }
}

/// What to measure.
#[derive(Debug)]
struct Options {
    plugins: Vec<String>,
    /// A few requests only, to see that it works.
    test: bool,
}

impl Options {
    /// `None` where it is not asked for: cargo gives a filter to all benchmarks alike.
    fn from_args(args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        // `cargo bench` says so; what `cargo test` starts is a test.
        let mut options = Self { plugins: Vec::new(), test: true };
        for arg in args {
            match arg.as_str() {
                "--bench" => options.test = false,
                "--test" => options.test = true,
                "--nocapture" | "--show-output" | "--quiet" | "--exact" | "workloads" => {}
                "--list" => return Ok(None),
                flag if flag.starts_with('-') => bail!("workloads takes no {flag}"),
                name if PLUGINS.iter().any(|(plugin, _)| *plugin == name) => {
                    options.plugins.push(arg);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(options))
    }
}
