//! Going through the parts of an expression.

use super::tree::{Aggregate, Body, Expression, Grouping, Select, Term, Window};

/// Whether to look into the parts of the expression at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Descend {
    Yes,
    No,
}

type Visitor<'v> = dyn FnMut(&Expression) -> Descend + 'v;

impl Expression {
    /// Whether it is the same in each row by its form.
    pub(super) fn is_constant(&self) -> bool {
        matches!(
            self,
            Self::Null(_)
                | Self::Text(_)
                | Self::Integer(_)
                | Self::Number(_)
                | Self::Boolean(_)
                | Self::Parameter(_)
                | Self::Now
        )
    }

    /// Whether it calls a window function.
    pub(super) fn has_window(&self) -> bool {
        let mut found = false;
        self.visit(&mut |part| {
            found |= matches!(part, Self::Window(_));
            if found { Descend::No } else { Descend::Yes }
        });
        found
    }

    /// Show it and its parts, those in subqueries as well, to a visitor.
    pub(super) fn visit(&self, visitor: &mut Visitor<'_>) {
        if visitor(self) == Descend::No {
            return;
        }
        match self {
            Self::Column(..)
            | Self::Null(_)
            | Self::Text(_)
            | Self::Integer(_)
            | Self::Number(_)
            | Self::Boolean(_)
            | Self::Parameter(_)
            | Self::Cursor(..)
            | Self::Now => {}
            Self::Widen(one)
            | Self::Match(one, _)
            | Self::Rank(one, _)
            | Self::Highlight(one, _)
            | Self::JsonValue(one, _)
            | Self::Not(one)
            | Self::IsNull(one)
            | Self::IsNotNull(one) => one.visit(visitor),
            Self::And(all) | Self::Or(all) | Self::Call(_, all) => visit_all(all, visitor),
            Self::Compare(_, left, right)
            | Self::InTexts(left, right)
            | Self::Arithmetic(_, left, right)
            | Self::Concat(left, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
            Self::CompareRows(_, left, right) => visit_all(left.iter().chain(right), visitor),
            Self::InList(value, list) => {
                value.visit(visitor);
                visit_all(list, visitor);
            }
            Self::InQuery(value, body) => {
                value.visit(visitor);
                visit_body(body, visitor);
            }
            Self::Exists(body) => visit_body(body, visitor),
            Self::Scalar(body, order) => {
                visit_body(body, visitor);
                visit_terms(order, visitor);
            }
            Self::Case(branches, otherwise) => {
                let parts = branches.iter().flat_map(|(condition, result)| [condition, result]);
                visit_all(parts.chain(otherwise.as_deref()), visitor);
            }
            Self::Aggregate(aggregate) => visit_aggregate(aggregate, visitor),
            Self::Window(window) => visit_window(window, visitor),
        }
    }
}

fn visit_all<'e>(all: impl IntoIterator<Item = &'e Expression>, visitor: &mut Visitor<'_>) {
    for expression in all {
        expression.visit(visitor);
    }
}

fn visit_terms(terms: &[Term], visitor: &mut Visitor<'_>) {
    visit_all(terms.iter().map(|term| &term.expression), visitor);
}

fn visit_aggregate(aggregate: &Aggregate, visitor: &mut Visitor<'_>) {
    visit_all(aggregate.argument.iter().chain(&aggregate.filter), visitor);
    visit_terms(&aggregate.order, visitor);
}

fn visit_window(window: &Window, visitor: &mut Visitor<'_>) {
    visit_all(window.arguments.iter().chain(&window.partition), visitor);
    visit_terms(&window.order, visitor);
}

/// The queries in a FROM clause cannot refer to anything outside of them and are left out.
fn visit_body(body: &Body, visitor: &mut Visitor<'_>) {
    body.selects().for_each(|select| visit_select(select, visitor));
}

fn visit_select(select: &Select, visitor: &mut Visitor<'_>) {
    visit_all(select.items.iter().map(|item| &item.expression), visitor);
    let joins = select.from.iter().filter_map(|from| from.join.as_ref());
    visit_all(joins.map(|join| &join.on), visitor);
    visit_all(select.filter.iter().chain(&select.having), visitor);
    if let Grouping::By(terms) = &select.grouping {
        visit_all(terms.iter().map(|term| &term.expression), visitor);
    }
}
