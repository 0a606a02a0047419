//! Calls of functions as text: where the databases differ most.

use std::fmt::Write as _;

use super::Dialect;
use super::functions::{AggregateFunction, Function, WindowFunction};
use super::render::Renderer;
use super::tree::{Aggregate, Expression, Window};
use crate::json::edit::tokens;
use crate::manifest::FieldType;

impl Renderer<'_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Expression]) {
        match (function, self.dialect(), arguments) {
            (Function::Abs, _, _) => self.plain("abs", arguments),
            (Function::Coalesce, _, _) => self.plain("coalesce", arguments),
            (Function::Lower, _, _) => self.plain("lower", arguments),
            (Function::NullIf, _, _) => self.plain("nullif", arguments),
            (Function::Upper, _, _) => self.plain("upper", arguments),
            (Function::ArrayHasAll, Dialect::Postgres, [array, part]) => {
                self.between(["(", " @> ", ")"], array, part);
            }
            (Function::ArrayHasAny, Dialect::Postgres, [array, part]) => {
                self.between(["(", " && ", ")"], array, part);
            }
            (Function::ArrayHasAll, Dialect::Sqlite, [array, part]) => {
                self.array_test(array, part, "NOT EXISTS", part, "NOT IN", array);
            }
            (Function::ArrayHasAny, Dialect::Sqlite, [array, part]) => {
                self.array_test(array, part, "EXISTS", array, "IN", part);
            }
            (Function::ArrayLength, Dialect::Postgres, _) => {
                self.plain("cardinality", arguments);
                self.push("::int8");
            }
            (Function::ArrayLength, Dialect::Sqlite, _) => {
                self.plain("json_array_length", arguments);
            }
            (Function::Ceil, Dialect::Postgres, _) => self.plain("ceil", arguments),
            (Function::Ceil, Dialect::Sqlite, _) => self.plain("loggia_ceil", arguments),
            (Function::Floor, Dialect::Postgres, _) => self.plain("floor", arguments),
            (Function::Floor, Dialect::Sqlite, _) => self.plain("loggia_floor", arguments),
            (Function::Round, Dialect::Postgres, _) => self.plain("round", arguments),
            (Function::Round, Dialect::Sqlite, _) => self.plain("loggia_round", arguments),
            (Function::ContainsText, Dialect::Postgres, [text, part]) => {
                self.between(["(strpos(lower(", "), lower(", ")) > 0)"], text, part);
            }
            (Function::ContainsText, Dialect::Sqlite, [text, part]) => {
                self.between(["(instr(lower(", "), lower(", ")) > 0)"], text, part);
            }
            (Function::StartsWith, Dialect::Postgres, _) => self.plain("starts_with", arguments),
            (Function::StartsWith, Dialect::Sqlite, [text, part]) => self.starts_with(text, part),
            (Function::JsonAppend, Dialect::Postgres, [array, element]) => {
                let around = ["loggia_json_append(", ", coalesce(to_jsonb(", "), 'null'::jsonb))"];
                self.between(around, array, element);
            }
            (Function::JsonAppend, Dialect::Sqlite, [array, element]) => {
                self.json_append(array, element);
            }
            (Function::JsonContains, Dialect::Postgres, [json, part]) => {
                self.between(["(", " @> ", ")"], json, part);
            }
            (Function::JsonContains, Dialect::Sqlite, _) => {
                self.plain("loggia_json_contains", arguments);
            }
            (Function::JsonExtract, Dialect::Postgres, [json, Expression::Text(pointer)]) => {
                self.json_extract(json, pointer);
            }
            (Function::JsonExtract, Dialect::Sqlite, _) => {
                self.plain("loggia_json_extract", arguments);
            }
            (Function::JsonObject, Dialect::Postgres, _) => {
                self.plain("jsonb_build_object", arguments);
            }
            (Function::JsonObject, Dialect::Sqlite, _) => self.plain("json_object", arguments),
            (Function::Length, Dialect::Postgres, _) => {
                self.plain("length", arguments);
                self.push("::int8");
            }
            (Function::Length, Dialect::Sqlite, _) => self.plain("length", arguments),
            (Function::TimeBucket, _, [width, timestamp]) => self.time_bucket(width, timestamp),
            // The checker counts the arguments; a call that it let through by mistake is NULL.
            _ => self.push("NULL"),
        }
    }

    fn plain(&mut self, name: &str, arguments: &[Expression]) {
        self.push(name);
        self.push("(");
        self.joined(arguments, ", ");
        self.push(")");
    }

    fn between(&mut self, around: [&str; 3], one: &Expression, other: &Expression) {
        self.push(around[0]);
        self.expression(one);
        self.push(around[1]);
        self.expression(other);
        self.push(around[2]);
    }

    /// Whether an element of one array is, or none is not, in another. NULL where one is NULL.
    fn array_test(
        &mut self,
        array: &Expression,
        part: &Expression,
        exists: &str,
        elements: &Expression,
        is_in: &str,
        all: &Expression,
    ) {
        self.between(["(CASE WHEN ", " IS NULL OR ", " IS NULL THEN NULL ELSE "], array, part);
        self.push(exists);
        self.around(" (SELECT 1 FROM json_each(", elements, ") AS \"e\" WHERE \"e\".\"value\" ");
        self.push(is_in);
        self.around(" (SELECT \"f\".\"value\" FROM json_each(", all, ") AS \"f\")) END)");
    }

    /// A range, which an index can follow: the byte FF is greater than any in UTF-8.
    fn starts_with(&mut self, text: &Expression, part: &Expression) {
        self.between(["(", " >= ", " AND "], text, part);
        self.between(["", " < (", " || CAST(x'FF' AS TEXT)))"], text, part);
    }

    /// JSON's null counts as absent, as in a declared field.
    fn json_extract(&mut self, json: &Expression, pointer: &str) {
        let tokens: Vec<Expression> = tokens(pointer).map(Expression::Text).collect();
        self.around("nullif(", json, " #> ARRAY[");
        self.joined(&tokens, ", ");
        self.push("], 'null'::jsonb)");
    }

    /// The element with the form that it takes in JSON: a function does not see that of others.
    fn json_append(&mut self, array: &Expression, element: &Expression) {
        let Expression::JsonValue(element, element_type) = element else {
            return self.push("NULL");
        };
        self.around("loggia_json_append(", array, ", ");
        let _ = write!(self.sql_mut(), "'{}'", element_type.name());
        self.around(", ", element, ")");
    }

    /// The greatest multiple of the width that is not above the timestamp, also before 1970,
    /// where the remainder is negative.
    fn time_bucket(&mut self, width: &Expression, timestamp: &Expression) {
        self.between(["(", " - ((", " % nullif("], timestamp, timestamp);
        self.between(["", ", 0) + ", ") % nullif("], width, width);
        self.around("", width, ", 0)))");
    }

    /// A value as a part of JSON. `SQLite` takes a boolean for a number, and JSON for text.
    /// Neither knows that a number is a timestamp.
    pub(super) fn json_value(&mut self, value: &Expression, value_type: FieldType) {
        match (self.dialect(), value_type) {
            (Dialect::Sqlite, FieldType::Boolean) => {
                self.around("json(CASE ", value, " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)");
            }
            (Dialect::Sqlite, FieldType::Json | FieldType::Texts) => {
                self.around("json(", value, ")");
            }
            (Dialect::Sqlite, FieldType::Timestamp) => {
                self.around("loggia_timestamp(", value, ")");
            }
            (Dialect::Postgres, FieldType::Timestamp) => self.timestamp_text(value),
            _ => self.expression(value),
        }
    }

    /// A timestamp as the columns of a result show it, of the years 1 to 9999, and as a number
    /// else. Seconds and the rest are added one by one: an interval is multiplied by a double.
    fn timestamp_text(&mut self, value: &Expression) {
        self.around(
            "(CASE WHEN ",
            value,
            " BETWEEN -62135596800000000 AND 253402300799999999 THEN to_char(timestamp 'epoch'",
        );
        self.around(" + (", value, " / 1000000) * interval '1 second'");
        self.around(" + (", value, " % 1000000) * interval '1 microsecond'");
        self.around(", CASE ", value, " % 1000 WHEN 0 THEN 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'");
        self.push(" ELSE 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"' END)");
        self.around(" ELSE (", value, ")::text END)");
    }

    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) {
        self.aggregated(aggregate.function, aggregate.argument.as_ref(), End::Group(aggregate));
    }

    fn aggregated(
        &mut self,
        function: AggregateFunction,
        argument: Option<&Expression>,
        end: End<'_>,
    ) {
        let mut one = |before: &str, name: &str, after: &str| {
            self.push(before);
            self.push(name);
            match argument {
                None => self.push("*"),
                Some(argument) => self.expression(argument),
            }
            self.end_of(end);
            self.push(after);
        };
        match function {
            AggregateFunction::Count => one("", "count(", ""),
            AggregateFunction::CountDistinct => one("", "count(DISTINCT ", ""),
            AggregateFunction::Max => one("", "max(", ""),
            AggregateFunction::Min => one("", "min(", ""),
            AggregateFunction::SumOfNumbers => one("", "sum(", ""),
            AggregateFunction::SumOfIntegers => one("CAST(", "sum(", " AS bigint)"),
            // The databases' own averages differ in the last digit.
            AggregateFunction::AverageOfIntegers => {
                one("(CAST(", "sum(", " AS double precision)");
                one(" / ", "count(", ")");
            }
            AggregateFunction::AverageOfNumbers => {
                one("(", "sum(", "");
                one(" / ", "count(", ")");
            }
            AggregateFunction::JsonArray => self.json_array(argument, end),
        }
    }

    /// Of no rows an empty array, which only `SQLite` gives by itself.
    fn json_array(&mut self, argument: Option<&Expression>, end: End<'_>) {
        self.push(match self.dialect() {
            Dialect::Postgres => "coalesce(jsonb_agg(",
            Dialect::Sqlite => "json_group_array(",
        });
        self.joined(argument, ", ");
        self.end_of(end);
        if self.dialect() == Dialect::Postgres {
            self.push(", '[]'::jsonb)");
        }
    }

    /// What stands behind the argument of an aggregate.
    fn end_of(&mut self, end: End<'_>) {
        let aggregate = match end {
            End::Window(window) => return self.over(window),
            End::Group(aggregate) => aggregate,
        };
        if !aggregate.order.is_empty() {
            self.push(" ");
            self.terms(&aggregate.order);
        }
        self.push(")");
        if let Some(filter) = &aggregate.filter {
            self.around(" FILTER (WHERE ", filter, ")");
        }
    }

    pub(super) fn window(&mut self, window: &Window) {
        let name = match window.function {
            WindowFunction::Aggregate(function) => {
                return self.aggregated(function, window.arguments.first(), End::Window(window));
            }
            WindowFunction::DenseRank => "dense_rank(",
            WindowFunction::Lag(_) => "lag(",
            WindowFunction::Lead(_) => "lead(",
            WindowFunction::Rank => "rank(",
            WindowFunction::RowNumber => "row_number(",
        };
        self.push(name);
        self.joined(&window.arguments, ", ");
        if let WindowFunction::Lag(rows) | WindowFunction::Lead(rows) = window.function {
            let _ = write!(self.sql_mut(), ", {rows}");
        }
        self.over(window);
    }

    fn over(&mut self, window: &Window) {
        self.push(") OVER (");
        if !window.partition.is_empty() {
            self.push("PARTITION BY ");
            self.joined(&window.partition, ", ");
            self.push(" ");
        }
        if !window.order.is_empty() {
            self.terms(&window.order);
        }
        self.push(")");
    }
}

/// Where a call of an aggregate function stands.
#[derive(Clone, Copy, Debug)]
enum End<'e> {
    Group(&'e Aggregate),
    Window(&'e Window),
}
