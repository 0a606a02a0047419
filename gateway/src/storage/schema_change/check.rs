//! Which documents stand against the steps of a plan. Reads only.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use super::super::collection::{Collection, Index};
use super::super::ddl::{Declared, Object};
use super::super::prepare::{MAX_INDEX_ROW_BYTES, PreparedBody};
use super::super::reference::Reference;
use super::super::schema::CollectionPlan;
use super::super::sql::{SqlRows, SqlValue};
use super::super::statement::Dialect;
use super::compare::CollectionChange;
use super::rows::{Ready, StoredRow, Walk, ready};
use super::session::ChangeSession;
use super::step::{Culprit, Culprits, MAX_CULPRITS, Refusal, StepKind};
use super::{InstallError, Work};
use crate::config::Permission;

/// Documents as the tables name them.
#[derive(Debug, Default)]
pub(super) struct Found {
    count: u64,
    first: Vec<(i64, String, String)>,
}

/// Refuse the steps that documents stand against.
pub(super) async fn check(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
) -> Result<(), InstallError> {
    // What is refused for good needs no look at the documents.
    let is_old = |step: &super::Step| step.kind == StepKind::Downgrade;
    if work.plan.steps.iter().any(is_old) {
        return Ok(());
    }
    for place in 0..work.changes.len() {
        let change = std::mem::take(&mut work.changes[place]);
        let done = check_collection(session, work, &change).await;
        work.changes[place] = change;
        done?;
    }
    Ok(())
}

async fn check_collection(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    change: &CollectionChange,
) -> Result<(), InstallError> {
    let Some(plan) = change.plan(work).filter(|_| !change.is_new) else {
        return Ok(());
    };
    if change.clear_expiry && !work.options.allow.contains(&Permission::DropExpiry) {
        check_expiry(session, work, plan).await?;
    }
    if change.fill {
        return check_bodies(session, work, plan, change).await;
    }
    for object in &change.create {
        check_object(session, work, plan, object).await?;
    }
    Ok(())
}

/// Look at the columns, which are filled, for what stands against an index or a reference.
pub(super) async fn check_object(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    object: &Object,
) -> Result<(), InstallError> {
    let collection = &plan.collection;
    match &object.declared {
        Declared::Index(name) => match collection.indexes.iter().find(|i| i.name == *name) {
            Some(index) => check_index(session, work, plan, index).await,
            None => Ok(()),
        },
        Declared::Reference(name) => match collection.references.iter().find(|r| r.name == *name) {
            Some(reference) => check_reference(session, work, plan, reference).await,
            None => Ok(()),
        },
        Declared::Own => Ok(()),
    }
}

fn new_indexes<'a>(plan: &'a CollectionPlan, change: &CollectionChange) -> Vec<&'a Index> {
    let is_new = |index: &&Index| change.create.iter().any(|o| o.name == index.physical_name);
    plan.collection.indexes.iter().filter(is_new).collect()
}

fn new_references<'a>(plan: &'a CollectionPlan, change: &CollectionChange) -> Vec<&'a Reference> {
    let is_new = |reference: &&Reference| {
        let declared = Declared::Reference(reference.name.clone());
        change.create.iter().any(|object| object.declared == declared)
    };
    plan.collection.references.iter().filter(is_new).collect()
}

async fn check_expiry(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
) -> Result<(), InstallError> {
    let condition = format!("expires_at > {}", work.now);
    let found = find(session, &plan.collection, &condition).await?;
    if found.count == 0 {
        return Ok(());
    }
    let culprits = culprits(session, found).await?;
    let reason = format!("{} documents would stay for ever", culprits.count);
    let refusal = Refusal { reason, permission: Some(Permission::DropExpiry), culprits };
    work.set_refusal(StepKind::DropExpiry, &plan.collection.name, "", refusal);
    Ok(())
}

