//! Statements about the documents of one collection.

use serde_json::{Value, json};

use super::super::{Bind, Catalog, Dialect, Documents, Fault};
use super::collections;
use crate::manifest::{FieldType, ScopeDeclaration};

fn scope(declaration: Value) -> Result<Documents, Vec<Fault>> {
    let declaration: ScopeDeclaration =
        serde_json::from_value(declaration).expect("the declaration is right");
    Documents::compile(&declaration, Catalog::of(&collections()))
}

#[test]
fn a_scope_selects_the_columns_of_documents() {
    let scope = scope(json!({"name": "s", "scope": "session", "where": "state = :state"}));
    let scope = scope.expect("it is right");
    let rendered = scope.render(Dialect::Postgres, &[true]);
    assert_eq!(
        rendered.sql,
        "SELECT \"t0\".\"id\", \"t0\".\"version\", \"t0\".\"created_at\", \"t0\".\"updated_at\", \
         \"t0\".\"expires_at\", \"t0\".\"body\" FROM \"test__session\" AS \"t0\" \
         WHERE \"t0\".\"tenant\" = $1::int4 \
         AND (\"t0\".\"expires_at\" IS NULL OR \"t0\".\"expires_at\" > $2::int8) \
         AND (\"t0\".\"f__state\" = ($3::text COLLATE \"C\"))"
    );
    assert_eq!(rendered.binds, [Bind::Tenant, Bind::Now, Bind::Parameter(0)]);
    let parameter = &scope.parameters()[0];
    assert_eq!((parameter.parameter_type, parameter.required), (FieldType::Text, true));
}

#[test]
fn a_subquery_of_a_scope_sees_its_tenant_only() {
    let scope = scope(json!({"name": "s", "scope": "edge",
        "where": "EXISTS (SELECT e.id FROM event AS e WHERE e.session = edge.a)"}));
    let rendered = scope.expect("it is right").render(Dialect::Sqlite, &[]);
    assert_eq!(
        rendered.sql,
        "SELECT \"t0\".\"id\", \"t0\".\"version\", \"t0\".\"created_at\", \"t0\".\"updated_at\", \
         \"t0\".\"expires_at\", \"t0\".\"body\" FROM \"test__edge\" AS \"t0\" \
         WHERE \"t0\".\"tenant\" = ?1 AND (EXISTS (SELECT \"t1\".\"id\" AS \"id\" \
         FROM (SELECT \"d\".\"id\" AS \"id\", \"d\".\"f__session\" AS \"session\" \
         FROM \"test__event\" AS \"d\" WHERE \"d\".\"tenant\" = ?1) AS \"t1\" \
         WHERE (\"t1\".\"session\" = \"t0\".\"f__a\")))"
    );
}

#[test]
fn a_refused_scope_says_where_and_why() {
    for (declaration, part, column, reason) in [
        (json!({"scope": "other"}), "scope", 1, "other is not a collection of this plugin"),
        (json!({"scope": "edge", "where": "a = b AND c"}), "where", 11, "no column c here"),
        (json!({"scope": "edge", "where": ["a = b", "a"]}), "where 2", 1, "this is text"),
        (json!({"scope": "edge", "where": "test__edge.tenant = 1"}), "where", 12, "no column"),
        (json!({"scope": "edge", "where": "count(*) > 1"}), "where", 1, "count"),
        (json!({"scope": "edge", "where": "a = b; DROP TABLE x"}), "where", 6, "one SELECT"),
    ] {
        let mut declaration = declaration;
        declaration["name"] = json!("s");
        let faults = scope(declaration.clone()).expect_err("it must be refused");
        let Fault { part: found_part, column: found, reason: found_reason, .. } = &faults[0];
        assert_eq!((found_part.as_str(), *found), (part, column), "{declaration}: {faults:?}");
        assert!(found_reason.contains(reason), "{declaration}: {faults:?}");
    }
}
