//! Several writes of one call, put together: those of one kind on one collection take one statement
//! on `PostgreSQL`, and one message to the thread that writes on `SQLite`, where inserts share
//! statements.
//!
//! Parents are written before those that refer to them, and deletes come last. Where that order
//! meets a unique value or a reference, `apply.rs` undoes it and goes one by one.

use std::collections::HashMap;

use super::apply::{Apply, Checked, precondition_failed};
use super::collection_sql::{Bind, Rendered};
use super::document::{Otherwise, Outcome, Precondition, Write};
use super::error::Error;
use super::prepare::{PreparedBody, PreparedChange, PreparedWrite, batch_query};
use super::sql::{Query, SqlRows, SqlValue};
use crate::json;

/// So many documents go into one statement.
const MAX_ROWS: usize = 2_000;

/// What can be written by one statement.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Upsert,
    Insert,
    Update,
    Delete,
}

/// What a group has in common; groups go in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    deletes: bool,
    /// Of the collection: parents are written first and deleted last.
    rank: usize,
    /// How many documents of the call a document stands under by a reference to its own collection.
    depth: usize,
    kind: Kind,
    keeps_expiry: bool,
}

/// By id: the new version, and whether the document is a new one.
type Done = HashMap<String, (u64, bool)>;

impl Apply<'_> {
    /// Apply all writes, or none and say why.
    pub(super) async fn run_grouped(
        &mut self,
        writes: &[Write],
        checked: Vec<Checked<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let (mut outcomes, mut prepared) = sort_out(checked);
        self.merge_all(writes, &mut prepared, &mut outcomes).await?;
        for (key, group) in groups(prepared) {
            for part in group.chunks(MAX_ROWS) {
                let done = self.run_group(key.kind, part).await?;
                self.conclude(writes, part, &done, &mut outcomes).await?;
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Turn merges into puts, with the bodies that are there read under their locks.
    async fn merge_all(
        &mut self,
        writes: &[Write],
        prepared: &mut Vec<PreparedWrite<'_>>,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Error> {
        let mut merges: Vec<usize> = (0..prepared.len())
            .filter(|place| matches!(prepared[*place].change, PreparedChange::Merge(_)))
            .collect();
        merges.sort_by_key(|place| (prepared[*place].plan.rank, prepared[*place].id));
        let mut left_out = Vec::new();
        let ranks: Vec<usize> = prepared.iter().map(|write| write.plan.rank).collect();
        for of_collection in merges.chunk_by(|a, b| ranks[*a] == ranks[*b]) {
            let mut found = self.read_for_update(of_collection, prepared).await?;
            for place in of_collection {
                let write = &mut prepared[*place];
                match self.merge_one(write, found.remove(write.id)) {
                    Ok(()) => {}
                    Err(error) => {
                        let index = write.index as usize;
                        outcomes[index] = Some(skipped(&writes[index], error)?);
                        left_out.push(write.index);
                    }
                }
            }
        }
        prepared.retain(|write| !left_out.contains(&write.index));
        Ok(())
    }

    async fn read_for_update(
        &mut self,
        places: &[usize],
        prepared: &[PreparedWrite<'_>],
    ) -> Result<HashMap<String, (u64, String)>, Error> {
        let mut found = HashMap::new();
        let Some(first) = places.first() else { return Ok(found) };
        let ids = places.iter().map(|place| prepared[*place].id.to_owned()).collect();
        let rows = self.query_ids(&prepared[*first].plan.sql.get_many_for_update, ids).await?;
        for row in rows.iter() {
            if let [SqlValue::Text(id), version, .., SqlValue::Text(body) | SqlValue::Json(body)] =
                row
            {
                let version = version.integer().and_then(|v| u64::try_from(v).ok());
                found.insert(id.clone(), (version.unwrap_or_default(), body.clone()));
            }
        }
        Ok(found)
    }

    fn merge_one(
        &self,
        write: &mut PreparedWrite<'_>,
        found: Option<(u64, String)>,
    ) -> Result<(), Error> {
        let PreparedChange::Merge(patch) = write.change else { return Ok(()) };
        let version = found.as_ref().map(|(version, _)| *version);
        let matches = match write.condition {
            Precondition::Version(wanted) => version == Some(wanted),
            _ => version.is_some(),
        };
        let (true, Some((_, body))) = (matches, found) else {
            return Err(precondition_failed(write, version));
        };
        let body = self.merged(write, &body, patch)?;
        write.change = PreparedChange::Put(body);
        // It is locked, so what was found stays.
        write.condition = Precondition::Present;
        Ok(())
    }

    /// The body that a merge gives, checked.
    pub(super) fn merged(
        &self,
        write: &PreparedWrite<'_>,
        body: &str,
        patch: &str,
    ) -> Result<PreparedBody, Error> {
        let merged = json::merge(body, patch)
            .map_err(|error| Error::Other(format!("a stored body could not be read: {error}")))?;
        PreparedBody::new(write.plan, self.tenant, write.id, merged, self.document_bytes)
            .map_err(super::prepare::at(write.index, write.id))
    }

    /// Write the documents of a group; those whose condition does not hold are not in the answer.
    async fn run_group(&mut self, kind: Kind, group: &[PreparedWrite<'_>]) -> Result<Done, Error> {
        let sql = &group[0].plan.sql;
        let Some(batch) = &sql.batch else { return self.run_each_of_group(kind, group).await };
        let rendered = match kind {
            Kind::Upsert => &batch.upsert,
            Kind::Insert => &batch.insert,
            Kind::Update => &batch.update,
            Kind::Delete => &batch.delete,
        };
        let query = batch_query(group, rendered, self.tenant, self.now);
        let rows = self.transaction.run(query, self.deadline).await?;
        let done = rows.iter().filter_map(|row| match row {
            [SqlValue::Text(id), version, created] => {
                let version = u64::try_from(version.integer()?).ok()?;
                Some((id.clone(), (version, created.integer() == Some(1))))
            }
            _ => None,
        });
        Ok(done.collect())
    }

    /// `SQLite`: with one writer, nothing comes between an update that finds nothing and the insert.
    async fn run_each_of_group(
        &mut self,
        kind: Kind,
        group: &[PreparedWrite<'_>],
    ) -> Result<Done, Error> {
        let mut done = Done::new();
        let mut left: Vec<&PreparedWrite<'_>> = group.iter().collect();
        if kind != Kind::Insert {
            let queries = left.iter().map(|write| self.single(kind, write)).collect();
            let answers = self.transaction.run_all(queries, self.deadline).await?;
            for (write, rows) in left.iter().zip(&answers) {
                if let Some(version) = rows.first_integer().and_then(|v| u64::try_from(v).ok()) {
                    done.insert(write.id.to_owned(), (version, false));
                }
            }
            left.retain(|write| !done.contains_key(write.id));
        }
        if matches!(kind, Kind::Upsert | Kind::Insert) {
            self.insert_rows(&left, &mut done).await?;
        }
        Ok(done)
    }

    /// `SQLite`: insert where no document exists, several by each statement.
    async fn insert_rows(
        &mut self,
        writes: &[&PreparedWrite<'_>],
        done: &mut Done,
    ) -> Result<(), Error> {
        let mut left = writes;
        let mut queries = Vec::new();
        while let Some(first) = left.first() {
            let statements = &first.plan.sql.insert_rows;
            let insert = statements.iter().find(|of| of.documents <= left.len());
            let insert = insert.expect("the last one takes a single document");
            let (part, rest) = left.split_at(insert.documents);
            queries.push(self.several(&insert.rendered, part));
            left = rest;
        }
        for rows in self.transaction.run_all(queries, self.deadline).await? {
            let written = versions(&rows).into_iter();
            done.extend(written.map(|(id, version)| (id.to_owned(), (version, true))));
        }
        Ok(())
    }

    fn several(&self, rendered: &Rendered, writes: &[&PreparedWrite<'_>]) -> Query {
        let of_each = writes.iter().flat_map(|write| {
            write.query(rendered, self.tenant, self.now, write.body(), None).binds
        });
        Query { sql: rendered.sql.clone(), binds: of_each.collect() }
    }

    fn single(&self, kind: Kind, write: &PreparedWrite<'_>) -> Query {
        let sql = &write.plan.sql;
        let (rendered, version) = match (kind, write.condition) {
            (Kind::Delete, Precondition::Version(version)) => (&sql.delete_version, Some(version)),
            (Kind::Delete, _) => (&sql.delete, None),
            (_, Precondition::Version(version)) => (&sql.update_version, Some(version)),
            _ => (&sql.update, None),
        };
        write.query(rendered, self.tenant, self.now, write.body(), version)
    }

    /// The outcome of each write of a group, or the first failure that may not be left out.
    async fn conclude(
        &mut self,
        writes: &[Write],
        group: &[PreparedWrite<'_>],
        done: &Done,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Error> {
        let mut failed: Vec<&PreparedWrite<'_>> = Vec::new();
        for write in group {
            let deletes = matches!(write.change, PreparedChange::Delete);
            let outcome = match done.get(write.id) {
                Some(_) if deletes => Outcome::Deleted(true),
                Some((version, created)) => {
                    Outcome::Written { version: *version, created: *created }
                }
                None if deletes && write.condition == Precondition::Any => Outcome::Deleted(false),
                None => {
                    failed.push(write);
                    continue;
                }
            };
            outcomes[write.index as usize] = Some(outcome);
        }
        if failed.is_empty() {
            return Ok(());
        }
        failed.sort_by_key(|write| write.index);
        let ids = failed.iter().map(|write| write.id.to_owned()).collect();
        let rows = self.query_ids(&failed[0].plan.sql.versions_of, ids).await?;
        let found = versions(&rows);
        for write in failed {
            let index = write.index as usize;
            let error = precondition_failed(write, found.get(write.id).copied());
            outcomes[index] = Some(skipped(&writes[index], error)?);
        }
        Ok(())
    }

    async fn query_ids(&mut self, rendered: &Rendered, ids: Vec<String>) -> Result<SqlRows, Error> {
        let mut ids = Some(ids);
        let value = |bind: &Bind| match bind {
            Bind::Tenant => SqlValue::Integer(self.tenant),
            Bind::Ids => SqlValue::Texts(ids.take().unwrap_or_default()),
            _ => SqlValue::Integer(self.now),
        };
        let binds = rendered.binds.iter().map(value).collect();
        self.transaction.run(Query { sql: rendered.sql.clone(), binds }, self.deadline).await
    }
}

/// Room for an outcome of each write, and the writes that have passed their checks. One that has not
/// and may not be left out has failed the call before.
pub(super) fn sort_out(
    checked: Vec<Checked<'_>>,
) -> (Vec<Option<Outcome>>, Vec<PreparedWrite<'_>>) {
    let mut outcomes = Vec::with_capacity(checked.len());
    let mut prepared = Vec::with_capacity(checked.len());
    for write in checked {
        outcomes.push(match write {
            Ok(write) => {
                prepared.push(write);
                None
            }
            Err(error) => Some(Outcome::Skipped(error)),
        });
    }
    (outcomes, prepared)
}

fn skipped(write: &Write, error: Error) -> Result<Outcome, Error> {
    match write.otherwise {
        Otherwise::Skip if !error.ends_request() => Ok(Outcome::Skipped(error)),
        _ => Err(error),
    }
}

fn versions(rows: &SqlRows) -> HashMap<&str, u64> {
    let mut versions = HashMap::new();
    for row in rows.iter() {
        if let [SqlValue::Text(id), version] = row
            && let Some(version) = version.integer().and_then(|v| u64::try_from(v).ok())
        {
            versions.insert(id.as_str(), version);
        }
    }
    versions
}

/// The writes by what they have in common, each group sorted by id.
fn groups(prepared: Vec<PreparedWrite<'_>>) -> Vec<(Key, Vec<PreparedWrite<'_>>)> {
    let depths = depths(&prepared);
    let keyed = prepared.into_iter().zip(depths).map(|(write, depth)| (key(&write, depth), write));
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_by(|(a, one), (b, other)| (a, one.id).cmp(&(b, other.id)));
    let mut groups: Vec<(Key, Vec<PreparedWrite<'_>>)> = Vec::new();
    for (key, write) in keyed {
        match groups.last_mut() {
            Some((last, group)) if *last == key => group.push(write),
            _ => groups.push((key, vec![write])),
        }
    }
    groups
}

/// The writes in the order in which they go one by one.
pub(super) fn one_by_one(prepared: Vec<PreparedWrite<'_>>) -> Vec<PreparedWrite<'_>> {
    let ordered = groups(prepared).into_iter().flat_map(|(_, group)| group);
    let is_delete = |write: &PreparedWrite<'_>| matches!(write.change, PreparedChange::Delete);
    let (mut deletes, others): (Vec<_>, Vec<_>) = ordered.partition(is_delete);
    deletes.extend(others);
    deletes
}

fn key(write: &PreparedWrite<'_>, depth: usize) -> Key {
    let deletes = matches!(write.change, PreparedChange::Delete);
    let kind = match (deletes, write.condition) {
        (true, _) => Kind::Delete,
        (false, Precondition::Any) => Kind::Upsert,
        (false, Precondition::Absent) => Kind::Insert,
        (false, _) => Kind::Update,
    };
    let rank = if deletes { usize::MAX - write.plan.rank } else { write.plan.rank };
    Key { deletes, rank, depth, kind, keeps_expiry: write.keeps_expiry() }
}

/// See [`Key::depth`]. One that stands in a circle has the depth at which the walk came back.
fn depths(prepared: &[PreparedWrite<'_>]) -> Vec<usize> {
    let parents: HashMap<(usize, &str), &str> = prepared
        .iter()
        .flat_map(|write| own_parents(write).map(|parent| ((write.plan.rank, write.id), parent)))
        .collect();
    let depth = |write: &PreparedWrite<'_>| {
        let (mut depth, mut at) = (0, write.id);
        while let Some(parent) = parents.get(&(write.plan.rank, at)) {
            if depth >= parents.len() {
                break;
            }
            (depth, at) = (depth + 1, parent);
        }
        depth
    };
    if parents.is_empty() { vec![0; prepared.len()] } else { prepared.iter().map(depth).collect() }
}

/// The ids that a put refers to in its own collection.
fn own_parents<'w>(write: &'w PreparedWrite<'_>) -> impl Iterator<Item = &'w str> {
    let collection = &write.plan.collection;
    let own = collection.references.iter().filter(|r| r.collection == collection.name);
    own.filter_map(|reference| {
        let place = collection.fields.iter().position(|f| f.column == reference.column)?;
        match &write.body()?.fields[place] {
            SqlValue::Text(parent) if parent != write.id => Some(parent.as_str()),
            _ => None,
        }
    })
}
