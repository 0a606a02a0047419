//! Applying writes: each as one statement that checks its own condition, all or none.

use std::collections::HashSet;

use tokio::time::Instant;

use super::collection_sql::Rendered;
use super::document::{Otherwise, Outcome, Precondition, Write};
use super::error::{Error, Fault, Mismatch};
use super::prepare::{PreparedBody, PreparedChange, PreparedWrite, at};
use super::sql::SqlRows;
use super::transaction::Transaction;
use crate::json;

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
    /// Whether expired documents give way first, which takes a statement of its own.
    pub(super) evicts: bool,
}

/// A write that has passed the checks, or why it has not.
pub(super) type Checked<'a> = Result<PreparedWrite<'a>, Error>;

impl Apply<'_> {
    /// Apply all writes, or none and say why.
    pub(super) async fn run(
        &mut self,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        refuse_repeated(writes)?;
        let whole = self.savepoints && needs_savepoint(&checked);
        if whole {
            self.transaction.savepoint(self.deadline).await?;
        }
        let outcomes = self.run_sorted(writes, checked).await;
        match &outcomes {
            _ if !whole => {}
            Ok(_) => self.transaction.release_savepoint(self.deadline).await?,
            // The database has ended the transaction already.
            Err(error) if error.ends_request() => {}
            Err(_) => self.transaction.rollback_to_savepoint(self.deadline).await?,
        }
        outcomes
    }

    /// In the order of collections and ids: two calls that write the same documents in different
    /// orders would wait for each other for ever.
    async fn run_sorted(
        &mut self,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let mut order: Vec<(usize, Checked<'_>)> = checked.into_iter().enumerate().collect();
        order.sort_by_key(|(place, _)| (&writes[*place].collection, &writes[*place].id));
        let mut outcomes: Vec<(usize, Outcome)> = Vec::with_capacity(order.len());
        for (place, write) in order {
            let outcome = self.run_one(write, writes[place].otherwise).await?;
            outcomes.push((place, outcome));
        }
        outcomes.sort_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    async fn run_one(
        &mut self,
        write: Checked<'_>,
        otherwise: Otherwise,
    ) -> Result<Outcome, Error> {
        let skips = otherwise == Otherwise::Skip;
        let done = match write {
            // A unique index fails the statement, and with it the transaction on PostgreSQL.
            Ok(write) if skips && has_unique_index(&write) => self.run_guarded(&write).await,
            Ok(write) => self.run_write(&write).await,
            Err(error) => Err(error),
        };
        match done {
            Err(error) if skips && !error.ends_request() => Ok(Outcome::Skipped(error)),
            done => done,
        }
    }

    async fn run_guarded(&mut self, write: &PreparedWrite<'_>) -> Result<Outcome, Error> {
        self.transaction.savepoint(self.deadline).await?;
        let done = self.run_write(write).await;
        match &done {
            Err(error) if error.ends_request() => {}
            Err(_) => self.transaction.rollback_to_savepoint(self.deadline).await?,
            Ok(_) => self.transaction.release_savepoint(self.deadline).await?,
        }
        done
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
        let merged = json::merge(&body, patch)
            .map_err(|error| Error::Other(format!("a stored body could not be read: {error}")))?;
        let body = PreparedBody::new(write.plan, write.id, merged, self.document_bytes)
            .map_err(at(write.index, write.id))?;
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
        rows.map_err(|error| name_index(error, write))
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

/// A call of several writes may fail after the first; a unique index fails the statement itself.
fn needs_savepoint(checked: &[Checked<'_>]) -> bool {
    checked.len() > 1 || checked.iter().flatten().any(has_unique_index)
}

fn has_unique_index(write: &PreparedWrite<'_>) -> bool {
    write.plan.collection.has_unique_index()
}

fn written_version(rows: &SqlRows) -> Option<u64> {
    rows.first_integer().and_then(|version| u64::try_from(version).ok())
}

fn precondition_failed(write: &PreparedWrite<'_>, found: Option<u64>) -> Error {
    Error::PreconditionFailed(Mismatch { index: write.index, id: write.id.to_owned(), found })
}

/// The databases name what was violated in their own ways; the plugin knows its manifest's names.
fn name_index(error: Error, write: &PreparedWrite<'_>) -> Error {
    let Error::Duplicate(fault) = error else {
        return error;
    };
    let name = write.plan.collection.violated_index(&fault.name).unwrap_or_default().to_owned();
    let detail = format!("another document has the same value in the unique index {name}");
    Error::Duplicate(Fault { index: write.index, id: write.id.to_owned(), name, detail, ..fault })
}
