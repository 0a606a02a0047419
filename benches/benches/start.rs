//! G5 and G6: the gateway with the five plugins in use, started as an operator starts it, on a
//! database and with compiled code that it has left there before. How long it takes from the start
//! of the process to the first answer of a plugin, and what memory it then holds.
//!
//! `cargo bench -p loggia-benches --bench start -- [memory]`

#![expect(clippy::print_stdout, reason = "criterion measures times alone")]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::Criterion;
use loggia_benches::database::Database;
use loggia_benches::program::{Installation, Memory};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let databases = [("postgres", Database::postgres()?), ("sqlite", Database::sqlite()?)];
    let code = tempfile::tempdir_in("/var/tmp")?;
    measure_starts(&databases, code.path())?;
    let named = |arg: &&String| !arg.starts_with('-');
    let asked = args.iter().find(named).is_none_or(|name| "memory".contains(name.as_str()));
    if asked && !args.iter().any(|arg| arg == "--list") {
        let many = if args.iter().any(|arg| arg == "--bench") { 1_000 } else { 5 };
        measure_memory(&databases, code.path(), many)?;
    }
    Ok(())
}

fn measure_starts(databases: &[(&str, Database)], code: &Path) -> Result<()> {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for (name, database) in databases {
        let installation = Installation::new(&database.url(), code, 0)?;
        let mut prepared = false;
        criterion.bench_function(&format!("start/{name}"), |bencher| {
            bencher.iter_custom(|times| {
                // The first one makes the tables and compiles. Criterion may not want it at all.
                if !prepared {
                    start(&installation, 1).expect("the gateway starts");
                    prepared = true;
                }
                start(&installation, times).expect("the gateway starts")
            });
        });
    }
    criterion.final_summary();
    Ok(())
}

/// How long so many starts take. How long each takes to stop does not count.
fn start(installation: &Installation, times: u64) -> Result<Duration> {
    let mut taken = Duration::ZERO;
    for _ in 0..times {
        let began = Instant::now();
        let program = installation.start()?;
        taken += began.elapsed();
        drop(program);
    }
    Ok(taken)
}

fn measure_memory(databases: &[(&str, Database)], code: &Path, many: usize) -> Result<()> {
    println!("\n{:<34}{:>12}{:>14}{:>12}", "", "start, ms", "resident, MB", "of files");
    for (name, database) in databases {
        for tenants in [0, many] {
            let installation = Installation::new(&database.url(), code, tenants)?;
            drop(installation.start()?);
            let began = Instant::now();
            let program = installation.start()?;
            let taken = began.elapsed().as_secs_f64() * 1e3;
            let Memory { resident, anonymous } = program.memory()?;
            let megabytes = |kilobytes: u64| kilobytes as f64 / 1e3;
            let name = format!("memory/{name}, {tenants} tenants");
            let (all, of_files) = (megabytes(resident), megabytes(resident - anonymous));
            println!("{name:<34}{taken:>12.0}{all:>14.1}{of_files:>12.1}");
        }
    }
    Ok(())
}
