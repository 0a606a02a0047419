//! Deleting what has expired or is past its retention, in bounded batches.
//!
//! Two ask for it: a plugin for its own tenant ([`super::Session::sweep`]), and the gateway in the
//! background for all tenants ([`super::Storage::sweep_expired`]). What the gateway takes it notes
//! in `loggia_swept`, in the same transaction, so that the plugin's count is exact whoever was
//! first. Nothing here makes a document invisible: it was that from the instant of its expiry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::collection::Collection;
use super::error::Error;
use super::schema::CollectionPlan;
use super::sql::{Query, SqlValue};
use super::statement::Dialect;
use super::transaction::{Transaction, TransactionMode, Whose};
use super::{Schema, Storage, Tenant};

/// The texts that sweep one collection. Each answers with the tenant of every document it took.
#[derive(Clone, Debug)]
pub(super) struct SweepSql {
    /// `now, limit`: expired documents of any tenant. `None` where documents do not expire.
    expired: Option<Arc<str>>,
    /// `now, limit, tenant`: expired documents of one.
    of_tenant: Option<Arc<str>>,
    /// `oldest, limit`: documents of any tenant past the retention. `None` where none is declared.
    past_retention: Option<Arc<str>>,
}

/// What a sweep has deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Documents whose time to live was over.
    pub expired: u64,
    /// Documents that were older than their collection keeps them.
    pub past_retention: u64,
}

/// A batch of the background on `PostgreSQL`: some 4 ms.
const POSTGRES_BATCH: usize = 1_000;
/// And on `SQLite`, where it holds up all that write: below 1 ms.
const SQLITE_BATCH: usize = 200;
/// Between two batches on `SQLite`: those who wait to write come first.
const SQLITE_PAUSE: Duration = Duration::from_millis(5);
/// A plugin waits for its sweep, and others for the plugin's transaction anyway.
const SESSION_BATCH: u32 = 1_000;
/// Nobody waits for the background, so it is patient.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);

impl Swept {
    fn add(&mut self, other: Self) {
        self.expired += other.expired;
        self.past_retention += other.past_retention;
    }
}

impl SweepSql {
    pub(super) fn new(collection: &Collection, dialect: Dialect) -> Self {
        let expired = |text: String| collection.expires.then(|| Arc::<str>::from(text));
        let (table, retention) = (&collection.table, collection.retention.as_ref());
        Self {
            expired: expired(sweep_all(table, "expires_at", dialect)),
            of_tenant: expired(sweep_tenant(table, dialect)),
            past_retention: retention.map(|kept| sweep_all(table, &kept.column, dialect).into()),
        }
    }
}

/// Rows that somebody else has locked are left out: a writer revives them, or another gateway
/// sweeps them. The lock is taken before the time is looked at, on the row as it is then.
fn sweep_all(table: &str, column: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Postgres => format!(
            "DELETE FROM {table} AS d WHERE d.ctid = ANY(ARRAY(SELECT ctid FROM {table} \
             WHERE {column} <= $1::int8 ORDER BY {column} LIMIT $2::int8 FOR UPDATE SKIP LOCKED)) \
             AND d.{column} <= $1::int8 RETURNING d.tenant"
        ),
        Dialect::Sqlite => format!(
            "DELETE FROM {table} WHERE rid IN (SELECT rid FROM {table} \
             WHERE {column} <= ?1 ORDER BY {column} LIMIT ?2) RETURNING tenant"
        ),
    }
}

/// Locks are waited for, in the order of ids as every other call takes them.
fn sweep_tenant(table: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Postgres => format!(
            "DELETE FROM {table} AS d WHERE d.ctid = ANY(ARRAY(SELECT ctid FROM {table} \
             WHERE tenant = $3::int4 AND expires_at <= $1::int8 ORDER BY id LIMIT $2::int8 \
             FOR UPDATE)) AND d.expires_at <= $1::int8 RETURNING d.tenant"
        ),
        Dialect::Sqlite => format!(
            "DELETE FROM {table} WHERE rid IN (SELECT rid FROM {table} \
             WHERE tenant = ?3 AND expires_at <= ?1 LIMIT ?2) RETURNING tenant"
        ),
    }
}

/// A sweep that a plugin has asked for.
pub(super) struct Sweep<'a> {
    pub(super) tenant: i64,
    pub(super) now: i64,
    pub(super) deadline: Instant,
    /// The most documents that it may delete.
    pub(super) room: u32,
    pub(super) dialect: Dialect,
    pub(super) transaction: &'a mut Transaction,
}

