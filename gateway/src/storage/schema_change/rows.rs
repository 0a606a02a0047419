//! The rows of a collection, batch by batch in the order of the primary key, and what a write of
//! today would make of each.

use std::collections::BTreeMap;

use super::super::error::Error;
use super::super::prepare::PreparedBody;
use super::super::schema::CollectionPlan;
use super::super::sql::{SqlRows, SqlValue};
use super::super::statement::Dialect;
use super::session::ChangeSession;
use super::{InstallError, Upgrade};

/// One stored row.
#[derive(Debug)]
pub(super) struct StoredRow {
    pub(super) tenant: i64,
    pub(super) id: String,
    pub(super) version: i64,
    schema_version: u32,
    expires_at: Option<i64>,
    body: String,
}

/// What is to be written for a row.
#[derive(Debug)]
pub(super) enum Ready {
    /// The body stays; its columns are filled.
    Refilled(PreparedBody),
    /// The plugin has made another body of it.
    Upgraded(PreparedBody),
    /// It has expired, so it does not exist.
    Expired,
    /// It has no place in the collection as it is declared, and this is why.
    Refused(String),
}

/// Goes through the rows of one table once.
#[derive(Debug)]
pub(super) struct Walk {
    sql: String,
    /// Tenant and id of the last row.
    after: (i64, String),
    rows: i64,
}

/// Bodies of one batch; a body of 16 MiB is a batch of its own.
const BATCH_BYTES: usize = 8 << 20;
/// As many small rows as one transaction writes.
const BATCH_ROWS: usize = 500;
/// Nothing is known of the bodies' size before the first batch.
const FIRST_ROWS: i64 = 20;

impl Walk {
    /// Through all rows, or those alone that another declaration has filled. A column that the
    /// table has not got yet stands for its default.
    pub(super) fn new(
        plan: &CollectionPlan,
        dialect: Dialect,
        has_own_columns: bool,
        only_stale: bool,
    ) -> Self {
        let table = &plan.collection.table;
        let schema_version = if has_own_columns { "schema_version" } else { "1" };
        let stale = match only_stale && has_own_columns {
            true => format!(" AND layout <> {}", plan.collection.layout),
            false => String::new(),
        };
        let (tenant, id, limit) = match dialect {
            Dialect::Postgres => ("$1::int4", "$2::text", "$3::int8"),
            Dialect::Sqlite => ("?1", "?2", "?3"),
        };
        let sql = format!(
            "SELECT tenant, id, version, {schema_version}, expires_at, body FROM {table} \
             WHERE (tenant, id) > ({tenant}, {id}){stale} ORDER BY tenant, id LIMIT {limit}"
        );
        Self { sql, after: (0, String::new()), rows: FIRST_ROWS }
    }

    /// The next rows; none after the last.
    pub(super) async fn next(
        &mut self,
        session: &mut ChangeSession,
    ) -> Result<Vec<StoredRow>, Error> {
        let (tenant, id) = self.after.clone();
        let binds = vec![SqlValue::Integer(tenant), id.into(), SqlValue::Integer(self.rows)];
        let rows = stored(session.run(&self.sql, binds).await?)?;
        if let Some(last) = rows.last() {
            self.after = (last.tenant, last.id.clone());
            let bytes: usize = rows.iter().map(|row| row.body.len()).sum();
            let average = (bytes / rows.len()).max(1);
            let fitting = (BATCH_BYTES / average).clamp(1, BATCH_ROWS);
            self.rows = i64::try_from(fitting).unwrap_or(1);
        }
        Ok(rows)
    }
}

fn stored(rows: SqlRows) -> Result<Vec<StoredRow>, Error> {
    let mut values = rows.values.into_iter();
    let mut stored = Vec::new();
    while let Some(tenant) = values.next() {
        let mut next = || values.next().unwrap_or(SqlValue::Null);
        let row = || Error::Other("a row of a collection has another form".to_owned());
        stored.push(StoredRow {
            tenant: tenant.integer().ok_or_else(row)?,
            id: next().into_text().ok_or_else(row)?,
            version: next().integer().ok_or_else(row)?,
            schema_version: next().integer().and_then(|v| v.try_into().ok()).ok_or_else(row)?,
            expires_at: next().integer(),
            body: next().into_text().ok_or_else(row)?,
        });
    }
    Ok(stored)
}

/// What a write of today would make of these rows: one item for each.
pub(super) async fn ready(
    plan: &CollectionPlan,
    upgrade: Option<&Upgrade>,
    now: i64,
    rows: &[StoredRow],
) -> Result<Vec<Ready>, InstallError> {
    let bodies = current_bodies(plan, upgrade, now, rows).await?;
    let ready = rows.iter().zip(bodies).map(|(row, body)| {
        if row.has_expired(now) {
            return Ready::Expired;
        }
        let ready = match body {
            // An operation may have asked for a larger one than the default.
            Ok(Some(body)) if body != row.body => {
                PreparedBody::new(plan, row.tenant, &row.id, body, usize::MAX).map(Ready::Upgraded)
            }
            Ok(_) => PreparedBody::stored(plan, row.tenant, &row.id, row.body.clone())
                .map(Ready::Refilled),
            Err(why) => return Ready::Refused(why),
        };
        ready.unwrap_or_else(|fault| Ready::Refused(format!("{}: {}", fault.name, fault.detail)))
    });
    Ok(ready.collect())
}

type CurrentBody = Result<Option<String>, String>;

/// Bodies of an older form go through the plugin, those of one form together. `None` where the
/// body is of the current form.
async fn current_bodies(
    plan: &CollectionPlan,
    upgrade: Option<&Upgrade>,
    now: i64,
    rows: &[StoredRow],
) -> Result<Vec<CurrentBody>, InstallError> {
    let collection = &plan.collection;
    let mut bodies: Vec<CurrentBody> = rows.iter().map(|_| Ok(None)).collect();
    let mut older: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| !row.has_expired(now)) {
        if row.schema_version > collection.schema_version {
            bodies[place] = Err(newer(row.schema_version));
        } else if row.schema_version < collection.schema_version {
            older.entry(row.schema_version).or_default().push(place);
        }
    }
    for (from, places) in older {
        let Some(upgrade) = upgrade else {
            places.iter().for_each(|place| bodies[*place] = Err(no_upgrade(from)));
            continue;
        };
        let texts = places.iter().map(|place| rows[*place].body.clone()).collect();
        let upgraded = upgrade(collection.name.clone(), from, texts).await;
        let upgraded = upgraded.map_err(|why| InstallError::Upgrade {
            collection: collection.name.clone(),
            from,
            why,
        })?;
        if upgraded.len() != places.len() {
            let (asked, got) = (places.len(), upgraded.len());
            let why = format!("it was given {asked} bodies and gave {got} back");
            return Err(InstallError::Upgrade { collection: collection.name.clone(), from, why });
        }
        for (place, body) in places.into_iter().zip(upgraded) {
            bodies[place] = body.map(Some).map_err(|why| format!("upgrade: {why}"));
        }
    }
    Ok(bodies)
}

fn newer(version: u32) -> String {
    format!("it was written under the schema version {version}, which is newer")
}

fn no_upgrade(version: u32) -> String {
    format!("it was written under the schema version {version}, and nothing can upgrade it")
}

impl StoredRow {
    fn has_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
