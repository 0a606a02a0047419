//! Expressions: the list of what is allowed, with its types.

use sqlparser::ast::{BinaryOperator, CaseWhen, CastKind, DataType, Expr};
use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, all};
use super::functions::Function;
use super::position::{describe, start};
use super::scope::Scope;
use super::tree::{Comparison, Expression};
use super::types::Typed;
use crate::manifest::FieldType;

impl Checker<'_> {
    /// Check and type an expression.
    pub(super) fn expression(&mut self, expr: &Expr, scope: &Scope<'_>) -> Checked<Typed> {
        self.touch(start(expr));
        self.deeper(|checker| checker.listed_expression(expr, scope))
    }

    fn listed_expression(&mut self, expr: &Expr, scope: &Scope<'_>) -> Checked<Typed> {
        match expr {
            Expr::Identifier(ident) => self.column(std::slice::from_ref(ident), scope),
            Expr::CompoundIdentifier(path) => self.column(path, scope),
            Expr::Value(value) => self.value(value),
            Expr::Nested(inner) => self.expression(inner, scope),
            Expr::BinaryOp { left, op, right } => self.binary(expr, left, op, right, scope),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, scope),
            Expr::IsNull(inner) => self.null_test(inner, scope, Expression::IsNull),
            Expr::IsNotNull(inner) => self.null_test(inner, scope, Expression::IsNotNull),
            Expr::Between { expr, negated, low, high } => {
                let between = self.between(expr, low, high, scope)?;
                Ok(negate_if(*negated, between))
            }
            Expr::InList { expr, list, negated } => {
                let listed = self.in_list(expr, list, scope)?;
                Ok(negate_if(*negated, listed))
            }
            Expr::InSubquery { expr, subquery, negated } => {
                let found = self.in_query(expr, subquery, scope)?;
                Ok(negate_if(*negated, found))
            }
            Expr::Exists { subquery, negated } => {
                let exists = self.exists(subquery, scope)?;
                Ok(negate_if(*negated, exists))
            }
            Expr::Subquery(query) => self.scalar(query, scope),
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, is_some: false } => {
                self.in_texts(left, right, scope)
            }
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), scope)
            }
            Expr::Function(function) => self.call(function, scope),
            Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } => {
                self.cast(expr, data_type, scope)
            }
            Expr::Ceil { expr, field } => self.rounded(Function::Ceil, expr, field, scope),
            Expr::Floor { expr, field } => self.rounded(Function::Floor, expr, field, scope),
            other => self.refuse_here(format!("{} is not allowed", describe(other))),
        }
    }

    fn null_test(
        &mut self,
        inner: &Expr,
        scope: &Scope<'_>,
        test: fn(Box<Expression>) -> Expression,
    ) -> Checked<Typed> {
        let typed = self.expression(inner, scope)?;
        if self.known(&typed).is_none() {
            return self.refuse(start(inner), "the type of this cannot be known");
        }
        Ok(Typed::constant(test(Box::new(typed.expression)), FieldType::Boolean))
    }

    /// A cast says what type a parameter or NULL has, and changes no value but a whole number
    /// into a double: both databases read and round other values differently.
    fn cast(&mut self, inner: &Expr, data_type: &DataType, scope: &Scope<'_>) -> Checked<Typed> {
        let want = match data_type.to_string().to_ascii_lowercase().as_str() {
            "text" => FieldType::Text,
            "integer" => FieldType::Integer,
            "number" => FieldType::Number,
            "boolean" => FieldType::Boolean,
            "timestamp" => FieldType::Timestamp,
            "json" => FieldType::Json,
            other => return self.refuse_here(format!("there is no type {other}")),
        };
        let typed = self.expression(inner, scope)?;
        self.coerce(typed, want, start(inner))
    }

    /// `CASE a WHEN b THEN …` is `CASE WHEN a = b THEN …`.
    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[CaseWhen],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        let conditions = branches.iter().map(|CaseWhen { condition, result: _ }| match operand {
            None => self.condition(condition, scope),
            Some(operand) => {
                Ok(self.compare(Comparison::Equal, operand, condition, scope)?.expression)
            }
        });
        let conditions = all(conditions.collect());
        let results = branches.iter().map(|branch| &branch.result).chain(otherwise);
        let results = all(results.map(|result| self.expression(result, scope)).collect());
        let (conditions, results) = (conditions?, results?);
        let at = branches.first().map_or(Location::empty(), |branch| start(&branch.result));
        let (results, common) = self.unify(results, at)?;
        let mut results = results.into_iter().map(|result| result.expression);
        let branches = conditions.into_iter().zip(results.by_ref()).collect();
        let otherwise = results.next().map(Box::new);
        Ok(Typed::new(Expression::Case(branches, otherwise), common))
    }

    /// `a BETWEEN b AND c` is `a >= b AND a <= c`.
    fn between(
        &mut self,
        expr: &Expr,
        low: &Expr,
        high: &Expr,
        scope: &Scope<'_>,
    ) -> Checked<Expression> {
        let values = self.comparable_values(&[expr, low, high], scope)?;
        let [value, low, high]: [Expression; 3] =
            values.try_into().expect("as many values as expressions");
        let value = Box::new(value);
        Ok(Expression::And(vec![
            Expression::Compare(Comparison::GreaterOrEqual, value.clone(), Box::new(low)),
            Expression::Compare(Comparison::LessOrEqual, value, Box::new(high)),
        ]))
    }

    fn in_list(&mut self, expr: &Expr, list: &[Expr], scope: &Scope<'_>) -> Checked<Expression> {
        let exprs: Vec<&Expr> = std::iter::once(expr).chain(list).collect();
        let mut values = self.comparable_values(&exprs, scope)?;
        let list = values.split_off(1);
        let value = values.swap_remove(0);
        Ok(Expression::InList(Box::new(value), list))
    }

    fn in_texts(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Checked<Typed> {
        let (at, texts_at) = (start(left), start(right));
        let left = self.expression(left, scope);
        let right = self.expression(right, scope);
        let left = self.coerce(left?, FieldType::Text, at)?;
        let right = self.coerce(right?, FieldType::Texts, texts_at)?;
        let (left, right) = (Box::new(left.expression), Box::new(right.expression));
        Ok(Typed::boolean(Expression::InTexts(left, right)))
    }
}

fn negate_if(negated: bool, expression: Expression) -> Typed {
    Typed::boolean(if negated { Expression::Not(Box::new(expression)) } else { expression })
}
