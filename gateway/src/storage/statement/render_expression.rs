//! Expressions as text. Each is one operand: it stands in parentheses where it is more than one word.

use std::fmt::Write as _;

use super::render::{Renderer, postgres_type};
use super::tree::{Arithmetic, Body, Comparison, Expression, Term};
use super::{Bind, Dialect, constant};
use crate::manifest::FieldType;

impl Renderer<'_> {
    pub(super) fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Column(relation, name) => self.column(*relation, name),
            Expression::Null(value_type) => self.null(*value_type),
            Expression::Text(text) => self.push(&constant::text(text, self.dialect())),
            Expression::Integer(number) => self.push(&constant::integer(*number, self.dialect())),
            Expression::Number(number) => self.push(&constant::number(*number, self.dialect())),
            Expression::Boolean(value) => self.boolean(*value),
            Expression::Parameter(place) => {
                let parameter_type = self.program().parameter_types[*place];
                self.typed_bind(Bind::Parameter(*place), parameter_type);
            }
            Expression::Cursor(place, key_type) => {
                self.typed_bind(Bind::Key(*place), *key_type);
            }
            Expression::Now => self.bind(Bind::Now, FieldType::Timestamp),
            Expression::JsonValue(inner, value_type) => self.json_value(inner, *value_type),
            Expression::Widen(inner) => self.widen(inner),
            Expression::And(conditions) => self.conditions(conditions, " AND ", true),
            Expression::Or(conditions) => self.conditions(conditions, " OR ", false),
            Expression::Not(inner) => self.around("(NOT ", inner, ")"),
            Expression::IsNull(inner) => self.around("(", inner, " IS NULL)"),
            Expression::IsNotNull(inner) => self.around("(", inner, " IS NOT NULL)"),
            Expression::Compare(comparison, left, right) => {
                self.infix(left, comparison.symbol(), right);
            }
            Expression::CompareRows(comparison, left, right) => {
                self.compare_rows(*comparison, left, right);
            }
            Expression::InList(value, list) => self.in_list(value, list),
            Expression::InTexts(value, texts) => self.in_texts(value, texts),
            Expression::InQuery(value, body) => {
                self.around("(", value, " IN (");
                self.body(body, &[]);
                self.push("))");
            }
            Expression::Exists(body) => {
                self.push("(EXISTS (");
                self.repeatedly(|renderer| renderer.body(body, &[]));
                self.push("))");
            }
            Expression::Scalar(body, order) => self.scalar(body, order),
            Expression::Arithmetic(operation, left, right) => {
                self.arithmetic(*operation, left, right);
            }
            Expression::Concat(left, right) => self.infix(left, "||", right),
            Expression::Case(branches, otherwise) => self.case(branches, otherwise.as_deref()),
            Expression::Call(function, arguments) => self.call(*function, arguments),
            Expression::Match(words, query) => self.matches(words, *query),
            Expression::Rank(words, query) => self.rank(words, *query),
            // Marked when the row is shown, by the same code for both databases.
            Expression::Highlight(text, _) => self.expression(text),
            Expression::Aggregate(aggregate) => self.aggregate(aggregate),
            Expression::Window(window) => self.window(window),
        }
    }

    pub(super) fn around(&mut self, before: &str, inner: &Expression, after: &str) {
        self.push(before);
        self.expression(inner);
        self.push(after);
    }

    fn null(&mut self, value_type: Option<FieldType>) {
        match (self.dialect(), value_type.unwrap_or(FieldType::Text)) {
            (Dialect::Sqlite, _) => self.push("NULL"),
            (Dialect::Postgres, FieldType::Text) => self.push("(NULL::text COLLATE \"C\")"),
            (Dialect::Postgres, known) => {
                self.push(&constant::typed("NULL", postgres_type(known), Dialect::Postgres));
            }
        }
    }

    fn boolean(&mut self, value: bool) {
        self.push(constant::boolean(value, self.dialect()));
    }

    fn typed_bind(&mut self, bind: Bind, value_type: FieldType) {
        let collated = self.dialect() == Dialect::Postgres && value_type == FieldType::Text;
        if collated {
            self.push("(");
        }
        self.bind(bind, value_type);
        if collated {
            self.push(" COLLATE \"C\")");
        }
    }

    fn widen(&mut self, inner: &Expression) {
        match self.dialect() {
            Dialect::Postgres => self.around("(", inner, ")::float8"),
            Dialect::Sqlite => self.around("CAST(", inner, " AS REAL)"),
        }
    }

    fn conditions(&mut self, conditions: &[Expression], separator: &str, of_none: bool) {
        if conditions.is_empty() {
            return self.boolean(of_none);
        }
        self.push("(");
        self.joined(conditions, separator);
        self.push(")");
    }

    fn infix(&mut self, left: &Expression, symbol: &str, right: &Expression) {
        self.push("(");
        self.expression(left);
        let _ = write!(self.sql_mut(), " {symbol} ");
        self.expression(right);
        self.push(")");
    }

    fn compare_rows(&mut self, comparison: Comparison, left: &[Expression], right: &[Expression]) {
        self.push("((");
        self.joined(left, ", ");
        let _ = write!(self.sql_mut(), ") {} (", comparison.symbol());
        self.joined(right, ", ");
        self.push("))");
    }

    fn in_list(&mut self, value: &Expression, list: &[Expression]) {
        self.push("(");
        self.expression(value);
        self.push(" IN (");
        self.joined(list, ", ");
        self.push("))");
    }

    /// NULL for the list makes the whole NULL on both: on `SQLite` by a list of one NULL.
    fn in_texts(&mut self, value: &Expression, texts: &Expression) {
        self.push("(");
        self.expression(value);
        match self.dialect() {
            Dialect::Postgres => self.around(" = ANY(", texts, "))"),
            Dialect::Sqlite => {
                self.around(" IN (SELECT value FROM json_each(coalesce(", texts, ", '[null]'))))")
            }
        }
    }

    /// The one row of an aggregate, or the first in an order.
    fn scalar(&mut self, body: &Body, order: &[Term]) {
        self.push("(");
        self.repeatedly(|renderer| renderer.body(body, &[]));
        if !order.is_empty() {
            self.push(" ");
            self.terms(order);
            self.push(" LIMIT 1");
        }
        self.push(")");
    }

    /// ORDER BY within an expression.
    pub(super) fn terms(&mut self, terms: &[Term]) {
        self.push("ORDER BY ");
        self.list(terms.len(), |renderer, place| {
            renderer.sorting_term(&terms[place].expression);
            renderer.direction(terms[place].descending);
        });
    }

    /// A term of ORDER BY or GROUP BY. `SQLite` reads a whole number there as the place of a
    /// column, also one that it has itself made of an expression such as `1 IS NULL`.
    pub(super) fn sorting_term(&mut self, expression: &Expression) {
        match (self.dialect(), expression) {
            (Dialect::Postgres, _) | (_, Expression::Column(..)) => self.expression(expression),
            (Dialect::Sqlite, _) => self.around("coalesce(", expression, ", NULL)"),
        }
    }

    /// Division by 0 is an error on `PostgreSQL` and NULL on `SQLite`; here it is NULL. An
    /// overflow is an error on `PostgreSQL`, and on `SQLite` where a function of ours computes.
    fn arithmetic(&mut self, operation: Arithmetic, left: &Expression, right: &Expression) {
        let checked = match operation {
            Arithmetic::Add => "loggia_add",
            Arithmetic::Subtract => "loggia_subtract",
            Arithmetic::Multiply => "loggia_multiply",
            Arithmetic::Divide => "loggia_divide",
            Arithmetic::Remainder => "loggia_remainder",
        };
        let divides = matches!(operation, Arithmetic::Divide | Arithmetic::Remainder);
        let (before, after) = if divides { ("nullif(", ", 0))") } else { ("", ")") };
        match self.dialect() {
            Dialect::Postgres => {
                self.around("(", left, " ");
                let _ = write!(self.sql_mut(), "{} {before}", operation.symbol());
            }
            Dialect::Sqlite => {
                let _ = write!(self.sql_mut(), "{checked}(");
                self.around("", left, ", ");
                self.push(before);
            }
        }
        self.around("", right, after);
    }

    fn case(&mut self, branches: &[(Expression, Expression)], otherwise: Option<&Expression>) {
        self.push("(CASE");
        for (condition, result) in branches {
            self.around(" WHEN ", condition, " THEN ");
            self.expression(result);
        }
        if let Some(otherwise) = otherwise {
            self.around(" ELSE ", otherwise, "");
        }
        self.push(" END)");
    }
}
