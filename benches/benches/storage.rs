//! The storage layer by itself, without HTTP and without a plugin, on both databases: Markdown
//! tables, and nothing else. Begin reading at [`Options`].
//!
//! `cargo bench -p loggia-benches --bench storage -- [--only operations|shapes|growth|cost]
//! [--growth] [--max N] [--seconds N]`
//!
//! Growing to a million documents takes minutes: it is measured where `--growth` or
//! `--only growth` asks for it.

#![expect(clippy::print_stdout, reason = "tables are what it is for")]

#[path = "storage/checkpoints.rs"]
mod checkpoints;
#[path = "storage/cost.rs"]
mod cost;
#[path = "storage/growth.rs"]
mod growth;
#[path = "storage/load.rs"]
mod load;
#[path = "storage/operations.rs"]
mod operations;
#[path = "storage/shapes.rs"]
mod shapes;
#[path = "storage/store.rs"]
mod store;
#[path = "storage/table.rs"]
mod table;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use load::Budget;
use store::Backend;

fn main() -> Result<()> {
    let Some(options) = Options::from_args(std::env::args().skip(1))? else {
        return Ok(());
    };
    println!("{}", heading(&options)?);
    // As `loggia serve` does it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&options))
}

/// What to measure, and how much.
#[derive(Clone, Debug)]
struct Options {
    sections: Vec<Section>,
    budget: Budget,
    /// The most documents that a collection grows to.
    max: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Section {
    /// Each operation, at 1 and at 32 in flight.
    Operations,
    /// What was measured of others, in the same shapes.
    Shapes,
    /// How cost grows with the number of documents.
    Growth,
    /// What a declared count and the like cost.
    Cost,
}

const USAGE: &str = "storage takes --only operations|shapes|growth|cost, --growth, --max N, \
                     --seconds N, and no filter but `storage`";

impl Options {
    /// `None` where it is not asked for: cargo gives a filter to all benchmarks alike.
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        // `cargo bench` says so; what `cargo test` starts is a test.
        let (mut test, mut growth, mut only) = (true, false, None);
        let (mut max, mut seconds) = (None, 3);
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg}: {USAGE}"));
            match arg.as_str() {
                "--bench" => test = false,
                "--test" => test = true,
                "--growth" => growth = true,
                "--only" => only = Some(Section::named(&value()?)?),
                "--max" => max = Some(number(&value()?)?),
                "--seconds" => seconds = number(&value()?)?,
                // What libtest knows and says nothing to this.
                "--nocapture" | "--show-output" | "--quiet" | "--exact" => {}
                "--list" => return Ok(None),
                flag if flag.starts_with('-') => bail!("{flag}: {USAGE}"),
                filter if filter.eq_ignore_ascii_case("storage") => {}
                _ => return Ok(None),
            }
        }
        let mut sections = Section::ALL.to_vec();
        sections.retain(|section| match only {
            Some(only) => *section == only || (growth && *section == Section::Growth),
            None => test || growth || *section != Section::Growth,
        });
        let budget = if test { Budget::Test } else { Budget::Time(Duration::from_secs(seconds)) };
        let max = max.unwrap_or(if test { 1_000 } else { 1_000_000 });
        Ok(Some(Self { sections, budget, max }))
    }
}

fn number(text: &str) -> Result<u64> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.with_context(|| format!("{text} is not a number above 0: {USAGE}"))
}

impl Section {
    const ALL: [Self; 4] = [Self::Operations, Self::Shapes, Self::Growth, Self::Cost];

    fn named(name: &str) -> Result<Self> {
        let section = Self::ALL.into_iter().find(|section| section.name() == name);
        section.with_context(|| format!("--only {name}: {USAGE}"))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Shapes => "shapes",
            Self::Growth => "growth",
            Self::Cost => "cost",
        }
    }
}

fn heading(options: &Options) -> Result<String> {
    let Budget::Time(time) = options.budget else {
        return Ok("A test: a few calls of each, whose times say nothing.".to_owned());
    };
    let cores = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    Ok(format!(
        "The storage layer in one process with its load, without HTTP and plugins. {} s for each \
         figure; {cores} cores for it and the database; load average before: {load}.",
        time.as_secs()
    ))
}

async fn run(options: &Options) -> Result<()> {
    for backend in Backend::ALL {
        println!("\n# {}", backend.describe()?);
        for section in &options.sections {
            match section {
                Section::Operations => operations::report(backend, options.budget).await?,
                Section::Shapes => shapes::report(backend, options.budget).await?,
                Section::Growth => growth::report(backend, options.budget, options.max).await?,
                Section::Cost => cost::report(backend, options.budget).await?,
            }
        }
    }
    Ok(())
}
