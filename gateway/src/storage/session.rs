//! What one request may do with the database: the storage calls of `wit/storage.wit`.
//!
//! A session belongs to one tenant and one plugin, both fixed when it is made: no call names
//! them. It takes a connection with its first call and holds at most one.

use std::sync::Arc;

use tokio::time::Instant;

use super::apply::{Apply, Checked, check};
use super::changes::ChangeSet;
use super::collection_sql::Bind;
use super::document::{Document, Otherwise, Outcome, Page, Rows, Value, Write};
use super::error::Error;
use super::prepare::check_id;
use super::schema::{CollectionPlan, Schema};
use super::select::{Context, Select};
use super::sql::{Query, SqlRows, SqlValue};
use super::sweep::{Cleaned, Sweep};
use super::transaction::{Transaction, TransactionMode, Whose};
use super::{Storage, Tenant};
use crate::manifest::{Mode, TransactionIsolation};

mod checkpoint;
mod update;

/// The storage calls of one run of one request.
pub struct Session {
    storage: Arc<Storage>,
    schema: Arc<Schema>,
    tenant: Tenant,
    options: SessionOptions,
    transaction: Transaction,
    /// When a transaction began to hold locks. Calls in autocommit mode hold none.
    first_write: Option<Instant>,
    /// Whether a call in autocommit mode has made something last.
    kept: bool,
    /// What the transaction has changed.
    changed: ChangeSet,
    documents_read: u32,
    documents_written: u32,
    /// Whether a document was too large.
    refused_size: bool,
}

