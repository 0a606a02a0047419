//! The storage calls about checkpoints: `wit/checkpoints.wit`.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::changes::ChangeSet;
use super::super::checkpoint::{About, Checkpoint, Checkpoints, Difference, Scope};
use super::super::document::Document;
use super::super::error::Error;
use super::super::transaction::{Transaction, TransactionMode, Whose};
use super::{Mode, Schema, Session};

impl Session {
    /// Copy what the scopes hold, as of one instant. Each is of another collection.
    ///
    /// # Errors
    /// A name that the manifest does not declare, an argument of another type, metadata that is no
    /// JSON object, or the database's failure.
    pub async fn create_checkpoint(
        &mut self,
        about: About<'_>,
        scopes: &[Scope],
    ) -> Result<Checkpoint, Error> {
        self.refuse_in_read()?;
        let schema = Arc::clone(&self.schema);
        let mut own = self.own_transaction();
        let created = self.checkpoints(&schema, own.as_mut()).create(about, scopes).await;
        self.conclude(own, created).await
    }

    /// The documents of one collection as they were, versions and times to live included, in the
    /// order of their ids, at most `limit` behind an id.
    ///
    /// # Errors
    /// `checkpoint-not-found`, an unknown collection, or the database's failure.
    pub async fn read_checkpoint(
        &mut self,
        id: &str,
        collection: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let schema = Arc::clone(&self.schema);
        let documents = self.checkpoints(&schema, None).read(id, collection, after, limit).await?;
        self.count_read(documents.len())?;
        Ok(documents)
    }

    /// What changed from one checkpoint to another, or to now, by collection and id, at most
    /// `limit` behind a difference.
    ///
    /// # Errors
    /// `checkpoint-not-found`, or the database's failure.
    pub async fn diff_checkpoint(
        &mut self,
        from: &str,
        to: Option<&str>,
        after: Option<&Difference>,
        limit: u32,
    ) -> Result<Vec<Difference>, Error> {
        let schema = Arc::clone(&self.schema);
        let differences = self.checkpoints(&schema, None).diff(from, to, after, limit).await?;
        self.count_read(differences.len())?;
        Ok(differences)
    }

    /// Make the checkpoint's scopes hold exactly the bodies and times to live that they held then:
    /// what is not there any more comes back, with its time of creation, and what has come since is
    /// deleted. A document that differs gets a new version; one that does not keeps its own. Says
    /// how many were written or deleted.
    ///
    /// # Errors
    /// `checkpoint-not-found`; a reference or a count's limit that would not hold; more documents
    /// than the request may write, which ends it.
    pub async fn restore_checkpoint(&mut self, id: &str) -> Result<u64, Error> {
        self.refuse_in_read()?;
        let schema = Arc::clone(&self.schema);
        let budget = self.options.documents_written.saturating_sub(self.documents_written);
        let mut own = self.own_transaction();
        if own.is_none() {
            self.transaction.savepoint(self.options.deadline).await?;
        }
        let restored = self.checkpoints(&schema, own.as_mut()).restore(id, budget).await;
        let deadline = self.options.deadline;
        match &restored {
            _ if own.is_some() => {}
            Ok(_) => self.transaction.release_savepoint(deadline).await?,
            // The database has ended the transaction already.
            Err(error) if error.ends_request() => {}
            Err(_) => self.transaction.rollback_to_savepoint(deadline).await?,
        }
        let restored = self.conclude(own, restored).await;
        if restored.as_ref().map_or_else(Error::leaves_open, |restored| *restored > 0) {
            self.note(ChangeSet::all());
        }
        let restored = restored?;
        self.documents_written = self.documents_written.saturating_add(restored);
        Ok(restored.into())
    }

    /// Delete checkpoints of this plugin; says how many there were.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn delete_checkpoints(&mut self, ids: &[String]) -> Result<u64, Error> {
        self.refuse_in_read()?;
        let schema = Arc::clone(&self.schema);
        let mut own = self.own_transaction();
        let deleted = self.checkpoints(&schema, own.as_mut()).delete(ids).await;
        self.conclude(own, deleted).await
    }

    /// In autocommit mode, a call that writes has a transaction of its own.
    fn own_transaction(&self) -> Option<Transaction> {
        let own = self.options.mode == Mode::Autocommit;
        own.then(|| self.storage.transaction(Whose::One(self.tenant), TransactionMode::Write))
    }

    fn checkpoints<'a>(
        &'a mut self,
        schema: &'a Schema,
        own: Option<&'a mut Transaction>,
    ) -> Checkpoints<'a> {
        Checkpoints {
            schema,
            dialect: self.storage.dialect(),
            tenant: self.tenant,
            now: self.options.now,
            document_bytes: self.options.document_bytes,
            deadline: self.options.deadline,
            transaction: own.unwrap_or(&mut self.transaction),
        }
    }

    /// End the call's own transaction, or note that the session's holds locks from now on.
    async fn conclude<T>(
        &mut self,
        own: Option<Transaction>,
        done: Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(transaction) = own else {
            self.first_write.get_or_insert_with(Instant::now);
            return done;
        };
        match &done {
            Ok(_) => {
                transaction.commit().await?;
                self.kept = true;
            }
            Err(_) => transaction.rollback().await,
        }
        done
    }
}
