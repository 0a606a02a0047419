//! `cargo xtask`: what stands between a clean clone and a running or tested gateway.
//!
//! It installs what it may, says exactly what to install where it may not, and then calls cargo
//! and the gateway. It must never depend on the gateway's crate. Begin reading at [`run`].
#![expect(clippy::print_stdout, reason = "a command line tool tells its steps on standard output")]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use postgres::Durability;
use workspace::Workspace;

mod apt;
mod dev;
mod examples;
mod install;
mod plugins;
mod postgres;
mod test;
mod workspace;

#[expect(dead_code, reason = "xtask asks whether there is a toolchain, and does not use it")]
#[path = "../../gateway/src/cli/toolchain.rs"]
mod toolchain;

/// Set up, build, serve and test Loggia.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask dev                                     serve on 127.0.0.1:8080 with SQLite in ./data
  DATABASE_URL=postgres://… cargo xtask dev           serve on PostgreSQL
  cargo xtask test                                    run every test on both databases
  cargo xtask test -- a_name                          run those named so
  cargo xtask bench -- get                            run the benchmarks named so";

#[derive(Debug, Subcommand)]
enum Task {
    #[command(about = "Build everything and serve; DATABASE_URL chooses PostgreSQL over SQLite")]
    Dev {
        /// Arguments for `loggia serve`
        #[arg(last = true)]
        args: Vec<String>,
    },
    #[command(about = "Build everything and run every test on SQLite and on a private PostgreSQL")]
    Test {
        /// Arguments for `cargo test`; with any, the tests in documentation are left out
        #[arg(last = true)]
        args: Vec<String>,
    },
    #[command(about = "Build everything in release and run the benchmarks")]
    Bench {
        /// Arguments for `cargo bench`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Build the plugins, and the gateway as far as that needs it
    Plugins,
    /// What continuous integration runs: formatting, lints, and every test
    Ci,
    /// Own a database server for as long as standard input is open
    #[command(hide = true)]
    PostgresGuard {
        #[arg(long)]
        durability: Durability,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Dev { args } => dev::run(&Workspace::find()?, &args),
        Task::Test { args } => test::test(&Workspace::find()?, &args),
        Task::Bench { args } => test::bench(&Workspace::find()?, &args),
        Task::Plugins => plugins::build_all(&Workspace::find()?),
        Task::Ci => test::ci(&Workspace::find()?),
        Task::PostgresGuard { durability } => postgres::guard(durability),
    }
}

/// Say what happens now.
fn step(what: &str) {
    println!("xtask: {what}");
}
