//! One call of a `select` statement: its arguments checked, its text chosen, its rows made JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Tenant;
use super::cursor::Seal;
use super::document::{Page, Rows, Value};
use super::error::Error;
use super::field::format_timestamp;
use super::schema::StatementPlan;
use super::sql::{Query, SqlRows, SqlValue};
use super::statement::{Bind, Column, Parameter, Shape, Wall};
use super::transaction::Planned;
use super::words::{SearchQuery, Searched, highlight};
use crate::json;
use crate::manifest::FieldType;

/// The largest page that a plugin can ask for.
const MAX_PAGE: u32 = 1_000;

/// What a call belongs to.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) plugin: &'a str,
    pub(super) tenant: Tenant,
    pub(super) now: i64,
    pub(super) seal: &'a Seal,
    /// How many rows the request may still read.
    pub(super) rows_left: u32,
}

/// A call that has passed its checks.
#[derive(Debug)]
pub(super) struct Select<'a> {
    plan: &'a StatementPlan,
    context: Context<'a>,
    arguments: Vec<Option<SqlValue>>,
    page: Option<&'a Page>,
    order: usize,
    /// The key of the last row of the page before.
    after: Option<Vec<SqlValue>>,
    /// What cursors are sealed to.
    sealed_to: Vec<u8>,
}

impl<'a> Select<'a> {
    pub(super) fn new(
        plan: &'a StatementPlan,
        context: Context<'a>,
        arguments: &[(String, Value)],
        page: Option<&'a Page>,
    ) -> Result<Self, Error> {
        let statement = &plan.statement;
        let arguments = bind_arguments(statement.parameters(), arguments)?;
        let order_name = page.and_then(|page| page.order.as_deref());
        let order = statement.order(order_name).ok_or_else(|| {
            let name = order_name.unwrap_or_default();
            Error::UnknownName(format!("the order {name} of the statement {}", statement.name()))
        })?;
        if page.is_some() && statement.is_unordered() {
            let detail =
                format!("the statement {} is unordered: it has no pages", statement.name());
            return Err(Error::invalid("invalid-page", detail));
        }
        if let Some(page) = page
            && !(1..=MAX_PAGE).contains(&page.limit)
        {
            let detail = format!("a page has 1 to {MAX_PAGE} rows; {} were asked for", page.limit);
            return Err(Error::invalid("invalid-page", detail));
        }
        let sealed_to = sealed_to(&context, statement.name(), order, &arguments);
        let after = page.and_then(|page| page.after.as_deref());
        let after = after.map(|cursor| {
            let key = context.seal.open(&sealed_to, cursor, statement.key_types(order));
            let detail = "the cursor is not one of this query; begin again without it";
            key.ok_or_else(|| Error::invalid("invalid-cursor", detail))
        });
        Ok(Self { plan, arguments, page, order, after: after.transpose()?, sealed_to, context })
    }

    /// The query of the rows. One more than asked for tells whether there is a next page.
    pub(super) fn query(&self) -> (Query, Arc<Wall>) {
        let shape = Shape {
            given: self.given(),
            order: self.order,
            whole: self.page.is_none(),
            after: self
                .after
                .as_ref()
                .map(|key| key.iter().map(|v| *v == SqlValue::Null).collect()),
            limit: true,
            offset: self.page.is_some_and(|page| page.offset > 0),
        };
        let rendered = self.plan.render(&shape);
        let binds = rendered.binds.iter().map(|bind| self.value(*bind)).collect();
        (Query { sql: rendered.sql.clone(), binds }, Arc::clone(&rendered.wall))
    }

    /// The query of the total, where it was asked for.
    pub(super) fn total_query(&self) -> Option<(Query, Arc<Wall>)> {
        self.page.filter(|page| page.total)?;
        let rendered = self.plan.render_total(&self.given());
        let binds = rendered.binds.iter().map(|bind| self.value(*bind)).collect();
        Some((Query { sql: rendered.sql.clone(), binds }, Arc::clone(&rendered.wall)))
    }

    /// How `PostgreSQL` plans both.
    pub(super) fn planned(&self) -> Planned {
        self.plan.planned
    }

