//! Each operation of the storage, at 1 and at 32 in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use loggia::manifest::Mode;
use loggia::storage::{Change, InstallOptions, Outcome, Page, Precondition, Write};
use loggia_benches::document::body as kilobyte;
use loggia_benches::load::Measured;
use serde_json::{Value as Json, json};

use crate::checkpoints::{self, Series};
use crate::load::{Budget, Call, Load};
use crate::store::{Backend, Store, body, put, version, write};
use crate::table;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operation {
    Get,
    GetInTransaction,
    PutNew,
    PutReplace,
    PutInTransaction,
    PutConditional,
    Merge,
    Delete,
    SelectPage,
    BatchPut,
    UpdateWhere,
    DeleteWhere,
    Checkpoint,
    Restore,
}

use Operation::{
    BatchPut, Checkpoint, Delete, DeleteWhere, Get, GetInTransaction, Merge, PutConditional,
    PutInTransaction, PutNew, PutReplace, Restore, SelectPage, UpdateWhere,
};

impl Operation {
    const ALL: [(Self, &str); 14] = [
        (Get, "get, 1 kB"),
        (GetInTransaction, "get in a transaction (mode read)"),
        (PutNew, "put of a new document, 1 kB"),
        (PutReplace, "put that replaces, 1 kB"),
        (PutInTransaction, "put that replaces, in a transaction (mode write)"),
        (PutConditional, "put that replaces a given version"),
        (Merge, "merge of one member, 1 kB"),
        (Delete, "delete"),
        (SelectPage, "select of a page of 50 behind a cursor"),
        (BatchPut, "put of 100 new documents of 256 B in one call"),
        (UpdateWhere, "update_where: claim the first of a queue, locked skip"),
        (DeleteWhere, "delete_where: 10 documents"),
        (Checkpoint, "checkpoint of 100 × 1 kB"),
        (Restore, "restore of 100 × 1 kB, all changed"),
    ];
}

/// What most operations read and replace.
const DOCUMENTS: u64 = 1_024;
const LISTED: u64 = 10_000;
/// The more calls can be in flight.
const IN_FLIGHT: [usize; 2] = [1, 32];
/// Documents of one place that are put by version.
const VERSIONED: u64 = 32;

fn declared() -> Json {
    let (item, series) = checkpoints::declared();
    json!({
        "collections": [
            {"name": "document", "fields": {"title": "text", "amount": "integer",
                "ratio": "number", "done": "boolean", "due": "timestamp", "tags": "text[]"}},
            {"name": "listed", "fields": {"n": "integer"},
             "indexes": [{"name": "n", "fields": ["n"]}]},
            {"name": "job", "fields": {
                "status": "text", "priority": "integer", "due": "integer", "group_id": "integer"},
             "indexes": [
                {"name": "queued", "fields": ["-priority", "due"], "where": {"status": ["queued"]}},
                {"name": "grouped", "fields": ["group_id"]}]},
            item,
        ],
        "statements": [
            {"name": "page", "select": "SELECT id, n FROM listed", "order": {"n": "n"}},
            {"name": "claim", "update": "job", "set": {"status": "'assigned'"},
             "where": "status = 'queued'", "order": {"next": "priority DESC, due"},
             "locked": "skip"},
            {"name": "clear", "delete": "job", "where": "group_id = :group"},
            series,
        ],
    })
}

/// What is measured, with what was made for it.
struct Operations {
    store: Arc<Store>,
    budget: Budget,
    /// Behind which pages begin.
    cursors: Arc<Vec<String>>,
    /// Of the documents that are put by version.
    versions: Arc<Vec<AtomicU64>>,
    series: Arc<Series>,
}

