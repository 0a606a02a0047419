//! From a write as the plugin states it to one that can be run: names looked up, the body
//! checked, the values of its fields taken out, its time to live worked out.

use super::collection::{Collection, Index};
use super::collection_sql::{Bind, Rendered};
use super::document::{Change, Expiry, Precondition, Write};
use super::error::{Error, Fault};
use super::field::{self, MAX_TEXT_FIELD_BYTES};
use super::schema::{CollectionPlan, Schema};
use super::sql::{Query, SqlValue};
use super::words::Terms;
use crate::json;

/// An id is at most this long.
pub(super) const MAX_ID_BYTES: usize = 1_024;

/// A write that has passed every check that needs no database.
#[derive(Debug)]
pub(super) struct PreparedWrite<'a> {
    pub(super) index: u32,
    pub(super) plan: &'a CollectionPlan,
    pub(super) id: &'a str,
    pub(super) change: PreparedChange<'a>,
    pub(super) condition: Precondition,
    expiry: ResolvedExpiry,
    /// When a document that is put back was created; `None` for now.
    pub(super) created_at: Option<i64>,
}

#[derive(Debug)]
pub(super) enum PreparedChange<'a> {
    Put(PreparedBody),
    /// A merge needs the body that is there before it can be checked.
    Merge(&'a str),
    Delete,
}

/// A checked body with the values of the declared fields, in their order.
#[derive(Debug)]
pub(super) struct PreparedBody {
    pub(super) text: String,
    pub(super) fields: Vec<SqlValue>,
}

#[derive(Clone, Copy, Debug)]
struct ResolvedExpiry {
    keep: bool,
    expires_at: Option<i64>,
}

impl<'a> PreparedWrite<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        index: usize,
        write: &'a Write,
        tenant: i64,
        now: i64,
        document_bytes: usize,
    ) -> Result<Self, Error> {
        let plan = schema.collection(&write.collection)?;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let fault = |code, detail: String| {
            Error::Invalid(Fault { index, id: write.id.clone(), name: String::new(), code, detail })
        };
        check_id(&write.id).map_err(|detail| fault("invalid-id", detail))?;
        if write.condition == Precondition::Absent && !matches!(write.change, Change::Put(_)) {
            let detail = "only a put can ask for an absent document".to_owned();
            return Err(fault("impossible-condition", detail));
        }
        let expiry = resolve_expiry(&plan.collection, write.expiry, now)
            .map_err(|detail| fault("does-not-expire", detail))?;
        let change = match &write.change {
            Change::Put(body) => PreparedChange::Put(
                PreparedBody::new(plan, tenant, &write.id, body.clone(), document_bytes)
                    .map_err(at(index, &write.id))?,
            ),
            Change::Merge(patch) => {
                json::check(patch.as_bytes()).map_err(json_fault).map_err(at(index, &write.id))?;
                PreparedChange::Merge(patch)
            }
            Change::Delete => PreparedChange::Delete,
        };
        Ok(Self {
            index,
            plan,
            id: &write.id,
            change,
            condition: write.condition,
            expiry,
            created_at: None,
        })
    }

    /// Whether it takes no more than one statement.
    pub(super) fn is_one_statement(&self) -> bool {
        !matches!(self.change, PreparedChange::Merge(_))
    }

    /// The values of a rendered text's parameters.
    pub(super) fn query(
        &self,
        rendered: &Rendered,
        tenant: i64,
        now: i64,
        body: Option<&PreparedBody>,
        version: Option<u64>,
    ) -> Query {
        let value = |bind: &Bind| match *bind {
            Bind::Tenant => SqlValue::Integer(tenant),
            Bind::Id => SqlValue::Text(self.id.to_owned()),
            Bind::Ids => SqlValue::Texts(vec![self.id.to_owned()]),
            Bind::Version => version.map_or(SqlValue::Null, as_integer),
            Bind::Now => SqlValue::Integer(now),
            Bind::CreatedAt => SqlValue::Integer(self.created_at.unwrap_or(now)),
            Bind::ExpiresAt => self.expiry.expires_at.map_or(SqlValue::Null, SqlValue::Integer),
            Bind::KeepExpiry => SqlValue::Boolean(self.expiry.keep),
            Bind::Body => body.map_or(SqlValue::Null, |body| SqlValue::Json(body.text.clone())),
            Bind::Field(place) => body.map_or(SqlValue::Null, |body| body.fields[place].clone()),
            // Of many documents: see `batch_query`.
            Bind::Versions
            | Bind::CreatedAts
            | Bind::ExpiresAts
            | Bind::Bodies
            | Bind::FieldColumn(_) => SqlValue::Null,
        };
        Query { sql: rendered.sql.clone(), binds: rendered.binds.iter().map(value).collect() }
    }

    /// Whether a time to live that is there stays.
    pub(super) fn keeps_expiry(&self) -> bool {
        self.expiry.keep
    }

    /// The checked body, of a put.
    pub(super) fn body(&self) -> Option<&PreparedBody> {
        match &self.change {
            PreparedChange::Put(body) => Some(body),
            PreparedChange::Merge(_) | PreparedChange::Delete => None,
        }
    }

    fn version(&self) -> SqlValue {
        match self.condition {
            Precondition::Version(version) => as_integer(version),
            _ => SqlValue::Null,
        }
    }
}

