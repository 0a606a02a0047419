//! What a put costs with what a manifest or an operator may add to it, in turns with the plain one,
//! so that whatever else the machine does meets all of them.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use loggia::storage::{InstallOptions, Write};
use loggia_benches::load::Measured;
use serde_json::{Value as Json, json};

use crate::load::{Budget, Call, Load};
use crate::store::{Backend, Store, body, put};
use crate::table;

#[derive(Clone, Copy, Debug)]
enum Variant {
    Plain,
    /// The manifest declares a count by one field, with a sum.
    Counted,
    /// The numbers of documents and bytes are kept.
    Statistics,
    /// `PostgreSQL` keeps tenants apart by policies.
    RowLevelSecurity,
}

impl Variant {
    /// `SQLite` has no policies.
    fn all(backend: Backend) -> Vec<Self> {
        let mut all = vec![Self::Plain, Self::Counted, Self::Statistics];
        if matches!(backend, Backend::Postgres) {
            all.push(Self::RowLevelSecurity);
        }
        all
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Counted => "a declared count, by one field and with a sum",
            Self::Statistics => "statistics",
            Self::RowLevelSecurity => "row level security",
        }
    }

    fn declared(self) -> Json {
        let mut declared = json!({"collections": [
            {"name": "job", "fields": {"state": "text", "size": "integer"}}]});
        if matches!(self, Self::Counted) {
            declared["counts"] = json!([
                {"name": "by_state", "collections": ["job"], "by": ["state"], "sum": ["size"]}]);
        }
        declared
    }

    async fn open(self, backend: Backend) -> Result<Arc<Store>> {
        let statistics = matches!(self, Self::Statistics);
        let options = InstallOptions { statistics, ..InstallOptions::default() };
        if matches!(self, Self::RowLevelSecurity) {
            return Store::open_with_policies(&self.declared(), &options).await;
        }
        Store::open(backend, &self.declared(), &options).await
    }
}

/// Documents that are replaced.
const DOCUMENTS: u64 = 1_024;
const ROUNDS: u32 = 4;

#[derive(Clone, Copy, Debug)]
enum Put {
    New,
    /// With a change of the counted fields.
    Replace,
}

/// Measure and print all of them.
pub(crate) async fn report(backend: Backend, budget: Budget) -> Result<()> {
    let variants = Variant::all(backend);
    let mut stores = Vec::new();
    for variant in &variants {
        let store = variant.open(backend).await?;
        store.fill(0..DOCUMENTS, |number| job(format!("replaced-{number}"), number)).await?;
        stores.push(store);
    }
    table::head(
        "What it costs to put 1 kB",
        &["put", "with", "in flight", "operations/s", "p50 ms", "p95 ms", "p99 ms", "ratio"],
    );
    let rounds = if matches!(budget, Budget::Test) { 1 } else { ROUNDS };
    for put in [Put::New, Put::Replace] {
        for in_flight in [1, 32] {
            let load = Load::new(budget.part(rounds), in_flight);
            let measured = in_turns(&stores, put, load, rounds).await;
            let measured = measured.with_context(|| format!("{put:?}"))?;
            print(put, in_flight, &variants, measured);
        }
    }
    Ok(())
}

async fn in_turns(
    stores: &[Arc<Store>],
    put: Put,
    load: Load,
    rounds: u32,
) -> Result<Vec<Measured>> {
    let mut measured = vec![Measured::default(); stores.len()];
    for round in 0..rounds {
        for turn in 0..stores.len() {
            let place = (round as usize + turn) % stores.len();
            measured[place].add(run(&stores[place], put, load, round).await?);
        }
    }
    Ok(measured)
}

async fn run(store: &Arc<Store>, put: Put, load: Load, round: u32) -> Result<Measured> {
    let work = move |store: Arc<Store>, call: Call| async move {
        let number = call.number;
        let write = match put {
            Put::New => job(format!("new-{}-{round}-{number}", load.in_flight), number),
            Put::Replace => {
                // Another state than in the turn before.
                let turn = number / DOCUMENTS + u64::from(round);
                job(format!("replaced-{}", number % DOCUMENTS), number + turn)
            }
        };
        store.write(write).await.map(drop)
    };
    load.run(store, work).await
}

fn print(put: Put, in_flight: usize, variants: &[Variant], mut measured: Vec<Measured>) {
    let plain = measured[0].per_second();
    for (variant, measured) in variants.iter().zip(&mut measured) {
        let name = match put {
            Put::New => "of a new document",
            Put::Replace => "that replaces",
        };
        let mut cells = vec![name.to_owned(), variant.name().to_owned(), in_flight.to_string()];
        cells.extend(table::figures(measured));
        cells.push(format!("{:.2}", measured.per_second() / plain));
        table::row(&cells);
    }
}

fn job(id: String, number: u64) -> Write {
    let state = ["queued", "running", "done"][number as usize % 3];
    put("job", id, body(json!({"state": state, "size": number % 1_000}), number, 1_024))
}
