//! A whole declaration: the select, then the optional conditions and the orders in its scope.

use super::check::{Checked, Checker, Clause, Refused, all};
use super::order::{Order, Sortable};
use super::scope::Scope;
use super::tree::{
    Body, Expression, Grouping, Item, Program, Relation, RelationColumn, RelationId, Source,
};
use super::{Column, Condition, Parameter, Statement, parse};
use crate::manifest::{FieldType, SelectDeclaration};

impl Checker<'_> {
    /// Check all parts of a declaration. Faults are in the checker, also when the rest passed.
    pub(super) fn declaration(&mut self, declaration: &SelectDeclaration) -> Checked<Statement> {
        self.begin("select".to_owned());
        let query = self.parsed(parse::query(&declaration.select))?;
        let (mut body, scope) = self.statement(&query)?;
        let required = self.parameters.len();
        let columns: Vec<Column> = body.first.items.iter().map(Column::from).collect();
        let conditions = self.optional_conditions(&declaration.conditions, scope.as_ref());
        let wrapped = self.wrap(&body);
        let orders = self.orders(declaration, &mut body, scope.as_ref(), wrapped);
        let marked = columns.iter().filter(|column| column.marked_by.is_some()).count();
        self.refuse_hidden_highlights(if body.rest.is_empty() { marked } else { 0 })?;
        let parameters = self.typed_parameters(required);
        let (conditions, orders, parameters) = (conditions?, orders?, parameters?);
        let commons = std::mem::take(&mut self.commons);
        Ok(Statement {
            name: declaration.name.clone(),
            reads: std::mem::take(&mut self.reads),
            program: Program {
                relations: std::mem::take(&mut self.relations),
                commons: commons.into_iter().filter_map(|named| named.common).collect(),
                body,
                wrapped,
                width: columns.len(),
                parameter_types: parameters.iter().map(|known| known.parameter_type).collect(),
            },
            key_types: orders.iter().map(key_types).collect(),
            columns,
            parameters,
            conditions,
            orders,
            unordered: declaration.unordered,
        })
    }

    /// The conditions are added to the WHERE of the statement's SELECT.
    pub(super) fn optional_conditions(
        &mut self,
        conditions: &[String],
        scope: Option<&Scope<'_>>,
    ) -> Checked<Vec<Condition>> {
        let checked = conditions.iter().enumerate().map(|(place, text)| {
            self.begin(format!("where {}", place + 1));
            let Some(scope) = scope else {
                return self.refuse_here(
                    "a UNION takes no conditions; put it into FROM: SELECT … FROM (…) AS name",
                );
            };
            let expr = self.parsed(parse::expression(text))?;
            let filter = self.within(Clause::Where, |checker| checker.condition(&expr, scope))?;
            let parameters = std::mem::take(&mut self.seen).into_iter().collect();
            Ok(Condition { filter, parameters })
        });
        all(checked.collect())
    }

    /// The relation of the body's rows, where orders and cursors need one around it.
    fn wrap(&mut self, body: &Body) -> Option<RelationId> {
        let select = &body.first;
        let plain = body.rest.is_empty()
            && select.grouping == Grouping::None
            && !select.from.is_empty()
            && !select.items.iter().any(|item| item.expression.has_window());
        if plain {
            return None;
        }
        let columns = select.items.iter().map(RelationColumn::from).collect();
        self.relations.push(Relation { source: Source::Result, columns });
        Some(self.relations.len() - 1)
    }

    /// The named orders; where none is named, the tie-break alone, unless the rows have none.
    fn orders(
        &mut self,
        declaration: &SelectDeclaration,
        body: &mut Body,
        scope: Option<&Scope<'static>>,
        wrapped: Option<RelationId>,
    ) -> Checked<Vec<Order>> {
        let items = body.first.items.clone();
        let sortable = match (wrapped, scope) {
            (Some(relation), _) => Sortable::Result { relation, items: &items },
            (None, Some(scope)) => Sortable::Rows { items: &items, scope },
            (None, None) => return self.refuse_here("this query cannot be ordered"),
        };
        if declaration.unordered {
            return Ok(vec![Order::none()]);
        }
        let tie_break = self.tie_break(&sortable, body, scope);
        let checked = declaration.orders().map(|(name, text)| {
            self.begin(format!("order {name}"));
            self.order(name, text, &sortable, &tie_break)
        });
        let mut orders = all(checked.collect())?;
        if orders.is_empty() {
            orders.push(tie_break.complete("", Vec::new()));
        }
        Ok(orders)
    }

    /// Every parameter with its type; one that never met a typed value has none.
    pub(super) fn typed_parameters(&mut self, required: usize) -> Checked<Vec<Parameter>> {
        let slots = std::mem::take(&mut self.parameters);
        let mut parameters = Vec::with_capacity(slots.len());
        let mut untyped = false;
        for (place, slot) in slots.into_iter().enumerate() {
            match slot.parameter_type {
                Some(parameter_type) => parameters.push(Parameter {
                    name: slot.name,
                    parameter_type,
                    required: place < required,
                }),
                None => {
                    untyped = true;
                    let reason = format!("the type of :{} cannot be known", slot.name);
                    self.fault(slot.part, slot.at, reason);
                }
            }
        }
        if untyped { Err(Refused) } else { Ok(parameters) }
    }
}

/// Without keys that tell rows apart there is no cursor.
fn key_types(order: &Order) -> Vec<FieldType> {
    let keys: &[_] = if order.distinct { &order.keys } else { &[] };
    keys.iter().map(|key| key.key_type).collect()
}

impl From<&Item> for Column {
    fn from(item: &Item) -> Self {
        let marked_by = match item.expression {
            Expression::Highlight(_, place) => Some(place),
            _ => None,
        };
        Self { name: item.name.clone(), column_type: item.item_type, marked_by }
    }
}