/// Make of each body what a fill would write, and look for values that are there twice.
async fn check_bodies(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    change: &CollectionChange,
) -> Result<(), InstallError> {
    let unique: Vec<&Index> =
        new_indexes(plan, change).into_iter().filter(|index| index.unique).collect();
    let mut values: Vec<Values<'_>> = unique.into_iter().map(Values::new).collect();
    let only_stale = values.is_empty() && new_references(plan, change).is_empty();
    // Those that hold already hold for the new values, too.
    let mut references: Vec<(&Reference, Found)> =
        plan.collection.references.iter().map(|r| (r, Found::default())).collect();
    let dialect = session.dialect();
    let mut walk = Walk::new(plan, dialect, change.has_own_columns, only_stale);
    let mut misfits = Found::default();
    loop {
        let rows = walk.next(session).await?;
        if rows.is_empty() {
            break;
        }
        let upgrade = work.options.upgrade.as_ref();
        let ready = ready(plan, upgrade, work.now, &rows).await?;
        for (row, ready) in rows.iter().zip(&ready) {
            match ready {
                Ready::Refused(why) => misfits.push(row.tenant, &row.id, why.clone()),
                Ready::Refilled(body) | Ready::Upgraded(body) => {
                    values.iter_mut().for_each(|values| values.look(plan, row, body));
                }
                Ready::Expired => {}
            }
        }
        for (reference, found) in &mut references {
            look_for_dangling(session, work, plan, reference, rows.iter().zip(&ready), found)
                .await?;
        }
    }
    refuse_misfits(session, work, plan, misfits).await?;
    for (reference, found) in references {
        refuse_dangling(session, work, plan, reference, found).await?;
    }
    for values in values {
        refuse_duplicates(session, work, plan, values.index, values.found).await?;
    }
    Ok(())
}

/// Bodies that no column can be filled from, or that cannot be upgraded.
pub(super) async fn refuse_misfits(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    found: Found,
) -> Result<(), InstallError> {
    if found.count == 0 {
        return Ok(());
    }
    let culprits = culprits(session, found).await?;
    let reason = format!(
        "{} documents do not fit what is declared; correct them, or the declaration",
        culprits.count
    );
    let refusal = Refusal { reason, permission: None, culprits };
    let kinds = [StepKind::Upgrade, StepKind::FillFields];
    let kind = kinds.into_iter().find(|kind| work.has_step(*kind, &plan.collection.name));
    let kind = kind.unwrap_or(StepKind::FillFields);
    work.set_refusal(kind, &plan.collection.name, "", refusal);
    Ok(())
}

async fn check_index(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    index: &Index,
) -> Result<(), InstallError> {
    let too_long = index_too_long(&plan.collection, index, work.now);
    let found = find(session, &plan.collection, &too_long).await?;
    if found.count > 0 {
        let culprits = culprits(session, found).await?;
        let reason = format!(
            "{} documents have more than {MAX_INDEX_ROW_BYTES} bytes of text in its fields and \
             the id together",
            culprits.count
        );
        let refusal = Refusal { reason, permission: None, culprits };
        work.set_refusal(StepKind::AddIndex, &plan.collection.name, &index.name, refusal);
    }
    if index.unique {
        let found = duplicates(session, plan, index, work.now).await?;
        refuse_duplicates(session, work, plan, index, found).await?;
    }
    Ok(())
}

async fn check_reference(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    reference: &Reference,
) -> Result<(), InstallError> {
    let Reference { column, table: parent, .. } = reference;
    let table = &plan.collection.table;
    let mut condition = format!("{column} IS NOT NULL AND {}", is_live(work.now));
    if !work.is_new(&reference.collection) {
        condition.push_str(&format!(
            " AND NOT EXISTS (SELECT 1 FROM {parent} AS p \
             WHERE p.tenant = {table}.tenant AND p.id = {table}.{column})"
        ));
    }
    let found = find(session, &plan.collection, &condition).await?;
    refuse_dangling(session, work, plan, reference, found).await
}

