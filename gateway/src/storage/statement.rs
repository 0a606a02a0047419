//! The statement compiler: SQL of plugins that cannot escape.
//!
//! A plugin's statements stand in its manifest. [`Statement::compile`] parses each once, checks
//! it against a list of what is allowed, and gives every expression a type; what is left is a
//! tree of our own, and [`Statement::render`] writes that for one database. A table of the
//! plugin becomes a sub-select that is bound to the tenant and hides what has expired.
//!
//! This is the wall between tenants, so no text of the plugin and no tree of the parser is ever
//! written out. There is no I/O here and no database. Begin with `parse.rs` (what reaches the
//! parser), then `check.rs` and `expression.rs` (what is allowed), `tree.rs` (what it becomes)
//! and `render.rs`.

use std::fmt;

use self::check::Checker;
use self::order::Order;
use self::render::{Page, Renderer, Selection};
use self::tree::{Expression, Program};
use super::collection::Collection;
use super::count::Count;
use crate::manifest::{FieldType, SelectDeclaration};

mod aggregate;
mod call;
mod check;
pub(super) mod constant;
mod declaration;
mod documents;
mod expression;
mod from;
pub mod functions;
mod group;
mod literal;
mod operator;
mod order;
mod parse;
mod position;
mod query;
mod render;
mod render_count;
mod render_documents;
mod render_expression;
mod render_function;
mod render_query;
mod render_update;
mod scope;
mod search;
mod select;
mod side_table;
mod subquery;
mod tree;
mod types;
mod union;
mod update;
mod visit;
mod wall;
mod with;

pub use documents::Documents;
pub use update::{Delete, Update};
pub use wall::Wall;

#[cfg(test)]
mod tests;

/// The database that a text is rendered for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// `PostgreSQL` 15 or newer.
    Postgres,
    /// The bundled `SQLite`.
    Sqlite,
}

/// The relation of the plugin's checkpoints in statements.
pub const CHECKPOINT: &str = "checkpoint";

/// What statements can name besides their own parts.
#[derive(Clone, Copy, Debug)]
pub struct Catalog<'c> {
    /// The plugin's collections.
    pub collections: &'c [Collection],
    /// Its declared counts.
    pub counts: &'c [Count],
    /// Whose checkpoints stand in the relation `checkpoint`.
    pub plugin: &'c str,
}

impl<'c> Catalog<'c> {
    /// Collections, and nothing else.
    #[must_use]
    pub fn of(collections: &'c [Collection]) -> Self {
        Self { collections, counts: &[], plugin: "" }
    }
}

/// A checked `select` statement. It never changes, and holds nothing of a tenant.
#[derive(Clone, Debug)]
pub struct Statement {
    name: String,
    parameters: Vec<Parameter>,
    columns: Vec<Column>,
    reads: Vec<String>,
    program: Program,
    conditions: Vec<Condition>,
    orders: Vec<Order>,
    /// By order.
    key_types: Vec<Vec<FieldType>>,
    unordered: bool,
}

/// A condition that holds only when its parameters are given.
#[derive(Clone, Debug)]
struct Condition {
    filter: Expression,
    parameters: Vec<usize>,
}

/// A parameter of a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameter {
    /// Its name, without the colon.
    pub name: String,
    /// Its type, inferred from its use.
    pub parameter_type: FieldType,
    /// Whether the statement cannot run without it. Others belong to optional conditions.
    pub required: bool,
}

/// A column of a statement's result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its name in the result's objects.
    pub name: String,
    /// Its type.
    pub column_type: FieldType,
    /// The place of the parameter whose words are marked in it, of a `highlight`.
    pub marked_by: Option<usize>,
}

/// Why a statement is refused, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The statement's name.
    pub statement: String,
    /// `select`, `where 2` (counted from 1) or `order newest`.
    pub part: String,
    /// The line in the part's text, from 1.
    pub line: u64,
    /// The character in the line, from 1.
    pub column: u64,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { statement, part, line, column, reason } = self;
        write!(f, "statement {statement}, {part}, line {line}, column {column}: {reason}")
    }
}

impl std::error::Error for Fault {}

/// What the text depends on besides the database.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Shape {
    /// Which parameters are given, by their place.
    pub given: Vec<bool>,
    /// The place of the order.
    pub order: usize,
    /// Whether all rows are wanted: no key is told of the last one.
    pub whole: bool,
    /// For a page after a cursor: which of the cursor's keys are NULL.
    pub after: Option<Vec<bool>>,
    /// Whether the number of rows is limited.
    pub limit: bool,
    /// Whether rows are skipped.
    pub offset: bool,
}

