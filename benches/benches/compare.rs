//! G1, G2, G3 side by side: the plugin against the native handler, in turns, so that whatever
//! else the machine does meets all of them. Prints a table, and writes nothing else.
//!
//! `cargo bench -p loggia-benches --bench compare -- [--seconds N] [--rounds N] [--connections N]`

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use loggia_benches::client::Connection;
use loggia_benches::database::Database;
use loggia_benches::document::{self, Method};
use loggia_benches::load::{DOCUMENTS, Load, Measured, fill};
use loggia_benches::server::{Kind, Server, served};

fn main() -> Result<()> {
    if served() {
        return Ok(());
    }
    let Some(options) = Options::from_args(std::env::args().skip(1))? else {
        return Ok(());
    };
    println!("{}", header(&options)?);
    compare_on_postgres(&options)?;
    compare_on_sqlite(&options)
}

const METHODS: [Method; 3] = [Method::Get, Method::Put, Method::PutCounted];

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Options {
    seconds: u32,
    rounds: usize,
    connections: usize,
    /// A few requests only, to see that it works.
    test: bool,
}

const USAGE: &str = "compare takes --seconds N, --rounds N, --connections N, and no filter but \
                     `compare`, `get` and `put`, with which it runs as a whole";

impl Options {
    /// `None` where it is not asked for: cargo gives a filter to all benchmarks alike.
    fn from_args(args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        // `cargo bench` says so; what `cargo test` starts is a test.
        let mut options = Self { seconds: 5, rounds: 6, connections: 32, test: true };
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut number = || {
                let number = args.next().and_then(|number| number.parse::<u32>().ok());
                number.filter(|number| *number > 0).with_context(|| format!("{arg} N: {USAGE}"))
            };
            match arg.as_str() {
                "--bench" => options.test = false,
                "--test" => options.test = true,
                "--seconds" => options.seconds = number()?,
                "--rounds" => options.rounds = number()? as usize,
                "--connections" => options.connections = number()? as usize,
                // What libtest knows and says nothing to this.
                "--nocapture" | "--show-output" | "--quiet" | "--exact" => {}
                "--list" => return Ok(None),
                flag if flag.starts_with('-') => bail!("{flag}: {USAGE}"),
                filter => {
                    if !["compare", "get", "put"].contains(&filter.to_lowercase().as_str()) {
                        return Ok(None);
                    }
                }
            }
        }
        if options.test {
            (options.rounds, options.connections) = (1, 4);
        }
        Ok(Some(options))
    }
}

fn header(options: &Options) -> Result<String> {
    let Options { seconds, rounds, connections, .. } = options;
    let cores = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    if options.test {
        return Ok("A test: a few requests of each, whose times say nothing.".to_owned());
    }
    Ok(format!(
        "Documents of {} bytes, {connections} connections, {rounds} rounds of {seconds} s each; \
         {cores} cores for servers, database and client; load average before: {load}",
        document::BODY_BYTES
    ))
}

fn compare_on_postgres(options: &Options) -> Result<()> {
    let database = Database::postgres()?;
    let start = |kind| Server::start(kind, &database.url());
    // The gateway first: the native handler uses its tables.
    let (warm, fresh) = (start(Kind::Warm)?, start(Kind::Fresh)?);
    let servers = [start(Kind::Native)?, warm, fresh];
    fill(servers[0].address)?;
    println!("\n{}", database.describe()?);
    METHODS.into_iter().try_for_each(|method| compare(method, &servers, options))
}

fn compare_on_sqlite(options: &Options) -> Result<()> {
    // A file belongs to one gateway.
    let (for_warm, for_fresh) = (Database::sqlite()?, Database::sqlite()?);
    let servers = [
        Server::start(Kind::Warm, &for_warm.url())?,
        Server::start(Kind::Fresh, &for_fresh.url())?,
    ];
    servers.iter().try_for_each(|server| fill(server.address))?;
    println!("\n{}", for_warm.describe()?);
    METHODS.into_iter().try_for_each(|method| compare(method, &servers, options))
}

/// What one server has done in all rounds.
#[derive(Default)]
struct Total {
    measured: Measured,
    per_second: Vec<f64>,
    processor_time: Duration,
}

/// Measure servers in turns and print a table, in which the first is the measure of the others.
fn compare(method: Method, servers: &[Server], options: &Options) -> Result<()> {
    servers.iter().try_for_each(check)?;
    let mut totals: Vec<Total> = servers.iter().map(|_| Total::default()).collect();
    for round in 0..options.rounds {
        for turn in 0..servers.len() {
            let place = (round + turn) % servers.len();
            totals[place].measure(method, &servers[place], options)?;
        }
    }
    print(method, servers, &mut totals);
    Ok(())
}

impl Total {
    fn measure(&mut self, method: Method, server: &Server, options: &Options) -> Result<()> {
        // New ones for each turn: the servers close connections that do nothing for some seconds.
        let mut load = Load::open(server.address, method, options.connections)?;
        // Connections to the database, statements and instances are made now.
        load.run_times(if options.test { 16 } else { DOCUMENTS as u64 })?;
        let before = server.processor_time()?;
        let measured = if options.test {
            load.run_times(64)?
        } else {
            load.run_for(Duration::from_secs(options.seconds.into()))?
        };
        self.processor_time += server.processor_time()? - before;
        self.per_second.push(measured.per_second());
        self.measured.add(measured);
        Ok(())
    }
}

/// Fail unless a server gives back what was stored.
fn check(server: &Server) -> Result<()> {
    let name = server.kind.name();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(server.address).await?;
        for method in [Method::Put, Method::PutCounted, Method::Get] {
            let answer = connection.send(&document::request(method, 1)).await?;
            ensure!(answer.status == 200, "{name}: {}", answer.head);
            ensure!(answer.header("etag").is_some(), "{name}: no ETag");
            if method == Method::Get {
                let body: serde_json::Value = serde_json::from_slice(answer.body)?;
                let stored: serde_json::Value = serde_json::from_str(&document::body(1))?;
                ensure!(body == stored, "{name}: it answers {body}");
            }
        }
        Ok(())
    })
}

#[expect(clippy::cast_precision_loss, reason = "a number of requests is small")]
fn print(method: Method, servers: &[Server], totals: &mut [Total]) {
    println!(
        "\n{:<14}{:>9}{:>8}  {:<13}{:>8}{:>8}{:>8}{:>12}",
        method.name(),
        "req/s",
        "ratio",
        "of rounds",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU µs/req"
    );
    let reference = totals[0].per_second.clone();
    for (server, total) in servers.iter().zip(totals) {
        let mut ratios: Vec<f64> =
            total.per_second.iter().zip(&reference).map(|(own, other)| own / other).collect();
        ratios.sort_by(f64::total_cmp);
        let range = format!("{:.2}-{:.2}", ratios[0], ratios[ratios.len() - 1]);
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| total.measured.percentile_ms(part));
        println!(
            "{:<14}{:>9.0}{:>8.2}  {range:<13}{p50:>8.2}{p95:>8.2}{p99:>8.2}{:>12.0}",
            server.kind.name(),
            total.measured.per_second(),
            ratios[ratios.len() / 2],
            total.processor_time.as_secs_f64() * 1e6 / total.measured.latencies.len() as f64,
        );
    }
}
