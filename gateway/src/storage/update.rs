//! One call of an `update` or `delete` statement: its text chosen, run, and what came of it
//! checked.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use tokio::time::Instant;

use super::Tenant;
use super::apply::{Effect, violated};
use super::document::Document;
use super::error::Error;
use super::prepare::{PreparedBody, at};
use super::schema::{CollectionPlan, Text, remember};
use super::session::documents;
use super::sql::{Query, SqlRows, SqlValue};
use super::statement::{Bind, Delete, Dialect, Parameter, Update};
use super::transaction::{Planned, Transaction};
use super::words::{SearchQuery, Searched};

/// An `update` or `delete` statement with the texts that were rendered for it so far.
#[derive(Debug)]
pub(super) struct ChangePlan {
    kind: Kind,
    dialect: Dialect,
    planned: Planned,
    /// The text that changes documents by their ids, on `SQLite`.
    change: Option<Arc<Text>>,
    /// By which parameters are given.
    texts: RwLock<HashMap<Vec<bool>, Arc<Text>>>,
}

#[derive(Debug)]
enum Kind {
    Update(Update),
    Delete(Delete),
}

impl ChangePlan {
    pub(super) fn update(update: Update, dialect: Dialect, planned: Planned) -> Self {
        let change = (dialect == Dialect::Sqlite).then(|| Arc::new(update.render_change().into()));
        Self { kind: Kind::Update(update), dialect, planned, change, texts: RwLock::default() }
    }

    pub(super) fn delete(delete: Delete, dialect: Dialect, planned: Planned) -> Self {
        let change = (dialect == Dialect::Sqlite).then(|| Arc::new(delete.render_change().into()));
        Self { kind: Kind::Delete(delete), dialect, planned, change, texts: RwLock::default() }
    }

    /// The name of the collection that it writes to.
    pub(super) fn collection(&self) -> &str {
        match &self.kind {
            Kind::Update(update) => update.collection(),
            Kind::Delete(delete) => delete.collection(),
        }
    }

    pub(super) fn parameters(&self) -> &[Parameter] {
        match &self.kind {
            Kind::Update(update) => update.parameters(),
            Kind::Delete(delete) => delete.parameters(),
        }
    }

    /// Its texts with each optional condition, and whether they filter.
    pub(super) fn probes(&self) -> Vec<(Arc<Text>, bool)> {
        let probes = match &self.kind {
            Kind::Update(update) => update.probes(),
            Kind::Delete(delete) => delete.probes(),
        };
        let texts = probes.into_iter().map(|(given, filtered)| (self.render(&given), filtered));
        texts.chain(self.change.clone().map(|change| (change, false))).collect()
    }

    fn render(&self, given: &Vec<bool>) -> Arc<Text> {
        remember(&self.texts, given, || match &self.kind {
            Kind::Update(update) => update.render(self.dialect, given),
            Kind::Delete(delete) => delete.render(self.dialect, given),
        })
    }
}

/// A call of such a statement.
#[derive(Debug)]
pub(super) struct ChangeWhere<'a> {
    pub(super) plan: &'a ChangePlan,
    pub(super) collection: &'a CollectionPlan,
    pub(super) tenant: Tenant,
    pub(super) now: i64,
    pub(super) document_bytes: usize,
    pub(super) deadline: Instant,
    /// By the place of the parameter.
    pub(super) arguments: Vec<Option<SqlValue>>,
    /// The most documents to take; 0 for all.
    pub(super) limit: u32,
    /// The most that the request may still write.
    pub(super) budget: u32,
}

/// What a call did.
#[derive(Debug)]
pub(super) struct Changed {
    /// How many documents it wrote or deleted.
    pub(super) count: u32,
    /// Those that it wrote, in the statement's order.
    pub(super) documents: Vec<Document>,
}