/// The values of a text's parameters that writes many documents: those of one collection, with one
/// rule for their times to live.
pub(super) fn batch_query(
    writes: &[PreparedWrite<'_>],
    rendered: &Rendered,
    tenant: i64,
    now: i64,
) -> Query {
    let list = |value: &dyn Fn(&PreparedWrite<'_>) -> SqlValue| {
        SqlValue::List(writes.iter().map(value).collect())
    };
    let body = |write: &PreparedWrite<'_>| {
        write.body().map_or(SqlValue::Null, |body| SqlValue::Json(body.text.clone()))
    };
    let value = |bind: &Bind| match *bind {
        Bind::Tenant => SqlValue::Integer(tenant),
        Bind::Now => SqlValue::Integer(now),
        Bind::KeepExpiry => SqlValue::Boolean(writes.iter().any(PreparedWrite::keeps_expiry)),
        Bind::Ids => SqlValue::Texts(writes.iter().map(|write| write.id.to_owned()).collect()),
        Bind::Versions => list(&|write: &PreparedWrite<'_>| write.version()),
        Bind::CreatedAts => {
            list(&|write: &PreparedWrite<'_>| SqlValue::Integer(write.created_at.unwrap_or(now)))
        }
        Bind::ExpiresAts => list(&|write: &PreparedWrite<'_>| {
            write.expiry.expires_at.map_or(SqlValue::Null, SqlValue::Integer)
        }),
        Bind::Bodies => list(&body),
        Bind::FieldColumn(place) => list(&|write: &PreparedWrite<'_>| {
            write.body().map_or(SqlValue::Null, |body| body.fields[place].clone())
        }),
        // Of single documents.
        Bind::Id
        | Bind::Version
        | Bind::CreatedAt
        | Bind::ExpiresAt
        | Bind::Body
        | Bind::Field(_) => SqlValue::Null,
    };
    Query { sql: rendered.sql.clone(), binds: rendered.binds.iter().map(value).collect() }
}

impl PreparedBody {
    /// Check a body and take out the values of its fields.
    pub(super) fn new(
        plan: &CollectionPlan,
        tenant: i64,
        id: &str,
        text: String,
        document_bytes: usize,
    ) -> Result<Self, Fault> {
        let members =
            json::check_document(&text, &plan.paths, document_bytes).map_err(json_fault)?;
        if let Some(schema) = &plan.schema {
            schema.check(&text)?;
        }
        let fields = columns(plan, tenant, id, &members)?;
        Ok(Self { text, fields })
    }

    /// Take out the values of its fields from a body that is stored already. It may be older than
    /// the JSON Schema, and larger than an operation may write today.
    pub(super) fn stored(
        plan: &CollectionPlan,
        tenant: i64,
        id: &str,
        text: String,
    ) -> Result<Self, Fault> {
        let members = json::check_document(&text, &plan.paths, usize::MAX).map_err(json_fault)?;
        let fields = columns(plan, tenant, id, &members)?;
        Ok(Self { text, fields })
    }
}

