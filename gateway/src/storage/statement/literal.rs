//! Literals and parameters.

use sqlparser::ast::{Value, ValueWithSpan};
use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, ParameterSlot};
use super::tree::Expression;
use super::types::Typed;
use crate::manifest::FieldType;

impl Checker<'_> {
    pub(super) fn value(&mut self, value: &ValueWithSpan) -> Checked<Typed> {
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

    /// A number after a minus sign.
    pub(super) fn negative(&mut self, digits: &str, at: Location) -> Checked<Typed> {
        if let Ok(number) = format!("-{digits}").parse() {
            return Ok(Typed::constant(Expression::Integer(number), FieldType::Integer));
        }
        let mut typed = self.number(digits, at)?;
        if let Expression::Number(number) = &mut typed.expression {
            *number = -*number;
        }
        Ok(typed)
    }
}