/// Of the rows of a batch, those whose document refers to one that is not there.
async fn look_for_dangling<'a>(
    session: &mut ChangeSession,
    work: &Work<'_>,
    plan: &CollectionPlan,
    reference: &Reference,
    rows: impl Iterator<Item = (&'a StoredRow, &'a Ready)>,
    found: &mut Found,
) -> Result<(), InstallError> {
    let field = plan.collection.fields.iter().position(|field| field.column == reference.column);
    let mut named: Vec<(&StoredRow, &str)> = Vec::new();
    for (row, ready) in rows {
        if let (Ready::Refilled(body) | Ready::Upgraded(body), Some(place)) = (ready, field)
            && let SqlValue::Text(id) = &body.fields[place]
        {
            named.push((row, id));
        }
    }
    // Rows come in the order of their tenants.
    for of_tenant in named.chunk_by(|(one, _), (next, _)| one.tenant == next.tenant) {
        let tenant = of_tenant[0].0.tenant;
        let ids = of_tenant.iter().map(|(_, id)| (*id).to_owned()).collect();
        let existing = if work.is_new(&reference.collection) {
            HashSet::new()
        } else {
            existing(session, &reference.table, tenant, ids).await?
        };
        for (row, _) in of_tenant.iter().filter(|(_, id)| !existing.contains(*id)) {
            found.push(tenant, &row.id, String::new());
        }
    }
    Ok(())
}

/// Those of some ids that documents of a tenant have.
async fn existing(
    session: &mut ChangeSession,
    table: &str,
    tenant: i64,
    ids: Vec<String>,
) -> Result<HashSet<String>, InstallError> {
    let condition = match session.dialect() {
        Dialect::Postgres => "tenant = $1::int4 AND id = ANY($2::text[])",
        Dialect::Sqlite => "tenant = ?1 AND id IN (SELECT value FROM json_each(?2))",
    };
    let sql = format!("SELECT id FROM {table} WHERE {condition}");
    let rows = session.run(&sql, vec![SqlValue::Integer(tenant), SqlValue::Texts(ids)]).await?;
    Ok(rows.values.into_iter().filter_map(SqlValue::into_text).collect())
}

async fn refuse_dangling(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    reference: &Reference,
    found: Found,
) -> Result<(), InstallError> {
    if found.count == 0 {
        return Ok(());
    }
    let culprits = culprits(session, found).await?;
    let reason = format!(
        "{} documents refer to a document of {} that is not there",
        culprits.count, reference.collection
    );
    let refusal = Refusal { reason, permission: None, culprits };
    work.set_refusal(StepKind::AddReference, &plan.collection.name, &reference.name, refusal);
    Ok(())
}

/// Documents that hold a value of which an earlier one is the first.
async fn duplicates(
    session: &mut ChangeSession,
    plan: &CollectionPlan,
    index: &Index,
    now: i64,
) -> Result<Found, InstallError> {
    let columns: Vec<&str> = index.columns.iter().map(|(column, _)| column.as_str()).collect();
    let mut counts: String =
        columns.iter().map(|column| format!(" AND {column} IS NOT NULL")).collect();
    for one_of in &index.only {
        counts.push_str(" AND ");
        counts.push_str(&one_of.condition(&one_of.column, session.dialect()));
    }
    let condition = format!(
        "(tenant, id) IN (SELECT tenant, id FROM (SELECT tenant, id, row_number() OVER \
         (PARTITION BY tenant, {columns} ORDER BY id) AS place FROM {table} WHERE {live}{counts}) \
         AS numbered WHERE place > 1)",
        columns = columns.join(", "),
        table = plan.collection.table,
        live = is_live(now),
    );
    find(session, &plan.collection, &condition).await
}

async fn refuse_duplicates(
    session: &mut ChangeSession,
    work: &mut Work<'_>,
    plan: &CollectionPlan,
    index: &Index,
    found: Found,
) -> Result<(), InstallError> {
    if found.count == 0 {
        return Ok(());
    }
    let culprits = culprits(session, found).await?;
    let reason = format!("{} documents hold a value that another has already", culprits.count);
    let refusal = Refusal { reason, permission: None, culprits };
    work.set_refusal(StepKind::AddIndex, &plan.collection.name, &index.name, refusal);
    Ok(())
}

