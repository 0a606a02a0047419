//! A look at the plans of a plugin's statements when it is loaded: one that the database does not
//! take is found before the first request, and one that no index serves is told to the operator.

use super::error::Error;
use super::schema::{Probe, Schema};
use super::schema_change::InstallError;
use super::sql::{Query, SqlRows, SqlValue};
use super::statement::Dialect;
use super::store::Storage;
use super::transaction::{Planned, Transaction, TransactionMode, Whose};

/// The planner takes an empty table to be read fastest as a whole. Without that choice, only what
/// has no index is still read so.
const NO_WHOLE_TABLES: &str = "SELECT set_config('enable_seqscan', 'off', true)";

/// Plan every statement, and say which read more than they should. Nothing is run.
///
/// # Errors
/// The database does not take a statement, or has failed.
pub(super) async fn check(storage: &Storage, schema: &Schema) -> Result<Vec<String>, InstallError> {
    let mut transaction = storage.transaction(Whose::Everyone, TransactionMode::Write);
    let warnings = check_all(&mut transaction, schema, storage.dialect()).await;
    transaction.rollback().await;
    warnings
}

async fn check_all(
    transaction: &mut Transaction,
    schema: &Schema,
    dialect: Dialect,
) -> Result<Vec<String>, InstallError> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let explain = match dialect {
        Dialect::Postgres => "EXPLAIN (COSTS OFF)",
        Dialect::Sqlite => "EXPLAIN QUERY PLAN",
    };
    if dialect == Dialect::Postgres {
        let query = Query { sql: NO_WHOLE_TABLES.into(), binds: Vec::new() };
        transaction.run(query, deadline).await?;
    }
    let mut warnings: Vec<String> = Vec::new();
    for Probe { statement, text, values, filtered } in schema.probes() {
        let query = Query { sql: format!("{explain} {}", text.sql).into(), binds: values };
        let plan = match transaction.run_within(query, &text.wall, Planned::Afresh, deadline).await
        {
            Ok(plan) => plan,
            Err(Error::Other(reason)) => {
                return Err(InstallError::Statement { statement, reason });
            }
            Err(error) => return Err(error.into()),
        };
        let lines = lines(plan, dialect);
        let whole = match dialect {
            Dialect::Postgres => whole_on_postgres(&lines, filtered, schema),
            Dialect::Sqlite => whole_on_sqlite(&lines, filtered),
        };
        let warning = format!(
            "the statement {statement} may read all documents of a tenant: no index serves both its \
             conditions and its order"
        );
        if whole && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    Ok(warnings)
}

/// The plan's text, which is the last column on `SQLite` and the only one on `PostgreSQL`.
fn lines(plan: SqlRows, dialect: Dialect) -> Vec<String> {
    let width = plan.width.max(1);
    let column = if dialect == Dialect::Sqlite { width - 1 } else { 0 };
    let texts = plan.values.into_iter().skip(column).step_by(width);
    texts.filter_map(SqlValue::into_text).collect()
}

/// `d` and, of what an update is about, `t0` stand for tables; other names for queries.
fn whole_on_sqlite(lines: &[String], filtered: bool) -> bool {
    lines.iter().any(|line| {
        let of_table = |verb: &str| {
            let rest = line.strip_prefix(verb)?;
            let (alias, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            ["d", "t0"].contains(&alias).then_some(rest)
        };
        let scanned = of_table("SCAN ").is_some() && !line.starts_with("SCAN t0");
        let by_tenant = of_table("SEARCH ").is_some_and(|rest| rest.ends_with("(tenant=?)"));
        scanned || (filtered && by_tenant)
    })
}

/// A condition on a later column of an index does not narrow what is read of it: that on the first
/// column behind the tenant does.
fn whole_on_postgres(lines: &[String], filtered: bool, schema: &Schema) -> bool {
    let mut index = "";
    picking(lines).iter().any(|line| {
        let line = line.trim_start().trim_start_matches("-> ").trim_start();
        let named = line.split_once(" using ").or_else(|| line.split_once("Bitmap Index Scan on "));
        if let Some((_, rest)) = named {
            index = rest.split(' ').next().unwrap_or_default();
        }
        let unnarrowed = |condition: &str| {
            first_column(schema, index).is_some_and(|column| !condition.contains(column))
        };
        let by_tenant = line.strip_prefix("Index Cond: ").is_some_and(unnarrowed);
        line.starts_with("Seq Scan on ") || (filtered && by_tenant)
    })
}

/// Of an update or a delete, how the documents are picked: how they are found again to be written
/// depends on how many there are.
fn picking(lines: &[String]) -> &[String] {
    let depth = |line: &String| line.len() - line.trim_start().len();
    let Some(begin) = lines.iter().position(|line| line.trim_start() == "CTE picked") else {
        return lines;
    };
    let within = &lines[begin + 1..];
    let end = within.iter().position(|line| depth(line) <= depth(&lines[begin]));
    &within[..end.unwrap_or(within.len())]
}

/// Of a primary key or a declared index; those of other kinds do not begin with the tenant.
fn first_column<'s>(schema: &'s Schema, index: &str) -> Option<&'s str> {
    let plans = schema.collections.values();
    plans.map(|plan| &plan.collection).find_map(|collection| {
        if index.strip_suffix("_pkey") == Some(collection.table.as_str()) {
            return Some("(id ");
        }
        let declared = collection.indexes.iter().find(|known| known.physical_name == index);
        declared?.columns.first().map(|(column, _)| column.as_str())
    })
}
