//! Applying writes: each by a statement that checks its own condition, all or none. `batch.rs` puts
//! several into one.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::batch;
use super::collection::Collection;
use super::collection_sql::Rendered;
use super::document::{Otherwise, Outcome, Precondition, Write};
use super::error::{Error, Fault, Mismatch};
use super::prepare::{PreparedBody, PreparedChange, PreparedWrite};
use super::schema::Schema;
use super::sql::SqlRows;
use super::transaction::Transaction;

/// What all writes of a call have in common.
pub(super) struct Apply<'a> {
    pub(super) tenant: i64,
    pub(super) now: i64,
    pub(super) document_bytes: usize,
    pub(super) deadline: Instant,
    pub(super) transaction: &'a mut Transaction,
    /// Whether something was done before in the transaction, or will be after this call: then a
    /// failure must undo this call only.
    pub(super) savepoints: bool,
    /// When documents that are put back were created, by id; all others are created now.
    pub(super) created: Option<&'a HashMap<String, i64>>,
    /// Whether expired documents give way first, which takes a statement of its own.
    pub(super) evicts: bool,
}

/// A write that has passed the checks, or why it has not.
pub(super) type Checked<'a> = Result<PreparedWrite<'a>, Error>;

impl Apply<'_> {
    /// Apply all writes, or none and say why. `checked` are the same writes as far as they could be
    /// checked without the database.
    pub(super) async fn run(
        &mut self,
        schema: &Schema,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        refuse_repeated(writes)?;
        let depends = checked.iter().flatten().any(depends_on_others);
        let several = checked.len() > 1;
        // Expired documents give way one by one.
        let grouped = several && !checked.iter().flatten().any(|w| w.plan.sql.evict.is_some());
        let guarded = (self.savepoints && (several || depends)) || (grouped && depends);
        self.begin(guarded).await?;
        let done = match grouped {
            true => self.run_grouped(writes, checked).await,
            false => self.run_each(writes, checked).await,
        };
        let done = self.end(guarded, done).await;
        match done {
            // One by one it shows which write it was, and deletes make room for the others.
            Err(error) if grouped && depends && error.is_of_others() => {
                let checked = self.check(schema, writes)?;
                self.begin(guarded).await?;
                let done = self.run_each(writes, checked).await;
                self.end(guarded, done).await
            }
            done => done,
        }
    }

    /// Checks that need no database come first: most failures take no connection.
    pub(super) fn check<'a>(
        &self,
        schema: &'a Schema,
        writes: &'a [Write],
    ) -> Result<Vec<Checked<'a>>, Error> {
        let mut checked = check(schema, writes, self.tenant, self.now, self.document_bytes)?;
        if let Some(created) = self.created {
            for write in checked.iter_mut().flatten() {
                write.created_at = created.get(write.id).copied();
            }
        }
        Ok(checked)
    }

    /// What follows leaves no trace when it fails; [`Self::end`] sees to it.
    async fn begin(&mut self, guarded: bool) -> Result<(), Error> {
        if guarded { self.transaction.savepoint(self.deadline).await } else { Ok(()) }
    }

    async fn end<T>(&mut self, guarded: bool, done: Result<T, Error>) -> Result<T, Error> {
        match &done {
            _ if !guarded => {}
            Ok(_) => self.transaction.release_savepoint(self.deadline).await?,
            // The database has ended the transaction already.
            Err(error) if error.ends_request() => {}
            Err(_) => self.transaction.rollback_to_savepoint(self.deadline).await?,
        }
        done
    }

    /// One by one: deletes first, since a document that goes may hold a unique value; parents before
    /// those that refer to them; and by id, since two calls that write the same documents in
    /// different orders would wait for each other.
    async fn run_each(
        &mut self,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let (mut outcomes, prepared) = batch::sort_out(checked);
        for write in batch::one_by_one(prepared) {
            let place = write.index as usize;
            outcomes[place] = Some(self.run_one(&write, writes[place].otherwise).await?);
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    async fn run_one(
        &mut self,
        write: &PreparedWrite<'_>,
        otherwise: Otherwise,
    ) -> Result<Outcome, Error> {
        let skips = otherwise == Otherwise::Skip;
        // What others hold fails the statement, and with it the transaction on PostgreSQL.
        let guarded = skips && depends_on_others(write);
        self.begin(guarded).await?;
        let done = self.run_write(write).await;
        let done = self.end(guarded, done).await;
        match done {
            Err(error) if skips && !error.ends_request() => Ok(Outcome::Skipped(error)),
            done => done,
        }
    }

    async fn run_write(&mut self, write: &PreparedWrite<'_>) -> Result<Outcome, Error> {
        match &write.change {
            PreparedChange::Put(body) => self.put(write, body, write.condition).await,
            PreparedChange::Merge(patch) => self.merge(write, patch).await,
            PreparedChange::Delete => self.delete(write).await,
        }
    }

    async fn put(
        &mut self,
        write: &PreparedWrite<'_>,
        body: &PreparedBody,
        condition: Precondition,
    ) -> Result<Outcome, Error> {
        let sql = &write.plan.sql;
        if let (Some(evict), true) = (&sql.evict, self.evicts) {
            self.query(write, evict, Some(body), None).await?;
        }
        let (rows, created) = match (condition, &sql.upsert) {
            (Precondition::Any, Some(upsert)) => {
                let rows = self.query(write, upsert, Some(body), None).await?;
                let created = rows.values.get(1).and_then(|v| v.integer()) == Some(1);
                (rows, created)
            }
            // With one writer, nothing comes between these two.
            (Precondition::Any, None) => {
                let rows = self.query(write, &sql.update, Some(body), None).await?;
                match rows.len() {
                    0 => (self.query(write, &sql.insert, Some(body), None).await?, true),
                    _ => (rows, false),
                }
            }
            (Precondition::Absent, _) => {
                (self.query(write, &sql.insert, Some(body), None).await?, true)
            }
            (Precondition::Present, _) => {
                (self.query(write, &sql.update, Some(body), None).await?, false)
            }
            (Precondition::Version(version), _) => {
                let rows =
                    self.query(write, &sql.update_version, Some(body), Some(version)).await?;
                (rows, false)
            }
        };
        match written_version(&rows) {
            Some(version) => Ok(Outcome::Written { version, created }),
            None => Err(self.mismatch(write).await?),
        }
    }

    /// The body that is there is read under its lock, so nothing comes between the read and the
    /// write.
    async fn merge(&mut self, write: &PreparedWrite<'_>, patch: &str) -> Result<Outcome, Error> {
        let rows = self.query(write, &write.plan.sql.get_for_update, None, None).await?;
        let found =
            rows.values.get(1).and_then(|v| v.integer()).and_then(|v| u64::try_from(v).ok());
        let matches = match write.condition {
            Precondition::Version(version) => found == Some(version),
            _ => found.is_some(),
        };
        let body = rows.values.into_iter().next_back().and_then(|value| value.into_text());
        let (true, Some(body)) = (matches, body) else {
            return Err(precondition_failed(write, found));
        };
        let body = self.merged(write, &body, patch)?;
        self.put(write, &body, Precondition::Present).await
    }

    async fn delete(&mut self, write: &PreparedWrite<'_>) -> Result<Outcome, Error> {
        let sql = &write.plan.sql;
        let rows = match write.condition {
            Precondition::Version(version) => {
                self.query(write, &sql.delete_version, None, Some(version)).await?
            }
            _ => self.query(write, &sql.delete, None, None).await?,
        };
        match (rows.len(), write.condition) {
            (0, Precondition::Any) => Ok(Outcome::Deleted(false)),
            (0, _) => Err(self.mismatch(write).await?),
            _ => Ok(Outcome::Deleted(true)),
        }
    }

    /// What is there instead of what the write asked for.
    async fn mismatch(&mut self, write: &PreparedWrite<'_>) -> Result<Error, Error> {
        let rows = self.query(write, &write.plan.sql.version_of, None, None).await?;
        Ok(precondition_failed(write, written_version(&rows)))
    }

    async fn query(
        &mut self,
        write: &PreparedWrite<'_>,
        rendered: &Rendered,
        body: Option<&PreparedBody>,
        version: Option<u64>,
    ) -> Result<SqlRows, Error> {
        let query = write.query(rendered, self.tenant, self.now, body, version);
        let rows = self.transaction.run(query, self.deadline).await;
        rows.map_err(|error| name_violated(error, write))
    }
}

fn refuse_repeated(writes: &[Write]) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(writes.len());
    let repeated = writes.iter().find(|write| !seen.insert((&write.collection, &write.id)));
    match repeated {
        Some(write) => Err(Error::invalid(
            "named-twice",
            format!("the document {} of {} is named twice in one call", write.id, write.collection),
        )),
        None => Ok(()),
    }
}