/// Measure and print all of them.
pub(crate) async fn report(backend: Backend, budget: Budget) -> Result<()> {
    let operations = Operations::prepare(backend, budget).await?;
    table::head(
        "Operations",
        &["operation", "in flight", "operations/s", "p50 ms", "p95 ms", "p99 ms"],
    );
    let mut replaced = Vec::new();
    for (operation, name) in Operation::ALL {
        for in_flight in IN_FLIGHT {
            let measured = operations.measure(operation, in_flight).await;
            let mut measured =
                measured.with_context(|| format!("{name}, {in_flight} in flight"))?;
            let mut cells = vec![name.to_owned(), in_flight.to_string()];
            cells.extend(table::figures(&mut measured));
            table::row(&cells);
            if operation == PutReplace {
                replaced.push(measured.per_second());
            }
        }
    }
    println!("\nPuts that replace: 32 in flight are {:.1} times 1.", replaced[1] / replaced[0]);
    Ok(())
}

impl Operations {
    async fn prepare(backend: Backend, budget: Budget) -> Result<Self> {
        let store = Store::open(backend, &declared(), &InstallOptions::default()).await?;
        store.fill(0..DOCUMENTS, document).await?;
        let versioned = IN_FLIGHT[1] as u64 * VERSIONED;
        let versioned = store.fill(0..versioned, |n| put("document", by_version(n), kilobyte(0)));
        let versions = versioned.await?.iter().map(version).collect::<Result<Vec<_>>>()?;
        let versions = Arc::new(versions.into_iter().map(AtomicU64::new).collect());
        store.fill(0..LISTED, listed).await?;
        let series = Series::make(&store, IN_FLIGHT[1]).await?;
        store.settle()?;
        let mut cursors = Vec::new();
        for part in 1..20 {
            let offset = u32::try_from(LISTED / 20 * part)?;
            let page = Page { limit: 50, offset, ..Page::default() };
            cursors.extend(store.select("page", &[], Some(&page)).await?.next);
        }
        Ok(Self { store, budget, cursors: Arc::new(cursors), versions, series })
    }

    async fn measure(&self, operation: Operation, in_flight: usize) -> Result<Measured> {
        let load = Load::new(self.budget, in_flight);
        match operation {
            Get => self.get(Mode::Autocommit, load).await,
            GetInTransaction => self.get(Mode::Read, load).await,
            PutNew => self.put_new(load).await,
            PutReplace => self.put(Mode::Autocommit, load).await,
            PutInTransaction => self.put(Mode::Write, load).await,
            PutConditional => self.put_conditional(load).await,
            Merge => self.merge(load).await,
            Delete => self.delete(load).await,
            SelectPage => self.page(load).await,
            BatchPut => self.batch(load).await,
            UpdateWhere => self.claim(load).await,
            DeleteWhere => self.delete_where(load).await,
            Checkpoint => {
                let create = |store: Arc<Store>, call: Call| async move {
                    checkpoints::create(&store, call.place).await.map(drop)
                };
                load.run(&self.store, create).await
            }
            Restore => {
                let series = Arc::clone(&self.series);
                let restore = move |store: Arc<Store>, call: Call| {
                    let series = Arc::clone(&series);
                    async move { series.restore(&store, call.place).await }
                };
                load.run(&self.store, restore).await
            }
        }
    }

    async fn get(&self, mode: Mode, load: Load) -> Result<Measured> {
        let get = move |store: Arc<Store>, call: Call| async move {
            store.get(mode, "document", document_id(call.number)).await.map(drop)
        };
        load.run(&self.store, get).await
    }

    async fn put_new(&self, load: Load) -> Result<Measured> {
        let put = move |store: Arc<Store>, call: Call| async move {
            let id = format!("new-{}-{}", load.in_flight, call.number);
            store.write(put("document", id, kilobyte(call.number as usize))).await.map(drop)
        };
        load.run(&self.store, put).await
    }

    async fn put(&self, mode: Mode, load: Load) -> Result<Measured> {
        let put = move |store: Arc<Store>, call: Call| async move {
            store.apply(mode, &[document(call.number)]).await.map(drop)
        };
        load.run(&self.store, put).await
    }

    /// Each place has its own documents, so that it knows their versions.
    async fn put_conditional(&self, load: Load) -> Result<Measured> {
        let versions = Arc::clone(&self.versions);
        let put = move |store: Arc<Store>, call: Call| {
            let versions = Arc::clone(&versions);
            async move {
                let number = call.place as u64 * VERSIONED + call.number % VERSIONED;
                let known = &versions[number as usize];
                let condition = Precondition::Version(known.load(Ordering::Relaxed));
                let document = put("document", by_version(number), kilobyte(number as usize));
                let written = store.write(Write { condition, ..document }).await?;
                known.store(version(&written)?, Ordering::Relaxed);
                Ok(())
            }
        };
        load.run(&self.store, put).await
    }

