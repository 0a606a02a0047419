//! Expressions: the list of what is allowed, with its types.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, ParameterSlot, all};
use super::functions::Function;
use super::scope::Scope;
use super::tree::{Arithmetic, Comparison, Expression};
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

    fn value(&mut self, value: &ValueWithSpan) -> Checked<Typed> {
        let at = value.span.start;
        match &value.value {
            Value::Number(digits, false) => self.number(digits, at),
            Value::SingleQuotedString(text) => {
                Ok(Typed::constant(Expression::Text(text.clone()), FieldType::Text))
            }
            Value::Boolean(value) => {
                Ok(Typed::constant(Expression::Boolean(*value), FieldType::Boolean))
            }
            Value::Null => {
                Ok(Typed { expression: Expression::Null(None), value_type: None, nullable: true })
            }
            Value::Placeholder(name) => Ok(self.parameter(name.trim_start_matches(':'), at)),
            _ => self.refuse(at, "this literal is not allowed"),
        }
    }

    fn number(&mut self, digits: &str, at: Location) -> Checked<Typed> {
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match digits.parse() {
                Ok(number) => Ok(Typed::constant(Expression::Integer(number), FieldType::Integer)),
                Err(_) => self.refuse(at, "this number does not fit into 64 bits"),
            };
        }
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                Ok(Typed::constant(Expression::Number(number), FieldType::Number))
            }
            _ => self.refuse(at, "this number is not allowed"),
        }
    }

    fn parameter(&mut self, name: &str, at: Location) -> Typed {
        let known = self.parameters.iter().position(|parameter| parameter.name == name);
        let place = known.unwrap_or_else(|| {
            let part = self.part().to_owned();
            let name = name.to_owned();
            self.parameters.push(ParameterSlot { name, parameter_type: None, part, at });
            self.parameters.len() - 1
        });
        self.seen.insert(place);
        Typed { expression: Expression::Parameter(place), value_type: None, nullable: true }
    }

    fn binary(
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
            BinaryOperator::StringConcat => {
                let (left, right) = self.operands(left, right, scope)?;
                let left = self.coerce(left, FieldType::Text, start(whole))?;
                let right = self.coerce(right, FieldType::Text, start(whole))?;
                let nullable = left.nullable || right.nullable;
                let (left, right) = (Box::new(left.expression), Box::new(right.expression));
                let expression = Expression::Concat(left, right);
                Ok(Typed { expression, value_type: Some(FieldType::Text), nullable })
            }
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
        all(conditions)
    }

    /// An expression that is true or false.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &Scope<'_>) -> Checked<Expression> {
        let typed = self.expression(expr, scope)?;
        Ok(self.coerce(typed, FieldType::Boolean, start(expr))?.expression)
    }

    fn unary(&mut self, op: UnaryOperator, inner: &Expr, scope: &Scope<'_>) -> Checked<Typed> {
        match (op, inner) {
            (UnaryOperator::Not, _) => {
                let condition = self.condition(inner, scope)?;
                Ok(Typed::boolean(Expression::Not(Box::new(condition))))
            }
            // The smallest whole number has no positive counterpart, so the sign is part of it.
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

    fn negative(&mut self, digits: &str, at: Location) -> Checked<Typed> {
        if let Ok(number) = format!("-{digits}").parse() {
            return Ok(Typed::constant(Expression::Integer(number), FieldType::Integer));
        }
        let mut typed = self.number(digits, at)?;
        if let Expression::Number(number) = &mut typed.expression {
            *number = -*number;
        }
        Ok(typed)
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

    fn compare(
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

/// Where an expression begins, by its leftmost leaf; empty where that has no position. The
/// parser's own function would visit the whole tree, by recursion.
pub(super) fn start(expr: &Expr) -> Location {
    let mut expr = expr;
    loop {
        expr = match expr {
            Expr::Identifier(ident) => return ident.span.start,
            Expr::CompoundIdentifier(path) => {
                return path.first().map_or(Location::empty(), |ident| ident.span.start);
            }
            Expr::Value(value) => return value.span.start,
            Expr::BinaryOp { left, .. } | Expr::AnyOp { left, .. } => left,
            Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::Nested(inner) => inner,
            Expr::UnaryOp { expr, .. }
            | Expr::InList { expr, .. }
            | Expr::Between { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Like { expr, .. }
            | Expr::ILike { expr, .. } => expr,
            Expr::Tuple(parts) if !parts.is_empty() => &parts[0],
            Expr::InSubquery { expr, .. } => expr,
            Expr::Case { case_token, .. } => return case_token.0.span.start,
            Expr::Function(function) => {
                let name = function.name.0.first().and_then(|part| part.as_ident());
                return name.map_or(Location::empty(), |name| name.span.start);
            }
            _ => return Location::empty(),
        }
    }
}

/// What a refused expression is called.
fn describe(expr: &Expr) -> &'static str {
    match expr {
        Expr::Like { .. } | Expr::ILike { .. } => "LIKE",
        Expr::AnyOp { .. } => "ANY with this operator",
        Expr::AllOp { .. } => "ALL",
        Expr::Cast { .. } | Expr::Convert { .. } => "a cast",
        Expr::Collate { .. } => "COLLATE",
        Expr::TypedString(_) => "a typed string",
        Expr::Tuple(_) => "a row outside a comparison of rows",
        _ => "this expression",
    }
}
