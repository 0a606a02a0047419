//! Series of 100 documents of 1 kB, and two checkpoints of each to go back and forth between: a
//! restore writes all 100 then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use loggia::manifest::Mode;
use loggia::storage::{About, Scope, Value, Write};
use serde_json::{Value as Json, json};

use crate::store::{Store, body, put};

const DOCUMENTS: u64 = 100;

/// One series for each place in flight.
#[derive(Debug)]
pub(crate) struct Series {
    checkpoints: Vec<[String; 2]>,
    /// Whether a series holds what the second checkpoint does.
    at_second: Vec<AtomicBool>,
}

/// The collection and the statement that a manifest needs for them.
pub(crate) fn declared() -> (Json, Json) {
    (
        json!({"name": "item", "fields": {"series": "text"},
            "indexes": [{"name": "series", "fields": ["series"]}]}),
        json!({"name": "series", "scope": "item", "where": "series = :series"}),
    )
}

impl Series {
    /// Make so many series with their checkpoints.
    pub(crate) async fn make(store: &Store, count: usize) -> Result<Arc<Self>> {
        let mut checkpoints = Vec::with_capacity(count);
        for place in 0..count {
            let mut both = [String::new(), String::new()];
            for (state, checkpoint) in both.iter_mut().enumerate() {
                store.fill(0..DOCUMENTS, |number| item(place, number, state as u64)).await?;
                *checkpoint = create(store, place).await?;
            }
            checkpoints.push(both);
        }
        let at_second = (0..count).map(|_| AtomicBool::new(true)).collect();
        Ok(Arc::new(Self { checkpoints, at_second }))
    }

    /// Restore the checkpoint that the series does not hold.
    pub(crate) async fn restore(&self, store: &Store, place: usize) -> Result<()> {
        let was_at_second = self.at_second[place].fetch_xor(true, Ordering::Relaxed);
        let id = &self.checkpoints[place][usize::from(!was_at_second)];
        let mut session = store.session(Mode::Autocommit);
        let restored = session.restore_checkpoint(id).await?;
        session.commit().await?;
        ensure!(restored == DOCUMENTS, "{restored} documents were restored");
        Ok(())
    }
}

/// Make a checkpoint of one series.
pub(crate) async fn create(store: &Store, place: usize) -> Result<String> {
    let series = Value::Text(format!("series-{place}"));
    let scope =
        Scope { statement: "series".to_owned(), arguments: vec![("series".to_owned(), series)] };
    let about = About { subject: "series", label: "bench", metadata: "{}" };
    let mut session = store.session(Mode::Autocommit);
    let made = session.create_checkpoint(about, &[scope]).await?;
    session.commit().await?;
    ensure!(made.documents == DOCUMENTS, "{} documents were copied", made.documents);
    Ok(made.id)
}

fn item(place: usize, number: u64, state: u64) -> Write {
    let members = json!({"series": format!("series-{place}"), "state": state});
    put("item", format!("{place}-{number}"), body(members, number + state, 1_024))
}
