//! Carries out what was worked out. Each statement can be the last before the gateway is killed:
//! what is there then is a state from which `compare.rs` finds the rest.

use super::super::collection_sql::{Bind, Rendered};
use super::super::ddl::{self, Object};
use super::super::error::Error;
use super::super::prepare::PreparedBody;
use super::super::schema::CollectionPlan;
use super::super::sql::{Query, SqlValue};
use super::check::{self, Found};
use super::compare::{CollectionChange, Dropped};
use super::rows::{Ready, StoredRow, Walk, ready};
use super::session::ChangeSession;
use super::{InstallError, Work};

/// Counts what was done, for the tests that stop a change at each place.
#[derive(Debug)]
pub(super) struct Pace {
    left: Option<u32>,
}

impl Pace {
    pub(super) fn new(stop_after: Option<u32>) -> Self {
        Self { left: stop_after }
    }

    /// One more statement, batch or transaction is done.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        match &mut self.left {
            Some(1) => Err(Error::Other("the change of the schema was stopped".to_owned())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

pub(super) async fn apply(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    pace: &mut Pace,
) -> Result<(), InstallError> {
    work.counts.remove(session, pace).await?;
    if !work.unfinished {
        drop_objects(session, work, pace, |dropped| dropped.goes_first).await?;
    }
    create_tables(session, work, pace).await?;
    let changes = std::mem::take(&mut work.changes);
    for change in &changes {
        if let Some(plan) = change.plan(work).filter(|_| !change.is_new) {
            Application { session, work, pace, plan, change }.run().await?;
        }
    }
    work.changes = changes;
    if !work.unfinished {
        drop_objects(session, work, pace, |dropped| !dropped.goes_first).await?;
    }
    if !work.dropped_tables.is_empty() {
        let statements: Vec<String> =
            work.dropped_tables.iter().map(|table| ddl::drop_table(table)).collect();
        session.change(&statements).await?;
        pace.step()?;
    }
    work.counts.make(session, work.schema, pace).await
}

pub(super) async fn drop_objects(
    session: &mut ChangeSession,
    work: &Work<'_>,
    pace: &mut Pace,
    which: impl Fn(&Dropped) -> bool,
) -> Result<(), InstallError> {
    let dropped = work.changes.iter().flat_map(|change| &change.drop);
    for dropped in dropped.filter(|dropped| which(dropped)) {
        for command in &dropped.commands {
            session.command(command).await?;
            pace.step()?;
        }
    }
    Ok(())
}

/// All new tables with their indexes in one transaction: nobody uses them yet.
async fn create_tables(
    session: &mut ChangeSession,
    work: &Work<'_>,
    pace: &mut Pace,
) -> Result<(), InstallError> {
    let dialect = session.dialect();
    let mut statements = Vec::new();
    let new = || work.changes.iter().filter(|change| change.is_new);
    for plan in new().filter_map(|change| change.plan(work)) {
        statements.push(ddl::create_table(&plan.collection, dialect));
    }
    for object in new().flat_map(|change| &change.create) {
        statements.extend(object.create.iter().cloned());
    }
    if !statements.is_empty() {
        session.change(&statements).await?;
        pace.step()?;
    }
    Ok(())
}

/// The change of one table.
struct Application<'a, 'w> {
    session: &'a mut ChangeSession,
    work: &'a mut Work<'w>,
    pace: &'a mut Pace,
    plan: &'a CollectionPlan,
    change: &'a CollectionChange,
}

impl Application<'_, '_> {
    async fn run(&mut self) -> Result<(), InstallError> {
        self.change_columns().await?;
        if self.change.fill {
            self.fill().await?;
        }
        if self.change.clear_expiry {
            self.clear_expiry().await?;
        }
        for object in &self.change.create {
            self.create(object).await?;
        }
        Ok(())
    }

    /// In one transaction, so that no row counts as filled that lacks a value. While columns are
    /// filled, gateways that go by the older declaration may write; while bodies are upgraded they
    /// may not, since they would not know the newer ones.
    async fn change_columns(&mut self) -> Result<(), InstallError> {
        let (collection, dialect) = (&self.plan.collection, self.session.dialect());
        let (table, change) = (&collection.table, self.change);
        let mut statements: Vec<String> =
            change.drop_columns.iter().map(|name| ddl::drop_column(table, name)).collect();
        if change.has_own_columns && !change.add_columns.is_empty() {
            statements.extend(ddl::forget_layouts(collection, dialect));
        }
        statements.extend(change.add_columns.iter().map(|c| ddl::add_column(table, c)));
        if change.fill {
            statements.extend(match change.upgrade {
                true => ddl::close_fence(collection, dialect),
                false => ddl::open_fence(collection, dialect),
            });
        }
        if !statements.is_empty() {
            self.session.change(&statements).await?;
            self.pace.step()?;
        }
        Ok(())
    }

    /// Fill the columns of all rows. What other gateways have written meanwhile is filled in a
    /// second pass, when they cannot write any more.
    async fn fill(&mut self) -> Result<(), InstallError> {
        self.pass().await?;
        let fence = ddl::close_fence(&self.plan.collection, self.session.dialect());
        self.session.change(&fence).await?;
        self.pace.step()?;
        while self.pass().await? {}
        Ok(())
    }

    /// Go through all rows once; whether there was one to fill.
    async fn pass(&mut self) -> Result<bool, InstallError> {
        let mut walk = Walk::new(self.plan, self.session.dialect(), true, true);
        let mut any = false;
        loop {
            let rows = walk.next(self.session).await?;
            if rows.is_empty() {
                return Ok(any);
            }
            any = true;
            let upgrade = self.work.options.upgrade.as_ref();
            let ready = ready(self.plan, upgrade, self.work.now, &rows).await?;
            let mut misfits = Found::default();
            let mut writes = Vec::with_capacity(rows.len());
            for (row, ready) in rows.iter().zip(ready) {
                match ready {
                    Ready::Refused(why) => misfits.push(row.tenant, &row.id, why),
                    ready => writes.extend(self.write(row, &ready)),
                }
            }
            if !misfits.is_empty() {
                // Written by another gateway after the documents were looked at.
                check::refuse_misfits(self.session, self.work, self.plan, misfits).await?;
                return Err(InstallError::Refused(self.work.plan.clone()));
            }
            self.session.write(writes).await?;
            self.pace.step()?;
        }
    }

    /// Each writes the version that was read, and nothing where another was written meanwhile.
    fn write(&self, row: &StoredRow, ready: &Ready) -> Option<Query> {
        let sql = &self.plan.sql;
        let (rendered, body) = match ready {
            Ready::Refilled(body) => (&sql.refill, Some(body)),
            Ready::Upgraded(body) => (&sql.upgrade, Some(body)),
            Ready::Expired => (&sql.delete_row, None),
            Ready::Refused(_) => return None,
        };
        Some(query(rendered, row, body))
    }

    /// No document may come back that has expired: those are gone after the fill.
    async fn clear_expiry(&mut self) -> Result<(), InstallError> {
        let table = &self.plan.collection.table;
        let sql = format!("UPDATE {table} SET expires_at = NULL WHERE expires_at IS NOT NULL");
        self.session.run(&sql, Vec::new()).await?;
        self.pace.step()?;
        Ok(())
    }

    async fn create(&mut self, object: &Object) -> Result<(), InstallError> {
        if self.is_unique(object) && self.plan.collection.expires {
            let (table, now) = (&self.plan.collection.table, self.work.now);
            let sql = format!("DELETE FROM {table} WHERE expires_at <= {now}");
            self.session.run(&sql, Vec::new()).await?;
            self.pace.step()?;
        }
        for command in &object.create_in_use {
            match self.session.command(command).await {
                Err(Error::Duplicate(_) | Error::Reference(_)) => {
                    return Err(self.refuse(object).await?);
                }
                done => done?,
            }
            self.pace.step()?;
        }
        Ok(())
    }

    fn is_unique(&self, object: &Object) -> bool {
        let mut unique = self.plan.collection.unique_indexes();
        unique.any(|index| index.physical_name == object.name)
    }

    /// Another gateway has written what stands against it, after the documents were looked at.
    async fn refuse(&mut self, object: &Object) -> Result<InstallError, InstallError> {
        for command in &object.drop {
            self.session.command(command).await?;
        }
        check::check_object(self.session, self.work, self.plan, object).await?;
        Ok(InstallError::Refused(self.work.plan.clone()))
    }
}

fn query(rendered: &Rendered, row: &StoredRow, body: Option<&PreparedBody>) -> Query {
    let value = |bind: &Bind| match *bind {
        Bind::Tenant => SqlValue::Integer(row.tenant),
        Bind::Id => SqlValue::Text(row.id.clone()),
        Bind::Version => SqlValue::Integer(row.version),
        Bind::Body => body.map_or(SqlValue::Null, |body| SqlValue::Json(body.text.clone())),
        Bind::Field(place) => body.map_or(SqlValue::Null, |body| body.fields[place].clone()),
        _ => SqlValue::Null,
    };
    Query { sql: rendered.sql.clone(), binds: rendered.binds.iter().map(value).collect() }
}
