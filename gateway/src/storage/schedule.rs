//! When a schedule runs next and which gateway runs it: one row for each in `loggia_schedule`,
//! taken in one statement, on the database's clock. Who runs it, and for whom, is decided above.
//!
//! A turn that was taken and never ended, because its gateway is gone, is over when its lease is.

use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use super::schema::Schema;
use super::sql::{Query, SqlValue};
use super::statement::Dialect;
use super::store::{Storage, Tenant};
use super::transaction::{TransactionMode, Whose};

/// A turn of a schedule, which is this gateway's until its lease is over.
#[derive(Debug)]
pub struct Turn {
    plugin: String,
    operation: String,
    /// Another one for each turn, so that one that is over cannot be renewed.
    holder: String,
    /// When it began, on the database's clock.
    pub began_at: i64,
}

/// What has come of asking for a turn.
#[derive(Debug)]
pub enum Claim {
    /// It is this gateway's.
    Taken(Turn),
    /// Nobody may begin it before this time has passed.
    NotYet(Duration),
    /// It could begin, but another turn of it is not over. That one's lease ends after this time.
    Held(Duration),
}

impl Storage {
    /// Take the next turn of a schedule, if its time has come and no other turn is under way. The
    /// one after it begins no earlier than `every` from now.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn claim_schedule(
        &self,
        plugin: &str,
        operation: &str,
        every: Duration,
        lease: Duration,
    ) -> Result<Claim, Error> {
        let holder = format!("{:032x}", rand::random::<u128>());
        let names = [plugin, operation].map(SqlValue::from).to_vec();
        let times = [every, lease].map(|time| SqlValue::Integer(microseconds(time)));
        let binds = names.iter().cloned().chain([holder.as_str().into()]).chain(times).collect();
        if let Some(began_at) = self.run(self.dialect().claim_turn(), binds).await?.first_integer()
        {
            let (plugin, operation) = (plugin.to_owned(), operation.to_owned());
            return Ok(Claim::Taken(Turn { plugin, operation, holder, began_at }));
        }
        let rows = self.run(self.dialect().turn_waits(), names).await?;
        let mut waits = rows.values.iter().filter_map(SqlValue::integer);
        let mut wait = || Duration::from_micros(waits.next().unwrap_or(0).max(0).unsigned_abs());
        let (next, held) = (wait(), wait());
        Ok(if next.is_zero() { Claim::Held(held) } else { Claim::NotYet(next) })
    }

    /// Keep a turn for the time of another lease; false where it is this gateway's no more.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn renew_schedule(&self, turn: &Turn, lease: Duration) -> Result<bool, Error> {
        let mut binds = turn.key();
        binds.push(SqlValue::Integer(microseconds(lease)));
        Ok(self.run(self.dialect().renew_turn(), binds).await?.len() > 0)
    }

    /// End a turn, and note how many calls it has made and how many of them failed.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn end_schedule(&self, turn: &Turn, calls: u32, failures: u32) -> Result<(), Error> {
        let mut binds = turn.key();
        binds.extend([calls, failures].map(|number| SqlValue::Integer(number.into())));
        self.run(self.dialect().end_turn(), binds).await.map(drop)
    }

    /// Leave a turn, in which nothing was done: it is time for it again at once.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn leave_schedule(&self, turn: &Turn) -> Result<(), Error> {
        let mut binds = turn.key();
        binds.push(SqlValue::Integer(turn.began_at));
        self.run(self.dialect().leave_turn(), binds).await.map(drop)
    }

    /// The tenants that have a document in which this field is due at `now`: one look at an index
    /// that holds the due documents of all tenants together.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn due_tenants(
        &self,
        schema: &Schema,
        collection: &str,
        field: &str,
        now: i64,
    ) -> Result<Vec<Tenant>, Error> {
        let collection = &schema.collection(collection)?.collection;
        let unknown = || Error::UnknownName(format!("the due field {field}"));
        let (column, _) = collection.column(field).ok_or_else(unknown)?;
        let mut indexes = collection.due.iter();
        let (_, index) = indexes.find(|(known, _)| known == column).ok_or_else(unknown)?;
        let sql = self.dialect().due_tenants(&collection.table, column, index, collection.expires);
        let query = Query { sql: sql.into(), binds: vec![SqlValue::Integer(now)] };
        let mut transaction = self.transaction(Whose::Everyone, TransactionMode::Autocommit);
        let rows = transaction.run(query, Instant::now() + LOOK_TIMEOUT).await?;
        transaction.commit().await?;
        Ok(rows.values.iter().filter_map(SqlValue::integer).map(Tenant).collect())
    }
}

