//! A statement after the check: the only thing that is ever rendered.
//!
//! Each node is a construct that both databases have, and holds no text of the plugin but
//! literals, which the renderer quotes, and names that the parser has found to be plain. A table
//! is a place in [`Program::relations`], which only the checker fills, from the catalog.

use super::functions::{AggregateFunction, Function, WindowFunction};
use crate::manifest::FieldType;
use crate::storage::count::Count;

/// A place in [`Program::relations`].
pub(super) type RelationId = usize;

/// A whole statement.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Everything that any FROM clause names, in the order of appearance.
    pub(super) relations: Vec<Relation>,
    /// The queries of the WITH clause.
    pub(super) commons: Vec<Common>,
    pub(super) body: Body,
    /// The relation that stands for the body's rows where orders and cursors cannot be put into
    /// the body itself, because it groups, unites or numbers rows.
    pub(super) wrapped: Option<RelationId>,
    /// How many items of the body are columns of the result; the others are hidden keys.
    pub(super) width: usize,
    /// Types by the place of the parameter.
    pub(super) parameter_types: Vec<FieldType>,
}

/// What stands in a FROM clause.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) source: Source,
    pub(super) columns: Vec<RelationColumn>,
}

/// Where the rows of a relation come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A collection, of which the tenant's visible rows are seen.
    Collection {
        table: String,
        /// Whether rows may have expired.
        expires: bool,
    },
    /// The collection whose documents a statement is about; its columns are named directly.
    Target {
        table: String,
        /// Whether documents may have expired.
        expires: bool,
    },
    /// The checkpoints of the plugin of this name.
    Checkpoints(String),
    /// A declared count.
    Count(Box<Count>),
    /// A query of the WITH clause by its place.
    Common(usize),
    /// The query that it stands in: a recursive one's rows of the step before.
    Recursion(usize),
    Derived(Box<Body>),
    /// The statement's body; see [`Program::wrapped`].
    Result,
}

/// A column that a FROM clause offers.
#[derive(Clone, Debug)]
pub(super) struct RelationColumn {
    /// The name that it is seen under.
    pub(super) name: String,
    /// The table's column behind it, of a collection.
    pub(super) physical: Option<String>,
    pub(super) column_type: FieldType,
    pub(super) nullable: bool,
    /// Whether any expression refers to it; others of a collection are not selected.
    pub(super) used: bool,
    /// The table in which `SQLite` keeps an index on it.
    pub(super) side_table: Option<String>,
}

/// The column of a collection by which its side tables name its rows. No name of a plugin holds a
/// `#`. `PostgreSQL` has neither.
pub(super) const ROW_ID: &str = "##rid";

/// A query of the WITH clause.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) columns: Vec<String>,
    pub(super) body: Body,
    pub(super) recursive: bool,
}

/// One or more SELECTs; of each further one, whether it keeps duplicates (UNION ALL).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Body {
    pub(super) first: Select,
    pub(super) rest: Vec<(bool, Select)>,
}

impl Body {
    pub(super) fn selects(&self) -> impl Iterator<Item = &Select> {
        std::iter::once(&self.first).chain(self.rest.iter().map(|(_, select)| select))
    }
}

/// One SELECT.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Select {
    pub(super) items: Vec<Item>,
    pub(super) from: Vec<FromItem>,
    pub(super) filter: Option<Expression>,
    pub(super) grouping: Grouping,
    pub(super) having: Option<Expression>,
}

/// One relation of a FROM clause.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FromItem {
    pub(super) relation: RelationId,
    /// How it is joined with those before it; `None` for the first.
    pub(super) join: Option<Join>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Join {
    /// LEFT JOIN; else an inner one.
    pub(super) outer: bool,
    pub(super) on: Expression,
}

/// How a SELECT makes groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Grouping {
    /// Each row for itself.
    #[default]
    None,
    /// All rows are one group: aggregates without GROUP BY.
    All,
    /// GROUP BY, and what DISTINCT becomes.
    By(Vec<Grouped>),
}

/// A term of GROUP BY.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grouped {
    pub(super) expression: Expression,
    pub(super) term_type: FieldType,
}

/// A column of a SELECT.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) expression: Expression,
    pub(super) item_type: FieldType,
    pub(super) nullable: bool,
}

/// An expression of known type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Column(RelationId, String),
    /// With its type as soon as that is known.
    Null(Option<FieldType>),
    Text(String),
    /// A whole number or a timestamp.
    Integer(i64),
    Number(f64),
    Boolean(bool),
    /// By its place.
    Parameter(usize),
    /// A value of the cursor, by its place among the order's keys, with its type.
    Cursor(usize, FieldType),
    /// The instant that counts.
    Now,
    /// A whole number as a double.
    Widen(Box<Expression>),
    /// A value of this type as a part of JSON.
    JsonValue(Box<Expression>, FieldType),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    IsNull(Box<Expression>),
    IsNotNull(Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// `(a, b) < (c, d)`.
    CompareRows(Comparison, Vec<Expression>, Vec<Expression>),
    InList(Box<Expression>, Vec<Expression>),
    /// `a = ANY(b)`.
    InTexts(Box<Expression>, Box<Expression>),
    InQuery(Box<Expression>, Box<Body>),
    Exists(Box<Body>),
    /// The one row of an aggregate, or the first in an order.
    Scalar(Box<Body>, Vec<Term>),
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    Concat(Box<Expression>, Box<Expression>),
    /// `CASE WHEN a THEN b … ELSE c END`.
    Case(Vec<(Expression, Expression)>, Option<Box<Expression>>),
    Call(Function, Vec<Expression>),
    /// Whether the column of a `search` index has all words of a parameter.
    Match(Box<Expression>, usize),
    /// How well it fits them.
    Rank(Box<Expression>, usize),
    /// A text in which the gateway marks the words of a parameter.
    Highlight(Box<Expression>, usize),
    Aggregate(Box<Aggregate>),
    Window(Box<Window>),
}

/// A call of an aggregate function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aggregate {
    pub(super) function: AggregateFunction,
    /// `None` for `count(*)`.
    pub(super) argument: Option<Expression>,
    pub(super) filter: Option<Expression>,
    pub(super) order: Vec<Term>,
}

/// A call of a window function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) function: WindowFunction,
    /// Without `count(*)`'s.
    pub(super) arguments: Vec<Expression>,
    pub(super) partition: Vec<Expression>,
    pub(super) order: Vec<Term>,
}

/// One term of an ORDER BY. NULL is the smallest value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) expression: Expression,
    pub(super) descending: bool,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same in both databases.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// An operation on two numbers of one type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    /// NULL when divided by 0; that of whole numbers truncates.
    Divide,
    /// NULL when divided by 0.
    Remainder,
}

impl Arithmetic {
    /// The same in both databases.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}
