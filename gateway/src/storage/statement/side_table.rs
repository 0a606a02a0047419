//! Conditions that `SQLite` answers from a table beside the collection's, in which it keeps an index.

use super::Dialect;
use super::functions::Function;
use super::render::Renderer;
use super::tree::{Expression, ROW_ID, Relation, RelationId, Source};

/// A test of an indexed list of text against a parameter.
#[derive(Debug)]
pub(super) struct ListTest<'e> {
    relation: RelationId,
    column: &'e str,
    side_table: &'e str,
    /// All texts of the parameter; else any.
    all: bool,
    texts: &'e Expression,
}

impl<'e> ListTest<'e> {
    /// `None` where an expression is something else.
    fn new(expression: &'e Expression, relations: &'e [Relation]) -> Option<Self> {
        let Expression::Call(function, arguments) = expression else { return None };
        let all = match function {
            Function::ArrayHasAll => true,
            Function::ArrayHasAny => false,
            _ => return None,
        };
        let [Expression::Column(relation, column), texts @ Expression::Parameter(_)] =
            arguments.as_slice()
        else {
            return None;
        };
        let columns = &relations[*relation].columns;
        let side_table =
            columns.iter().find(|known| known.name == *column)?.side_table.as_deref()?;
        Some(Self { relation: *relation, column, side_table, all, texts })
    }
}

/// The relation that an expression tests by a side table.
pub(super) fn tested_relation(
    expression: &Expression,
    relations: &[Relation],
) -> Option<RelationId> {
    match expression {
        Expression::Match(words, _) => match words.as_ref() {
            Expression::Column(relation, _) => Some(*relation),
            _ => None,
        },
        _ => ListTest::new(expression, relations).map(|test| test.relation),
    }
}

/// How `SQLite` may come to the rows of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    Any,
    /// By the ids that a side table gives, and by no other index. Without statistics it takes a
    /// tenant to have ten documents, and would rather read all of them.
    BySideTable,
}

impl Renderer<'_> {
    /// Remember the relations whose rows must pass a test by a side table, among conditions that
    /// all must hold. Not within a subquery that is run again for each row around it: that wants
    /// the index on what ties the two together.
    pub(super) fn note_driven<'e>(&mut self, conditions: impl Iterator<Item = &'e Expression>) {
        if self.dialect() == Dialect::Postgres || self.repeated > 0 {
            return;
        }
        let relations = &self.selection().program.relations;
        let mut pending: Vec<&Expression> = conditions.collect();
        while let Some(condition) = pending.pop() {
            if let Expression::And(parts) = condition {
                pending.extend(parts);
            } else if let Some(relation) = tested_relation(condition, relations) {
                self.driven.push(relation);
            }
        }
    }

    pub(super) fn access(&self, relation: RelationId) -> Access {
        if self.driven.contains(&relation) { Access::BySideTable } else { Access::Any }
    }

    /// Write a subquery that is run again for each row around it.
    pub(super) fn repeatedly(&mut self, write: impl FnOnce(&mut Self)) {
        self.repeated += 1;
        write(self);
        self.repeated -= 1;
    }

    /// A condition whose rows are kept where it is true and left out where it is false or NULL:
    /// there, and only there, an index may stand in for the test of each row.
    pub(super) fn filter(&mut self, condition: &Expression) {
        let parts = match condition {
            Expression::And(parts) => Some((parts, " AND ")),
            Expression::Or(parts) => Some((parts, " OR ")),
            _ => None,
        };
        if let Some((parts, separator)) = parts.filter(|(parts, _)| !parts.is_empty()) {
            self.push("(");
            for (place, part) in parts.iter().enumerate() {
                self.push(if place == 0 { "" } else { separator });
                self.filter(part);
            }
            return self.push(")");
        }
        let program = self.selection().program;
        match ListTest::new(condition, &program.relations) {
            Some(test) if self.dialect() == Dialect::Sqlite && test.all => self.has_all(&test),
            Some(test) if self.dialect() == Dialect::Sqlite => self.has_any(&test),
            _ => self.expression(condition),
        }
    }

    fn has_any(&mut self, test: &ListTest<'_>) {
        self.push("(");
        self.column(test.relation, ROW_ID);
        self.push(" IN (");
        self.rows_with(test);
        self.around("IN (SELECT \"e\".\"value\" FROM json_each(", test.texts, ") AS \"e\")))");
    }

    /// The rows with the first text, of those the ones that lack none. Of an empty list there is
    /// no first: then all rows that have a list.
    fn has_all(&mut self, test: &ListTest<'_>) {
        self.push("(");
        self.column(test.relation, ROW_ID);
        self.push(" IN (");
        self.rows_with(test);
        self.around("= (", test.texts, " ->> 0) UNION ALL SELECT \"d\".\"rid\" FROM ");
        self.listed_rows(test);
        self.around(" AND ", test.texts, " = '[]') AND NOT EXISTS (SELECT 1 FROM json_each(");
        self.around("", test.texts, ") AS \"e\" WHERE NOT EXISTS (");
        self.rows_with(test);
        self.push("= \"e\".\"value\" AND \"d\".\"rid\" = ");
        self.column(test.relation, ROW_ID);
        self.push(")))");
    }

    /// The beginning of a query of the side table, up to the test of the value.
    fn rows_with(&mut self, test: &ListTest<'_>) {
        self.push("SELECT \"d\".\"rid\" FROM ");
        self.visible_rows(test.side_table, false, "d", Access::Any);
        self.push(" AND \"d\".\"value\" ");
    }

    /// The collection's rows that have a list.
    fn listed_rows(&mut self, test: &ListTest<'_>) {
        let Relation { source, columns } = &self.selection().program.relations[test.relation];
        let (Source::Collection { table, .. } | Source::Target { table, .. }) = source else {
            return;
        };
        let column = columns.iter().find(|column| column.name == test.column);
        self.visible_rows(table, false, "d", Access::Any);
        self.push(" AND \"d\".");
        self.identifier(column.and_then(|known| known.physical.as_deref()).unwrap_or(test.column));
        self.push(" IS NOT NULL");
    }
}
