//! Declared counts in a change of the schema: those that are declared otherwise, or that stand on
//! columns that go or come, are taken away before it and made and filled after it.

use super::super::ddl::count::{Recorded, bring_up, default_limit, remove};
use super::super::schema::Schema;
use super::super::sql::SqlValue;
use super::super::statement::Dialect;
use super::InstallError;
use super::apply::Pace;
use super::compare::CollectionChange;
use super::session::ChangeSession;
use super::step::{Plan, Step, StepKind};
use crate::manifest::Manifest;

/// The counts that the database has, and what is to be done with them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// They stay as they are.
    kept: Vec<Recorded>,
    gone: Vec<Recorded>,
    /// Statements that set what counts may reach unless a tenant has a limit of its own.
    limits: Vec<String>,
}

impl Counts {
    pub(super) async fn read(
        session: &mut ChangeSession,
        manifest: &Manifest,
        schema: &Schema,
    ) -> Result<Self, InstallError> {
        let sql = match session.dialect() {
            Dialect::Postgres => {
                "SELECT name, definition, removal FROM loggia_count WHERE plugin = $1 ORDER BY name"
            }
            Dialect::Sqlite => {
                "SELECT name, definition, removal FROM loggia_count WHERE plugin = ?1 ORDER BY name"
            }
        };
        let rows = session.run(sql, vec![schema.plugin.as_str().into()]).await?;
        let mut values = rows.values.into_iter().filter_map(SqlValue::into_text);
        let mut kept = Vec::new();
        while let (Some(name), Some(definition), Some(removal)) =
            (values.next(), values.next(), values.next())
        {
            kept.push(Recorded { name, definition, removal });
        }
        let limits = schema.counts.iter().filter_map(|count| count.limit.as_ref()).map(|setting| {
            let default = &manifest.settings["properties"][setting]["default"];
            default_limit(&schema.plugin, setting, default.as_i64().unwrap_or_default())
        });
        Ok(Self { kept, gone: Vec::new(), limits: limits.collect() })
    }

    /// Sort out what stays, and put the rest into the plan.
    pub(super) fn compare(
        &mut self,
        schema: &Schema,
        changes: &[CollectionChange],
        plan: &mut Plan,
    ) {
        let stays = |recorded: &Recorded| {
            let is_declared = schema.counts.iter().any(|count| {
                count.table == recorded.name && count.definition() == recorded.definition
            });
            is_declared && !changes.iter().any(|change| touches(change, recorded))
        };
        (self.kept, self.gone) = std::mem::take(&mut self.kept).into_iter().partition(stays);
        for recorded in &self.gone {
            let is_declared = schema.counts.iter().any(|count| count.table == recorded.name);
            if !is_declared {
                plan.steps.push(Step::new(StepKind::DropCount, &recorded.name, ""));
            }
        }
        for count in &schema.counts {
            if self.kept.iter().all(|recorded| recorded.name != count.table) {
                plan.steps.push(Step::new(StepKind::AddCount, &count.name, ""));
            }
        }
    }

    pub(super) async fn remove(
        &self,
        session: &mut ChangeSession,
        pace: &mut Pace,
    ) -> Result<(), InstallError> {
        for recorded in &self.gone {
            session.change(&remove(recorded)).await?;
            pace.step()?;
        }
        Ok(())
    }

    pub(super) async fn make(
        &self,
        session: &mut ChangeSession,
        schema: &Schema,
        pace: &mut Pace,
    ) -> Result<(), InstallError> {
        let statements = bring_up(&schema.plugin, &schema.counts, &self.kept, session.dialect());
        if !statements.is_empty() {
            session.change(&statements).await?;
            pace.step()?;
        }
        Ok(())
    }

    /// At each start: an operator may have changed nothing but a default.
    pub(super) async fn set_limits(&self, session: &mut ChangeSession) -> Result<(), InstallError> {
        if !self.limits.is_empty() {
            session.change(&self.limits).await?;
        }
        Ok(())
    }
}

/// Whether a count stands on a column that goes or comes: its triggers would fail meanwhile, and
/// miss that the values of all rows go with a column.
fn touches(change: &CollectionChange, recorded: &Recorded) -> bool {
    let added = change.add_columns.iter().map(|column| &column.name);
    let mut columns = change.drop_columns.iter().chain(added);
    columns.any(|column| recorded.definition.contains(&format!("{column:?}")))
}
