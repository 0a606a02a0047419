//! Orders, and where a page begins.
//!
//! An order is a list of keys that no two rows share: the terms of the manifest and a tie-break
//! in the direction of the last of them. NULL is the smallest value. A page begins behind the
//! row whose keys the cursor holds; [`behind`] says so in conditions that an index can follow.

use sqlparser::ast::Expr;

use super::check::{Checked, Checker, all};
use super::expression::start;
use super::parse;
use super::scope::Scope;
use super::tree::{Body, Comparison, Expression, Grouped, Grouping, Item, RelationId, Select};
use super::types::Typed;
use crate::manifest::FieldType;

/// A named order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) keys: Vec<Key>,
    /// Whether the keys tell any two different rows apart, so that a cursor can be made of them.
    pub(super) distinct: bool,
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
    pub(super) fn tie_break(&mut self, sortable: &Sortable<'_>, body: &mut Body) -> TieBreak {
        let ids = match sortable {
            Sortable::Rows { scope, .. } => self.ids(scope),
            Sortable::Result { .. } => None,
        };
        match (ids, sortable, &body.first.grouping) {
            (Some(keys), ..) => TieBreak { keys, distinct: true },
            // One row needs nothing.
            (None, Sortable::Result { .. }, Grouping::All) if body.rest.is_empty() => {
                TieBreak { keys: Vec::new(), distinct: false }
            }
            (None, Sortable::Result { relation, .. }, Grouping::By(_)) if body.rest.is_empty() => {
                TieBreak { keys: self.group_keys(*relation, &mut body.first), distinct: true }
            }
            _ => {
                let items = sortable.items().iter();
                let keys: Vec<&Item> = items.filter(|item| item.comparable()).collect();
                let distinct = keys.len() == sortable.items().len();
                let keys = keys.into_iter().map(|item| sortable.value(item)).collect();
                TieBreak { keys, distinct }
            }
        }
    }

    /// The terms of the groups, as hidden items where they are none yet.
    fn group_keys(&mut self, relation: RelationId, select: &mut Select) -> Vec<Typed> {
        let Grouping::By(terms) = &select.grouping else { return Vec::new() };
        let mut keys = Vec::with_capacity(terms.len());
        for (place, Grouped { expression, term_type }) in terms.iter().enumerate() {
            let item = select.items.iter().find(|item| item.expression == *expression);
            let item = item.cloned().unwrap_or_else(|| {
                // Not a name that a plugin can write.
                let name = format!("#g{place}");
                let (expression, item_type) = (expression.clone(), *term_type);
                let item = Item { name, expression, item_type, nullable: true };
                select.items.push(item.clone());
                item
            });
            keys.push(result_column(relation, &item));
        }
        keys
    }
}

impl Sortable<'_> {
    fn items(&self) -> &[Item] {
        match self {
            Self::Rows { items, .. } | Self::Result { items, .. } => items,
        }
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
