//! What the gateway keeps for a plugin, as relations: declared counts, added up, and checkpoints.

use std::fmt::Write as _;

use super::render::Renderer;
use super::tree::RelationColumn;
use super::{Bind, Dialect};
use crate::manifest::FieldType;
use crate::storage::count::{Count, CountPart, Turn};

impl Renderer<'_> {
    /// The rows of a count for the tenant. What has expired and was not swept yet is taken off: it
    /// does not exist. A count by nothing has one row, also when there is no document.
    pub(super) fn count(&mut self, count: &Count) {
        self.push("(SELECT ");
        for (name, column, _) in &count.by {
            let _ = write!(self.sql_mut(), "\"{column}\" AS \"{name}\", ");
        }
        self.added_up("documents", "documents");
        for (name, column) in count.shown_sums() {
            self.push(", ");
            self.added_up(column, &name);
        }
        self.push(" FROM (");
        self.kept(count);
        for part in count.parts.iter().filter(|part| part.expires) {
            self.push(" UNION ALL ");
            self.expired(part);
        }
        self.push(") AS \"n\"");
        if count.by.is_empty() {
            return self.push(")");
        }
        let columns: Vec<String> =
            count.by.iter().map(|(_, column, _)| format!("\"{column}\"")).collect();
        let mut nonzero = "sum(\"documents\") <> 0".to_owned();
        for (_, column) in &count.sums {
            let _ = write!(nonzero, " OR sum(\"{column}\") <> 0");
        }
        let _ = write!(self.sql_mut(), " GROUP BY {} HAVING {nonzero})", columns.join(", "));
    }

    /// The tenant's checkpoints of a plugin, whose name the manifest's schema has checked.
    pub(super) fn checkpoints(&mut self, plugin: &str, columns: &[RelationColumn]) {
        self.may_read("loggia_checkpoint");
        let names: Vec<String> =
            columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let _ = write!(
            self.sql_mut(),
            "(SELECT {} FROM \"loggia_checkpoint\" WHERE \"plugin\" = '{plugin}' AND \"tenant\" = ",
            names.join(", ")
        );
        self.bind(Bind::Tenant, FieldType::Integer);
        self.push(")");
    }

    fn added_up(&mut self, column: &str, name: &str) {
        let cast = if self.dialect() == Dialect::Postgres { "::int8" } else { "" };
        let _ = write!(self.sql_mut(), "coalesce(sum(\"{column}\"), 0){cast} AS \"{name}\"");
    }

    fn kept(&mut self, count: &Count) {
        self.push("SELECT ");
        for (_, column, _) in &count.by {
            let _ = write!(self.sql_mut(), "\"{column}\", ");
        }
        self.push("\"documents\"");
        for (_, column) in &count.sums {
            let _ = write!(self.sql_mut(), ", \"{column}\"");
        }
        self.push(" FROM ");
        self.table(&count.table);
        self.push(" WHERE \"tenant\" = ");
        self.bind(Bind::Tenant, FieldType::Integer);
    }

    fn expired(&mut self, part: &CountPart) {
        self.push("SELECT ");
        for column in &part.by {
            let _ = write!(self.sql_mut(), "\"d\".\"{column}\", ");
        }
        self.push("-1");
        for addend in &part.sums {
            let value = addend.value("\"d\".", Turn::Yields, self.dialect());
            let _ = write!(self.sql_mut(), ", -{value}");
        }
        self.push(" FROM ");
        self.table(&part.table);
        self.push(" AS \"d\" WHERE \"d\".\"tenant\" = ");
        self.bind(Bind::Tenant, FieldType::Integer);
        self.push(" AND \"d\".\"expires_at\" <= ");
        self.bind(Bind::Now, FieldType::Timestamp);
        for one_of in &part.conditions {
            let condition =
                one_of.condition(&format!("\"d\".\"{}\"", one_of.column), self.dialect());
            let _ = write!(self.sql_mut(), " AND {condition}");
        }
    }
}
