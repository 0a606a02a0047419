//! Aggregates and window functions.

use sqlparser::ast::{Expr, Value, WindowSpec};
use sqlparser::tokenizer::Location;

use super::call::Call;
use super::check::{Checked, Checker, Clause, all};
use super::functions::{AggregateFunction, WindowFunction};
use super::position::start;
use super::scope::Scope;
use super::tree::{Aggregate, Expression, Window};
use super::types::Typed;
use super::visit::Descend;
use crate::manifest::FieldType;

impl Checker<'_> {
    pub(super) fn aggregate(
        &mut self,
        name: AggregateName,
        call: &Call<'_>,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        if !matches!(self.clause(), Clause::Items | Clause::Having) {
            return self.refuse(call.at, format!("{} is not allowed here", call.name));
        }
        self.calls.aggregates = true;
        let (function, argument, result) =
            self.within(Clause::Argument, |checker| checker.aggregated(name, call, scope))?;
        let filter = call.filter.map(|filter| {
            self.within(Clause::Argument, |checker| checker.condition(filter, scope))
        });
        let filter = filter.transpose()?;
        let order = self.terms(call.order, scope)?;
        if (function == AggregateFunction::JsonArray) == order.is_empty() {
            return self.refuse(
                call.at,
                "ORDER BY belongs into json_array_agg, and into no other aggregate: without it \
                 the order would be chance",
            );
        }
        let counts =
            matches!(function, AggregateFunction::Count | AggregateFunction::CountDistinct);
        let nullable = !counts && function != AggregateFunction::JsonArray;
        let aggregate = Aggregate { function, argument, filter, order };
        let expression = Expression::Aggregate(Box::new(aggregate));
        self.own_columns_only(&expression, call.at, scope)?;
        Ok(Typed { expression, value_type: Some(result), nullable })
    }

    /// An aggregate over columns of an outer query would belong to that one.
    fn own_columns_only(
        &mut self,
        aggregate: &Expression,
        at: Location,
        scope: &Scope<'_>,
    ) -> Checked<()> {
        let mut own = true;
        aggregate.visit(&mut |part| {
            own &= !matches!(part, Expression::Column(relation, _) if !scope.owns(*relation));
            Descend::Yes
        });
        if own {
            Ok(())
        } else {
            self.refuse(at, "an aggregate takes columns of its own SELECT only")
        }
    }

    /// The function that a name means for its argument, and the type of its result.
    fn aggregated(
        &mut self,
        name: AggregateName,
        call: &Call<'_>,
        scope: &Scope<'_>,
    ) -> Checked<(AggregateFunction, Option<Expression>, FieldType)> {
        if call.star && name == AggregateName::Count && !call.distinct {
            return Ok((AggregateFunction::Count, None, FieldType::Integer));
        }
        let [argument] = call.arguments.as_slice() else {
            return self.refuse(call.at, format!("{} takes 1 argument", call.name));
        };
        if call.distinct && name != AggregateName::Count {
            return self.refuse(call.at, "DISTINCT is allowed in count only");
        }
        let at = start(argument);
        let typed = self.expression(argument, scope)?;
        let Some(known) = self.known(&typed) else {
            return self.refuse(at, "the type of this cannot be known");
        };
        let expression = typed.expression;
        if name == AggregateName::JsonArray {
            let value = Expression::JsonValue(Box::new(expression), known);
            return Ok((AggregateFunction::JsonArray, Some(value), FieldType::Json));
        }
        if call.distinct {
            self.comparable(known, at)?;
            return Ok((AggregateFunction::CountDistinct, Some(expression), FieldType::Integer));
        }
        match of_type(name, known) {
            Some((function, result)) => Ok((function, Some(expression), result)),
            None => self.refuse(at, format!("{} is not defined for {}", call.name, known.name())),
        }
    }

    pub(super) fn window(
        &mut self,
        call: &Call<'_>,
        spec: &WindowSpec,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        if self.clause() != Clause::Items {
            let reason = "a window function is allowed among the columns of a SELECT only";
            return self.refuse(call.at, reason);
        }
        self.calls.windows = true;
        let WindowSpec { window_name: None, partition_by, order_by, window_frame: None } = spec
        else {
            return self.refuse(call.at, "only PARTITION BY and ORDER BY are allowed in a window");
        };
        if call.distinct || call.filter.is_some() || !call.order.is_empty() {
            return self.refuse(call.at, format!("{} takes values only", call.name));
        }
        let (function, arguments, result) =
            self.within(Clause::Argument, |checker| checker.windowed(call, scope))?;
        let partition = self.within(Clause::Argument, |checker| {
            all(partition_by.iter().map(|term| checker.partition(term, scope)).collect())
        })?;
        let order = self.terms(order_by, scope)?;
        let by_place = !matches!(function, WindowFunction::Aggregate(_));
        if by_place && order.is_empty() {
            return self.refuse(call.at, format!("{} needs ORDER BY in its window", call.name));
        }
        let window = Window { function, arguments, partition, order };
        Ok(Typed::new(Expression::Window(Box::new(window)), result))
    }

    fn partition(&mut self, term: &Expr, scope: &Scope<'_>) -> Checked<Expression> {
        let typed = self.expression(term, scope)?;
        match self.known(&typed) {
            Some(known) if !typed.expression.is_constant() => {
                self.comparable(known, start(term))?;
                Ok(typed.expression)
            }
            _ => self.refuse(start(term), "PARTITION BY needs columns"),
        }
    }

    fn windowed(
        &mut self,
        call: &Call<'_>,
        scope: &Scope<'_>,
    ) -> Checked<(WindowFunction, Vec<Expression>, FieldType)> {
        if let Some(name) = aggregate_name(call) {
            let (function, argument, result) = self.aggregated(name, call, scope)?;
            if function == AggregateFunction::JsonArray {
                return self.refuse(call.at, "json_array_agg is not allowed with OVER");
            }
            let function = WindowFunction::Aggregate(function);
            return Ok((function, argument.into_iter().collect(), result));
        }
        match (window_name(&call.name), call.arguments.as_slice(), call.star) {
            (Some(WindowName::Plain(function)), [], false) => {
                Ok((function, Vec::new(), FieldType::Integer))
            }
            (Some(WindowName::OfValue(function)), [value, offset @ ..], false) => {
                let function = match offset {
                    [] => function(1),
                    [offset] => function(self.offset(offset)?),
                    _ => return self.refuse(call.at, "a default is not allowed; use coalesce"),
                };
                let typed = self.expression(value, scope)?;
                match self.known(&typed) {
                    Some(known) => Ok((function, vec![typed.expression], known)),
                    None => self.refuse(call.at, "the type of this cannot be known"),
                }
            }
            (Some(_), ..) => self.refuse(call.at, format!("{} has other arguments", call.name)),
            (None, ..) => self.refuse(call.at, format!("{} takes no OVER", call.name)),
        }
    }

    fn offset(&mut self, offset: &Expr) -> Checked<u16> {
        let digits = match offset {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, false) => digits.parse().ok(),
                _ => None,
            },
            _ => None,
        };
        digits.map_or_else(|| self.refuse(start(offset), "this must be a small number"), Ok)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AggregateName {
    Average,
    Count,
    JsonArray,
    Max,
    Min,
    Sum,
}

