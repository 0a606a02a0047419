//! Groups: what a SELECT with GROUP BY, HAVING or aggregates may refer to.
//!
//! `SQLite` would answer with any row of the group where `PostgreSQL` refuses, so the refusal is
//! ours.

use sqlparser::ast::{self, Expr, GroupByExpr, SelectItem};

use super::check::{Checked, Checker, Clause, all};
use super::position::start;
use super::scope::Scope;
use super::tree::{Expression, Grouped, Grouping, Select};
use super::visit::Descend;

impl Checker<'_> {
    /// The terms of GROUP BY.
    pub(super) fn group_by(
        &mut self,
        select: &ast::Select,
        scope: &Scope<'_>,
    ) -> Checked<Vec<Grouped>> {
        let GroupByExpr::Expressions(terms, _) = &select.group_by else {
            return self.refuse_here("GROUP BY ALL is not allowed");
        };
        let terms = terms
            .iter()
            .map(|term| {
                let term = self.group_term(term, &select.projection, scope);
                let at = start(term);
                let typed =
                    self.within(Clause::GroupBy, |checker| checker.expression(term, scope))?;
                match self.known(&typed) {
                    Some(term_type) if !typed.expression.is_constant() => {
                        self.comparable(term_type, at)?;
                        Ok(Grouped { expression: typed.expression, term_type })
                    }
                    // SQLite would read a number as the place of a column.
                    _ => self.refuse(at, "GROUP BY needs columns"),
                }
            })
            .collect();
        all(terms)
    }

    /// A name that no relation has, but an item, stands for that item's expression.
    fn group_term<'q>(
        &self,
        term: &'q Expr,
        projection: &'q [SelectItem],
        scope: &Scope<'_>,
    ) -> &'q Expr {
        let Expr::Identifier(name) = term else { return term };
        if self.has_column(&name.value, scope) {
            return term;
        }
        let named = projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if alias.value == name.value => Some(expr),
            _ => None,
        });
        named.unwrap_or(term)
    }

    /// How the SELECT at hand makes groups, by what it has called.
    pub(super) fn grouping(
        &mut self,
        group_by: Vec<Grouped>,
        distinct: bool,
        having: bool,
    ) -> Checked<Grouping> {
        let aggregates = self.calls.aggregates;
        let grouped = aggregates || having || !group_by.is_empty();
        if grouped && self.calls.windows {
            return self.refuse_here(
                "a window function is not allowed beside groups; put one of them into a query in FROM",
            );
        }
        if distinct && (grouped || self.calls.windows) {
            return self.refuse_here("DISTINCT is not allowed beside groups or window functions");
        }
        match (group_by.is_empty(), aggregates, having) {
            (false, ..) => Ok(Grouping::By(group_by)),
            (true, _, true) => self.refuse_here("HAVING needs GROUP BY"),
            (true, true, false) => Ok(Grouping::All),
            (true, false, false) => Ok(Grouping::None),
        }
    }

    /// Refuse a column that is neither a term of GROUP BY nor within an aggregate.
    pub(super) fn check_groups<'e>(
        &mut self,
        select: &'e Select,
        items: impl Iterator<Item = &'e Expression>,
        scope: &Scope<'_>,
    ) -> Checked<()> {
        let terms: &[Grouped] = match &select.grouping {
            Grouping::None => return Ok(()),
            Grouping::All => &[],
            Grouping::By(terms) => terms,
        };
        let mut stray = None;
        for expression in items.chain(&select.having) {
            expression.visit(&mut |part| match part {
                part if terms.iter().any(|term| term.expression == *part) => Descend::No,
                Expression::Aggregate(_) => Descend::No,
                Expression::Column(relation, name) if scope.owns(*relation) => {
                    stray.get_or_insert_with(|| name.clone());
                    Descend::No
                }
                _ => Descend::Yes,
            });
        }
        match stray {
            None => Ok(()),
            Some(name) => self.refuse_here(format!(
                "{name} must be in GROUP BY or within an aggregate such as max({name})"
            )),
        }
    }
}
