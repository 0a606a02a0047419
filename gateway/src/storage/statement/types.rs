//! Types: what they are inferred from, and how two are brought together.
//!
//! Only a parameter and NULL may lack a type, and only until they meet a value that has one. The
//! one conversion is from a whole number to a double, which is written out for both databases; a
//! literal whole number may also stand for a timestamp. Text is never turned into anything.

use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker};
use super::tree::Expression;
use crate::manifest::FieldType;

/// An expression and what is known of its values.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) expression: Expression,
    /// `None` for NULL and for a parameter that has not met a typed value.
    pub(super) value_type: Option<FieldType>,
    /// Whether it may be NULL, as far as that is known.
    pub(super) nullable: bool,
}

impl Typed {
    pub(super) fn new(expression: Expression, value_type: FieldType) -> Self {
        Self { expression, value_type: Some(value_type), nullable: true }
    }

    /// A value that is never NULL.
    pub(super) fn constant(expression: Expression, value_type: FieldType) -> Self {
        Self { expression, value_type: Some(value_type), nullable: false }
    }

    pub(super) fn boolean(expression: Expression) -> Self {
        Self::new(expression, FieldType::Boolean)
    }
}

impl Checker<'_> {
    /// The type of a value. That of a parameter may have been found since it was seen.
    pub(super) fn known(&self, typed: &Typed) -> Option<FieldType> {
        match typed.expression {
            Expression::Parameter(place) => self.parameters[place].parameter_type,
            _ => typed.value_type,
        }
    }

    /// Bring a value to a type, or refuse.
    pub(super) fn coerce(&mut self, typed: Typed, want: FieldType, at: Location) -> Checked<Typed> {
        let nullable = typed.nullable;
        let expression = match (self.known(&typed), typed.expression) {
            (Some(known), expression) if known == want => expression,
            (None, Expression::Parameter(place)) => {
                self.parameters[place].parameter_type = Some(want);
                Expression::Parameter(place)
            }
            (None, _) => Expression::Null(Some(want)),
            (Some(FieldType::Integer), expression) if want == FieldType::Number => {
                widen(expression)
            }
            (Some(FieldType::Integer), Expression::Integer(number))
                if want == FieldType::Timestamp =>
            {
                Expression::Integer(number)
            }
            (Some(known), _) => return self.refuse(at, mismatch(known, want)),
        };
        Ok(Typed { expression, value_type: Some(want), nullable })
    }

    /// Bring values to the one type that all can have.
    pub(super) fn unify(
        &mut self,
        values: Vec<Typed>,
        at: Location,
    ) -> Checked<(Vec<Typed>, FieldType)> {
        let known: Vec<FieldType> = values.iter().filter_map(|value| self.known(value)).collect();
        let Some(common) = known.into_iter().reduce(common_type) else {
            return self.refuse(
                at,
                "the type cannot be known here; use a column or a literal, or CAST(:name AS type)",
            );
        };
        let values: Checked<Vec<Typed>> =
            values.into_iter().map(|value| self.coerce(value, common, at)).collect();
        Ok((values?, common))
    }

    /// Refuse a type whose values have no order and no equality.
    pub(super) fn comparable(&mut self, value_type: FieldType, at: Location) -> Checked<()> {
        match value_type {
            FieldType::Json | FieldType::Texts | FieldType::Words => {
                self.refuse(at, format!("{} cannot be compared or ordered", value_type.name()))
            }
            _ => Ok(()),
        }
    }
}

/// The type that a value of either could be brought to; where there is none, the first, so that
/// the other is refused.
fn common_type(one: FieldType, other: FieldType) -> FieldType {
    match (one, other) {
        (FieldType::Integer, FieldType::Number | FieldType::Timestamp) => other,
        _ => one,
    }
}

#[expect(clippy::cast_precision_loss, reason = "both databases round the same way")]
fn widen(expression: Expression) -> Expression {
    match expression {
        Expression::Integer(number) => Expression::Number(number as f64),
        other => Expression::Widen(Box::new(other)),
    }
}

fn mismatch(known: FieldType, want: FieldType) -> String {
    let hint = match (known, want) {
        (_, FieldType::Timestamp) => {
            "; a timestamp is a parameter, a field, or microseconds since 1970"
        }
        (FieldType::Timestamp, FieldType::Integer) => "; use timestamp arithmetic with now()",
        _ => "",
    };
    format!("this is {}, where {} is needed{hint}", known.name(), want.name())
}
