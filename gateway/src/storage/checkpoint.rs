//! Checkpoints: consistent copies of documents, kept by the gateway, restored as a whole.
//!
//! The copy is made inside the database, by one statement on `PostgreSQL` and in the one writing
//! transaction on `SQLite`, so it is a cut at one instant. Documents lie in chunks of JSON text in
//! the order of their ids: some twenty times smaller under lz4 than rows of their own, and faster
//! to make and to read. `checkpoint_sql.rs` has the texts.

use std::collections::HashMap;

use rand::Rng as _;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::Tenant;
use super::apply::Apply;
use super::checkpoint_sql as text;
use super::collection::Collection;
use super::document::{Change, Document, Expiry, Otherwise, Precondition, Value, Write};
use super::error::Error;
use super::schema::{CollectionPlan, Schema};
use super::sql::{Query, SqlRows, SqlValue};
use super::statement::Dialect;
use super::transaction::Transaction;
use crate::json;

/// The documents that a `scope` statement of the manifest selects.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The statement's name.
    pub statement: String,
    /// Its arguments.
    pub arguments: Vec<(String, Value)>,
}

/// A checkpoint that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// A UUID.
    pub id: String,
    /// The request's time, in microseconds since 1970.
    pub created_at: i64,
    /// How many documents it holds.
    pub documents: u64,
    /// The bytes of their bodies, as the database writes them.
    pub bytes: u64,
}

/// How a document differs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum DifferenceKind {
    /// It is in the later one only.
    Added,
    /// It is in the earlier one only.
    Removed,
    /// Its body or its time to live is another.
    Changed,
}

/// A document that differs between two checkpoints, or between one and now.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Difference {
    /// Its collection.
    pub collection: String,
    /// Its id.
    pub id: String,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// What a checkpoint is about; the gateway does not look into it.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What it is of, such as a network's id.
    pub subject: &'a str,
    /// A name for people.
    pub label: &'a str,
    /// A JSON object.
    pub metadata: &'a str,
}

/// Subject and label stand in an index and in lists.
const MAX_TEXT_BYTES: usize = 1_024;
/// The most documents and differences in one answer.
const MAX_PAGE: u32 = 10_000;
const MAX_METADATA_BYTES: usize = 65_536;

/// What all calls about checkpoints have in common.
pub(super) struct Checkpoints<'a> {
    pub(super) schema: &'a Schema,
    pub(super) dialect: Dialect,
    pub(super) tenant: Tenant,
    pub(super) now: i64,
    pub(super) document_bytes: usize,
    pub(super) deadline: Instant,
    pub(super) transaction: &'a mut Transaction,
}

/// A scope with what it selects from.
struct Bound<'a> {
    scope: Scope,
    plan: &'a CollectionPlan,
}

impl<'a> Checkpoints<'a> {
    /// Copy what the scopes hold.
    pub(super) async fn create(
        &mut self,
        about: About<'_>,
        scopes: &[Scope],
    ) -> Result<Checkpoint, Error> {
        check_about(about)?;
        let bound = self.bind(scopes)?;
        let id = uuid();
        let queries = match self.dialect {
            Dialect::Postgres => vec![self.create_at_once(&id, about, &bound)?],
            Dialect::Sqlite => self.create_in_steps(&id, about, &bound)?,
        };
        let answers = self.transaction.run_all(queries, self.deadline).await?;
        let row = answers.last().and_then(|rows| rows.iter().next()).unwrap_or_default();
        let number = |place: usize| row.get(place).and_then(SqlValue::integer).unwrap_or_default();
        Ok(Checkpoint {
            id,
            created_at: self.now,
            documents: u64::try_from(number(0)).unwrap_or_default(),
            bytes: u64::try_from(number(1)).unwrap_or_default(),
        })
    }

