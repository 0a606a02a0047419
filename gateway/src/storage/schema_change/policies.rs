//! Row level security in a change of the schema: every table that holds what tenants have stored
//! has its policy or has none, as the operator wants. It is no step of a plan: it changes neither
//! documents nor what a plugin can do.

use super::super::ddl::policy;
use super::super::error::Error;
use super::super::schema::Schema;
use super::super::sql::SqlValue;
use super::session::ChangeSession;

pub(super) async fn set(session: &mut ChangeSession, schema: &Schema) -> Result<(), Error> {
    let Some(on) = session.row_level_security() else {
        return Ok(());
    };
    let collections = schema.collections.values().map(|plan| plan.collection.table.clone());
    let counts = schema.counts.iter().map(|count| count.table.clone());
    let own = policy::OWN_TABLES.iter().map(|table| (*table).to_owned());
    let tables = SqlValue::Texts(collections.chain(counts).chain(own).collect());
    let found = session.run(&policy::to_change(on), vec![tables]).await?;
    for table in found.values.into_iter().filter_map(SqlValue::into_text) {
        tracing::info!(plugin = %schema.plugin, %table, on, "switching row level security");
        let statements = if on { policy::enable(&table) } else { policy::disable(&table) };
        session.change(&statements).await?;
    }
    Ok(())
}