/// The values of the fields, and whether the indexes have room for them.
fn columns(
    plan: &CollectionPlan,
    tenant: i64,
    id: &str,
    members: &json::Members<'_>,
) -> Result<Vec<SqlValue>, Fault> {
    let collection = &plan.collection;
    let declared = collection.fields.len() - collection.searches.len();
    let fields = collection.fields[..declared].iter().enumerate().map(|(place, declared)| {
        field::value(declared, members.get(place)).map_err(|fault| Fault {
            index: 0,
            id: String::new(),
            name: declared.paths.first().cloned().unwrap_or_default(),
            code: fault.code,
            detail: fault.detail,
        })
    });
    let mut fields: Vec<SqlValue> = fields.collect::<Result<_, _>>()?;
    fields.extend(words(plan, tenant, members));
    refuse_long_elements(collection, &fields)?;
    match collection
        .indexes
        .iter()
        .find(|i| index_row_bytes(collection, i, id, &fields) > MAX_INDEX_ROW_BYTES)
    {
        Some(index) => Err(Fault {
            index: 0,
            id: String::new(),
            name: index.name.clone(),
            code: "index-too-long",
            detail: format!(
                "the text fields of the index {} and the id must have at most \
                     {MAX_INDEX_ROW_BYTES} bytes together",
                index.name
            ),
        }),
        None => Ok(fields),
    }
}

/// The words of each `search` index. Its sources stand behind the fields among what was found.
fn words(plan: &CollectionPlan, tenant: i64, members: &json::Members<'_>) -> Vec<SqlValue> {
    let mut place = plan.collection.fields.len();
    let contents = plan.collection.searches.iter().map(|index| {
        let mut texts = Vec::new();
        for source in &index.sources {
            texts.extend(members.get(place).map(|value| source.texts(value)).unwrap_or_default());
            place += 1;
        }
        let terms = Terms::of(texts.iter().map(String::as_str));
        SqlValue::Text(terms.content(tenant, plan.dialect))
    });
    contents.collect()
}

/// An index by what a list contains has a row for each element, of a limited length.
fn refuse_long_elements(collection: &Collection, fields: &[SqlValue]) -> Result<(), Fault> {
    for index in &collection.contains {
        let place = collection.fields.iter().position(|field| field.column == index.column);
        let Some(SqlValue::Texts(texts)) = place.map(|place| &fields[place]) else { continue };
        if texts.iter().any(|text| text.len() > MAX_TEXT_FIELD_BYTES) {
            return Err(Fault {
                index: 0,
                id: String::new(),
                name: index.name.clone(),
                code: "index-too-long",
                detail: format!(
                    "each text in the index {} must be at most {MAX_TEXT_FIELD_BYTES} bytes",
                    index.name
                ),
            });
        }
    }
    Ok(())
}

/// A B-tree row of `PostgreSQL` holds 2,704 bytes; what is left is for numbers and lengths.
pub(super) const MAX_INDEX_ROW_BYTES: usize = 2_560;

/// The bytes of text in an index's row. The id stands at the end of most, and is
/// counted for all, so that the rule is easy to state.
fn index_row_bytes(collection: &Collection, index: &Index, id: &str, fields: &[SqlValue]) -> usize {
    let of_column = |column: &str| {
        let place = collection.fields.iter().position(|field| field.column == column);
        match place.map(|place| &fields[place]) {
            Some(SqlValue::Text(text)) => text.len(),
            _ => 0,
        }
    };
    index.columns.iter().map(|(column, _)| of_column(column)).sum::<usize>() + id.len()
}

/// Put the write's place and id into a fault.
pub(super) fn at(index: u32, id: &str) -> impl FnOnce(Fault) -> Error + '_ {
    move |fault| Error::Invalid(Fault { index, id: id.to_owned(), ..fault })
}

fn json_fault(fault: json::Fault) -> Fault {
    let detail = fault.to_string();
    Fault { index: 0, id: String::new(), name: fault.pointer, code: fault.code, detail }
}

/// Versions are handed out by the databases as positive 64-bit integers; a larger one, which only
/// a client can make up, matches nothing.
fn as_integer(version: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(version).unwrap_or(-1))
}

/// The rule for ids, in front of both databases.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(format!(
            "an id must have 1 to {MAX_ID_BYTES} bytes; this one has {}",
            id.len()
        ));
    }
    if id.contains('\0') {
        return Err("an id must not hold the character NUL".to_owned());
    }
    Ok(())
}

fn resolve_expiry(
    collection: &Collection,
    expiry: Expiry,
    now: i64,
) -> Result<ResolvedExpiry, String> {
    let default = collection.default_ttl_us.map(|ttl| now.saturating_add(ttl));
    let (keep, expires_at) = match expiry {
        Expiry::Keep => (collection.expires, default),
        Expiry::Default => (false, default),
        Expiry::Never => (false, None),
        Expiry::At(_) if !collection.expires => {
            return Err(format!(
                "documents of {} do not expire; declare \"expires\" in the manifest",
                collection.name
            ));
        }
        Expiry::At(instant) => (false, Some(instant)),
    };
    Ok(ResolvedExpiry { keep, expires_at })
}