    fn head(&self, id: &str, about: About<'_>, scopes: &[Bound<'_>]) -> Vec<SqlValue> {
        vec![
            id.into(),
            SqlValue::Integer(self.tenant.key()),
            self.schema.plugin.as_str().into(),
            about.subject.into(),
            about.label.into(),
            SqlValue::Json(about.metadata.to_owned()),
            SqlValue::Integer(self.now),
            SqlValue::Json(scopes_json(scopes)),
        ]
    }

    /// All scopes in one statement, which has one snapshot.
    fn create_at_once(
        &self,
        id: &str,
        about: About<'_>,
        scopes: &[Bound<'_>],
    ) -> Result<Query, Error> {
        let mut binds = self.head(id, about, scopes);
        let mut parts = Vec::new();
        for bound in scopes {
            let query = self.scope_query(bound, binds.len())?;
            binds.extend(query.binds);
            parts.push((bound.plan.collection.name.clone(), query.sql));
        }
        Ok(Query { sql: text::create_postgres(&parts).into(), binds })
    }

    /// The head first: chunks refer to it. Then its sums, which are the answer.
    fn create_in_steps(
        &self,
        id: &str,
        about: About<'_>,
        scopes: &[Bound<'_>],
    ) -> Result<Vec<Query>, Error> {
        let head = Query { sql: text::HEAD_SQLITE.into(), binds: self.head(id, about, scopes) };
        let mut queries = vec![head];
        for bound in scopes {
            let name = bound.plan.collection.name.as_str();
            let mut binds = vec![id.into(), SqlValue::Integer(self.tenant.key()), name.into()];
            let query = self.scope_query(bound, binds.len())?;
            binds.extend(query.binds);
            queries.push(Query { sql: text::chunks_sqlite(&query.sql).into(), binds });
        }
        let binds = vec![id.into(), SqlValue::Integer(self.tenant.key())];
        queries.push(Query { sql: text::SUMS_SQLITE.into(), binds });
        Ok(queries)
    }

    /// The documents of one collection as they were, behind an id, in the order of ids.
    pub(super) async fn read(
        &mut self,
        id: &str,
        collection: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        self.schema.collection(collection)?;
        check_limit(limit)?;
        self.find(id).await?;
        let mut binds = self.of(id);
        binds.extend([collection.into(), after.unwrap_or_default().into()]);
        binds.push(SqlValue::Integer(limit.into()));
        let rows = self.run(text::read(self.dialect), binds).await?;
        super::session::documents(rows)
    }

    /// What changed from one checkpoint to another, or to now, by collection and id.
    pub(super) async fn diff(
        &mut self,
        from: &str,
        to: Option<&str>,
        after: Option<&Difference>,
        limit: u32,
    ) -> Result<Vec<Difference>, Error> {
        check_limit(limit)?;
        let scopes = self.find(from).await?;
        let scopes = self.read_scopes(from, &scopes)?;
        let (collection, id) =
            after.map_or(("", ""), |last| (last.collection.as_str(), last.id.as_str()));
        let mut binds = self.of(from);
        binds.extend([collection.into(), id.into(), SqlValue::Integer(limit.into())]);
        let sql = if let Some(to) = to {
            self.find(to).await?;
            binds.push(to.into());
            text::diff_checkpoints(self.dialect)
        } else {
            binds.push(SqlValue::Integer(self.now));
            let mut parts = Vec::new();
            for bound in &scopes {
                let query = self.scope_query(bound, binds.len())?;
                binds.extend(query.binds);
                parts.push((bound.plan.collection.name.clone(), query.sql));
            }
            text::diff_now(self.dialect, &parts)
        };
        let rows = self.run(sql, binds).await?;
        Ok(rows.iter().filter_map(difference).collect())
    }

    /// Make the scopes hold what they held then; says how many documents were written or deleted.
    pub(super) async fn restore(&mut self, id: &str, budget: u32) -> Result<u32, Error> {
        let scopes = self.find_by(text::find_to_restore(self.dialect), id).await?;
        self.refuse_outdated(id, &scopes)?;
        let mut scopes = self.read_scopes(id, &scopes)?;
        scopes.sort_by_key(|bound| bound.plan.rank);
        let mut changed = 0;
        for bound in scopes.iter().rev() {
            changed += self.delete_others(id, bound, budget - changed).await?;
        }
        for bound in &scopes {
            changed += self.write_missing(id, bound, budget - changed).await?;
        }
        Ok(changed)
    }

    /// Delete what is in the scope now and was not then.
    async fn delete_others(
        &mut self,
        id: &str,
        bound: &Bound<'_>,
        budget: u32,
    ) -> Result<u32, Error> {
        let collection = &bound.plan.collection;
        let mut binds = self.of(id);
        binds.extend([collection.name.as_str().into(), SqlValue::Integer(i64::from(budget) + 1)]);
        binds.push(SqlValue::Integer(self.now));
        let query = self.scope_query(bound, binds.len())?;
        binds.extend(query.binds);
        let rows = self.run(text::others(self.dialect, &query.sql), binds).await?;
        let ids: Vec<String> = rows.values.into_iter().filter_map(SqlValue::into_text).collect();
        let name = &collection.name;
        let deletes: Vec<Write> =
            ids.into_iter().map(|id| write(name, id, Change::Delete)).collect();
        self.apply(&deletes, &HashMap::new(), budget).await
    }

    /// Write what was there then and is not, or not so, now.
    async fn write_missing(
        &mut self,
        id: &str,
        bound: &Bound<'_>,
        budget: u32,
    ) -> Result<u32, Error> {
        let collection = &bound.plan.collection;
        let mut binds = self.of(id);
        binds.extend([collection.name.as_str().into(), SqlValue::Integer(i64::from(budget) + 1)]);
        binds.push(SqlValue::Integer(self.now));
        let rows = self.run(text::missing(self.dialect, &collection.table), binds).await?;
        let documents = super::session::documents(rows)?;
        let created: HashMap<String, i64> =
            documents.iter().map(|document| (document.id.clone(), document.created_at)).collect();
        let puts: Vec<Write> =
            documents.into_iter().map(|document| put_back(&collection.name, document)).collect();
        match self.apply(&puts, &created, budget).await {
            // Documents that have traded a unique value: none can be written before the other.
            Err(Error::Duplicate(_)) => {
                let name = &collection.name;
                let deletes: Vec<Write> =
                    puts.iter().map(|put| write(name, put.id.clone(), Change::Delete)).collect();
                self.apply(&deletes, &created, budget).await?;
                self.apply(&puts, &created, budget).await
            }
            done => done,
        }
    }

    async fn apply(
        &mut self,
        writes: &[Write],
        created: &HashMap<String, i64>,
        budget: u32,
    ) -> Result<u32, Error> {
        let count = u32::try_from(writes.len()).unwrap_or(u32::MAX);
        if count > budget {
            return Err(Error::LimitExceeded("documents_written"));
        }
        let mut apply = Apply {
            tenant: self.tenant.key(),
            now: self.now,
            document_bytes: self.document_bytes,
            deadline: self.deadline,
            transaction: self.transaction,
            savepoints: true,
            evicts: true,
            created: Some(created),
        };
        let checked = apply.check(self.schema, writes)?;
        if !writes.is_empty() {
            apply.run(self.schema, writes, checked).await?;
        }
        Ok(count)
    }

    /// Delete checkpoints; says how many there were.
    pub(super) async fn delete(&mut self, ids: &[String]) -> Result<u64, Error> {
        let binds = vec![
            SqlValue::Integer(self.tenant.key()),
            self.schema.plugin.as_str().into(),
            SqlValue::Texts(ids.to_vec()),
        ];
        let rows = self.run(text::delete(self.dialect), binds).await?;
        Ok(rows.len() as u64)
    }

    /// The scopes that a checkpoint was made of, as JSON; fails unless there is such a checkpoint.
    async fn find(&mut self, id: &str) -> Result<String, Error> {
        self.find_by(text::find(self.dialect), id).await
    }

    async fn find_by(&mut self, sql: String, id: &str) -> Result<String, Error> {
        let mut binds = self.of(id);
        binds.push(self.schema.plugin.as_str().into());
        let rows = self.run(sql, binds).await?;
        let scopes = rows.values.into_iter().next().and_then(SqlValue::into_text);
        scopes.ok_or_else(|| {
            Error::invalid("checkpoint-not-found", format!("there is no checkpoint {id}"))
        })
    }

    fn read_scopes(&self, id: &str, scopes: &str) -> Result<Vec<Bound<'a>>, Error> {
        let scopes = read_scopes(scopes).ok_or_else(|| {
            Error::Other(format!("the scopes of the checkpoint {id} could not be read"))
        })?;
        self.bind(&scopes)
    }

    /// Bodies of an older form must not come back as if they were of the present one.
    fn refuse_outdated(&self, id: &str, scopes: &str) -> Result<(), Error> {
        let versions: Vec<Json> = serde_json::from_str(scopes).unwrap_or_default();
        for bound in self.read_scopes(id, scopes)? {
            let scope = versions.iter().find(|s| s["statement"] == bound.scope.statement.as_str());
            let then = scope.and_then(|scope| scope["schema_version"].as_u64());
            let Collection { name, schema_version, .. } = &bound.plan.collection;
            if then != Some(u64::from(*schema_version)) {
                let detail = format!(
                    "the checkpoint {id} is of another schema version of {name}; it can be read, \
                     and not restored"
                );
                return Err(Error::invalid("checkpoint-outdated", detail));
            }
        }
        Ok(())
    }

    /// Look up the collection of each scope; one collection has one scope.
    fn bind(&self, scopes: &[Scope]) -> Result<Vec<Bound<'a>>, Error> {
        let mut bound: Vec<Bound<'a>> = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let collection = self.schema.scope(&scope.statement)?.collection();
            let plan = self.schema.collection(collection)?;
            if bound.iter().any(|known| known.plan.collection.name == collection) {
                let detail = format!("two scopes select from {collection}; join them into one");
                return Err(Error::invalid("named-twice", detail));
            }
            bound.push(Bound { scope: scope.clone(), plan });
        }
        if bound.is_empty() {
            return Err(Error::invalid("no-scopes", "a checkpoint needs at least one scope"));
        }
        Ok(bound)
    }

    /// The documents of a scope, with parameters numbered behind others.
    fn scope_query(&self, bound: &Bound<'_>, before: usize) -> Result<Query, Error> {
        let scope = self.schema.scope(&bound.scope.statement)?;
        scope.query(self.tenant, self.now, &bound.scope.arguments, before)
    }

    /// The parameters that name a checkpoint.
    fn of(&self, id: &str) -> Vec<SqlValue> {
        vec![id.into(), SqlValue::Integer(self.tenant.key())]
    }

    async fn run(&mut self, sql: String, binds: Vec<SqlValue>) -> Result<SqlRows, Error> {
        self.transaction.run(Query { sql: sql.into(), binds }, self.deadline).await
    }
}