/// The values of a unique index that were seen, as digests.
struct Values<'a> {
    index: &'a Index,
    seen: HashSet<(i64, [u8; 16])>,
    found: Found,
}

impl<'a> Values<'a> {
    fn new(index: &'a Index) -> Self {
        Self { index, seen: HashSet::new(), found: Found::default() }
    }

    /// An index with a built-in column is left to the database: it has not got the value here.
    fn look(&mut self, plan: &CollectionPlan, row: &StoredRow, body: &PreparedBody) {
        if !self.index.only.iter().all(|one_of| one_of.holds(&body.fields)) {
            return;
        }
        let mut digest = Sha256::new();
        for (column, _) in &self.index.columns {
            let place = plan.collection.fields.iter().position(|field| field.column == *column);
            let value = place.map_or(&SqlValue::Null, |place| &body.fields[place]);
            if *value == SqlValue::Null {
                return;
            }
            digest.update(format!("{value:?}\0"));
        }
        let mut key = [0; 16];
        key.copy_from_slice(&digest.finalize()[..16]);
        if !self.seen.insert((row.tenant, key)) {
            self.found.push(row.tenant, &row.id, String::new());
        }
    }
}

fn is_live(now: i64) -> String {
    format!("(expires_at IS NULL OR expires_at > {now})")
}

/// The rule of `prepare.rs` in SQL.
fn index_too_long(collection: &Collection, index: &Index, now: i64) -> String {
    let is_text = |column: &&str| {
        let field = collection.fields.iter().find(|field| field.column == **column);
        field.is_some_and(|field| field.field_type == crate::manifest::FieldType::Text)
    };
    let columns = index.columns.iter().map(|(column, _)| column.as_str()).filter(is_text);
    let bytes: String =
        columns.map(|column| format!(" + coalesce(octet_length({column}), 0)")).collect();
    format!("octet_length(id){bytes} > {MAX_INDEX_ROW_BYTES} AND {}", is_live(now))
}

/// How many rows of a collection meet a condition, and the first of them.
async fn find(
    session: &mut ChangeSession,
    collection: &Collection,
    condition: &str,
) -> Result<Found, InstallError> {
    let table = &collection.table;
    let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
    let count = session.run(&sql, Vec::new()).await?.first_integer().unwrap_or(0);
    let count = u64::try_from(count).unwrap_or(0);
    let mut found = Found { count, first: Vec::new() };
    if count > 0 {
        let sql = format!(
            "SELECT tenant, id FROM {table} WHERE {condition} ORDER BY tenant, id \
             LIMIT {MAX_CULPRITS}"
        );
        found.first = pairs(session.run(&sql, Vec::new()).await?);
    }
    Ok(found)
}

fn pairs(rows: SqlRows) -> Vec<(i64, String, String)> {
    let mut values = rows.values.into_iter();
    let mut pairs = Vec::new();
    while let (Some(tenant), Some(id)) = (values.next(), values.next()) {
        let id = id.into_text().unwrap_or_default();
        pairs.push((tenant.integer().unwrap_or(0), id, String::new()));
    }
    pairs
}

impl Found {
    pub(super) fn push(&mut self, tenant: i64, id: &str, detail: String) {
        self.count += 1;
        if self.first.len() < MAX_CULPRITS {
            self.first.push((tenant, id.to_owned(), detail));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Put in the tenants' names.
async fn culprits(session: &mut ChangeSession, found: Found) -> Result<Culprits, InstallError> {
    let sql = match session.dialect() {
        Dialect::Postgres => "SELECT name FROM loggia_tenant WHERE id = $1",
        Dialect::Sqlite => "SELECT name FROM loggia_tenant WHERE id = ?1",
    };
    let mut first = Vec::new();
    for (tenant, id, detail) in found.first {
        let rows = session.run(sql, vec![SqlValue::Integer(tenant)]).await?;
        let name = rows.values.into_iter().next().and_then(SqlValue::into_text);
        first.push(Culprit { tenant: name.unwrap_or_default(), id, detail });
    }
    Ok(Culprits { count: found.count, first })
}