    fn given(&self) -> Vec<bool> {
        self.arguments.iter().map(Option::is_some).collect()
    }

    fn value(&self, bind: Bind) -> SqlValue {
        match bind {
            Bind::Tenant => SqlValue::Integer(self.context.tenant.key()),
            Bind::Now => SqlValue::Integer(self.context.now),
            Bind::Parameter(place) => self.arguments[place].clone().unwrap_or(SqlValue::Null),
            Bind::AllWords(place) => self.searched(place).all(),
            Bind::AnyWord(place) => self.searched(place).any(),
            Bind::Key(place) => {
                self.after.as_ref().map_or(SqlValue::Null, |key| key[place].clone())
            }
            Bind::Limit => SqlValue::Integer(i64::from(self.limit()) + 1),
            Bind::Offset => SqlValue::Integer(self.page.map_or(0, |page| i64::from(page.offset))),
            Bind::Ids => SqlValue::Null,
        }
    }

    fn searched(&self, place: usize) -> Searched {
        let query = SearchQuery::of(self.arguments[place].as_ref());
        Searched { query, tenant: self.context.tenant.key(), dialect: self.plan.dialect }
    }

    /// For each column what is marked in it.
    fn marks(&self) -> Vec<Option<SearchQuery>> {
        let columns = self.plan.statement.columns().iter();
        let mark = |place: usize| SearchQuery::of(self.arguments[place].as_ref());
        columns.map(|column| column.marked_by.map(mark)).collect()
    }

    fn limit(&self) -> u32 {
        let asked = self.page.map_or(u32::MAX, |page| page.limit);
        asked.min(self.context.rows_left)
    }

    /// The rows as a JSON array, and where the next page begins.
    pub(super) fn rows(&self, rows: &SqlRows, total: Option<u64>) -> Result<Rows, Error> {
        let columns = self.plan.statement.columns();
        let limit = self.limit() as usize;
        let more = rows.len() > limit;
        if more && self.page.is_none_or(|page| page.limit > self.context.rows_left) {
            return Err(Error::LimitExceeded("documents_read"));
        }
        let marks = self.marks();
        let mut json = String::with_capacity(rows.len() * 64);
        let mut last = None;
        json.push('[');
        for (place, row) in rows.iter().take(limit).enumerate() {
            if place > 0 {
                json.push(',');
            }
            write_row(&mut json, columns, &marks, row)?;
            last = Some(row);
        }
        json.push(']');
        // A result whose rows nothing tells apart has no key, and so no next page.
        let keyed = !self.plan.statement.key_types(self.order).is_empty();
        let next = last.filter(|_| more && keyed).map(|row| {
            // The key stands behind the columns.
            self.context.seal.seal(&self.sealed_to, &row[columns.len()..])
        });
        let count = u32::try_from(rows.len().min(limit)).unwrap_or(u32::MAX);
        Ok(Rows { json, count, next, total })
    }
}

/// One value for each parameter of the statement, by its place.
pub(super) fn bind_arguments(
    parameters: &[Parameter],
    arguments: &[(String, Value)],
) -> Result<Vec<Option<SqlValue>>, Error> {
    let mut bound: Vec<Option<SqlValue>> = vec![None; parameters.len()];
    for (name, value) in arguments {
        let place = parameters.iter().position(|parameter| parameter.name == *name);
        let place = place.ok_or_else(|| Error::UnknownName(format!("the parameter {name}")))?;
        if bound[place].is_some() {
            return Err(Error::invalid(
                "named-twice",
                format!("the parameter {name} is given twice"),
            ));
        }
        bound[place] = Some(bind_argument(&parameters[place], value)?);
    }
    let missing = parameters.iter().zip(&bound).find(|(p, value)| p.required && value.is_none());
    match missing {
        Some((parameter, _)) => Err(Error::invalid(
            "missing-parameter",
            format!("the parameter {} must be given", parameter.name),
        )),
        None => Ok(bound),
    }
}

