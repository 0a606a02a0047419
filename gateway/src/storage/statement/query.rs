//! Queries: the WITH clause, UNION, and the SELECT itself.
//!
//! All members of the parser's structures are named here, so that one that a new version of the
//! parser adds does not compile before someone has decided about it.

use sqlparser::ast::{
    self, Cte, Distinct, GroupByExpr, Query, SelectFlavor, SelectItem, SetExpr, SetOperator,
    SetQuantifier, TableAlias, With,
};
use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, Clause, NamedCommon, all};
use super::expression::start;
use super::scope::Scope;
use super::tree::{
    Body, Common, Expression, Grouped, Grouping, Item, Relation, RelationColumn, RelationId,
    Select, Source,
};
use super::types::Typed;
use crate::manifest::FieldType;

/// A SELECT whose items are not yet brought to the types of those beside it in a UNION.
#[derive(Debug)]
pub(super) struct Draft {
    select: Select,
    items: Vec<DraftItem>,
    distinct: bool,
}

#[derive(Debug)]
struct DraftItem {
    /// `None` for an expression without a name.
    name: Option<String>,
    typed: Typed,
    at: Location,
}

/// Whether the columns of a query are seen by their names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Names {
    /// Each column needs one, and no two the same.
    Needed,
    /// They are known by their place.
    Unused,
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
    fn plain_query<'q>(&mut self, query: &'q Query) -> Checked<(Option<&'q With>, &'q SetExpr)> {
        let (with, body, order_by, limit) = self.query_parts(query)?;
        if order_by.is_some() {
            return self.refuse_here("ORDER BY belongs into the statement's `order`");
        }
        if limit.is_some() {
            return self.refuse_here("LIMIT and OFFSET belong to the page that a call asks for");
        }
        Ok((with, body))
    }

    /// The parts of a query that any query may have.
    #[expect(clippy::type_complexity, reason = "four borrowed parts, taken apart at once")]
    pub(super) fn query_parts<'q>(
        &mut self,
        query: &'q Query,
    ) -> Checked<(
        Option<&'q With>,
        &'q SetExpr,
        Option<&'q ast::OrderBy>,
        Option<&'q ast::LimitClause>,
    )> {
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
        Ok((with.as_ref(), body, order_by.as_ref(), limit_clause.as_ref()))
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

    fn body(&mut self, body: &SetExpr, outer: Option<&Scope<'_>>, names: Names) -> Checked<Body> {
        let arms = self.arms(body)?;
        let drafts = arms
            .into_iter()
            .map(|(keeps, select)| Ok((keeps, self.select(select, outer)?.0)))
            .collect();
        let drafts = all(drafts)?;
        self.settle(drafts, names)
    }

    /// The SELECTs of a UNION, and whether each keeps duplicates. They hang to the left as deep
    /// as the UNION is long, so they are not visited by recursion.
    fn arms<'q>(&mut self, body: &'q SetExpr) -> Checked<Vec<(bool, &'q ast::Select)>> {
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

/// The WITH clause.
impl Checker<'_> {
    fn with(&mut self, with: &With) -> Checked<()> {
        let With { with_token, recursive, cte_tables } = with;
        self.touch(with_token.0.span.start);
        let checked = cte_tables.iter().map(|cte| self.common(cte, *recursive)).collect();
        all::<()>(checked).map(drop)
    }

    fn common(&mut self, cte: &Cte, may_recur: bool) -> Checked<()> {
        let Cte { alias, query, from, materialized, closing_paren_token: _ } = cte;
        let TableAlias { explicit: _, name, columns, at } = alias;
        let ident = name;
        let name = self.name(ident)?;
        if from.is_some() || materialized.is_some() || at.is_some() {
            return self.refuse(ident.span.start, "only WITH name AS (SELECT …) is allowed");
        }
        let taken = self.commons.iter().any(|known| known.name == name)
            || self.collections.iter().any(|known| known.name == name);
        if taken {
            return self.refuse(ident.span.start, format!("the name {name} is taken"));
        }
        let (None, body) = self.plain_query(query)? else {
            return self.refuse_here("WITH stands at the beginning of the statement only");
        };
        let names = columns.iter().map(|column| match column.data_type {
            None => self.name(&column.name),
            Some(_) => self.refuse_here("a type is not allowed here"),
        });
        let names = all(names.collect())?;
        let recursive = may_recur && matches!(body, SetExpr::SetOperation { .. });
        if recursive { self.recursive(name, &names, body) } else { self.simple(name, &names, body) }
    }

    fn simple(&mut self, name: String, columns: &[String], body: &SetExpr) -> Checked<()> {
        let needed = if columns.is_empty() { Names::Needed } else { Names::Unused };
        let body = self.body(body, None, needed)?;
        let place = self.commons.len();
        let offer = self.offer(Source::Common(place), &body.first.items, columns)?;
        let columns = names(&offer);
        let common = Some(Common { columns, body, recursive: false });
        self.commons.push(NamedCommon { name, offer, self_references: None, common });
        Ok(())
    }

    /// `base UNION [ALL] step`, where the step names the query itself. The base has the types.
    fn recursive(&mut self, name: String, columns: &[String], body: &SetExpr) -> Checked<()> {
        let arms = self.arms(body)?;
        let (base, steps) = arms.split_first().expect("a query has a SELECT");
        let needed = if columns.is_empty() { Names::Needed } else { Names::Unused };
        let (base, _) = self.select(base.1, None)?;
        let base = self.settle(vec![(true, base)], needed)?;
        let place = self.commons.len();
        let offer = self.offer(Source::Recursion(place), &base.first.items, columns)?;
        let columns = names(&offer);
        let self_references = Some(Vec::new());
        self.commons.push(NamedCommon { name, offer, self_references, common: None });
        let mut body = base;
        for (keeps, step) in steps {
            let (draft, _) = self.select(step, None)?;
            let select = self.step(draft, &body.first.items)?;
            body.rest.push((*keeps, select));
        }
        let recursive = self.recursion_is_plain(place, &body)?;
        self.commons[place].offer.source = Source::Common(place);
        self.commons[place].common = Some(Common { columns, body, recursive });
        Ok(())
    }

    /// Give a step's items the types of the base's.
    fn step(&mut self, draft: Draft, base: &[Item]) -> Checked<Select> {
        let Draft { mut select, items, distinct } = draft;
        if items.len() != base.len() {
            return self.refuse_here("the SELECTs of a UNION differ in their number of columns");
        }
        for (item, base) in items.into_iter().zip(base) {
            let typed = self.coerce(item.typed, base.item_type, item.at)?;
            select.items.push(Item {
                name: base.name.clone(),
                expression: typed.expression,
                item_type: base.item_type,
                nullable: true,
            });
        }
        if distinct {
            return self.refuse_here("DISTINCT is not allowed in a recursive query");
        }
        Ok(select)
    }

    /// Whether the query names itself: once, in its second and last SELECT, where both databases
    /// allow it.
    fn recursion_is_plain(&mut self, place: usize, body: &Body) -> Checked<bool> {
        let references = self.commons[place].self_references.take().unwrap_or_default();
        let [reference] = references.as_slice() else {
            return match references.len() {
                0 => Ok(false),
                _ => self.refuse_here("a recursive query may name itself once only"),
            };
        };
        let plain = match body.rest.as_slice() {
            [(keeps, step)] => {
                let own = step.from.iter().find(|from| from.relation == *reference);
                let joined = own.is_some_and(|from| !from.join.as_ref().is_some_and(|j| j.outer));
                let comparable = *keeps || body.first.items.iter().all(|item| item.comparable());
                joined && comparable && step.grouping == Grouping::None
            }
            _ => false,
        };
        if plain {
            return Ok(true);
        }
        self.refuse_here(
            "a recursive query is one SELECT, UNION or UNION ALL, and one SELECT that names it in \
             FROM and makes no groups",
        )
    }

    /// What a query offers to those who name it.
    pub(super) fn offer(
        &mut self,
        source: Source,
        items: &[Item],
        names: &[String],
    ) -> Checked<Relation> {
        if !names.is_empty() && names.len() != items.len() {
            return self.refuse_here("this list of columns differs in length from the SELECT's");
        }
        let mut columns: Vec<RelationColumn> = items.iter().map(offered).collect();
        for (column, name) in columns.iter_mut().zip(names) {
            column.name.clone_from(name);
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        if let Some(twice) = repeated(&names) {
            return self.refuse_here(format!("two columns are named {twice}"));
        }
        Ok(Relation { source, columns })
    }
}

/// The SELECT.
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
        let mut scope = Scope::new(outer);
        let from = self.from(&select.from, &mut scope)?;
        let filter = select.selection.as_ref();
        let filter = self.optional_condition(filter, Clause::Where, &scope);
        let group_by = self.group_by(select, &scope);
        let items = self.within(Clause::Items, |checker| {
            all(select.projection.iter().map(|item| checker.item(item, &scope)).collect())
        });
        let having = self.optional_condition(select.having.as_ref(), Clause::Having, &scope);
        let (filter, group_by, items, having) = (filter?, group_by?, items?, having?);
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
            SelectItem::Wildcard(options) => {
                let at = options.wildcard_token.0.span.start;
                return self.refuse(at, "name the columns; * is not allowed");
            }
            _ => return self.refuse_here("name the columns; * is not allowed"),
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

/// Bringing the SELECTs of a UNION together.
impl Checker<'_> {
    pub(super) fn settle(&mut self, drafts: Vec<(bool, Draft)>, names: Names) -> Checked<Body> {
        let mut drafts = drafts;
        let (_, first) = drafts.first().expect("a query has a SELECT");
        let width = first.items.len();
        if drafts.iter().any(|(_, draft)| draft.items.len() != width) {
            return self.refuse_here("the SELECTs of a UNION differ in their number of columns");
        }
        let column_names = self.column_names(&first.items, names)?;
        let distinct_union = drafts.iter().skip(1).any(|(keeps, _)| !keeps);
        for (place, name) in column_names.into_iter().enumerate() {
            self.settle_column(&mut drafts, place, &name, distinct_union)?;
        }
        let selects =
            drafts.into_iter().map(|(keeps, draft)| Ok((keeps, self.finish(draft)?))).collect();
        let mut selects = all(selects)?.into_iter();
        let (_, first) = selects.next().expect("a query has a SELECT");
        Ok(Body { first, rest: selects.collect() })
    }

    fn column_names(&mut self, items: &[DraftItem], names: Names) -> Checked<Vec<String>> {
        let given = items.iter().enumerate().map(|(place, item)| match (&item.name, names) {
            (Some(name), _) => Ok(name.clone()),
            // Not a name that a plugin can write, so it hides none.
            (None, Names::Unused) => Ok(format!("#{place}")),
            (None, Names::Needed) => {
                self.refuse(item.at, "this column needs a name: add AS and one")
            }
        });
        let given = all(given.collect())?;
        let texts: Vec<&str> = given.iter().map(String::as_str).collect();
        match repeated(&texts) {
            Some(twice) if names == Names::Needed => {
                self.refuse_here(format!("two columns are named {twice}"))
            }
            _ => Ok(given),
        }
    }

    /// Bring one column of all SELECTs to one type.
    fn settle_column(
        &mut self,
        drafts: &mut [(bool, Draft)],
        place: usize,
        name: &str,
        distinct: bool,
    ) -> Checked<()> {
        let at = drafts[0].1.items[place].at;
        let values = drafts.iter().map(|(_, draft)| draft.items[place].typed.clone()).collect();
        let (values, item_type) = self.unify(values, at)?;
        if distinct {
            self.comparable(item_type, at)?;
        }
        let nullable = values.iter().any(|value| value.nullable);
        for ((_, draft), Typed { expression, .. }) in drafts.iter_mut().zip(values) {
            let name = name.to_owned();
            draft.select.items.push(Item { name, expression, item_type, nullable });
        }
        Ok(())
    }

    /// DISTINCT becomes GROUP BY all columns: `SQLite` does not look into a DISTINCT sub-select.
    fn finish(&mut self, draft: Draft) -> Checked<Select> {
        let Draft { mut select, items, distinct } = draft;
        if distinct {
            for (item, DraftItem { at, .. }) in select.items.iter().zip(&items) {
                self.comparable(item.item_type, *at)?;
            }
            let items = select.items.iter().filter(|item| !item.expression.is_constant());
            let terms: Vec<Grouped> = items.map(Grouped::from).collect();
            if terms.is_empty() {
                return self.refuse_here("DISTINCT needs a column that is not constant");
            }
            select.grouping = Grouping::By(terms);
        }
        Ok(select)
    }
}

impl From<&Item> for Grouped {
    fn from(item: &Item) -> Self {
        Self { expression: item.expression.clone(), term_type: item.item_type }
    }
}

impl Item {
    /// Whether its values have an order.
    pub(super) fn comparable(&self) -> bool {
        !matches!(self.item_type, FieldType::Json | FieldType::Texts)
    }
}

pub(super) fn offered(item: &Item) -> RelationColumn {
    RelationColumn {
        name: item.name.clone(),
        physical: None,
        column_type: item.item_type,
        nullable: item.nullable,
        used: true,
    }
}

fn names(relation: &Relation) -> Vec<String> {
    relation.columns.iter().map(|column| column.name.clone()).collect()
}

/// A name that is there twice. `SQLite` takes names that differ only in case for the same.
fn repeated<'n>(names: &[&'n str]) -> Option<&'n str> {
    let is_repeated = |(place, name): &(usize, &&str)| {
        names[..*place].iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    names.iter().enumerate().find(is_repeated).map(|(_, name)| *name)
}