/// A rendered text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rendered {
    /// The text.
    pub sql: String,
    /// What `$1…` or `?1…` stand for, in this order.
    pub binds: Vec<Bind>,
    /// The tables that the text names.
    pub wall: Wall,
}

/// What a numbered parameter of a rendered text stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Bind {
    /// The tenant's number, `int4` on `PostgreSQL`.
    Tenant,
    /// The instant that counts, in microseconds.
    Now,
    /// A parameter of the statement by its place.
    Parameter(usize),
    /// A value of the cursor by its place among the order's keys.
    Key(usize),
    /// The greatest number of rows.
    Limit,
    /// How many rows are skipped.
    Offset,
    /// The ids of the documents to change.
    Ids,
    /// That all words of a parameter are there: a query of the database.
    AllWords(usize),
    /// The words of a parameter, for the rank.
    AnyWord(usize),
}

impl Statement {
    /// Check a declared statement against the plugin's collections.
    ///
    /// # Errors
    /// All faults that could be found.
    pub fn compile(
        declaration: &SelectDeclaration,
        catalog: Catalog<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let mut checker = Checker::new(&declaration.name, catalog);
        let compiled = checker.declaration(declaration);
        match compiled {
            Ok(statement) if checker.faults.is_empty() => Ok(statement),
            _ => Err(checker.faults),
        }
    }

    /// Its name, by which the plugin calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its parameters, required ones first.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The columns of its result.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The collections that it reads.
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// The place of a named order; of the first where none is named.
    #[must_use]
    pub fn order(&self, name: Option<&str>) -> Option<usize> {
        match name {
            None => Some(0),
            Some(name) => self.orders.iter().position(|order| order.name == name),
        }
    }

    /// Whether its rows come in no order, so that they make no pages.
    #[must_use]
    pub fn is_unordered(&self) -> bool {
        self.unordered
    }

    /// The types of an order's keys. Each row of a page has them behind its [`columns`](Self::columns);
    /// those of a page's last row make the cursor of the next. Empty where nothing tells rows
    /// apart, as in a result of one row: then there is no cursor.
    ///
    /// # Panics
    /// The order is none of [`order`](Self::order).
    #[must_use]
    pub fn key_types(&self, order: usize) -> &[FieldType] {
        &self.key_types[order]
    }

    /// Shapes that together show each order and each optional condition, and whether the rows are
    /// filtered.
    pub(in crate::storage) fn probes(&self) -> Vec<(Shape, bool)> {
        let required: Vec<bool> = self.parameters.iter().map(|known| known.required).collect();
        let always = self.program.body.first.filter.is_some();
        let shape =
            |given: Vec<bool>, order| Shape { given, order, limit: true, ..Shape::default() };
        let by_order = (0..self.orders.len()).map(|order| (shape(required.clone(), order), always));
        let with_condition = probes(&required, &self.conditions);
        by_order.chain(with_condition.map(|given| (shape(given, 0), true))).collect()
    }

    /// The text that selects a page of rows: [`columns`](Self::columns), then the keys; or all rows,
    /// without keys.
    ///
    /// # Panics
    /// The shape's order is none of [`order`](Self::order).
    #[must_use]
    pub fn render(&self, dialect: Dialect, shape: &Shape) -> Rendered {
        let page = Page {
            order: &self.orders[shape.order],
            whole: shape.whole,
            after: shape.after.as_deref(),
            limit: shape.limit,
            offset: shape.offset,
        };
        let conditions = in_force(&self.conditions, &shape.given);
        Renderer::new(self.selection(&conditions), dialect).page(page)
    }

    /// The text that counts all rows, whatever the page.
    #[must_use]
    pub fn render_total(&self, dialect: Dialect, given: &[bool]) -> Rendered {
        let conditions = in_force(&self.conditions, given);
        Renderer::new(self.selection(&conditions), dialect).total()
    }

    fn selection<'s>(&'s self, conditions: &'s [&'s Expression]) -> Selection<'s> {
        Selection { program: &self.program, conditions }
    }
}

/// Which parameters are given to have each of the optional conditions alone.
fn probes<'s>(
    required: &'s [bool],
    conditions: &'s [Condition],
) -> impl Iterator<Item = Vec<bool>> + 's {
    conditions.iter().map(|condition| {
        let mut given = required.to_vec();
        condition.parameters.iter().for_each(|place| given[*place] = true);
        given
    })
}

/// The optional conditions whose parameters are all given.
fn in_force<'s>(conditions: &'s [Condition], given: &[bool]) -> Vec<&'s Expression> {
    let is_given = |place: &usize| given.get(*place).copied().unwrap_or(false);
    let in_force = conditions.iter().filter(|condition| condition.parameters.iter().all(is_given));
    in_force.map(|condition| &condition.filter).collect()
}
