//! K1 to K8: what was measured of a store of states, in the same shapes, one call at a time. The
//! figures to compare with were measured on `PostgreSQL`, in process, as these are.

use std::sync::Arc;

use anyhow::{Result, ensure};
use loggia::manifest::Mode;
use loggia::storage::{InstallOptions, Page, Value, Write};
use loggia_benches::load::Measured;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::checkpoints::{self, Series};
use crate::load::{Budget, Call, Load};
use crate::store::{Backend, Store, body, put};
use crate::table;

fn declared() -> Json {
    let (item, series) = checkpoints::declared();
    json!({
        "collections": [{"name": "state"}, {"name": "key"}, item],
        "statements": [
            {"name": "keys", "select": "SELECT id FROM key",
             "where": ["starts_with(id, :prefix)"]},
            series,
        ],
    })
}

/// Keys in the lists, of two prefixes.
const FIRST_KEYS: u64 = 1_000;
const ALL_KEYS: u64 = 1_500;
const KILOBYTES: u64 = 1_000;

struct Shapes {
    store: Arc<Store>,
    load: Load,
    series: Arc<Series>,
}

/// Measure and print all of them.
pub(crate) async fn report(backend: Backend, budget: Budget) -> Result<()> {
    let store = Store::open(backend, &declared(), &InstallOptions::default()).await?;
    store.fill(0..KILOBYTES, |n| state(format!("kilobyte-{n}"), n, 1_024)).await?;
    store.fill(0..ALL_KEYS, |n| state_of("key", key(n), n, 256)).await?;
    let series = Series::make(&store, 1).await?;
    store.settle()?;
    let shapes = Shapes { store, load: Load::new(budget, 1), series };
    table::head(
        "K1 to K8, one at a time",
        &["shape", "original, p50 ms", "p50 ms", "p95 ms", "p99 ms", "calls/s"],
    );
    shapes.puts().await?;
    shapes.lists().await?;
    shapes.checkpoints().await?;
    shapes.tasks().await
}

fn print(name: String, original: &str, mut measured: Measured) {
    let mut figures = table::figures(&mut measured);
    figures.rotate_left(1);
    let mut cells = vec![name, original.to_owned()];
    cells.extend(figures);
    table::row(&cells);
}

impl Shapes {
    async fn puts(&self) -> Result<()> {
        let sizes =
            [(64, "0.29"), (256, "0.32"), (1_024, "0.29"), (4_096, "0.30"), (16_384, "0.36")];
        for (bytes, original) in sizes {
            let put = move |store: Arc<Store>, call: Call| async move {
                let id = format!("put-{bytes}-{}", call.number);
                store.write(state(id, call.number, bytes)).await.map(drop)
            };
            print(format!("K1 put of {bytes} B"), original, self.load.run(&self.store, put).await?);
        }
        let get = |store: Arc<Store>, call: Call| async move {
            let id = format!("kilobyte-{}", call.number % KILOBYTES);
            store.get(Mode::Autocommit, "state", id).await.map(drop)
        };
        let measured = self.load.run(&self.store, get).await?;
        print("K2 get of 1,000 × 1 kB in turn".to_owned(), "0.116", measured);
        for (count, original) in [(10, "1.1"), (50, "4.2"), (100, "7.3"), (500, "39.6")] {
            let batch = move |store: Arc<Store>, call: Call| async move {
                let id = |place| format!("batch-{count}-{}-{place}", call.number);
                let writes: Vec<Write> =
                    (0..count).map(|place| state(id(place), call.number + place, 256)).collect();
                store.apply(Mode::Autocommit, &writes).await.map(drop)
            };
            let measured = self.load.run(&self.store, batch).await?;
            print(format!("K4 put of {count} × 256 B in one call"), original, measured);
        }
        Ok(())
    }

    async fn lists(&self) -> Result<()> {
        for (prefix, count, original) in
            [("", ALL_KEYS, "0.72"), ("first-", FIRST_KEYS, "0.60"), ("second-", 500, "0.36")]
        {
            let list = move |store: Arc<Store>, _: Call| async move {
                let argument = ("prefix".to_owned(), Value::Text(prefix.to_owned()));
                let arguments = if prefix.is_empty() { Vec::new() } else { vec![argument] };
                let rows = store.select("keys", &arguments, None::<&Page>).await?;
                ensure!(u64::from(rows.count) == count, "{} keys were listed", rows.count);
                Ok(())
            };
            let measured = self.load.run(&self.store, list).await?;
            let by = if prefix.is_empty() { "" } else { " by prefix" };
            print(format!("K5 list of {count} keys{by}"), original, measured);
        }
        Ok(())
    }

    async fn checkpoints(&self) -> Result<()> {
        let create = |store: Arc<Store>, call: Call| async move {
            checkpoints::create(&store, call.place).await.map(drop)
        };
        let measured = self.load.run(&self.store, create).await?;
        print("K6 checkpoint of 100 × 1 kB".to_owned(), "5.1", measured);
        let series = Arc::clone(&self.series);
        let restore = move |store: Arc<Store>, call: Call| {
            let series = Arc::clone(&series);
            async move { series.restore(&store, call.place).await }
        };
        let measured = self.load.run(&self.store, restore).await?;
        print("K7 restore of it, all changed".to_owned(), "9.2", measured);
        Ok(())
    }

    /// A call is all tasks of one round.
    async fn tasks(&self) -> Result<()> {
        for (count, original) in [(1, "0.36"), (5, "0.85"), (10, "1.42"), (20, "2.99")] {
            let round = move |store: Arc<Store>, call: Call| async move {
                let mut tasks = JoinSet::new();
                for task in 0..count {
                    tasks.spawn(put_and_get(Arc::clone(&store), task, call.number));
                }
                while let Some(done) = tasks.join_next().await {
                    done??;
                }
                Ok(())
            };
            let measured = self.load.run(&self.store, round).await?;
            print(format!("K8 {count} tasks: put 256 B, then get"), original, measured);
        }
        Ok(())
    }
}

async fn put_and_get(store: Arc<Store>, task: u64, number: u64) -> Result<()> {
    let id = format!("task-{task}-{number}");
    store.write(state(id.clone(), number, 256)).await?;
    store.get(Mode::Autocommit, "state", id).await.map(drop)
}

fn key(number: u64) -> String {
    let prefix = if number < FIRST_KEYS { "first" } else { "second" };
    format!("{prefix}-{number}")
}

fn state(id: String, number: u64, bytes: usize) -> Write {
    state_of("state", id, number, bytes)
}

fn state_of(collection: &str, id: String, number: u64, bytes: usize) -> Write {
    put(collection, id, body(json!({"n": number}), number, bytes))
}