/// Check each write as far as it can be without the database.
pub(super) fn check<'a>(
    schema: &'a Schema,
    writes: &'a [Write],
    tenant: i64,
    now: i64,
    document_bytes: usize,
) -> Result<Vec<Checked<'a>>, Error> {
    let checked = writes.iter().enumerate().map(|(place, write)| {
        match PreparedWrite::new(schema, place, write, tenant, now, document_bytes) {
            Err(error) if write.otherwise == Otherwise::Fail => Err(error),
            checked => Ok(checked),
        }
    });
    checked.collect()
}

fn depends_on_others(write: &PreparedWrite<'_>) -> bool {
    write.plan.collection.depends_on_others()
}

fn written_version(rows: &SqlRows) -> Option<u64> {
    rows.first_integer().and_then(|version| u64::try_from(version).ok())
}

pub(super) fn precondition_failed(write: &PreparedWrite<'_>, found: Option<u64>) -> Error {
    Error::PreconditionFailed(Mismatch { index: write.index, id: write.id.to_owned(), found })
}

/// The databases name what was violated in their own ways; the plugin knows its manifest's names.
fn name_violated(error: Error, write: &PreparedWrite<'_>) -> Error {
    let effect = match write.change {
        PreparedChange::Delete => Effect::Delete,
        _ => Effect::Write,
    };
    let at = |fault: Fault| Fault { index: write.index, id: write.id.to_owned(), ..fault };
    match violated(error, &write.plan.collection, effect) {
        Error::Duplicate(fault) => Error::Duplicate(at(fault)),
        Error::Reference(fault) => Error::Reference(at(fault)),
        error => error,
    }
}

/// What a statement does to the documents that it finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    Write,
    Delete,
}

/// An error with the manifest's names of what was violated, and what that means.
pub(super) fn violated(error: Error, collection: &Collection, effect: Effect) -> Error {
    match error {
        Error::Duplicate(fault) => {
            let name = collection.violated_index(&fault.name).unwrap_or_default().to_owned();
            let detail = format!("another document has the same value in the unique index {name}");
            Error::Duplicate(Fault { name, detail, ..fault })
        }
        Error::Reference(fault) => {
            let name = collection.violated_reference(&fault.name).unwrap_or_default().to_owned();
            let (code, detail) = match effect {
                Effect::Delete => (
                    "still-referenced",
                    format!("another document refers to this one by the reference {name}"),
                ),
                Effect::Write => (
                    "reference-missing",
                    format!("the document that the reference {name} leads to does not exist"),
                ),
            };
            Error::Reference(Fault { name, code, detail, ..fault })
        }
        error => error,
    }
}