/// What a session is made with.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// How calls are put into a transaction.
    pub mode: Mode,
    /// How the transaction of the mode `write` stands to concurrent ones.
    pub isolation: TransactionIsolation,
    /// The time to use, in microseconds since 1970.
    pub now: i64,
    /// When the request ends, whatever it does then.
    pub deadline: Instant,
    /// The largest body of a document, in bytes.
    pub document_bytes: usize,
    /// The most documents and rows that may be read.
    pub documents_read: u32,
    /// The most writes that may be applied.
    pub documents_written: u32,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        storage: Arc<Storage>,
        schema: Arc<Schema>,
        tenant: Tenant,
        options: SessionOptions,
    ) -> Self {
        let transaction = storage.transaction(
            Whose::One(tenant),
            match options.mode {
                Mode::Read => TransactionMode::Read,
                Mode::Write => match options.isolation {
                    TransactionIsolation::ReadCommitted => TransactionMode::Write,
                    TransactionIsolation::Serializable => TransactionMode::Serializable,
                },
                Mode::Autocommit => TransactionMode::Autocommit,
            },
        );
        Self {
            storage,
            schema,
            tenant,
            options,
            transaction,
            first_write: None,
            kept: false,
            changed: ChangeSet::default(),
            documents_read: 0,
            documents_written: 0,
            refused_size: false,
        }
    }

    /// Read documents by id: one item for each id, in the same order.
    ///
    /// # Errors
    /// An unknown collection, an id that no document can have, or the database's failure.
    pub async fn get(
        &mut self,
        collection: &str,
        ids: &[String],
    ) -> Result<Vec<Option<Document>>, Error> {
        let schema = Arc::clone(&self.schema);
        let plan = schema.collection(collection)?;
        for id in ids {
            check_id(id).map_err(|detail| Error::invalid("invalid-id", detail))?;
        }
        self.count_read(ids.len())?;
        let found = match ids {
            [] => Vec::new(),
            [id] => self.read(plan, id, ids).await?,
            _ => self.read(plan, "", ids).await?,
        };
        if let ([_], true) = (ids, found.len() <= 1) {
            return Ok(vec![found.into_iter().next()]);
        }
        // An id may be asked for twice.
        let by_id: std::collections::HashMap<&str, &Document> =
            found.iter().map(|document| (document.id.as_str(), document)).collect();
        Ok(ids.iter().map(|id| by_id.get(id.as_str()).copied().cloned()).collect())
    }

    async fn read(
        &mut self,
        plan: &CollectionPlan,
        id: &str,
        ids: &[String],
    ) -> Result<Vec<Document>, Error> {
        let rendered = if ids.len() == 1 { &plan.sql.get } else { &plan.sql.get_many };
        let value = |bind: &Bind| match bind {
            Bind::Tenant => SqlValue::Integer(self.tenant.key()),
            Bind::Id => SqlValue::Text(id.to_owned()),
            Bind::Ids => SqlValue::Texts(ids.to_vec()),
            _ => SqlValue::Integer(self.options.now),
        };
        let binds = rendered.binds.iter().map(value).collect();
        let query = Query { sql: Arc::clone(&rendered.sql), binds };
        let rows = self.transaction.run(query, self.options.deadline).await?;
        documents(rows)
    }

    /// Apply writes as if at one instant, all or none: one outcome for each, in the same order.
    ///
    /// # Errors
    /// The first failure of a write that did not say [`Otherwise::Skip`]; nothing is done then.
    pub async fn apply(&mut self, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
        let outcomes = self.apply_all(writes).await;
        self.note_size(&outcomes);
        outcomes
    }

    async fn apply_all(&mut self, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
        self.refuse_in_read()?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.count_written(writes.len())?;
        let schema = Arc::clone(&self.schema);
        let checked = self.check(&schema, writes)?;
        if self.options.mode == Mode::Write {
            let outcomes = self.apply_in_transaction(&schema, writes, checked).await;
            // From here on locks are held; the wait for them was not the plugin's doing.
            self.first_write.get_or_insert_with(Instant::now);
            self.note(ChangeSet::of(&schema, writes, &outcomes));
            return outcomes;
        }
        let outcomes = self.apply_by_itself(&schema, writes, checked).await;
        let changed = ChangeSet::of(&schema, writes, &outcomes);
        self.kept |= outcomes.is_ok() && !changed.is_empty();
        self.note(changed);
        outcomes
    }

    /// Remember what a call has changed, for those who wait for that. In autocommit mode it is
    /// there already.
    fn note(&mut self, changed: ChangeSet) {
        self.changed.join(changed);
        if self.options.mode == Mode::Autocommit {
            std::mem::take(&mut self.changed).tell(&self.storage, &self.schema, self.tenant);
        }
    }

    fn check<'a>(
        &self,
        schema: &'a Schema,
        writes: &'a [Write],
    ) -> Result<Vec<Checked<'a>>, Error> {
        check(schema, writes, self.tenant.key(), self.options.now, self.options.document_bytes)
    }

    async fn apply_in_transaction(
        &mut self,
        schema: &Schema,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let mut apply = Apply {
            tenant: self.tenant.key(),
            now: self.options.now,
            document_bytes: self.options.document_bytes,
            deadline: self.options.deadline,
            transaction: &mut self.transaction,
            savepoints: true,
            evicts: true,
            created: None,
        };
        apply.run(schema, writes, checked).await
    }

    /// In autocommit mode a call has a transaction of its own, or none where one statement is
    /// one anyway.
    async fn apply_by_itself(
        &self,
        schema: &Schema,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let skips = writes.iter().any(|write| write.otherwise == Otherwise::Skip);
        let one = match checked.as_slice() {
            // It is skipped by going back to a savepoint.
            [Ok(write)] if skips && write.plan.collection.depends_on_others() => None,
            [Ok(write)] if write.is_one_statement() => Some(write),
            _ => None,
        };
        let may_evict = one.is_some_and(|write| write.plan.sql.evict.is_some());
        if one.is_none() || self.storage.is_sqlite() {
            return self.apply_once(TransactionMode::Write, schema, writes, checked).await;
        }
        match self.apply_once(TransactionMode::AutocommitWrite, schema, writes, checked).await {
            // The value may be held by an expired document, which gives way in a transaction.
            Err(Error::Duplicate(_)) if may_evict => {
                let checked = self.check(schema, writes)?;
                self.apply_once(TransactionMode::Write, schema, writes, checked).await
            }
            outcomes => outcomes,
        }
    }

    async fn apply_once(
        &self,
        mode: TransactionMode,
        schema: &Schema,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let mut transaction = self.storage.transaction(Whose::One(self.tenant), mode);
        let mut apply = Apply {
            tenant: self.tenant.key(),
            now: self.options.now,
            document_bytes: self.options.document_bytes,
            deadline: self.options.deadline,
            transaction: &mut transaction,
            savepoints: false,
            evicts: mode == TransactionMode::Write,
            created: None,
        };
        let outcomes = apply.run(schema, writes, checked).await;
        match &outcomes {
            Ok(_) => transaction.commit().await?,
            Err(_) => transaction.rollback().await,
        }
        outcomes
    }

    /// Run a `select` statement of the manifest. A condition of it whose parameter is not given
    /// is left out.
    ///
    /// # Errors
    /// A name that the manifest does not declare, an argument of another type, a cursor of
    /// another query, or the database's failure.
    pub async fn select(
        &mut self,
        statement: &str,
        arguments: &[(String, Value)],
        page: Option<&Page>,
    ) -> Result<Rows, Error> {
        let schema = Arc::clone(&self.schema);
        let storage = Arc::clone(&self.storage);
        let context = Context {
            plugin: &schema.plugin,
            tenant: self.tenant,
            now: self.options.now,
            seal: storage.seal(),
            rows_left: self.options.documents_read - self.documents_read,
        };
        let select = Select::new(schema.statement(statement)?, context, arguments, page)?;
        let (query, wall) = select.query();
        let deadline = self.options.deadline;
        let planned = select.planned();
        let rows = self.transaction.run_within(query, &wall, planned, deadline).await?;
        let total = match select.total_query() {
            Some((query, wall)) => {
                let counted = self.transaction.run_within(query, &wall, planned, deadline).await?;
                counted.first_integer().and_then(|total| u64::try_from(total).ok())
            }
            None => None,
        };
        let rows = select.rows(&rows, total)?;
        self.count_read(rows.count as usize)?;
        Ok(rows)
    }

    /// Delete the expired documents of these collections now, and say how many were cleaned up:
    /// these, and those that the gateway's own sweeper has taken since the last call. It deletes
    /// no more than the request may write; call it again for the rest, or leave it to the sweeper.
    ///
    /// # Errors
    /// [`Error::Denied`] in the mode `read`, an unknown collection, or the database's failure.
    pub async fn sweep(&mut self, collections: &[String]) -> Result<u64, Error> {
        self.refuse_in_read()?;
        let schema = Arc::clone(&self.schema);
        for collection in collections {
            schema.collection(collection)?;
        }
        let in_transaction = self.options.mode == Mode::Write;
        let cleaned = if in_transaction {
            let cleaned = self.sweeping().run_in_savepoint(&schema, collections).await;
            self.first_write.get_or_insert_with(Instant::now);
            cleaned?
        } else {
            self.sweep_by_itself(&schema, collections).await?
        };
        self.documents_written = self.documents_written.saturating_add(cleaned.deleted);
        self.kept |= !in_transaction && cleaned.total() > 0;
        Ok(cleaned.total())
    }

    /// In the session's own transaction.
    fn sweeping(&mut self) -> Sweep<'_> {
        Sweep {
            tenant: self.tenant.key(),
            now: self.options.now,
            deadline: self.options.deadline,
            room: self.options.documents_written.saturating_sub(self.documents_written),
            dialect: self.storage.dialect(),
            transaction: &mut self.transaction,
        }
    }

    async fn sweep_by_itself(
        &mut self,
        schema: &Schema,
        collections: &[String],
    ) -> Result<Cleaned, Error> {
        let mut transaction =
            self.storage.transaction(Whose::One(self.tenant), TransactionMode::Write);
        let mut sweep = Sweep { transaction: &mut transaction, ..self.sweeping() };
        let cleaned = sweep.run(schema, collections).await;
        match &cleaned {
            Ok(_) => transaction.commit().await?,
            Err(_) => transaction.rollback().await,
        }
        cleaned
    }

    fn refuse_in_read(&self) -> Result<(), Error> {
        match self.options.mode {
            Mode::Read => {
                Err(Error::Denied("the operation's mode is read: it cannot write".to_owned()))
            }
            Mode::Write | Mode::Autocommit => Ok(()),
        }
    }

    fn count_read(&mut self, documents: usize) -> Result<(), Error> {
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        let read = self.documents_read.saturating_add(documents);
        if read > self.options.documents_read {
            return Err(Error::LimitExceeded("documents_read"));
        }
        self.documents_read = read;
        Ok(())
    }

    fn count_written(&mut self, documents: usize) -> Result<(), Error> {
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        self.documents_written = self.documents_written.saturating_add(documents);
        if self.documents_written > self.options.documents_written {
            return Err(Error::LimitExceeded("documents_written"));
        }
        Ok(())
    }

    fn note_size<T>(&mut self, answer: &Result<T, Error>) {
        self.refused_size |= answer.as_ref().is_err_and(Error::is_of_size);
    }

    /// Whether a document was refused because it was too large.
    #[must_use]
    pub fn has_refused_size(&self) -> bool {
        self.refused_size
    }

    /// When the first write was made, for the limit `transaction_ms`.
    #[must_use]
    pub fn first_write(&self) -> Option<Instant> {
        self.first_write
    }

    /// Whether something that was written stays, whatever becomes of the request: so it is after a
    /// write in autocommit mode.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.kept
    }

    /// Make everything last. `Ok` means that the database has confirmed it.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] when the connection broke meanwhile; else nothing was done.
    pub async fn commit(self) -> Result<(), Error> {
        let Self { storage, schema, tenant, transaction, changed, .. } = self;
        let done = transaction.commit().await;
        // Whatever the answer: who is woken for nothing only reads once more.
        changed.tell(&storage, &schema, tenant);
        done
    }

    /// Undo everything, and wait until it is undone. In autocommit mode nothing is left to undo.
    pub async fn rollback(self) {
        self.transaction.rollback().await;
    }
}

pub(super) fn documents(rows: SqlRows) -> Result<Vec<Document>, Error> {
    let width = rows.width.max(1);
    let mut documents = Vec::with_capacity(rows.len());
    let mut values = rows.values.into_iter();
    while values.len() >= width {
        documents.push(document(&mut values).ok_or_else(malformed)?);
    }
    Ok(documents)
}

/// In the order of `collection_sql::DOCUMENT_COLUMNS`.
fn document(values: &mut impl Iterator<Item = SqlValue>) -> Option<Document> {
    Some(Document {
        id: values.next()?.into_text()?,
        version: u64::try_from(values.next()?.integer()?).ok()?,
        created_at: values.next()?.integer()?,
        updated_at: values.next()?.integer()?,
        expires_at: values.next()?.integer(),
        body: values.next()?.into_text()?,
    })
}

fn malformed() -> Error {
    Error::Other("a stored document does not have the columns of one".to_owned())
}
