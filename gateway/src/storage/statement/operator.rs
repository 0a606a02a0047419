//! Operators: AND, OR, NOT, comparisons, arithmetic, `||`.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value, ValueWithSpan};
use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, all};
use super::position::start;
use super::scope::Scope;
use super::tree::{Arithmetic, Comparison, Expression};
use super::types::Typed;
use crate::manifest::FieldType;

/// The longest chain of AND or of OR: `SQLite` nests it as deep, and takes a depth of 1,000.
const MAX_CHAIN: usize = 200;

impl Checker<'_> {
    pub(super) fn binary(
        &mut self,
        whole: &Expr,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        match op {
            BinaryOperator::And => {
                Ok(Typed::boolean(Expression::And(self.chain(whole, op, scope)?)))
            }
            BinaryOperator::Or => Ok(Typed::boolean(Expression::Or(self.chain(whole, op, scope)?))),
            BinaryOperator::StringConcat => self.concat(left, right, scope),
            _ => match (comparison(op), arithmetic(op)) {
                (Some(comparison), _) => self.compare(comparison, left, right, scope),
                (None, Some(operation)) => self.arithmetic(operation, left, right, scope),
                (None, None) => self.refuse_here(format!("the operator {op} is not allowed")),
            },
        }
    }

    /// Both sides, each with its faults.
    fn operands(
        &mut self,
        left: &Expr,
        right: &Expr,
        scope: &Scope<'_>,
    ) -> Checked<(Typed, Typed)> {
        let left = self.expression(left, scope);
        let right = self.expression(right, scope);
        Ok((left?, right?))
    }

    fn concat(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Checked<Typed> {
        let (left_at, right_at) = (start(left), start(right));
        let (left, right) = self.operands(left, right, scope)?;
        let left = self.coerce(left, FieldType::Text, left_at)?;
        let right = self.coerce(right, FieldType::Text, right_at)?;
        let nullable = left.nullable || right.nullable;
        let (left, right) = (Box::new(left.expression), Box::new(right.expression));
        let expression = Expression::Concat(left, right);
        Ok(Typed { expression, value_type: Some(FieldType::Text), nullable })
    }

    fn arithmetic(
        &mut self,
        operation: Arithmetic,
        left: &Expr,
        right: &Expr,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        let at = start(left);
        let (left, right) = self.operands(left, right, scope)?;
        let types = (self.known(&left), self.known(&right));
        let (left, right, result) = match operand_types(operation, types) {
            Ok((left_type, right_type, result)) => {
                (self.coerce(left, left_type, at)?, self.coerce(right, right_type, at)?, result)
            }
            Err(reason) => return self.refuse(at, reason),
        };
        let (left, right) = (Box::new(left.expression), Box::new(right.expression));
        Ok(Typed::new(Expression::Arithmetic(operation, left, right), result))
    }

    /// The conditions of `a AND b AND …` or of `a OR b OR …`. They hang to the left as deep as
    /// the chain is long, so they are not visited by recursion.
    fn chain(
        &mut self,
        whole: &Expr,
        op: &BinaryOperator,
        scope: &Scope<'_>,
    ) -> Checked<Vec<Expression>> {
        let mut conditions = Vec::new();
        let mut pending = vec![whole];
        while let Some(expr) = pending.pop() {
            match expr {
                Expr::BinaryOp { left, op: this, right } if this == op => {
                    pending.extend([right.as_ref(), left.as_ref()]);
                }
                condition => conditions.push(self.condition(condition, scope)),
            }
        }
        self.at_most(MAX_CHAIN, conditions.len(), "conditions in a row")?;
        all(conditions)
    }

    /// An expression that is true or false.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &Scope<'_>) -> Checked<Expression> {
        let typed = self.expression(expr, scope)?;
        Ok(self.coerce(typed, FieldType::Boolean, start(expr))?.expression)
    }

    pub(super) fn unary(
        &mut self,
        op: UnaryOperator,
        inner: &Expr,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        match (op, inner) {
            (UnaryOperator::Not, _) => {
                let condition = self.condition(inner, scope)?;
                Ok(Typed::boolean(Expression::Not(Box::new(condition))))
            }
            // The smallest whole number has no positive counterpart, so the sign is part of it.
            (UnaryOperator::Minus, Expr::Value(ValueWithSpan { value, span })) => match value {
                Value::Number(digits, false) => self.negative(digits, span.start),
                _ => self.minus(inner, scope),
            },
            (UnaryOperator::Minus, _) => self.minus(inner, scope),
            (op, _) => self.refuse_here(format!("the operator {op} is not allowed")),
        }
    }

    /// `-a` is `0 - a`.
    fn minus(&mut self, inner: &Expr, scope: &Scope<'_>) -> Checked<Typed> {
        let typed = self.expression(inner, scope)?;
        let known = self.known(&typed).unwrap_or(FieldType::Integer);
        let zero = match known {
            FieldType::Integer => Expression::Integer(0),
            FieldType::Number => Expression::Number(0.0),
            _ => return self.refuse(start(inner), format!("{} has no negative", known.name())),
        };
        let inner = Box::new(self.coerce(typed, known, start(inner))?.expression);
        let expression = Expression::Arithmetic(Arithmetic::Subtract, Box::new(zero), inner);
        Ok(Typed::new(expression, known))
    }

    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: &Expr,
        right: &Expr,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        if let (Expr::Tuple(left), Expr::Tuple(right)) = (left, right) {
            return self.compare_rows(comparison, left, right, scope);
        }
        let values = self.comparable_values(&[left, right], scope)?;
        let [left, right] = two(values);
        Ok(Typed::boolean(Expression::Compare(comparison, left, right)))
    }

    fn compare_rows(
        &mut self,
        comparison: Comparison,
        left: &[Expr],
        right: &[Expr],
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        if left.len() != right.len() {
            return self.refuse_here("these rows differ in length");
        }
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        for (left, right) in left.iter().zip(right) {
            let [left, right] = two(self.comparable_values(&[left, right], scope)?);
            lefts.push(*left);
            rights.push(*right);
        }
        Ok(Typed::boolean(Expression::CompareRows(comparison, lefts, rights)))
    }

    /// Values of one type that has an order.
    pub(super) fn comparable_values(
        &mut self,
        exprs: &[&Expr],
        scope: &Scope<'_>,
    ) -> Checked<Vec<Expression>> {
        let at = exprs.first().map_or(Location::empty(), |first| start(first));
        let values = all(exprs.iter().map(|expr| self.expression(expr, scope)).collect())?;
        let (values, common) = self.unify(values, at)?;
        self.comparable(common, at)?;
        Ok(values.into_iter().map(|value| value.expression).collect())
    }
}

