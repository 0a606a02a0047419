//! The SELECT: FROM, WHERE, GROUP BY, its items, HAVING, and nothing else.

use sqlparser::ast::{self, Distinct, GroupByExpr, SelectFlavor, SelectItem};

use super::check::{Checked, Checker, Clause, all};
use super::position::start;
use super::scope::Scope;
use super::tree::{Expression, Select};
use super::union::{Draft, DraftItem};

/// The most columns of a SELECT; both databases take more than a thousand.
const MAX_ITEMS: usize = 250;

impl Checker<'_> {
    pub(super) fn select<'o>(
        &mut self,
        select: &ast::Select,
        outer: Option<&'o Scope<'o>>,
    ) -> Checked<(Draft, Scope<'o>)> {
        self.own_calls(|checker| checker.select_with_calls(select, outer))
    }

    fn select_with_calls<'o>(
        &mut self,
        select: &ast::Select,
        outer: Option<&'o Scope<'o>>,
    ) -> Checked<(Draft, Scope<'o>)> {
        let distinct = self.plain_select(select)?;
        let at = select.select_token.0.span.start;
        let mut scope = Scope::new(outer);
        let from = self.from(&select.from, &mut scope)?;
        let filter = select.selection.as_ref();
        let filter = self.optional_condition(filter, Clause::Where, &scope);
        let group_by = self.group_by(select, &scope);
        self.touch(at);
        let items = self.within(Clause::Items, |checker| {
            checker.at_most(MAX_ITEMS, select.projection.len(), "columns in a SELECT")?;
            all(select.projection.iter().map(|item| checker.item(item, &scope)).collect())
        });
        let having = self.optional_condition(select.having.as_ref(), Clause::Having, &scope);
        let (filter, group_by, items, having) = (filter?, group_by?, items?, having?);
        self.touch(at);
        let grouping = self.grouping(group_by, distinct, having.is_some())?;
        let select = Select { items: Vec::new(), from, filter, grouping, having };
        self.check_groups(&select, items.iter().map(|item| &item.typed.expression), &scope)?;
        Ok((Draft { select, items, distinct }, scope))
    }

    /// Refuse all that a SELECT can have besides items, FROM, WHERE, GROUP BY and HAVING. True
    /// when it is DISTINCT.
    fn plain_select(&mut self, select: &ast::Select) -> Checked<bool> {
        let ast::Select {
            select_token,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection: _,
            exclude,
            into,
            from: _,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        self.touch(select_token.0.span.start);
        if into.is_some() {
            return self.refuse_here("INTO is not allowed");
        }
        let more = !optimizer_hints.is_empty()
            || select_modifiers.is_some()
            || top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || matches!(group_by, GroupByExpr::All(_))
            || matches!(group_by, GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty())
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || !named_window.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
            || !matches!(flavor, SelectFlavor::Standard);
        if more {
            return self.refuse_here(
                "only SELECT [DISTINCT] … FROM … WHERE … GROUP BY … HAVING … is allowed",
            );
        }
        match distinct {
            None | Some(Distinct::All) => Ok(false),
            Some(Distinct::Distinct) => Ok(true),
            Some(Distinct::On(_)) => self.refuse_here("DISTINCT ON is not allowed"),
        }
    }

    fn optional_condition(
        &mut self,
        condition: Option<&ast::Expr>,
        clause: Clause,
        scope: &Scope<'_>,
    ) -> Checked<Option<Expression>> {
        let check = |condition| self.within(clause, |checker| checker.condition(condition, scope));
        condition.map(check).transpose()
    }

    fn item(&mut self, item: &SelectItem, scope: &Scope<'_>) -> Checked<DraftItem> {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                let at = options.wildcard_token.0.span.start;
                return self.refuse(at, "name the columns; * is not allowed");
            }
            SelectItem::ExprWithAliases { .. } => {
                return self.refuse_here("a column has one name");
            }
        };
        let at = self.touch(start(expr));
        let typed = self.expression(expr, scope)?;
        let name = match (alias, &typed.expression) {
            (Some(alias), _) => Some(self.name(alias)?),
            (None, Expression::Column(_, name)) => Some(name.clone()),
            (None, _) => None,
        };
        Ok(DraftItem { name, typed, at })
    }
}
