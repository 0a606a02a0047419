//! `loggia plugin test`: runs the tests of a plugin, on the real gateway and on both databases.
//!
//! Tests are data (`plugin_test/file.rs`), so plugins of every language have the same. Begin at
//! [`run`]; one test is `plugin_test/run.rs`.

mod choices;
mod declared;
mod expect;
mod file;
mod interleave;
mod lane;
mod run;
mod steps;
mod world;

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::StreamExt as _;

use super::ConfigurationFault;
use super::build::Profile;
use super::component;
use file::{Test, TestFile};
use run::Failure;
use world::{On, Subject};

/// What to run.
#[derive(Debug)]
pub(super) struct Options {
    /// The plugin's folder.
    pub(super) folder: PathBuf,
    /// The component, where it is not to be built.
    pub(super) component: Option<PathBuf>,
    /// A server to make databases on.
    pub(super) postgres: Option<String>,
    /// Only tests whose names contain this.
    pub(super) filter: Option<String>,
}

/// Some tests have failed; they are told of already.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {run} tests failed")]
pub(super) struct TestsFailed {
    failed: usize,
    run: usize,
}

/// Tests at a time: enough to use the machine while others wait for the database.
const AT_ONCE: usize = 4;

/// Run all tests, and say what has failed.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let files = read_files(&options.folder)?;
    let component = match &options.component {
        Some(file) => component::read(file)?,
        None => component::component_at(&options.folder, Profile::Quick)?,
    };
    let subject = Subject { engine: component::Engine::new()?, component };
    let mut databases = vec![On::Sqlite];
    databases.extend(options.postgres.clone().map(On::Postgres));
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut failed, mut run) = (0, 0);
    for on in &databases {
        let began = Instant::now();
        let outcomes = executor.block_on(run_on(&subject, &files, on, options.filter.as_deref()));
        failed += outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
        run += outcomes.len();
        outcomes.iter().for_each(print);
        let (name, tests) = (on.name(), outcomes.len());
        println!("{name}: {tests} tests in {:.2} s", began.elapsed().as_secs_f64());
    }
    if run == 0 {
        let fault = format!("{} has no such test", options.folder.join("tests").display());
        return Err(ConfigurationFault(fault).into());
    }
    if failed > 0 { Err(TestsFailed { failed, run }.into()) } else { Ok(()) }
}

/// All `tests/*.toml`, in the order of their names.
fn read_files(folder: &Path) -> anyhow::Result<Vec<TestFile>> {
    let tests = folder.join("tests");
    let entries = std::fs::read_dir(&tests).map_err(|error| {
        ConfigurationFault(format!("{}: {error}; put tests/*.toml there", tests.display()))
    })?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        match TestFile::read(&path) {
            Ok(file) => files.push(file),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(ConfigurationFault(faults.join("\n")).into()) }
}

/// How a test has ended.
struct Outcome<'t> {
    file: &'t TestFile,
    test: &'t Test,
    on: &'t On,
    /// How many runs it took.
    result: Result<usize, Failure>,
}

/// In the order of the files.
async fn run_on<'t>(
    subject: &'t Subject,
    files: &'t [TestFile],
    on: &'t On,
    filter: Option<&'t str>,
) -> Vec<Outcome<'t>> {
    let tests = files.iter().flat_map(|file| file.tests.iter().map(move |test| (file, test)));
    let chosen = tests.filter(|(_, test)| filter.is_none_or(|part| test.name.contains(part)));
    let running = chosen.map(|(file, test)| async move {
        Outcome { file, test, on, result: run::run(subject, file, test, on).await }
    });
    futures_util::stream::iter(running).buffered(AT_ONCE).collect().await
}

fn print(outcome: &Outcome<'_>) {
    let Outcome { file, test, on, result } = outcome;
    let (path, name, on) = (file.path.display(), &test.name, on.name());
    match result {
        Ok(1) => println!("ok      {name}"),
        Ok(runs) => println!("ok      {name} ({runs} runs)"),
        Err(Failure { line, text }) => println!("FAILED  {name}, on {on}\n{path}:{line}: {text}"),
    }
}
