//! Any text as a statement: the compiler must refuse it or render it, and what it renders must be
//! one statement. `gateway/src/storage/statement/tests/mutants.rs` checks more of what is rendered.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use loggia::manifest::{CollectionDeclaration, SelectDeclaration};
use loggia::storage::collection::Collection;
use loggia::storage::statement::{Catalog, Dialect, Shape, Statement};
use serde_json::json;

static COLLECTIONS: LazyLock<Vec<Collection>> = LazyLock::new(|| {
    let declared = json!({
        "name": "note", "expires": true,
        "fields": {"title": "text", "n": "integer", "at": "timestamp", "tags": "text[]",
                   "done": "boolean", "ratio": "number", "any": "json"},
    });
    let declared: CollectionDeclaration = serde_json::from_value(declared).expect("a declaration");
    vec![Collection::new("fuzz", &declared).expect("a collection")]
});

fuzz_target!(|text: &str| {
    let declared = json!({"name": "s", "select": text});
    let Ok(declared) = serde_json::from_value::<SelectDeclaration>(declared) else { return };
    let Ok(statement) = Statement::compile(&declared, Catalog::of(&COLLECTIONS)) else { return };
    let given = vec![true; statement.parameters().len()];
    let shape = Shape { given, limit: true, ..Shape::default() };
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let sql = statement.render(dialect, &shape).sql;
        assert!(!outside_of_quotes(&sql).contains(';'), "{sql}");
    }
});

/// The text without what stands in quotes.
fn outside_of_quotes(sql: &str) -> String {
    let mut quote = None;
    let mut outside = String::new();
    for character in sql.chars() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, _) => outside.push(character),
            _ => {}
        }
    }
    outside
}