/// The function of a name for values of a type, and the type of its result.
fn of_type(name: AggregateName, known: FieldType) -> Option<(AggregateFunction, FieldType)> {
    use FieldType::{Integer, Number, Text, Timestamp};
    Some(match (name, known) {
        (AggregateName::Count, _) => (AggregateFunction::Count, Integer),
        (AggregateName::Sum, Integer) => (AggregateFunction::SumOfIntegers, Integer),
        (AggregateName::Sum, Number) => (AggregateFunction::SumOfNumbers, Number),
        (AggregateName::Average, Integer) => (AggregateFunction::AverageOfIntegers, Number),
        (AggregateName::Average, Number) => (AggregateFunction::AverageOfNumbers, Number),
        (AggregateName::Min, Text | Integer | Number | Timestamp) => {
            (AggregateFunction::Min, known)
        }
        (AggregateName::Max, Text | Integer | Number | Timestamp) => {
            (AggregateFunction::Max, known)
        }
        _ => return None,
    })
}

pub(super) fn aggregate_name(call: &Call<'_>) -> Option<AggregateName> {
    Some(match call.name.as_str() {
        "avg" => AggregateName::Average,
        "count" => AggregateName::Count,
        "json_array_agg" => AggregateName::JsonArray,
        "max" => AggregateName::Max,
        "min" => AggregateName::Min,
        "sum" => AggregateName::Sum,
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug)]
pub(super) enum WindowName {
    Plain(WindowFunction),
    OfValue(fn(u16) -> WindowFunction),
}

pub(super) fn window_name(name: &str) -> Option<WindowName> {
    Some(match name {
        "dense_rank" => WindowName::Plain(WindowFunction::DenseRank),
        "lag" => WindowName::OfValue(WindowFunction::Lag),
        "lead" => WindowName::OfValue(WindowFunction::Lead),
        "rank" => WindowName::Plain(WindowFunction::Rank),
        "row_number" => WindowName::Plain(WindowFunction::RowNumber),
        _ => return None,
    })
}