/// What a plugin's sweep has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cleaned {
    /// Documents that it has deleted itself.
    pub(super) deleted: u32,
    /// Documents that the background had deleted since the last sweep.
    pub(super) taken_before: u64,
}

impl Cleaned {
    /// What a plugin is told.
    pub(super) fn total(self) -> u64 {
        u64::from(self.deleted).saturating_add(self.taken_before)
    }
}

impl Sweep<'_> {
    /// As `run`; a failure undoes this call and nothing before it.
    pub(super) async fn run_in_savepoint(
        &mut self,
        schema: &Schema,
        collections: &[String],
    ) -> Result<Cleaned, Error> {
        self.transaction.savepoint(self.deadline).await?;
        let cleaned = self.run(schema, collections).await;
        match &cleaned {
            Ok(_) => self.transaction.release_savepoint(self.deadline).await?,
            // The database has ended the transaction already.
            Err(error) if error.ends_request() => {}
            Err(_) => self.transaction.rollback_to_savepoint(self.deadline).await?,
        }
        cleaned
    }

    /// In the order of collections, as every other call takes its locks.
    pub(super) async fn run(
        &mut self,
        schema: &Schema,
        collections: &[String],
    ) -> Result<Cleaned, Error> {
        let mut names: Vec<&String> = collections.iter().collect();
        names.sort_unstable();
        names.dedup();
        let mut cleaned = Cleaned::default();
        for name in names {
            let plan = schema.collection(name)?;
            cleaned.deleted += self.delete(plan, self.room - cleaned.deleted).await?;
            // After the deletes: what a sweeper had locked meanwhile it has noted by then.
            cleaned.taken_before += self.take_noted(&plan.collection.table).await?;
        }
        Ok(cleaned)
    }

    async fn delete(&mut self, plan: &CollectionPlan, room: u32) -> Result<u32, Error> {
        let Some(sql) = &plan.sweep.of_tenant else {
            return Ok(0);
        };
        let mut deleted = 0;
        while deleted < room {
            let limit = SESSION_BATCH.min(room - deleted);
            let binds = [self.now, i64::from(limit), self.tenant].map(SqlValue::Integer).to_vec();
            let rows = self.run_query(sql, binds).await?;
            let batch = u32::try_from(rows).unwrap_or(limit);
            deleted += batch;
            if batch < limit {
                break;
            }
        }
        Ok(deleted)
    }

    async fn take_noted(&mut self, table: &str) -> Result<u64, Error> {
        let sql = match self.dialect {
            Dialect::Postgres => {
                "DELETE FROM loggia_swept WHERE collection = $1 AND tenant = $2 RETURNING documents"
            }
            Dialect::Sqlite => {
                "DELETE FROM loggia_swept WHERE collection = ?1 AND tenant = ?2 RETURNING documents"
            }
        };
        let binds = vec![table.into(), SqlValue::Integer(self.tenant)];
        let query = Query { sql: sql.into(), binds };
        let rows = self.transaction.run(query, self.deadline).await?;
        let documents = rows.values.iter().filter_map(SqlValue::integer);
        Ok(documents.filter_map(|documents| u64::try_from(documents).ok()).sum())
    }

    async fn run_query(&mut self, sql: &Arc<str>, binds: Vec<SqlValue>) -> Result<usize, Error> {
        let query = Query { sql: Arc::clone(sql), binds };
        Ok(self.transaction.run(query, self.deadline).await?.len())
    }
}

