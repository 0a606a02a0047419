//! What is written for each database.

use serde_json::json;

use super::super::{Bind, Dialect, Shape};
use super::{compile, render_all};
use crate::manifest::FieldType;

#[test]
fn a_table_becomes_the_tenants_visible_rows() {
    let statement = compile(json!({"name": "s", "select": "SELECT id, state FROM session"}));
    let rendered = render_all(&statement, Dialect::Postgres);
    assert_eq!(
        rendered.sql,
        "SELECT \"t0\".\"id\" AS \"id\", \"t0\".\"state\" AS \"state\", \"t0\".\"id\" AS \"#0\" \
         FROM (SELECT \"d\".\"id\" AS \"id\", \"d\".\"f__state\" AS \"state\" \
         FROM \"test__session\" AS \"d\" WHERE \"d\".\"tenant\" = $1::int4 \
         AND (\"d\".\"expires_at\" IS NULL OR \"d\".\"expires_at\" > $2::int8)) AS \"t0\" \
         ORDER BY \"t0\".\"id\""
    );
    assert_eq!(rendered.binds, [Bind::Tenant, Bind::Now]);
}

#[test]
fn a_collection_without_a_time_to_live_is_not_tested_for_expiry() {
    let statement = compile(json!({"name": "s", "select": "SELECT id FROM event"}));
    let rendered = render_all(&statement, Dialect::Sqlite);
    assert_eq!(
        rendered.sql,
        "SELECT \"t0\".\"id\" AS \"id\", \"t0\".\"id\" AS \"#0\" \
         FROM (SELECT \"d\".\"id\" AS \"id\" FROM \"test__event\" AS \"d\" \
         WHERE \"d\".\"tenant\" = ?1) AS \"t0\" ORDER BY \"t0\".\"id\""
    );
    assert_eq!(rendered.binds, [Bind::Tenant]);
}

#[test]
fn a_condition_is_left_out_when_its_parameter_is_not_given() {
    let statement = compile(json!({
        "name": "s", "select": "SELECT id FROM event WHERE at > :since",
        "where": ["kind = ANY(:kinds)", "session = :session OR kind = :kind"],
    }));
    let names: Vec<_> = statement
        .parameters()
        .iter()
        .map(|known| (known.name.as_str(), known.parameter_type, known.required))
        .collect();
    assert_eq!(
        names,
        [
            ("since", FieldType::Timestamp, true),
            ("kinds", FieldType::Texts, false),
            ("session", FieldType::Text, false),
            ("kind", FieldType::Text, false),
        ]
    );
    let shape = Shape { given: vec![true, false, true, false], ..Shape::default() };
    let rendered = statement.render(Dialect::Postgres, &shape);
    assert!(rendered.sql.contains("WHERE (\"t0\".\"at\" > $2::int8) ORDER BY"), "{}", rendered.sql);
    assert_eq!(rendered.binds, [Bind::Tenant, Bind::Parameter(0)]);
}
