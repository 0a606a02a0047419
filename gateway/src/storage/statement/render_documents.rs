//! Statements about the documents of one collection as text.

use super::Rendered;
use super::documents::TARGET;
use super::render::{Renderer, Selection};
use super::tree::Source;
use crate::storage::collection_sql::DOCUMENT_COLUMNS;

impl Renderer<'_> {
    /// The documents that the conditions hold for, by the columns of their table.
    pub(super) fn documents(mut self) -> Rendered {
        self.push("SELECT ");
        for (place, column) in DOCUMENT_COLUMNS.split(", ").enumerate() {
            self.push(if place == 0 { "" } else { ", " });
            self.target_column(column);
        }
        self.target();
        self.end()
    }

    /// FROM and WHERE: the tenant's visible rows that the conditions hold for.
    pub(super) fn target(&mut self) {
        let Selection { program, conditions } = self.selection();
        let Source::Target { table, expires } = &program.relations[TARGET].source else {
            return;
        };
        let all = program.body.first.filter.iter().chain(conditions.iter().copied());
        self.note_driven(all.clone());
        let access = self.access(TARGET);
        self.push(" FROM ");
        self.visible_rows(table, *expires, "t0", access);
        for condition in all {
            self.push(" AND ");
            self.filter(condition);
        }
    }

    fn target_column(&mut self, column: &str) {
        self.push("\"t0\".");
        self.identifier(column);
    }
}
