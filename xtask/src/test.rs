//! `cargo xtask test`, `bench` and `ci`: everything that needs a `PostgreSQL` server of its own.

use std::time::Instant;

use anyhow::Result;

use crate::plugins::{self, Scope};
use crate::postgres::{self, Durability, Server};
use crate::workspace::{Workspace, run};
use crate::{examples, install, step};

/// Run the tests on both databases.
pub(crate) fn test(workspace: &Workspace, args: &[String]) -> Result<()> {
    let start = Instant::now();
    let server = prepare(workspace, Scope::Tests, Durability::None)?;
    examples::build(workspace)?;
    step("running the tests");
    // Documentation is not among `--all-targets`, nor can both be asked for at once.
    let mut kinds = vec!["--all-targets"];
    if args.is_empty() {
        kinds.push("--doc");
    }
    for kind in kinds {
        let mut cargo = workspace.command("cargo");
        cargo.args(["test", "--workspace", kind]).args(args);
        // The benchmarks run once each, as tests.
        cargo.env("LOGGIA_BENCH_POSTGRES", server.url());
        run(cargo.env("LOGGIA_TEST_POSTGRES", server.url()))?;
    }
    server.stop()?;
    step(&format!("every test passed, after {} s in all", start.elapsed().as_secs()));
    Ok(())
}

/// Run the benchmarks.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<()> {
    let start = Instant::now();
    let server = prepare(workspace, Scope::Benches, Durability::Full)?;
    step("running the benchmarks");
    let mut cargo = workspace.command("cargo");
    cargo.args(["bench", "--package=loggia-benches", "--bench=*"]).args(args);
    run(cargo.env("LOGGIA_BENCH_POSTGRES", server.url()))?;
    server.stop()?;
    step(&format!("done after {} s in all", start.elapsed().as_secs()));
    Ok(())
}

/// Run what a change must pass.
pub(crate) fn ci(workspace: &Workspace) -> Result<()> {
    step("checking the format");
    workspace.cargo(&["fmt", "--all", "--", "--check"])?;
    set_up(workspace)?;
    step("checking the lints");
    workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    test(workspace, &[])
}

/// Look for everything that may be missing, before anything is compiled.
fn set_up(workspace: &Workspace) -> Result<()> {
    install::ensure_toolchain(workspace)?;
    postgres::ensure_installed()
}

/// Start a server and build everything. In this order, because cargo may replace the program of
/// xtask itself, and a server cannot be started by a program that is gone.
fn prepare(workspace: &Workspace, scope: Scope, durability: Durability) -> Result<Server> {
    set_up(workspace)?;
    step("starting a private PostgreSQL");
    let server = Server::start(durability)?;
    plugins::build(workspace, scope, &plugins::all())?;
    Ok(server)
}
