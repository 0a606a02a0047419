//! How the cost of a call grows with the number of documents in the collection, one call at a
//! time.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use loggia::manifest::Mode;
use loggia::storage::{InstallOptions, Page, Value, Write};
use loggia_benches::load::Measured;
use serde_json::{Value as Json, json};

use crate::load::{Budget, Call, Load};
use crate::store::{Backend, Store, body, put};
use crate::table;

fn declared() -> Json {
    json!({
        "collections": [{"name": "job",
            "fields": {"n": "integer", "tags": "text[]", "status": "text",
                "priority": "integer", "due": "integer"},
            "indexes": [
                {"name": "n", "fields": ["n"]},
                {"name": "tags", "contains": ["tags"]},
                {"name": "queued", "fields": ["-priority", "due"],
                 "where": {"status": ["queued"]}}]}],
        "statements": [
            {"name": "page", "select": "SELECT id, n, status FROM job", "order": {"n": "n"}},
            {"name": "tagged",
             "select": "SELECT id, n FROM job WHERE array_has_any(tags, :tags)"},
            {"name": "claim", "update": "job", "set": {"status": "'assigned'"},
             "where": "status = 'queued'", "order": {"next": "priority DESC, due"},
             "locked": "skip"},
        ],
    })
}

/// In the order in which they are measured: what adds documents comes last.
const NAMES: [&str; 6] = [
    "get",
    "page of 50 behind a cursor",
    "select of the 10 with a tag",
    "put that replaces, 256 B",
    "claim of the first queued",
    "put of a new document, 256 B",
];

/// Documents from which growth is counted: enough for pages at several places.
const SMALLEST: u64 = 1_000;
/// As many documents have one tag.
const TAGGED: u64 = 10;

/// Measure and print all sizes up to this.
pub(crate) async fn report(backend: Backend, budget: Budget, max: u64) -> Result<()> {
    let store = Store::open(backend, &declared(), &InstallOptions::default()).await?;
    let sizes = sizes(max);
    let mut measured: Vec<Vec<Measured>> = NAMES.map(|_| Vec::new()).into();
    let mut filled = 0;
    for &size in &sizes {
        store.fill(filled..size, job).await?;
        store.settle()?;
        filled = size;
        let growth = Growth { store: Arc::clone(&store), load: Load::new(budget, 1), size };
        for (place, of_operation) in measured.iter_mut().enumerate() {
            let name = NAMES[place];
            let of_size = growth.measure(place).await;
            of_operation.push(of_size.with_context(|| format!("{name}, {size} documents"))?);
        }
    }
    print(&sizes, &mut measured);
    Ok(())
}

/// Powers of ten from the smallest on, and the largest one; each tag has all its documents.
fn sizes(max: u64) -> Vec<u64> {
    let max = max.max(SMALLEST) / TAGGED * TAGGED;
    let powers = std::iter::successors(Some(SMALLEST), |size: &u64| size.checked_mul(10));
    powers.take_while(|size| *size < max).chain([max]).collect()
}

fn print(sizes: &[u64], measured: &mut [Vec<Measured>]) {
    let titles: Vec<String> = sizes.iter().map(|size| format!("{size} documents")).collect();
    let mut columns = vec!["p50 (p95) ms"];
    columns.extend(titles.iter().map(String::as_str));
    columns.extend(["times", "as n to the power of"]);
    table::head("Growth, one at a time", &columns);
    let grown = sizes[sizes.len() - 1] as f64 / sizes[0] as f64;
    for (name, of_operation) in NAMES.iter().zip(measured) {
        let mut cells = vec![(*name).to_owned()];
        let mut medians = Vec::new();
        for of_size in of_operation {
            let [p50, p95] = [0.5, 0.95].map(|part| of_size.percentile_ms(part));
            cells.push(format!("{} ({})", table::ms(p50), table::ms(p95)));
            medians.push(p50);
        }
        let times = medians[medians.len() - 1] / medians[0];
        cells.push(format!("{times:.2}"));
        // 0 is a constant cost, 1 one that grows as the documents do.
        cells.push(if grown > 1.0 {
            format!("{:.2}", times.ln() / grown.ln())
        } else {
            "-".into()
        });
        table::row(&cells);
    }
}

/// A collection of one size.
struct Growth {
    store: Arc<Store>,
    load: Load,
    size: u64,
}

impl Growth {
    async fn measure(&self, place: usize) -> Result<Measured> {
        match place {
            0 => self.get().await,
            1 => self.page().await,
            2 => self.tagged().await,
            3 => self.put().await,
            4 => self.claim().await,
            _ => self.put_new().await,
        }
    }

    async fn get(&self) -> Result<Measured> {
        let size = self.size;
        let get = move |store: Arc<Store>, call: Call| async move {
            store.get(Mode::Autocommit, "job", id(any(call.number, size))).await.map(drop)
        };
        self.load.run(&self.store, get).await
    }

    /// Pages begin at several places, whose cursors are found beforehand.
    async fn page(&self) -> Result<Measured> {
        let mut cursors = Vec::new();
        for eighth in 0..8 {
            let offset = u32::try_from(self.size / 8 * eighth)?;
            let page = Page { limit: 50, offset, ..Page::default() };
            cursors.extend(self.store.select("page", &[], Some(&page)).await?.next);
        }
        let cursors = Arc::new(cursors);
        let page = move |store: Arc<Store>, call: Call| {
            let cursor = cursors[call.number as usize % cursors.len()].clone();
            async move {
                let page = Page { limit: 50, after: Some(cursor), ..Page::default() };
                let rows = store.select("page", &[], Some(&page)).await?;
                ensure!(rows.count == 50, "a page has {} rows", rows.count);
                Ok(())
            }
        };
        self.load.run(&self.store, page).await
    }

    async fn tagged(&self) -> Result<Measured> {
        let size = self.size;
        let tagged = move |store: Arc<Store>, call: Call| async move {
            let tag = Value::Texts(vec![tag(any(call.number, size))]);
            let page = Page { limit: 50, ..Page::default() };
            let rows = store.select("tagged", &[("tags".to_owned(), tag)], Some(&page)).await?;
            ensure!(u64::from(rows.count) == TAGGED, "{} documents have the tag", rows.count);
            Ok(())
        };
        self.load.run(&self.store, tagged).await
    }

    async fn put(&self) -> Result<Measured> {
        let size = self.size;
        let put = move |store: Arc<Store>, call: Call| async move {
            store.write(job(any(call.number, size))).await.map(drop)
        };
        self.load.run(&self.store, put).await
    }

    /// A quarter of the queue at most, so that it stays about as long.
    async fn claim(&self) -> Result<Measured> {
        let claim = |store: Arc<Store>, _: Call| async move { store.claim("claim").await };
        Load { most: self.size / 4, ..self.load }.run(&self.store, claim).await
    }

    /// A tenth more at most. The next size begins with the same documents.
    async fn put_new(&self) -> Result<Measured> {
        let size = self.size;
        let put = move |store: Arc<Store>, call: Call| async move {
            store.write(job(size + call.number)).await.map(drop)
        };
        Load { most: size / 10, ..self.load }.run(&self.store, put).await
    }
}

/// One of so many, far from the one before.
fn any(number: u64, of: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % of
}

fn id(number: u64) -> String {
    format!("job-{number}")
}

fn tag(number: u64) -> String {
    format!("tag-{}", number / TAGGED)
}

fn job(number: u64) -> Write {
    let members = json!({"n": number, "tags": [tag(number), format!("of-{}", number % 7)],
        "status": "queued", "priority": number % 10, "due": number});
    put("job", id(number), body(members, number, 256))
}
