//! G5: from the start of the process to its listening, on a database that a gateway has used
//! before: its tables are there, and the plugin is loaded.

use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::Criterion;
use loggia_benches::database::Database;
use loggia_benches::server::{Kind, Server, served};

fn main() -> Result<()> {
    if served() {
        return Ok(());
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for (name, database) in [("postgres", Database::postgres()?), ("sqlite", Database::sqlite()?)] {
        // The first one makes the tables.
        start(&database, 1)?;
        criterion.bench_function(&format!("start/{name}"), |bencher| {
            bencher.iter_custom(|times| start(&database, times).expect("the gateway starts"));
        });
    }
    criterion.final_summary();
    Ok(())
}

/// How long so many starts take. How long each takes to stop does not count.
fn start(database: &Database, times: u64) -> Result<Duration> {
    let mut taken = Duration::ZERO;
    for _ in 0..times {
        let began = Instant::now();
        let server = Server::start(Kind::Warm, &database.url())?;
        taken += began.elapsed();
        drop(server);
    }
    Ok(taken)
}
