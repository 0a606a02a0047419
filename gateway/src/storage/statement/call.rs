//! Calls of functions: which there are, what they take and give.

use sqlparser::ast::{
    self, CeilFloorKind, DateTimeField, DuplicateTreatment, Expr, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, ObjectNamePart, OrderByExpr,
    Value, WindowSpec, WindowType,
};
use sqlparser::tokenizer::Location;

use super::aggregate::{aggregate_name, window_name};
use super::check::{Checked, Checker, Clause, all};
use super::functions::Function;
use super::position::start;
use super::scope::Scope;
use super::side_table::tested_relation;
use super::tree::{Expression, ROW_ID};
use super::types::Typed;
use crate::json::edit::tokens;
use crate::manifest::FieldType;

/// What `PostgreSQL` takes.
const MAX_ARGUMENTS: usize = 100;

/// A call as it is written, taken apart.
#[derive(Debug)]
pub(super) struct Call<'q> {
    /// In lower case.
    pub(super) name: String,
    pub(super) at: Location,
    /// `count(*)`.
    pub(super) star: bool,
    pub(super) distinct: bool,
    pub(super) arguments: Vec<&'q Expr>,
    pub(super) order: &'q [OrderByExpr],
    pub(super) filter: Option<&'q Expr>,
    window: Option<&'q WindowSpec>,
}