    async fn merge(&self, load: Load) -> Result<Measured> {
        let merge = |store: Arc<Store>, call: Call| async move {
            let patch = json!({"amount": call.number}).to_string();
            let id = document_id(call.number);
            store.write(write("document", id, Change::Merge(patch))).await.map(drop)
        };
        load.run(&self.store, merge).await
    }

    async fn delete(&self, load: Load) -> Result<Measured> {
        let supply = self.budget.supply(if load.in_flight == 1 { 3_000 } else { 15_000 });
        let gone = move |number: u64| format!("gone-{}-{number}", load.in_flight);
        self.store.fill(0..supply, |n| put("document", gone(n), kilobyte(n as usize))).await?;
        let delete = move |store: Arc<Store>, call: Call| async move {
            let deleted = store.write(write("document", gone(call.number), Change::Delete)).await?;
            ensure!(matches!(deleted, Outcome::Deleted(true)), "{deleted:?}");
            Ok(())
        };
        Load { most: supply, ..load }.run(&self.store, delete).await
    }

    async fn page(&self, load: Load) -> Result<Measured> {
        let cursors = Arc::clone(&self.cursors);
        let page = move |store: Arc<Store>, call: Call| {
            let cursor = cursors[call.number as usize % cursors.len()].clone();
            async move {
                let page = Page { limit: 50, after: Some(cursor), ..Page::default() };
                store.select("page", &[], Some(&page)).await.map(drop)
            }
        };
        load.run(&self.store, page).await
    }

    async fn batch(&self, load: Load) -> Result<Measured> {
        let batch = move |store: Arc<Store>, call: Call| async move {
            let first = (load.in_flight as u64 * 1_000_000 + call.number) * 100 + LISTED;
            let writes: Vec<Write> = (first..first + 100).map(listed).collect();
            store.apply(Mode::Autocommit, &writes).await.map(drop)
        };
        load.run(&self.store, batch).await
    }

    async fn claim(&self, load: Load) -> Result<Measured> {
        let supply = self.budget.supply(if load.in_flight == 1 { 3_000 } else { 10_000 });
        // No group is cleared that stands in the queue.
        self.store.fill(0..supply, |n| job(load.in_flight, n, "queued", -1)).await?;
        self.store.settle()?;
        let claim = |store: Arc<Store>, _: Call| async move { store.claim("claim").await };
        Load { most: supply, ..load }.run(&self.store, claim).await
    }

    async fn delete_where(&self, load: Load) -> Result<Measured> {
        let supply = self.budget.supply(if load.in_flight == 1 { 1_500 } else { 5_000 });
        let first_group = load.in_flight as i64 * 1_000_000;
        let done = |n: u64| job(load.in_flight, n, "done", first_group + n as i64 / 10);
        self.store.fill(0..supply * 10, done).await?;
        self.store.settle()?;
        let clear = move |store: Arc<Store>, call: Call| async move {
            let deleted = store.delete("clear", first_group + call.number as i64).await?;
            ensure!(deleted == 10, "{deleted} documents were deleted");
            Ok(())
        };
        Load { most: supply, ..load }.run(&self.store, clear).await
    }
}

fn document_id(number: u64) -> String {
    format!("bench-{}", number % DOCUMENTS)
}

fn document(number: u64) -> Write {
    put("document", document_id(number), kilobyte((number % DOCUMENTS) as usize))
}

fn by_version(number: u64) -> String {
    format!("versioned-{number}")
}

fn listed(number: u64) -> Write {
    put("listed", format!("l-{number}"), body(json!({"n": number}), number, 256))
}

fn job(in_flight: usize, number: u64, status: &str, group: i64) -> Write {
    let members = json!({
        "status": status, "priority": number % 10, "due": number, "group_id": group});
    put("job", format!("{status}-{in_flight}-{number}"), body(members, number, 256))
}