/// Nobody waits for it, so it is patient.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);

impl Turn {
    fn key(&self) -> Vec<SqlValue> {
        [&self.plugin, &self.operation, &self.holder].map(|name| name.as_str().into()).to_vec()
    }
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Dialect {
    /// `now`. `SQLite` would go through the whole table in the order of tenants.
    fn due_tenants(self, table: &str, column: &str, index: &str, expires: bool) -> String {
        let (now, by) = match self {
            Self::Postgres => ("$1::int8", String::new()),
            Self::Sqlite => ("?1", format!(" INDEXED BY {index}")),
        };
        let visible = if expires {
            format!(" AND (expires_at IS NULL OR expires_at > {now})")
        } else {
            String::new()
        };
        format!("SELECT DISTINCT tenant FROM {table}{by} WHERE {column} <= {now}{visible}")
    }

    /// `plugin, operation, holder, every, lease`. What stands in `excluded` was worked out from one
    /// look at the clock.
    fn claim_turn(self) -> &'static str {
        match self {
            Self::Postgres => {
                "INSERT INTO loggia_schedule AS s \
                 (plugin, operation, holder, next_at, held_until) \
                 SELECT $1::text, $2::text, $3::text, now + $4::int8, now + $5::int8 FROM \
                 (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now) AS clock \
                 ON CONFLICT (plugin, operation) DO UPDATE SET holder = excluded.holder, \
                 next_at = excluded.next_at, held_until = excluded.held_until \
                 WHERE greatest(s.next_at, s.held_until) <= excluded.held_until - $5::int8 \
                 RETURNING held_until - $5::int8"
            }
            Self::Sqlite => {
                "INSERT INTO loggia_schedule AS s \
                 (plugin, operation, holder, next_at, held_until) \
                 SELECT ?1, ?2, ?3, now + ?4, now + ?5 FROM \
                 (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now) WHERE true \
                 ON CONFLICT (plugin, operation) DO UPDATE SET holder = excluded.holder, \
                 next_at = excluded.next_at, held_until = excluded.held_until \
                 WHERE max(s.next_at, s.held_until) <= excluded.held_until - ?5 \
                 RETURNING held_until - ?5"
            }
        }
    }

    /// `plugin, operation`: how long until its time, and how long until its lease is over.
    fn turn_waits(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT next_at - now, held_until - now FROM loggia_schedule, \
                 (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now) AS clock \
                 WHERE plugin = $1 AND operation = $2"
            }
            Self::Sqlite => {
                "SELECT next_at - now, held_until - now FROM loggia_schedule, \
                 (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now) \
                 WHERE plugin = ?1 AND operation = ?2"
            }
        }
    }

    /// `plugin, operation, holder, lease`
    fn renew_turn(self) -> &'static str {
        match self {
            Self::Postgres => {
                "UPDATE loggia_schedule SET held_until = \
                 (extract(epoch FROM clock_timestamp()) * 1000000)::int8 + $4::int8 \
                 WHERE plugin = $1 AND operation = $2 AND holder = $3 RETURNING held_until"
            }
            Self::Sqlite => {
                "UPDATE loggia_schedule SET held_until = \
                 CAST(unixepoch('subsec') * 1000000 AS INTEGER) + ?4 \
                 WHERE plugin = ?1 AND operation = ?2 AND holder = ?3 RETURNING held_until"
            }
        }
    }

    /// `plugin, operation, holder, began_at`
    fn leave_turn(self) -> &'static str {
        match self {
            Self::Postgres => {
                "UPDATE loggia_schedule SET holder = '', held_until = 0, next_at = $4 \
                 WHERE plugin = $1 AND operation = $2 AND holder = $3"
            }
            Self::Sqlite => {
                "UPDATE loggia_schedule SET holder = '', held_until = 0, next_at = ?4 \
                 WHERE plugin = ?1 AND operation = ?2 AND holder = ?3"
            }
        }
    }

    /// `plugin, operation, holder, calls, failures`
    fn end_turn(self) -> &'static str {
        match self {
            Self::Postgres => {
                "UPDATE loggia_schedule SET holder = '', held_until = 0, \
                 calls = calls + $4::int8, failures = failures + $5::int8 \
                 WHERE plugin = $1 AND operation = $2 AND holder = $3"
            }
            Self::Sqlite => {
                "UPDATE loggia_schedule SET holder = '', held_until = 0, \
                 calls = calls + ?4, failures = failures + ?5 \
                 WHERE plugin = ?1 AND operation = ?2 AND holder = ?3"
            }
        }
    }
}