impl Checker<'_> {
    /// A call of a function from the list.
    pub(super) fn call(&mut self, function: &ast::Function, scope: &Scope<'_>) -> Checked<Typed> {
        let call = self.taken_apart(function)?;
        if let Some(spec) = call.window {
            return self.window(&call, spec, scope);
        }
        if let Some(aggregate) = aggregate_name(&call) {
            return self.aggregate(aggregate, &call, scope);
        }
        if call.star || call.distinct || !call.order.is_empty() || call.filter.is_some() {
            return self.refuse(call.at, format!("{} takes values only", call.name));
        }
        match call.name.as_str() {
            "match" => return self.matches(&call, scope),
            "rank" if !call.arguments.is_empty() => return self.rank(&call, scope),
            "highlight" => return self.highlight(&call, scope),
            _ => {}
        }
        match function_name(&call.name) {
            Some(function) => self.function(function, &call, scope),
            None if call.name == "now" && call.arguments.is_empty() => {
                Ok(Typed::constant(Expression::Now, FieldType::Timestamp))
            }
            None if window_name(&call.name).is_some() => {
                self.refuse(call.at, format!("{} needs OVER", call.name))
            }
            None => self.refuse(call.at, format!("there is no function {}", call.name)),
        }
    }

    /// Take a call apart, and refuse what no function has. All members are named, so that one
    /// that a new version of the parser adds does not compile.
    fn taken_apart<'q>(&mut self, function: &'q ast::Function) -> Checked<Call<'q>> {
        let ast::Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            filter,
            null_treatment,
            over,
            within_group,
        } = function;
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            return self.refuse_here("a function's name has one part");
        };
        let at = self.touch(ident.span.start);
        let name = ident.value.to_ascii_lowercase();
        let more = *uses_odbc_syntax
            || !matches!(parameters, FunctionArguments::None)
            || null_treatment.is_some()
            || !within_group.is_empty()
            || ident.quote_style.is_some();
        let (FunctionArguments::List(list), false) = (args, more) else {
            return self.refuse(at, format!("{name} is not allowed in this form"));
        };
        let window = match over {
            None => None,
            Some(WindowType::WindowSpec(spec)) => Some(spec),
            Some(WindowType::NamedWindow(_)) => {
                return self.refuse(at, "write the window after OVER");
            }
        };
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        let order = match clauses.as_slice() {
            [] => &[][..],
            [FunctionArgumentClause::OrderBy(terms)] => terms,
            _ => return self.refuse(at, format!("{name} is not allowed in this form")),
        };
        let (star, arguments) = self.arguments(args, at)?;
        let distinct = matches!(duplicate_treatment, Some(DuplicateTreatment::Distinct));
        Ok(Call { name, at, star, distinct, arguments, order, filter: filter.as_deref(), window })
    }

    fn arguments<'q>(
        &mut self,
        args: &'q [FunctionArg],
        at: Location,
    ) -> Checked<(bool, Vec<&'q Expr>)> {
        if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = args {
            return Ok((true, Vec::new()));
        }
        let arguments = args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
            _ => self.refuse(at, "arguments are values without names"),
        });
        let arguments = all(arguments.collect())?;
        self.at_most(MAX_ARGUMENTS, arguments.len(), "arguments")?;
        Ok((false, arguments))
    }

    /// CEIL and FLOOR, which the parser knows by themselves.
    pub(super) fn rounded(
        &mut self,
        function: Function,
        expr: &Expr,
        field: &CeilFloorKind,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {
                self.fixed(function, &[FieldType::Number], FieldType::Number, &[expr], scope)
            }
            _ => self.refuse_here("ceil and floor take one number"),
        }
    }

    fn function(
        &mut self,
        function: Function,
        call: &Call<'_>,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        use FieldType::{Boolean, Integer, Json, Number, Text, Texts, Timestamp};
        let (arguments, result): (&[FieldType], FieldType) = match function {
            Function::ArrayHasAll | Function::ArrayHasAny => (&[Texts, Texts], Boolean),
            Function::ArrayLength => (&[Texts], Integer),
            Function::Ceil | Function::Floor | Function::Round => (&[Number], Number),
            Function::ContainsText | Function::StartsWith => (&[Text, Text], Boolean),
            Function::JsonContains => (&[Json, Json], Boolean),
            Function::Length => (&[Text], Integer),
            Function::Lower | Function::Upper => (&[Text], Text),
            Function::TimeBucket => (&[Integer, Timestamp], Timestamp),
            Function::Abs => return self.abs(call, scope),
            Function::Coalesce => return self.coalesce(call, scope),
            Function::NullIf => return self.null_if(call, scope),
            Function::JsonAppend => return self.json_append(call, scope),
            Function::JsonExtract => return self.json_extract(call, scope),
            Function::JsonObject => return self.json_object(call, scope),
        };
        if arguments.len() != call.arguments.len() {
            let reason = format!("{} takes {} arguments", call.name, arguments.len());
            return self.refuse(call.at, reason);
        }
        let typed = self.fixed(function, arguments, result, &call.arguments, scope)?;
        self.use_side_table(&typed.expression);
        Ok(typed)
    }

    /// Where an index has a side table, it is joined by the row's id.
    pub(super) fn use_side_table(&mut self, test: &Expression) {
        if let Some(relation) = tested_relation(test, &self.relations) {
            let columns = self.relations[relation].columns.iter_mut();
            columns.filter(|column| column.name == ROW_ID).for_each(|column| column.used = true);
        }
    }

    /// A function whose arguments have fixed types.
    fn fixed(
        &mut self,
        function: Function,
        types: &[FieldType],
        result: FieldType,
        arguments: &[&Expr],
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        let arguments = arguments.iter().zip(types).map(|(argument, value_type)| {
            let typed = self.expression(argument, scope)?;
            Ok(self.coerce(typed, *value_type, start(argument))?.expression)
        });
        let arguments = all(arguments.collect())?;
        Ok(Typed::new(Expression::Call(function, arguments), result))
    }

    fn abs(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let [argument] = call.arguments.as_slice() else {
            return self.refuse(call.at, "abs takes 1 argument");
        };
        let typed = self.expression(argument, scope)?;
        match self.known(&typed) {
            Some(known @ (FieldType::Integer | FieldType::Number)) => {
                Ok(Typed::new(Expression::Call(Function::Abs, vec![typed.expression]), known))
            }
            _ => self.refuse(call.at, "abs takes a number"),
        }
    }

    fn coalesce(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        if call.arguments.len() < 2 {
            return self.refuse(call.at, "coalesce takes 2 or more arguments");
        }
        let values = call.arguments.iter().map(|argument| self.expression(argument, scope));
        let values = all(values.collect())?;
        let (values, common) = self.unify(values, call.at)?;
        let nullable = values.iter().all(|value| value.nullable);
        let values = values.into_iter().map(|value| value.expression).collect();
        let expression = Expression::Call(Function::Coalesce, values);
        Ok(Typed { expression, value_type: Some(common), nullable })
    }

    fn null_if(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let [value, other] = call.arguments.as_slice() else {
            return self.refuse(call.at, "nullif takes 2 arguments");
        };
        let values = [value, other].map(|argument| self.expression(argument, scope));
        let values = all(values.into())?;
        let (values, common) = self.unify(values, call.at)?;
        self.comparable(common, call.at)?;
        let values = values.into_iter().map(|value| value.expression).collect();
        Ok(Typed::new(Expression::Call(Function::NullIf, values), common))
    }

    /// It fails where there is no array, and a select should not fail by what it reads.
    fn json_append(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        if self.clause() != Clause::Set {
            return self.refuse(call.at, "json_append is for what an update sets only");
        }
        let [array, element] = call.arguments.as_slice() else {
            return self.refuse(call.at, "json_append takes 2 arguments");
        };
        let typed = self.expression(array, scope)?;
        let array = self.coerce(typed, FieldType::Json, start(array))?.expression;
        let typed = self.expression(element, scope)?;
        // Whatever it is, it becomes JSON.
        let known = self.known(&typed).unwrap_or(FieldType::Json);
        let element = self.coerce(typed, known, start(element))?.expression;
        let element = Expression::JsonValue(Box::new(element), known);
        let expression = Expression::Call(Function::JsonAppend, vec![array, element]);
        Ok(Typed::constant(expression, FieldType::Json))
    }

    /// The pointer is a literal, so that `PostgreSQL` gets its tokens.
    fn json_extract(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let [json, Expr::Value(pointer)] = call.arguments.as_slice() else {
            return self.refuse(call.at, "json_extract takes JSON and a JSON Pointer in quotes");
        };
        let pointer = match &pointer.value {
            Value::SingleQuotedString(pointer) if is_pointer(pointer) => pointer.clone(),
            _ => return self.refuse(call.at, "json_extract takes a JSON Pointer such as '/a/b'"),
        };
        let typed = self.expression(json, scope)?;
        let json = self.coerce(typed, FieldType::Json, start(json))?.expression;
        let arguments = vec![json, Expression::Text(pointer)];
        Ok(Typed::new(Expression::Call(Function::JsonExtract, arguments), FieldType::Json))
    }

    /// Names and values in turn.
    fn json_object(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let mut members: Vec<Expression> = Vec::new();
        for pair in call.arguments.chunks(2) {
            let [Expr::Value(name), value] = pair else {
                return self
                    .refuse(call.at, "json_object takes names in quotes and values in turn");
            };
            let Value::SingleQuotedString(name) = &name.value else {
                return self
                    .refuse(call.at, "json_object takes names in quotes and values in turn");
            };
            let name = Expression::Text(name.clone());
            if members.chunks(2).any(|member| member[0] == name) {
                return self.refuse(start(value), "this name is there twice");
            }
            let value = self.json_value(value, scope)?;
            members.extend([name, value]);
        }
        let expression = Expression::Call(Function::JsonObject, members);
        Ok(Typed::constant(expression, FieldType::Json))
    }

    fn json_value(&mut self, value: &Expr, scope: &Scope<'_>) -> Checked<Expression> {
        let typed = self.expression(value, scope)?;
        match self.known(&typed) {
            Some(known) => Ok(Expression::JsonValue(Box::new(typed.expression), known)),
            None => self.refuse(start(value), "the type of this cannot be known"),
        }
    }
}

