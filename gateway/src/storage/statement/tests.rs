//! Tests of the statement compiler that need no server.

use serde_json::{Value, json};

use super::{Catalog, Dialect, Fault, Rendered, Shape, Statement};
use crate::manifest::{CollectionDeclaration, SelectDeclaration};
use crate::storage::collection::Collection;

mod cases;
mod depth;
mod documents;
mod escapes;
mod hostile;
mod mutants;
mod rendering;
mod sqlite;

/// The collections that the tests' statements read.
fn collections() -> Vec<Collection> {
    let declarations: Vec<CollectionDeclaration> =
        serde_json::from_value(cases::collections()).expect("the declarations are right");
    declarations
        .iter()
        .map(|declaration| Collection::new("test", declaration).expect("they are collections"))
        .collect()
}

fn try_compile(declaration: Value) -> Result<Statement, Vec<Fault>> {
    let declaration: SelectDeclaration =
        serde_json::from_value(declaration).expect("the declaration is right");
    Statement::compile(&declaration, Catalog::of(&collections()))
}

fn compile(declaration: Value) -> Statement {
    try_compile(declaration).unwrap_or_else(|faults| panic!("refused: {faults:?}"))
}

/// A statement that is nothing but a select.
fn select(sql: &str) -> Result<Statement, Vec<Fault>> {
    try_compile(json!({"name": "s", "select": sql}))
}

fn render_all(statement: &Statement, dialect: Dialect) -> Rendered {
    let given = vec![true; statement.parameters().len()];
    statement.render(dialect, &Shape { given, ..Shape::default() })
}