impl Storage {
    /// Delete what has expired at this time, and what is past its retention, of all tenants, in
    /// all collections that were installed. Several gateways may do so at once. Dropping the
    /// future ends it between two batches or undoes the one under way.
    ///
    /// # Errors
    /// The database's failure; what was done before it stays done.
    pub async fn sweep_expired(&self, now: i64) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for schema in self.installed() {
            for plan in schema.collections.values() {
                swept.add(self.sweep_collection(&schema, plan, now).await?);
            }
        }
        Ok(swept)
    }

    async fn sweep_collection(
        &self,
        schema: &Schema,
        plan: &CollectionPlan,
        now: i64,
    ) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        if let Some(sql) = &plan.sweep.expired {
            let due = Due { kind: Kind::Expired, schema, plan, sql, oldest: now };
            swept.expired = self.sweep_batches(&due).await?;
        }
        if let (Some(sql), Some(retention)) =
            (&plan.sweep.past_retention, &plan.collection.retention)
        {
            let oldest = now.saturating_sub(retention.age_us);
            let due = Due { kind: Kind::PastRetention, schema, plan, sql, oldest };
            swept.past_retention = self.sweep_batches(&due).await?;
        }
        if swept.expired > 0 && !self.is_sqlite() {
            self.run(FOLD, vec![plan.collection.table.as_str().into()]).await?;
        }
        if swept != Swept::default() {
            let (plugin, collection) = (&schema.plugin, &plan.collection.name);
            let Swept { expired, past_retention } = swept;
            tracing::info!(%plugin, %collection, expired, past_retention, "swept");
        }
        Ok(swept)
    }

    async fn sweep_batches(&self, due: &Due<'_>) -> Result<u64, Error> {
        let batch = if self.is_sqlite() { SQLITE_BATCH } else { POSTGRES_BATCH };
        let mut deleted = 0;
        loop {
            let rows = self.sweep_batch(due, batch).await?;
            deleted += u64::try_from(rows).unwrap_or(u64::MAX);
            if rows < batch {
                return Ok(deleted);
            }
            if self.is_sqlite() {
                tokio::time::sleep(SQLITE_PAUSE).await;
            }
        }
    }

    /// One transaction: what was deleted is noted, or nothing was deleted.
    async fn sweep_batch(&self, due: &Due<'_>, limit: usize) -> Result<usize, Error> {
        let deadline = Instant::now() + BATCH_TIMEOUT;
        let mut transaction = self.transaction(Whose::Everyone, TransactionMode::Write);
        let limit = SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
        let binds = vec![SqlValue::Integer(due.oldest), limit];
        let rows = transaction.run(Query { sql: Arc::clone(due.sql), binds }, deadline).await?;
        let counts = count_by_tenant(rows.values.iter().filter_map(SqlValue::integer));
        if due.kind == Kind::Expired && !counts.is_empty() {
            let pairs: Vec<(&i64, &u64)> = counts.iter().collect();
            let pairs = SqlValue::Json(serde_json::json!(pairs).to_string());
            let binds = vec![pairs, due.plan.collection.table.as_str().into()];
            transaction.run(Query { sql: note(self.dialect()).into(), binds }, deadline).await?;
        }
        transaction.commit().await?;
        if due.kind == Kind::PastRetention {
            // What had expired was not there for anybody.
            let tenants = counts.keys().map(|tenant| Tenant(*tenant));
            tenants.for_each(|tenant| due.plan.changes.tell(self, due.schema, tenant));
        }
        Ok(rows.len())
    }
}

/// What is to be deleted.
struct Due<'a> {
    kind: Kind,
    schema: &'a Schema,
    plan: &'a CollectionPlan,
    sql: &'a Arc<str>,
    /// All up to this time.
    oldest: i64,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// A plugin counts these.
    Expired,
    PastRetention,
}

fn count_by_tenant(tenants: impl Iterator<Item = i64>) -> BTreeMap<i64, u64> {
    tenants.fold(BTreeMap::new(), |mut counts, tenant| {
        *counts.entry(tenant).or_default() += 1;
        counts
    })
}

fn note(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "INSERT INTO loggia_swept (tenant, collection, documents) \
             SELECT (pair->>0)::int4, $2::text, (pair->>1)::int8 \
             FROM jsonb_array_elements($1::jsonb) AS pair"
        }
        Dialect::Sqlite => {
            "INSERT INTO loggia_swept (tenant, collection, documents) \
             SELECT json_extract(value, '$[0]'), ?2, json_extract(value, '$[1]') \
             FROM json_each(?1) WHERE true ON CONFLICT (collection, tenant) \
             DO UPDATE SET documents = documents + excluded.documents"
        }
    }
}

/// One row of each tenant takes over the others' numbers. It is changed in place: a plugin that
/// waits for it sees the sum. Rows that a plugin takes now are left alone.
const FOLD: &str = "\
    WITH held AS MATERIALIZED (SELECT id, tenant, documents FROM loggia_swept \
        WHERE collection = $1 FOR UPDATE SKIP LOCKED), \
    folded AS (SELECT tenant, min(id) AS kept, sum(documents)::int8 AS documents FROM held \
        GROUP BY tenant HAVING count(*) > 1), \
    gone AS (DELETE FROM loggia_swept AS s USING held, folded \
        WHERE s.id = held.id AND folded.tenant = held.tenant AND s.id <> folded.kept) \
    UPDATE loggia_swept AS s SET documents = folded.documents FROM folded WHERE s.id = folded.kept";
