//! Orders, and where a page begins.
//!
//! An order is a list of keys that no two rows share: the terms of the manifest and a tie-break
//! in the direction of the last of them. NULL is the smallest value. A page begins behind the
//! row whose keys the cursor holds; [`behind`] says so in conditions that an index can follow.

use sqlparser::ast::Expr;

use super::check::{Checked, Checker, all};
use super::parse;
use super::position::start;
use super::scope::Scope;
use super::tree::{Body, Comparison, Expression, FromItem, Grouping, Item, RelationId, Select};
use super::types::Typed;
use super::visit::Descend;
use crate::manifest::FieldType;

/// A named order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) keys: Vec<Key>,
    /// Whether the keys tell any two different rows apart, so that a cursor can be made of them.
    pub(super) distinct: bool,
}

impl Order {
    /// Rows as they come.
    pub(super) fn none() -> Self {
        Self { name: String::new(), keys: Vec::new(), distinct: false }
    }
}

/// One term of an order.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) expression: Expression,
    pub(super) key_type: FieldType,
    pub(super) descending: bool,
    pub(super) nullable: bool,
}

/// What orders of a statement can be made of.
#[derive(Debug)]
pub(super) enum Sortable<'s> {
    /// The columns of the SELECT itself, and all that its FROM offers.
    Rows { items: &'s [Item], scope: &'s Scope<'static> },
    /// The columns of the result, which the query gives as a whole.
    Result { relation: RelationId, items: &'s [Item] },
}

/// What tells two rows apart.
#[derive(Debug)]
pub(super) struct TieBreak {
    keys: Vec<Typed>,
    distinct: bool,
}

impl Checker<'_> {
    /// Check a named order and make its keys distinct for each row.
    pub(super) fn order(
        &mut self,
        name: &str,
        text: &str,
        sortable: &Sortable<'_>,
        tie_break: &TieBreak,
    ) -> Checked<Order> {
        let terms = self.parsed(parse::order_terms(text))?;
        let keys = terms.iter().map(|(term, descending)| self.key(term, *descending, sortable));
        Ok(tie_break.complete(name, all(keys.collect())?))
    }

    fn key(&mut self, term: &Expr, descending: bool, sortable: &Sortable<'_>) -> Checked<Key> {
        let at = start(term);
        let typed = self.sorted_by(term, sortable)?;
        let Typed { expression, value_type: Some(key_type), nullable } = typed else {
            return self.refuse(at, "the type of this cannot be known");
        };
        self.comparable(key_type, at)?;
        if expression.is_constant() {
            // SQLite would read a number as the place of a column.
            return self.refuse(at, "this column is the same in each row");
        }
        Ok(Key { expression, key_type, descending, nullable })
    }

    /// A column of the result, else one that FROM offers.
    fn sorted_by(&mut self, term: &Expr, sortable: &Sortable<'_>) -> Checked<Typed> {
        let path = match term {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(path) => path.as_slice(),
            _ => return self.refuse(start(term), "an order takes names of columns only"),
        };
        if let [ident] = path {
            let name = self.name(ident)?;
            if let Some(item) = sortable.items().iter().find(|item| item.name == name) {
                return Ok(sortable.value(item));
            }
        }
        match sortable {
            Sortable::Rows { scope, .. } => self.column(path, scope),
            Sortable::Result { .. } => {
                self.refuse(start(term), "an order of this statement takes columns of its result")
            }
        }
    }

    /// What tells two rows apart: the documents' ids, the terms of the groups, or all columns.
    pub(super) fn tie_break(
        &mut self,
        sortable: &Sortable<'_>,
        body: &mut Body,
        scope: Option<&Scope<'_>>,
    ) -> TieBreak {
        let select = &mut body.first;
        let ids = scope.and_then(|scope| self.ids(scope));
        match (sortable, &select.grouping, ids) {
            (Sortable::Rows { .. }, _, Some(keys)) => TieBreak { keys, distinct: true },
            (Sortable::Result { relation, .. }, Grouping::None, Some(ids))
                if !select.from.is_empty() =>
            {
                TieBreak { keys: hidden_keys(*relation, select, ids), distinct: true }
            }
            (Sortable::Result { relation, .. }, Grouping::By(terms), _) if body.rest.is_empty() => {
                let terms =
                    terms.iter().map(|term| Typed::new(term.expression.clone(), term.term_type));
                let terms = terms.collect();
                TieBreak { keys: hidden_keys(*relation, select, terms), distinct: true }
            }
            // One row needs nothing.
            (Sortable::Result { .. }, Grouping::All, _) if body.rest.is_empty() => {
                TieBreak { keys: Vec::new(), distinct: false }
            }
            _ => all_columns(sortable, &select.from),
        }
    }
}

/// All columns together; rows that are equal in all of them count as one where a page ends. What is
/// worked out of the others says nothing new, and would be worked out again to be a key.
fn all_columns(sortable: &Sortable<'_>, from: &[FromItem]) -> TieBreak {
    let items = sortable.items().iter();
    let telling: Vec<&Item> =
        items.filter(|item| !sortable.follows_from_others(item, from)).collect();
    let keys: Vec<&Item> = telling.iter().copied().filter(|item| item.is_comparable()).collect();
    let distinct = keys.len() == telling.len();
    TieBreak { keys: keys.into_iter().map(|item| sortable.value(item)).collect(), distinct }
}