/// A JSON Pointer to a part. `PostgreSQL` takes more texts for the index of an array than a pointer
/// has, such as `-1`.
fn is_pointer(text: &str) -> bool {
    let is_plain = |token: String| {
        let number = token.trim().parse::<i64>();
        number.is_err() || token.parse().is_ok_and(|index: u32| index.to_string() == token)
    };
    text.starts_with('/') && tokens(text).all(is_plain)
}

fn function_name(name: &str) -> Option<Function> {
    Some(match name {
        "abs" => Function::Abs,
        "array_has_all" => Function::ArrayHasAll,
        "array_has_any" => Function::ArrayHasAny,
        "array_length" => Function::ArrayLength,
        "ceil" => Function::Ceil,
        "coalesce" => Function::Coalesce,
        "contains_text" => Function::ContainsText,
        "floor" => Function::Floor,
        "json_append" => Function::JsonAppend,
        "json_contains" => Function::JsonContains,
        "json_extract" => Function::JsonExtract,
        "json_object" => Function::JsonObject,
        "length" => Function::Length,
        "lower" => Function::Lower,
        "nullif" => Function::NullIf,
        "round" => Function::Round,
        "starts_with" => Function::StartsWith,
        "time_bucket" => Function::TimeBucket,
        "upper" => Function::Upper,
        _ => return None,
    })
}