fn write(collection: &str, id: String, change: Change) -> Write {
    Write {
        collection: collection.to_owned(),
        id,
        change,
        condition: Precondition::Any,
        otherwise: Otherwise::Fail,
        expiry: Expiry::Keep,
    }
}

fn put_back(collection: &str, document: Document) -> Write {
    let expiry = document.expires_at.map_or(Expiry::Never, Expiry::At);
    Write { expiry, ..write(collection, document.id, Change::Put(document.body)) }
}

fn check_about(about: About<'_>) -> Result<(), Error> {
    for (name, text) in [("subject", about.subject), ("label", about.label)] {
        if text.len() > MAX_TEXT_BYTES {
            let detail = format!("the {name} has at most {MAX_TEXT_BYTES} bytes");
            return Err(Error::invalid("too-long", detail));
        }
        if text.contains('\0') {
            let detail = format!("the {name} must not hold the character NUL");
            return Err(Error::invalid("nul-character", detail));
        }
    }
    json::check_document(about.metadata, &json::PathSet::default(), MAX_METADATA_BYTES)
        .map(drop)
        .map_err(|fault| Error::invalid(fault.code, format!("the metadata: {fault}")))
}

fn check_limit(limit: u32) -> Result<(), Error> {
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(());
    }
    let detail = format!("a page has 1 to {MAX_PAGE} items; {limit} were asked for");
    Err(Error::invalid("invalid-page", detail))
}