/// Values of a SELECT as columns of its result: as hidden items where they are none yet.
fn hidden_keys(relation: RelationId, select: &mut Select, values: Vec<Typed>) -> Vec<Typed> {
    let mut keys = Vec::with_capacity(values.len());
    for (place, value) in values.into_iter().enumerate() {
        let Typed { expression, value_type: Some(item_type), nullable } = value else { continue };
        let item = select.items.iter().find(|item| item.expression == expression).cloned();
        let item = item.unwrap_or_else(|| {
            // Not a name that a plugin can write.
            let item = Item { name: format!("#g{place}"), expression, item_type, nullable };
            select.items.push(item.clone());
            item
        });
        keys.push(result_column(relation, &item));
    }
    keys
}

impl Sortable<'_> {
    fn items(&self) -> &[Item] {
        match self {
            Self::Rows { items, .. } | Self::Result { items, .. } => items,
        }
    }

    /// Whether an item is no column itself, and all columns of FROM that it is worked out of are
    /// keys.
    fn follows_from_others(&self, item: &Item, from: &[FromItem]) -> bool {
        let Self::Rows { items, .. } = self else { return false };
        let mut follows = !matches!(item.expression, Expression::Column(..));
        item.expression.visit(&mut |part| {
            if let Expression::Column(relation, _) = part {
                let outer = from.iter().any(|from| from.relation == *relation);
                let is_key = |other: &Item| other.expression == *part && other.is_comparable();
                let known = items.iter().any(is_key);
                follows &= !outer || known;
            }
            Descend::Yes
        });
        follows
    }

    fn value(&self, item: &Item) -> Typed {
        match self {
            Self::Rows { .. } => Typed {
                expression: item.expression.clone(),
                value_type: Some(item.item_type),
                nullable: item.nullable,
            },
            Self::Result { relation, .. } => result_column(*relation, item),
        }
    }
}

fn result_column(relation: RelationId, item: &Item) -> Typed {
    Typed {
        expression: Expression::Column(relation, item.name.clone()),
        value_type: Some(item.item_type),
        nullable: item.nullable,
    }
}

impl TieBreak {
    /// Add to the keys of an order, in the direction of the last, what tells rows apart.
    pub(super) fn complete(&self, name: &str, mut keys: Vec<Key>) -> Order {
        let descending = keys.last().is_some_and(|key| key.descending);
        for Typed { expression, value_type, nullable } in &self.keys {
            let known =
                expression.is_constant() || keys.iter().any(|key| key.expression == *expression);
            if let (Some(key_type), false) = (*value_type, known) {
                let (expression, nullable) = (expression.clone(), *nullable);
                keys.push(Key { expression, key_type, descending, nullable });
            }
        }
        Order { name: name.to_owned(), distinct: self.distinct && !keys.is_empty(), keys }
    }
}

/// The rows behind a cursor, as disjoint conditions; together they are all of them. `nulls` says
/// of each of the cursor's values whether it is NULL.
///
/// They are several because a range of an index does not include its NULLs: read one after
/// another, each is one range.
pub(super) fn behind(keys: &[Key], nulls: &[bool]) -> Vec<Expression> {
    let null = |place: usize| nulls.get(place).copied().unwrap_or(false);
    let mut range: Option<Expression> = None;
    let mut others: Vec<Expression> = Vec::new();
    for (place, key) in keys.iter().enumerate().rev() {
        let equal = key.equal(place, null(place));
        others = others.into_iter().map(|other| and(equal.clone(), other)).collect();
        if null(place) {
            range = range.map(|range| and(equal, range));
            if !key.descending {
                others.push(Expression::IsNotNull(Box::new(key.expression.clone())));
            }
            continue;
        }
        range = Some(key.range(place, range));
        if key.descending && key.nullable {
            others.push(Expression::IsNull(Box::new(key.expression.clone())));
        }
    }
    let row = row_comparison(keys, (0..keys.len()).any(null));
    let conditions: Vec<Expression> = row.or(range).into_iter().chain(others).collect();
    if conditions.is_empty() { vec![Expression::Boolean(false)] } else { conditions }
}

/// `(a, b) < (x, y)`, the form that both databases follow best, where all keys go one way. It
/// leaves out NULLs, just as the range does.
fn row_comparison(keys: &[Key], any_null: bool) -> Option<Expression> {
    let descending = keys.first()?.descending;
    if keys.len() < 2 || any_null || keys.iter().any(|key| key.descending != descending) {
        return None;
    }
    let columns = keys.iter().map(|key| key.expression.clone()).collect();
    let cursor = keys.iter().enumerate().map(|(place, key)| key.cursor(place)).collect();
    Some(Expression::CompareRows(beyond(descending), columns, cursor))
}

impl Key {
    fn cursor(&self, place: usize) -> Expression {
        Expression::Cursor(place, self.key_type)
    }

    fn compare(&self, comparison: Comparison, place: usize) -> Expression {
        let column = Box::new(self.expression.clone());
        Expression::Compare(comparison, column, Box::new(self.cursor(place)))
    }

    fn equal(&self, place: usize, null: bool) -> Expression {
        if null {
            Expression::IsNull(Box::new(self.expression.clone()))
        } else {
            self.compare(Comparison::Equal, place)
        }
    }

    /// Beyond the cursor in this key, or equal in it and in the range of the keys behind it:
    /// `a <= x AND (a < x OR …)`, whose first half bounds the scan.
    fn range(&self, place: usize, rest: Option<Expression>) -> Expression {
        let beyond_it = self.compare(beyond(self.descending), place);
        let Some(rest) = rest else { return beyond_it };
        let bound =
            if self.descending { Comparison::LessOrEqual } else { Comparison::GreaterOrEqual };
        and(self.compare(bound, place), Expression::Or(vec![beyond_it, rest]))
    }
}

fn beyond(descending: bool) -> Comparison {
    if descending { Comparison::Less } else { Comparison::Greater }
}

fn and(one: Expression, other: Expression) -> Expression {
    Expression::And(vec![one, other])
}
