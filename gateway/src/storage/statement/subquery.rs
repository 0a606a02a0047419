//! Subqueries within expressions: EXISTS, IN, and those that give one value.

use sqlparser::ast::{
    self, Expr, LimitClause, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Query, SetExpr,
    Value,
};

use super::check::{Checked, Checker, Clause, all};
use super::position::start;
use super::query::{Names, Parts};
use super::scope::Scope;
use super::tree::{Body, Expression, Grouping, Term};
use super::types::Typed;

impl Checker<'_> {
    pub(super) fn exists(&mut self, query: &Query, scope: &Scope<'_>) -> Checked<Expression> {
        let body = self.inner_query(query, scope)?;
        Ok(Expression::Exists(Box::new(body)))
    }

    pub(super) fn in_query(
        &mut self,
        value: &Expr,
        query: &Query,
        scope: &Scope<'_>,
    ) -> Checked<Expression> {
        let at = start(value);
        let value = self.expression(value, scope);
        let body = self.inner_query(query, scope);
        let (value, body) = (value?, body?);
        let [item] = body.first.items.as_slice() else {
            return self.refuse(at, "IN needs a subquery of one column");
        };
        let value = self.coerce(value, item.item_type, at)?;
        self.comparable(item.item_type, at)?;
        Ok(Expression::InQuery(Box::new(value.expression), Box::new(body)))
    }

    fn inner_query(&mut self, query: &Query, scope: &Scope<'_>) -> Checked<Body> {
        self.no_subquery_in_groups()?;
        self.subquery(query, Some(scope), Names::Unused)
    }

    /// GROUP BY would have to find the subquery again among the items.
    fn no_subquery_in_groups(&mut self) -> Checked<()> {
        match self.clause() {
            Clause::GroupBy => self.refuse_here("a subquery is not allowed in GROUP BY"),
            Clause::Argument => {
                self.refuse_here("a subquery is not allowed in the argument of a function of rows")
            }
            _ => Ok(()),
        }
    }

    /// A subquery that gives one value. `PostgreSQL` fails on a second row where `SQLite` takes
    /// the first, so the form must say which row it is.
    pub(super) fn scalar(&mut self, query: &Query, scope: &Scope<'_>) -> Checked<Typed> {
        self.no_subquery_in_groups()?;
        let Parts { with, body, order_by, limit } = self.query_parts(query)?;
        let SetExpr::Select(select) = body else {
            return self.refuse_here("a subquery that gives a value is one SELECT");
        };
        if with.is_some() {
            return self.refuse_here("WITH stands at the beginning of the statement only");
        }
        let (body, order) = self.deeper(|checker| {
            let (draft, inner) = checker.select(select, Some(scope))?;
            let order = checker.first_in_order(order_by, limit, &inner)?;
            Ok((checker.settle(vec![(true, draft)], Names::Unused)?, order))
        })?;
        match (&body.first.grouping, order.is_empty()) {
            (Grouping::All, true) | (Grouping::None, false) => {}
            _ => {
                return self.refuse_here(
                    "a subquery that gives a value needs an aggregate without GROUP BY, or ORDER \
                     BY … LIMIT 1",
                );
            }
        }
        let [item] = body.first.items.as_slice() else {
            return self.refuse_here("a subquery that gives a value has one column");
        };
        let item_type = item.item_type;
        Ok(Typed::new(Expression::Scalar(Box::new(body), order), item_type))
    }

    /// The order of which the first row counts, with the id as the last term.
    fn first_in_order(
        &mut self,
        order_by: Option<&ast::OrderBy>,
        limit: Option<&LimitClause>,
        scope: &Scope<'_>,
    ) -> Checked<Vec<Term>> {
        let terms = match (order_by, limit) {
            (None, None) => return Ok(Vec::new()),
            (Some(order_by), Some(limit)) if is_one(limit) => self.order_terms(order_by)?,
            _ => return self.refuse_here("only ORDER BY … LIMIT 1 is allowed here"),
        };
        let mut terms = self.terms(terms, scope)?;
        let descending = terms.last().is_some_and(|term| term.descending);
        for id in self.ids(scope).unwrap_or_default() {
            terms.push(Term { expression: id.expression, descending });
        }
        Ok(terms)
    }

    fn order_terms<'q>(&mut self, order_by: &'q ast::OrderBy) -> Checked<&'q [OrderByExpr]> {
        match order_by {
            ast::OrderBy { kind: OrderByKind::Expressions(terms), interpolate: None } => Ok(terms),
            _ => self.refuse_here("ORDER BY needs columns"),
        }
    }

    /// The terms of an ORDER BY within an expression.
    pub(super) fn terms(&mut self, terms: &[OrderByExpr], scope: &Scope<'_>) -> Checked<Vec<Term>> {
        all(terms.iter().map(|term| self.term(term, scope)).collect())
    }

    fn term(&mut self, term: &OrderByExpr, scope: &Scope<'_>) -> Checked<Term> {
        let OrderByExpr { expr, options, with_fill } = term;
        let OrderByOptions { sort, nulls_first } = options;
        let at = self.touch(start(expr));
        let descending = match sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(_) => return self.refuse(at, "only ASC and DESC are allowed"),
        };
        if nulls_first.is_some() || with_fill.is_some() {
            return self.refuse(at, "NULL is the smallest value; only ASC and DESC are allowed");
        }
        let typed = self.within(Clause::Argument, |checker| checker.expression(expr, scope))?;
        match self.known(&typed) {
            Some(known) if !typed.expression.is_constant() => {
                self.comparable(known, at)?;
                Ok(Term { expression: typed.expression, descending })
            }
            _ => self.refuse(at, "ORDER BY needs columns"),
        }
    }
}

fn is_one(limit: &LimitClause) -> bool {
    let LimitClause::LimitOffset { limit: Some(Expr::Value(value)), offset: None, limit_by } =
        limit
    else {
        return false;
    };
    limit_by.is_empty() && matches!(&value.value, Value::Number(digits, false) if digits == "1")
}