/// A random one (RFC 9562, version 4).
fn uuid() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex[from..to].concat();
    [part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 16)].join("-")
}

fn difference(row: &[SqlValue]) -> Option<Difference> {
    let [SqlValue::Text(collection), SqlValue::Text(id), kind] = row else { return None };
    let kind = match kind.integer()? {
        0 => DifferenceKind::Added,
        1 => DifferenceKind::Removed,
        _ => DifferenceKind::Changed,
    };
    Some(Difference { collection: collection.clone(), id: id.clone(), kind })
}

/// Scopes are kept with their arguments, since a restore and a diff ask them again.
fn scopes_json(scopes: &[Bound<'_>]) -> String {
    let argument = |(name, value): &(String, Value)| {
        let value = match value {
            Value::Null => json!(null),
            Value::Boolean(value) => json!({"boolean": value}),
            Value::Integer(value) => json!({"integer": value}),
            Value::Number(value) => json!({"number": value}),
            Value::Text(value) => json!({"text": value}),
            Value::Timestamp(value) => json!({"timestamp": value}),
            Value::Texts(value) => json!({"texts": value}),
            Value::Json(value) => json!({"json": value}),
        };
        json!([name, value])
    };
    let scope = |bound: &Bound<'_>| {
        let arguments: Vec<Json> = bound.scope.arguments.iter().map(argument).collect();
        let version = bound.plan.collection.schema_version;
        json!({
            "statement": bound.scope.statement, "arguments": arguments,
            "schema_version": version,
        })
    };
    Json::Array(scopes.iter().map(scope).collect()).to_string()
}

fn read_scopes(text: &str) -> Option<Vec<Scope>> {
    let scopes: Vec<Json> = serde_json::from_str(text).ok()?;
    let scope = |scope: &Json| {
        let statement = scope["statement"].as_str()?.to_owned();
        let arguments = scope["arguments"].as_array()?.iter().map(read_argument);
        Some(Scope { statement, arguments: arguments.collect::<Option<_>>()? })
    };
    scopes.iter().map(scope).collect()
}

fn read_argument(argument: &Json) -> Option<(String, Value)> {
    let name = argument[0].as_str()?.to_owned();
    if argument[1].is_null() {
        return Some((name, Value::Null));
    }
    let (kind, value) = argument[1].as_object()?.iter().next()?;
    let text = || value.as_str().map(str::to_owned);
    let value = match kind.as_str() {
        "boolean" => Value::Boolean(value.as_bool()?),
        "integer" => Value::Integer(value.as_i64()?),
        "number" => Value::Number(value.as_f64()?),
        "text" => Value::Text(text()?),
        "timestamp" => Value::Timestamp(value.as_i64()?),
        "texts" => Value::Texts(serde_json::from_value(value.clone()).ok()?),
        _ => Value::Json(text()?),
    };
    Some((name, value))
}
