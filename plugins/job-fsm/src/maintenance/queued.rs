//! Queued jobs that are due: those whose time has come, and those that need something of a worker,
//! which are rejected where no registered worker could ever give it.
//!
//! As long as no worker is registered, those that need something stay due.

use loggia_plugin_sdk::{Document, Failure, Page, Select, Timestamp, Update, declare};
use serde::Serialize;
use serde_json::Value;

use super::step::reject;
use super::{BATCH, BATCHES, Done, Due, Row, change_all, read_all};
use crate::bell;
use crate::machine::Rules;

/// How often it is looked at again whether a worker is there that could run a job.
const LOOK_SECONDS: i64 = 60;

declare! { STORAGE:
    const HOPELESS: Select<Due, Row> = select(
        "hopeless-jobs",
        "SELECT j.id AS id FROM job AS j WHERE j.status = 'queued' AND j.due_at <= :now \
         AND (j.needs_gpu = TRUE OR j.threads > 0 OR j.memory_mb > 0) \
         AND EXISTS (SELECT w.id FROM worker AS w) \
         AND NOT EXISTS (SELECT w.id FROM worker AS w WHERE w.cpu_threads >= j.threads \
         AND w.total_mb >= j.memory_mb AND (w.has_gpu = TRUE OR j.needs_gpu = FALSE))",
    );

    const LOOK_LATER: Update<Later> = update("look-later", "job")
        .set(&[("due_at", "CASE WHEN run_at > :now AND run_at < :later THEN run_at ELSE :later END")])
        .filter(
            "status = 'queued' AND due_at <= :now \
             AND (needs_gpu = TRUE OR threads > 0 OR memory_mb > 0) \
             AND EXISTS (SELECT w.id FROM worker AS w WHERE w.cpu_threads >= job.threads \
             AND w.total_mb >= job.memory_mb AND (w.has_gpu = TRUE OR job.needs_gpu = FALSE))",
        )
        .order("due_at")
        .skip_locked();

    const COME: Update<Due> = update("come", "job")
        .set(&[("due_at", "CAST(NULL AS timestamp)")])
        .filter(
            "status = 'queued' AND due_at <= :now \
             AND needs_gpu = FALSE AND threads = 0 AND memory_mb = 0",
        )
        .order("due_at")
        .skip_locked();
}

#[derive(Serialize)]
struct Later {
    now: Timestamp,
    later: Timestamp,
}

pub(super) fn look(rules: &Rules, done: &mut Done) -> Result<(), Failure> {
    let now = rules.now;
    for _ in 0..BATCHES {
        let page = Page { limit: BATCH, ..Page::default() };
        let rows = HOPELESS.page(&Due { now }, &page)?.decode()?;
        let last = rows.len() < BATCH as usize;
        change_all(read_all(rows)?, rules, done, reject)?;
        if last {
            break;
        }
    }
    let later = now.plus_seconds(LOOK_SECONDS);
    let looked: Vec<Document<Value>> = LOOK_LATER.limit(BATCH).run(&Later { now, later })?;
    let come: Vec<Document<Value>> = COME.limit(BATCH).run(&Due { now })?;
    // Their time may have come: who waits for jobs looks again.
    if !looked.is_empty() || !come.is_empty() {
        bell::ring().run()?;
    }
    Ok(())
}