/// What the operands must be, and what comes out.
fn operand_types(
    operation: Arithmetic,
    types: (Option<FieldType>, Option<FieldType>),
) -> Result<(FieldType, FieldType, FieldType), String> {
    use FieldType::{Integer, Number, Timestamp};
    let symbol = operation.symbol();
    let (left, right) = match types {
        (None, None) => return Err(format!("no side of {symbol} has a known type")),
        // What is added to a timestamp, or taken from it, is a number of microseconds.
        (None, Some(known)) => (if known == Timestamp { Integer } else { known }, known),
        (Some(known), None) => (known, if known == Timestamp { Integer } else { known }),
        (Some(left), Some(right)) => (left, right),
    };
    match (left, operation, right) {
        (Integer, _, Integer) => Ok((Integer, Integer, Integer)),
        (_, Arithmetic::Remainder, _) => Err("% takes whole numbers only".to_owned()),
        (Integer | Number, _, Integer | Number) => Ok((Number, Number, Number)),
        (Timestamp, Arithmetic::Add | Arithmetic::Subtract, Integer) => {
            Ok((Timestamp, Integer, Timestamp))
        }
        (Integer, Arithmetic::Add, Timestamp) => Ok((Integer, Timestamp, Timestamp)),
        (Timestamp, Arithmetic::Subtract, Timestamp) => Ok((Timestamp, Timestamp, Integer)),
        (left, _, right) => {
            Err(format!("{symbol} is not defined for {} and {}", left.name(), right.name()))
        }
    }
}

fn arithmetic(op: &BinaryOperator) -> Option<Arithmetic> {
    Some(match op {
        BinaryOperator::Plus => Arithmetic::Add,
        BinaryOperator::Minus => Arithmetic::Subtract,
        BinaryOperator::Multiply => Arithmetic::Multiply,
        BinaryOperator::Divide => Arithmetic::Divide,
        BinaryOperator::Modulo => Arithmetic::Remainder,
        _ => return None,
    })
}

fn two(values: Vec<Expression>) -> [Box<Expression>; 2] {
    let values: Vec<Box<Expression>> = values.into_iter().map(Box::new).collect();
    values.try_into().expect("as many values as expressions")
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
