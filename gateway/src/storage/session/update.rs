//! The storage calls that change the documents which conditions hold for.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::document::{Document, Value};
use super::super::error::Error;
use super::super::select::bind_arguments;
use super::super::transaction::{TransactionMode, Whose};
use super::super::update::{ChangePlan, ChangeWhere, Changed};
use super::{Mode, Schema, Session};

impl Session {
    /// Run an `update` statement of the manifest: change the documents that it selects, at most
    /// `limit` of them (0 for all), and return them as they are afterwards, in the statement's
    /// order. A condition whose parameter is not given is left out, where the manifest has a list
    /// of them.
    ///
    /// # Errors
    /// A name that the manifest does not declare, an argument of another type, a changed body
    /// that could not be put, or a value that a unique index holds: nothing is done then. More
    /// documents than the request may write end it.
    pub async fn update_where(
        &mut self,
        statement: &str,
        arguments: &[(String, Value)],
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        self.refuse_in_read()?;
        let schema = Arc::clone(&self.schema);
        let changed = self.change(&schema, schema.update(statement)?, arguments, limit).await;
        self.note_size(&changed);
        Ok(changed?.documents)
    }

    /// Run a `delete` statement of the manifest: delete the documents that it selects, at most
    /// `limit` of them (0 for all), and say how many there were.
    ///
    /// # Errors
    /// As [`Self::update_where`].
    pub async fn delete_where(
        &mut self,
        statement: &str,
        arguments: &[(String, Value)],
        limit: u32,
    ) -> Result<u64, Error> {
        self.refuse_in_read()?;
        let schema = Arc::clone(&self.schema);
        let changed = self.change(&schema, schema.delete(statement)?, arguments, limit).await?;
        Ok(changed.count.into())
    }

    async fn change(
        &mut self,
        schema: &Schema,
        plan: &ChangePlan,
        arguments: &[(String, Value)],
        limit: u32,
    ) -> Result<Changed, Error> {
        let change = ChangeWhere {
            plan,
            collection: schema.collection(plan.collection())?,
            tenant: self.tenant,
            now: self.options.now,
            document_bytes: self.options.document_bytes,
            deadline: self.options.deadline,
            arguments: bind_arguments(plan.parameters(), arguments)?,
            limit,
            budget: self.options.documents_written.saturating_sub(self.documents_written),
        };
        let changed = if self.options.mode == Mode::Write {
            let changed = change.run_guarded(&mut self.transaction).await;
            // From here on locks are held; the wait for them was not the plugin's doing.
            self.first_write.get_or_insert_with(Instant::now);
            changed
        } else {
            let changed = self.change_by_itself(&change).await;
            self.kept |= changed.as_ref().is_ok_and(|changed| changed.count > 0);
            changed
        };
        if changed.as_ref().map_or_else(Error::leaves_open, |changed| changed.count > 0) {
            self.note(change.collection.changes);
        }
        let changed = changed?;
        self.documents_written += changed.count;
        Ok(changed)
    }

    /// In autocommit mode a call has a transaction of its own: what came of it is checked before
    /// it lasts.
    async fn change_by_itself(&self, change: &ChangeWhere<'_>) -> Result<Changed, Error> {
        let mut transaction =
            self.storage.transaction(Whose::One(self.tenant), TransactionMode::Write);
        let changed = change.run_alone(&mut transaction).await;
        match &changed {
            Ok(_) => transaction.commit().await?,
            Err(_) => transaction.rollback().await,
        }
        changed
    }
}