fn bind_argument(parameter: &Parameter, value: &Value) -> Result<SqlValue, Error> {
    let name = &parameter.name;
    let nul = |text: &str| {
        let detail = format!("the parameter {name} holds the character NUL");
        if text.contains('\0') { Err(Error::invalid("nul-character", detail)) } else { Ok(()) }
    };
    match (parameter.parameter_type, value) {
        (_, Value::Null) => Ok(SqlValue::Null),
        (FieldType::Boolean, Value::Boolean(value)) => Ok(SqlValue::Boolean(*value)),
        (FieldType::Integer, Value::Integer(value))
        | (FieldType::Timestamp, Value::Timestamp(value)) => Ok(SqlValue::Integer(*value)),
        (FieldType::Number, Value::Number(value)) if value.is_finite() => {
            Ok(SqlValue::Number(*value))
        }
        #[expect(clippy::cast_precision_loss, reason = "what a number of JSON would lose, too")]
        (FieldType::Number, Value::Integer(value)) => Ok(SqlValue::Number(*value as f64)),
        (FieldType::Text, Value::Text(text)) => nul(text).map(|()| SqlValue::Text(text.clone())),
        (FieldType::Texts, Value::Texts(texts)) => {
            texts.iter().try_for_each(|text| nul(text))?;
            Ok(SqlValue::Texts(texts.clone()))
        }
        (FieldType::Json, Value::Json(text)) => {
            json::check(text.as_bytes())
                .map_err(|fault| Error::invalid(fault.code, fault.to_string()))?;
            Ok(SqlValue::Json(text.clone()))
        }
        (wanted, _) => Err(Error::invalid(
            "parameter-type",
            format!("the parameter {name} must be {}", wanted.name()),
        )),
    }
}

/// Everything that makes a query another one, each part with its length before it.
fn sealed_to(
    context: &Context<'_>,
    statement: &str,
    order: usize,
    arguments: &[Option<SqlValue>],
) -> Vec<u8> {
    let mut bytes = context.tenant.key().to_be_bytes().to_vec();
    let parts = [context.plugin.to_owned(), statement.to_owned(), order.to_string()];
    for part in parts.into_iter().chain(arguments.iter().map(|value| format!("{value:?}"))) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

fn write_row(
    out: &mut String,
    columns: &[Column],
    marks: &[Option<SearchQuery>],
    row: &[SqlValue],
) -> Result<(), Error> {
    out.push('{');
    for (place, ((column, mark), value)) in columns.iter().zip(marks).zip(row).enumerate() {
        if place > 0 {
            out.push(',');
        }
        json::write_string(out, &column.name);
        out.push(':');
        match (mark, value) {
            (Some(query), SqlValue::Text(text)) => {
                json::write_string(out, &highlight(text, query));
            }
            _ => write_value(out, column, value)?,
        }
    }
    out.push('}');
    Ok(())
}

/// One printer for both databases, or numbers and times would differ in their text.
fn write_value(out: &mut String, column: &Column, value: &SqlValue) -> Result<(), Error> {
    match (column.column_type, value) {
        (_, SqlValue::Null) => out.push_str("null"),
        (FieldType::Text, SqlValue::Text(text)) => json::write_string(out, text),
        (FieldType::Integer, SqlValue::Integer(number)) => {
            let _ = write!(out, "{number}");
        }
        (FieldType::Timestamp, SqlValue::Integer(number)) => {
            json::write_string(out, &format_timestamp(*number));
        }
        (FieldType::Number, SqlValue::Number(number)) if number.is_finite() => {
            json::write_number(out, *number);
        }
        (FieldType::Boolean, value) if value.integer().is_some() => {
            out.push_str(if value.integer() == Some(0) { "false" } else { "true" });
        }
        (FieldType::Json | FieldType::Texts, SqlValue::Json(text) | SqlValue::Text(text)) => {
            out.push_str(text);
        }
        (FieldType::Texts, SqlValue::Texts(texts)) => write_texts(out, texts),
        _ => {
            // Such as a sum that went beyond 64 bits and became a double on SQLite.
            let name = &column.name;
            let detail = format!("the column {name} has no value of its type; see its expression");
            return Err(Error::invalid("number-range", detail));
        }
    }
    Ok(())
}

fn write_texts(out: &mut String, texts: &[String]) {
    out.push('[');
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        json::write_string(out, text);
    }
    out.push(']');
}
