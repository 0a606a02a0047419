//! Where an expression stands, and what it is called, for refusals.

use sqlparser::ast::Expr;
use sqlparser::tokenizer::Location;

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
            Expr::Case { case_token, .. } => return case_token.0.span.start,
            Expr::Function(function) => {
                let name = function.name.0.first().and_then(|part| part.as_ident());
                return name.map_or(Location::empty(), |name| name.span.start);
            }
            Expr::BinaryOp { left, .. }
            | Expr::AnyOp { left, .. }
            | Expr::AllOp { left, .. }
            | Expr::IsDistinctFrom(left, _)
            | Expr::IsNotDistinctFrom(left, _) => left,
            Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner) => inner,
            Expr::UnaryOp { expr, .. }
            | Expr::InList { expr, .. }
            | Expr::InSubquery { expr, .. }
            | Expr::Between { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Ceil { expr, .. }
            | Expr::Floor { expr, .. }
            | Expr::Like { expr, .. }
            | Expr::ILike { expr, .. }
            | Expr::SimilarTo { expr, .. }
            | Expr::RLike { expr, .. } => expr,
            Expr::TypedString(typed) => return typed.value.span.start,
            Expr::Tuple(parts) if !parts.is_empty() => &parts[0],
            _ => return Location::empty(),
        }
    }
}

/// What a refused expression is called.
pub(super) fn describe(expr: &Expr) -> &'static str {
    match expr {
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => {
            "LIKE (see starts_with and contains_text)"
        }
        Expr::AnyOp { .. } => "ANY with this operator",
        Expr::AllOp { .. } => "ALL",
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => "IS DISTINCT FROM",
        Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsFalse(_) | Expr::IsNotFalse(_) => {
            "IS TRUE or IS FALSE"
        }
        Expr::Cast { .. } => "this cast",
        Expr::TypedString(_) => "a typed string",
        Expr::Tuple(_) => "a row outside a comparison of rows",
        _ => "this expression",
    }
}