impl ChangeWhere<'_> {
    /// Run it so that a failure undoes this call alone.
    pub(super) async fn run_guarded(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Changed, Error> {
        let changed = self.attempt(transaction, false).await;
        match changed {
            // The value may be held by an expired document, which gives way.
            Err(Error::Duplicate(_)) if self.collection.sql.evict_expired.is_some() => {
                self.attempt(transaction, true).await
            }
            changed => changed,
        }
    }

    /// Run it in a transaction that holds nothing else.
    pub(super) async fn run_alone(&self, transaction: &mut Transaction) -> Result<Changed, Error> {
        match self.collection.sql.evict_expired {
            // It may take two attempts.
            Some(_) => self.run_guarded(transaction).await,
            None => self.run(transaction, false).await,
        }
    }

    async fn attempt(&self, transaction: &mut Transaction, evicts: bool) -> Result<Changed, Error> {
        transaction.savepoint(self.deadline).await?;
        let changed = self.run(transaction, evicts).await;
        match &changed {
            Ok(_) => transaction.release_savepoint(self.deadline).await?,
            // The whole transaction ends with it.
            Err(error) if error.ends_request() => {}
            Err(_) => transaction.rollback_to_savepoint(self.deadline).await?,
        }
        changed
    }

    async fn run(&self, transaction: &mut Transaction, evicts: bool) -> Result<Changed, Error> {
        if let (Some(evict), true) = (&self.collection.sql.evict_expired, evicts) {
            let binds = vec![SqlValue::Integer(self.tenant.key()), SqlValue::Integer(self.now)];
            let query = Query { sql: Arc::clone(&evict.sql), binds };
            transaction.run(query, self.deadline).await?;
        }
        let given: Vec<bool> = self.arguments.iter().map(Option::is_some).collect();
        let rows = self.query(transaction, &self.plan.render(&given), &[]).await?;
        let count = self.within_budget(rows.len())?;
        let documents = match (&self.plan.kind, &self.plan.change) {
            (Kind::Delete(_), None) => Vec::new(),
            (Kind::Update(_), None) => documents(rows)?,
            (_, Some(_)) if count == 0 => Vec::new(),
            (kind, Some(change)) => {
                let ids: Vec<String> =
                    rows.values.into_iter().filter_map(SqlValue::into_text).collect();
                let rows = self.query(transaction, change, &ids).await?;
                match kind {
                    Kind::Update(_) => in_order(documents(rows)?, &ids),
                    Kind::Delete(_) => Vec::new(),
                }
            }
        };
        documents.iter().try_for_each(|document| self.check(document))?;
        Ok(Changed { count, documents })
    }

    fn within_budget(&self, count: usize) -> Result<u32, Error> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count > self.budget {
            return Err(Error::LimitExceeded("documents_written"));
        }
        Ok(count)
    }

    /// What a body must be is checked where the gateway checks any body, so that both databases
    /// refuse the same; the call is undone when one is refused.
    fn check(&self, document: &Document) -> Result<(), Error> {
        let Document { id, body, .. } = document;
        let (tenant, limit) = (self.tenant.key(), self.document_bytes);
        PreparedBody::new(self.collection, tenant, id, body.clone(), limit)
            .map(drop)
            .map_err(at(0, id))
    }

    async fn query(
        &self,
        transaction: &mut Transaction,
        text: &Text,
        ids: &[String],
    ) -> Result<SqlRows, Error> {
        let value = |bind: &Bind| match *bind {
            Bind::Tenant => SqlValue::Integer(self.tenant.key()),
            Bind::Now => SqlValue::Integer(self.now),
            Bind::Parameter(place) => self.arguments[place].clone().unwrap_or(SqlValue::Null),
            Bind::AllWords(place) => self.searched(place).all(),
            Bind::AnyWord(place) => self.searched(place).any(),
            Bind::Limit => SqlValue::Integer(self.take()),
            Bind::Ids => SqlValue::Texts(ids.to_vec()),
            // What is changed has no pages.
            Bind::Key(_) | Bind::Offset => SqlValue::Null,
        };
        let binds = text.binds.iter().map(value).collect();
        let query = Query { sql: Arc::clone(&text.sql), binds };
        let planned = self.plan.planned;
        let rows = transaction.run_within(query, &text.wall, planned, self.deadline).await;
        let effect = match self.plan.kind {
            Kind::Update(_) => Effect::Write,
            Kind::Delete(_) => Effect::Delete,
        };
        rows.map_err(|error| violated(error, &self.collection.collection, effect))
    }

    fn searched(&self, place: usize) -> Searched {
        let query = self.arguments[place].as_ref();
        Searched {
            query: SearchQuery::of(query),
            tenant: self.tenant.key(),
            dialect: self.plan.dialect,
        }
    }

    /// One more than the budget allows shows that there are more.
    fn take(&self) -> i64 {
        let most = i64::from(self.budget) + 1;
        if self.limit == 0 { most } else { most.min(self.limit.into()) }
    }
}

/// Documents in the order of their ids in a list.
fn in_order(documents: Vec<Document>, ids: &[String]) -> Vec<Document> {
    let mut by_id: HashMap<String, Document> =
        documents.into_iter().map(|document| (document.id.clone(), document)).collect();
    ids.iter().filter_map(|id| by_id.remove(id)).collect()
}
