//! Queries: what a statement, a query of the WITH clause and a subquery have in common.
//!
//! All members of the parser's structures are named here and in `select.rs` and `with.rs`, so
//! that one that a new version of the parser adds does not compile before someone has decided
//! about it.

use sqlparser::ast::{
    self, LimitClause, OrderBy, Query, SetExpr, SetOperator, SetQuantifier, With,
};

use super::check::{Checked, Checker, all};
use super::scope::Scope;
use super::tree::Body;

/// The most SELECTs in one UNION; `SQLite` would take 500.
const MAX_ARMS: usize = 50;

/// Whether the columns of a query are seen by their names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Names {
    /// Each column needs one, and no two the same.
    Needed,
    /// They are known by their place.
    Unused,
}

/// What a query can be made of.
#[derive(Debug)]
pub(super) struct Parts<'q> {
    pub(super) with: Option<&'q With>,
    pub(super) body: &'q SetExpr,
    pub(super) order_by: Option<&'q OrderBy>,
    pub(super) limit: Option<&'q LimitClause>,
}

impl Checker<'_> {
    /// Check the statement's query. The scope is that of its SELECT, in which the optional
    /// conditions are checked; `None` when it is a UNION.
    pub(super) fn statement(&mut self, query: &Query) -> Checked<(Body, Option<Scope<'static>>)> {
        let (with, body) = self.plain_query(query)?;
        if let Some(with) = with {
            self.with(with)?;
        }
        if let SetExpr::Select(select) = body {
            let (draft, scope) = self.select(select, None)?;
            return Ok((self.settle(vec![(true, draft)], Names::Needed)?, Some(scope)));
        }
        Ok((self.body(body, None, Names::Needed)?, None))
    }

    /// Check a query that stands within another.
    pub(super) fn subquery(
        &mut self,
        query: &Query,
        outer: Option<&Scope<'_>>,
        names: Names,
    ) -> Checked<Body> {
        let (with, body) = self.plain_query(query)?;
        if with.is_some() {
            return self.refuse_here("WITH stands at the beginning of the statement only");
        }
        self.deeper(|checker| checker.body(body, outer, names))
    }

    /// The WITH clause and the body of a query without an order or a limit.
    pub(super) fn plain_query<'q>(
        &mut self,
        query: &'q Query,
    ) -> Checked<(Option<&'q With>, &'q SetExpr)> {
        let Parts { with, body, order_by, limit } = self.query_parts(query)?;
        if order_by.is_some() {
            return self.refuse_here("ORDER BY belongs into the statement's `order`");
        }
        if limit.is_some() {
            return self.refuse_here("LIMIT and OFFSET belong to the page that a call asks for");
        }
        Ok((with, body))
    }

    /// Take a query apart, and refuse what no query has.
    pub(super) fn query_parts<'q>(&mut self, query: &'q Query) -> Checked<Parts<'q>> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        self.touch_body(body);
        if !locks.is_empty() {
            return self.refuse_here("a select takes no locks");
        }
        let more = fetch.is_some()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty();
        if more {
            return self.refuse_here("only SELECT is allowed");
        }
        let (with, order_by) = (with.as_ref(), order_by.as_ref());
        Ok(Parts { with, body, order_by, limit: limit_clause.as_ref() })
    }

    fn touch_body(&mut self, body: &SetExpr) {
        let mut body = body;
        loop {
            body = match body {
                SetExpr::Select(select) => {
                    self.touch(select.select_token.0.span.start);
                    return;
                }
                SetExpr::SetOperation { left, .. } => left,
                _ => return,
            };
        }
    }

    pub(super) fn body(
        &mut self,
        body: &SetExpr,
        outer: Option<&Scope<'_>>,
        names: Names,
    ) -> Checked<Body> {
        let arms = self.arms(body)?.into_iter();
        let drafts = arms.map(|(keeps, select)| Ok((keeps, self.select(select, outer)?.0)));
        let drafts = all(drafts.collect())?;
        self.settle(drafts, names)
    }

    /// The SELECTs of a UNION, and whether each keeps duplicates. They hang to the left as deep
    /// as the UNION is long, so they are not visited by recursion.
    pub(super) fn arms<'q>(&mut self, body: &'q SetExpr) -> Checked<Vec<(bool, &'q ast::Select)>> {
        let mut arms = Vec::new();
        let mut rest = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = rest {
            let keeps = match (op, set_quantifier) {
                (SetOperator::Union, SetQuantifier::All) => true,
                (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => false,
                _ => return self.refuse_here(format!("{op} is not allowed")),
            };
            arms.push((keeps, self.arm(right)?));
            rest = left;
        }
        arms.push((true, self.arm(rest)?));
        self.at_most(MAX_ARMS, arms.len(), "SELECTs in a UNION")?;
        arms.reverse();
        Ok(arms)
    }

    fn arm<'q>(&mut self, body: &'q SetExpr) -> Checked<&'q ast::Select> {
        match body {
            SetExpr::Select(select) => Ok(select),
            SetExpr::Query(_) => self.refuse_here("a query in parentheses is not allowed here"),
            _ => self.refuse_here("only SELECT is allowed"),
        }
    }
}
