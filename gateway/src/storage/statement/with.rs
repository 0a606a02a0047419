//! The WITH clause, and queries that name themselves.

use sqlparser::ast::{self, Cte, SetExpr, TableAlias, With};

use super::check::{Checked, Checker, NamedCommon, all};
use super::query::Names;
use super::tree::{
    Body, Common, Grouping, Item, Relation, RelationColumn, RelationId, Select, Source,
};
use super::union::{Draft, repeated};

impl Checker<'_> {
    /// Check the queries of a WITH clause, each of which can name those before it.
    pub(super) fn with(&mut self, with: &With) -> Checked<()> {
        let With { with_token, recursive, cte_tables } = with;
        self.touch(with_token.0.span.start);
        let checked = cte_tables.iter().map(|cte| self.common(cte, *recursive)).collect();
        all::<()>(checked).map(drop)
    }

    fn common(&mut self, cte: &Cte, may_recur: bool) -> Checked<()> {
        let Cte { alias, query, from, materialized, closing_paren_token: _ } = cte;
        let TableAlias { explicit: _, name: ident, columns, at } = alias;
        let name = self.name(ident)?;
        if from.is_some() || materialized.is_some() || at.is_some() {
            return self.refuse(ident.span.start, "only WITH name AS (SELECT …) is allowed");
        }
        let taken = self.commons.iter().any(|known| known.name == name)
            || self.catalog.collections.iter().any(|known| known.name == name);
        if taken {
            return self.refuse(ident.span.start, format!("the name {name} is taken"));
        }
        let (None, body) = self.plain_query(query)? else {
            return self.refuse_here("WITH stands at the beginning of the statement only");
        };
        let columns = columns.iter().map(|column| match column.data_type {
            None => self.name(&column.name),
            Some(_) => self.refuse_here("a type is not allowed here"),
        });
        let columns = all(columns.collect())?;
        match body {
            SetExpr::SetOperation { .. } if may_recur => self.recursive(name, &columns, body),
            _ => self.simple(name, &columns, body),
        }
    }

    fn simple(&mut self, name: String, columns: &[String], body: &SetExpr) -> Checked<()> {
        let body = self.body(body, None, names_for(columns))?;
        let place = self.commons.len();
        let offer = self.offer(Source::Common(place), &body.first.items, columns)?;
        let common = Some(Common { columns: names_of(&offer), body, recursive: false });
        self.commons.push(NamedCommon { name, offer, self_references: None, common });
        Ok(())
    }

    /// `base UNION [ALL] step`, where the step names the query itself. The base has the types.
    fn recursive(&mut self, name: String, columns: &[String], body: &SetExpr) -> Checked<()> {
        let mut arms = self.arms(body)?.into_iter();
        let (_, base) = arms.next().expect("a query has a SELECT");
        let (base, _) = self.select(base, None)?;
        let mut body = self.settle(vec![(true, base)], names_for(columns))?;
        let place = self.commons.len();
        let mut offer = self.offer(Source::Recursion(place), &body.first.items, columns)?;
        // What the steps give is not known yet.
        offer.columns.iter_mut().for_each(|column| column.nullable = true);
        let columns = names_of(&offer);
        let self_references = Some(Vec::new());
        self.commons.push(NamedCommon { name, offer, self_references, common: None });
        for (keeps, step) in arms {
            let step = self.step(step, &body.first.items)?;
            body.rest.push((keeps, step));
        }
        let references = self.commons[place].self_references.take().unwrap_or_default();
        let recursive = self.recursion_is_plain(&references, &body)?;
        self.commons[place].offer.source = Source::Common(place);
        self.commons[place].common = Some(Common { columns, body, recursive });
        Ok(())
    }

    /// A step, its items brought to the types of the base's.
    fn step(&mut self, step: &ast::Select, base: &[Item]) -> Checked<Select> {
        let (Draft { mut select, items, distinct }, _) = self.select(step, None)?;
        if items.len() != base.len() {
            return self.refuse_here("the SELECTs of a UNION differ in their number of columns");
        }
        if distinct {
            return self.refuse_here("DISTINCT is not allowed in a recursive query");
        }
        for (item, base) in items.into_iter().zip(base) {
            let typed = self.coerce(item.typed, base.item_type, item.at)?;
            let item = Item { expression: typed.expression, nullable: true, ..base.clone() };
            select.items.push(item);
        }
        Ok(select)
    }

    /// Whether the query names itself: once, in its second and last SELECT, where both databases
    /// allow it.
    fn recursion_is_plain(&mut self, references: &[RelationId], body: &Body) -> Checked<bool> {
        let reference = match references {
            [] => return Ok(false),
            [reference] => *reference,
            _ => return self.refuse_here("a recursive query may name itself once only"),
        };
        match body.rest.as_slice() {
            [(keeps, step)]
                if step_is_plain(step, reference)
                    && (*keeps || body.first.items.iter().all(Item::is_comparable)) =>
            {
                Ok(true)
            }
            _ => self.refuse_here(
                "a recursive query is one SELECT, UNION or UNION ALL, and one SELECT that names \
                 it in FROM, without groups and window functions",
            ),
        }
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
        let mut columns: Vec<RelationColumn> = items.iter().map(RelationColumn::from).collect();
        for (column, name) in columns.iter_mut().zip(names) {
            column.name.clone_from(name);
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        match repeated(&names) {
            Some(twice) => self.refuse_here(format!("two columns are named {twice}")),
            None => Ok(Relation { source, columns }),
        }
    }
}

/// A list of columns gives the names; else the query does.
fn names_for(columns: &[String]) -> Names {
    if columns.is_empty() { Names::Needed } else { Names::Unused }
}

fn names_of(relation: &Relation) -> Vec<String> {
    relation.columns.iter().map(|column| column.name.clone()).collect()
}

fn step_is_plain(step: &Select, reference: RelationId) -> bool {
    let own = step.from.iter().find(|from| from.relation == reference);
    let joined = own.is_some_and(|from| !from.join.as_ref().is_some_and(|join| join.outer));
    let windows = step.items.iter().any(|item| item.expression.has_window());
    joined && !windows && step.grouping == Grouping::None
}

impl From<&Item> for RelationColumn {
    fn from(item: &Item) -> Self {
        Self {
            name: item.name.clone(),
            physical: None,
            column_type: item.item_type,
            nullable: item.nullable,
            used: true,
            side_table: None,
        }
    }
}
