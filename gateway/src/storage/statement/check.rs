//! The checker: what it does not take from the parser's tree does not exist.
//!
//! This file holds its state. `declaration.rs` goes through a statement's parts, `query.rs` and
//! `from.rs` check queries, `scope.rs` finds names, `expression.rs`, `subquery.rs` and `call.rs`
//! check and type expressions, `types.rs` brings types together, `group.rs` looks after groups.
//! A part that is refused is reported and left out, and the rest is checked on, so that all
//! faults come at once.

use std::collections::BTreeSet;

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Location;

use super::parse::Refusal;
use super::tree::{Common, Relation, RelationId};
use super::{Catalog, Fault};
use crate::manifest::FieldType;

/// The fault is reported already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused;

pub(super) type Checked<T> = Result<T, Refused>;

/// How deep expressions and subqueries may nest; see also the parser's limit.
const MAX_DEPTH: usize = 64;

/// The state of the check of one statement.
#[derive(Debug)]
pub(super) struct Checker<'c> {
    pub(super) catalog: Catalog<'c>,
    statement: &'c str,
    /// The part of the declaration under check, and where the last known place in it is: some
    /// nodes of the parser's tree have no position.
    part: String,
    near: Location,
    depth: usize,
    /// The clause of the SELECT under check.
    clause: Clause,
    /// Whether the SELECT under check has called an aggregate or a window function.
    pub(super) calls: Calls,
    pub(super) faults: Vec<Fault>,
    pub(super) parameters: Vec<ParameterSlot>,
    /// Places of the parameters that were met since [`Checker::begin`].
    pub(super) seen: BTreeSet<usize>,
    pub(super) relations: Vec<Relation>,
    /// The queries of the WITH clause by name, as far as they are checked.
    pub(super) commons: Vec<NamedCommon>,
    /// Where highlights were found, for what may hold one.
    pub(super) highlights: Vec<Location>,
    /// Names of the collections that are read.
    pub(super) reads: Vec<String>,
}

/// A parameter as far as it is known.
#[derive(Debug)]
pub(super) struct ParameterSlot {
    pub(super) name: String,
    pub(super) parameter_type: Option<FieldType>,
    /// Where it was first seen.
    pub(super) part: String,
    pub(super) at: Location,
}

/// A query of the WITH clause.
#[derive(Debug)]
pub(super) struct NamedCommon {
    pub(super) name: String,
    /// What it offers to those who name it.
    pub(super) offer: Relation,
    /// How often a recursive query has named itself; `None` once its check has ended.
    pub(super) self_references: Option<Vec<RelationId>>,
    /// `None` until its check has ended.
    pub(super) common: Option<Common>,
}

/// Where an expression stands, for what may stand there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Clause {
    Items,
    On,
    Where,
    GroupBy,
    Having,
    /// The argument of an aggregate or window function.
    Argument,
    /// A value that an update sets.
    Set,
}

/// Which special functions a SELECT has called.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) aggregates: bool,
    pub(super) windows: bool,
}

const START: Location = Location { line: 1, column: 1 };

impl<'c> Checker<'c> {
    pub(super) fn new(statement: &'c str, catalog: Catalog<'c>) -> Self {
        Self {
            catalog,
            statement,
            part: String::new(),
            near: START,
            depth: 0,
            clause: Clause::Items,
            calls: Calls::default(),
            faults: Vec::new(),
            parameters: Vec::new(),
            seen: BTreeSet::new(),
            relations: Vec::new(),
            commons: Vec::new(),
            highlights: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// Begin another part of the declaration.
    pub(super) fn begin(&mut self, part: String) {
        self.part = part;
        self.near = START;
        self.seen.clear();
    }

    pub(super) fn part(&self) -> &str {
        &self.part
    }

    pub(super) fn clause(&self) -> Clause {
        self.clause
    }

    /// Check something that stands in a clause.
    pub(super) fn within<T>(&mut self, clause: Clause, check: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.clause, clause);
        let checked = check(self);
        self.clause = outer;
        checked
    }

    /// Check a SELECT, and say what it called.
    pub(super) fn own_calls<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::take(&mut self.calls);
        let checked = check(self);
        self.calls = outer;
        checked
    }

    /// Refuse more of something than both databases are known to take.
    pub(super) fn at_most(&mut self, limit: usize, count: usize, what: &str) -> Checked<()> {
        if count <= limit {
            return Ok(());
        }
        self.refuse_here(format!("more than {limit} {what}"))
    }

    /// Run a check one level deeper, or refuse where there is no deeper.
    pub(super) fn deeper<T>(&mut self, check: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        if self.depth == MAX_DEPTH {
            return self.refuse_here("nested too deeply");
        }
        self.depth += 1;
        let checked = check(self);
        self.depth -= 1;
        checked
    }

    /// Remember where the check is. An empty position says nothing.
    pub(super) fn touch(&mut self, at: Location) -> Location {
        if at.line > 0 {
            self.near = at;
        }
        self.near
    }

    pub(super) fn refuse<T>(&mut self, at: Location, reason: impl Into<String>) -> Checked<T> {
        let at = self.touch(at);
        self.fault(self.part.clone(), at, reason.into());
        Err(Refused)
    }

    /// Refuse at the last known place.
    pub(super) fn refuse_here<T>(&mut self, reason: impl Into<String>) -> Checked<T> {
        self.refuse(self.near, reason)
    }

    pub(super) fn fault(&mut self, part: String, at: Location, reason: String) {
        let statement = self.statement.to_owned();
        self.faults.push(Fault { statement, part, line: at.line, column: at.column, reason });
    }

    /// The result of the parser.
    pub(super) fn parsed<T>(&mut self, parsed: Result<T, Refusal>) -> Checked<T> {
        parsed.or_else(|refusal| self.refuse(refusal.at, refusal.reason))
    }

    /// The name in an identifier. The parser lets some strings stand where a name should.
    pub(super) fn name(&mut self, ident: &Ident) -> Checked<String> {
        let at = self.touch(ident.span.start);
        let constant = ["true", "false"].iter().any(|name| ident.value.eq_ignore_ascii_case(name));
        match ident.quote_style {
            // SQLite does not find a column of this name in a sub-select, quoted or not.
            _ if constant => self.refuse(at, format!("{} cannot be a name", ident.value)),
            None | Some('"') => Ok(ident.value.clone()),
            Some(_) => self.refuse(at, "names are quoted with double quotes"),
        }
    }
}

/// All of them, when none was refused. Each has been checked by then, so each fault is known.
pub(super) fn all<T>(checked: Vec<Checked<T>>) -> Checked<Vec<T>> {
    checked.into_iter().collect()
}
