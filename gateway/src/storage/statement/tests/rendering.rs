//! What is written for each database.

use serde_json::json;

use super::super::{Bind, Dialect, Shape, Statement};
use super::cases::cases;
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
fn what_follows_from_other_columns_is_no_key() {
    let statement = compile(json!({
        "name": "s",
        "select": "SELECT t.kind AS kind, t.n + 1 AS next, (SELECT e.kind FROM event AS e \
                   WHERE e.kind = t.kind ORDER BY e.at LIMIT 1) AS first, t.n * 2 AS n2, t.n AS n \
                   FROM (SELECT kind, count(*) AS n FROM event GROUP BY kind) AS t",
    }));
    let rendered = render_all(&statement, Dialect::Sqlite);
    let (_, order) = rendered.sql.rsplit_once(" ORDER BY ").expect("it is in order");
    assert_eq!(order, "\"t1\".\"kind\", \"t1\".\"n\"");
    let hidden = compile(json!({
        "name": "s",
        "select": "SELECT t.n + 1 AS next FROM (SELECT kind, count(*) AS n FROM event \
                   GROUP BY kind) AS t",
    }));
    assert_eq!(hidden.key_types(0).len(), 1, "nothing else tells its rows apart");
}

/// Whatever a statement is made of, a table stands only behind its tenant.
#[test]
fn every_table_is_bound_to_the_tenant() {
    for mut case in cases() {
        case["name"] = json!("case");
        let statement = compile(case);
        let keys = vec![false; statement.key_types(0).len()];
        for (dialect, tenant) in [(Dialect::Postgres, "$1::int4"), (Dialect::Sqlite, "?1")] {
            for after in [None, Some(keys.clone())] {
                let given = vec![true; statement.parameters().len()];
                let shape = Shape { given, after, ..Shape::default() };
                let rendered = statement.render(dialect, &shape);
                check_tables(&rendered.sql, &rendered.binds, tenant);
            }
        }
    }
}

/// Number 1 is the tenant unless another parameter came first.
fn check_tables(sql: &str, binds: &[Bind], first: &str) {
    let place = binds.iter().position(|bind| *bind == Bind::Tenant).map(|place| place + 1);
    let tenant = first.replace('1', &place.unwrap_or_default().to_string());
    for after_name in sql.split("\"test__").skip(1) {
        let (_, rest) = after_name.split_once('"').expect("the name ends");
        let wall = format!(" AS \"d\" WHERE \"d\".\"tenant\" = {tenant}");
        assert!(rest.starts_with(&wall), "{sql}");
    }
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

#[test]
fn a_parameter_that_is_used_twice_is_bound_once() {
    let statement = compile(json!({
        "name": "s", "select": "SELECT id FROM event WHERE kind = :x OR session = :x",
    }));
    let rendered = render_all(&statement, Dialect::Sqlite);
    assert!(
        rendered.sql.contains("\"kind\" = ?2) OR (\"t0\".\"session\" = ?2)"),
        "{}",
        rendered.sql
    );
    assert_eq!(rendered.binds, [Bind::Tenant, Bind::Parameter(0)]);
}

#[test]
fn literals_are_quoted_anew() {
    let statement = compile(json!({
        "name": "s",
        "select": "SELECT 'it''s' AS a, 'c:\\dir''' AS b, -5 AS c, 1.0 AS d FROM event",
    }));
    let postgres = render_all(&statement, Dialect::Postgres).sql;
    assert!(postgres.contains("('it''s'::text COLLATE \"C\") AS \"a\""), "{postgres}");
    // Whatever the server's setting says of backslashes.
    assert!(postgres.contains("(E'c:\\\\dir'''::text COLLATE \"C\") AS \"b\""), "{postgres}");
    assert!(postgres.contains("(-5)::int8 AS \"c\", (1.0)::float8 AS \"d\""), "{postgres}");
    let sqlite = render_all(&statement, Dialect::Sqlite).sql;
    assert!(sqlite.contains("'c:\\dir''' AS \"b\", (-5) AS \"c\", (1.0) AS \"d\""), "{sqlite}");
}

/// The conditions of a page behind a cursor, without the tables.
fn behind(statement: &Statement, order: &str, nulls: &[bool]) -> Vec<String> {
    let order = statement.order(Some(order)).expect("a named order");
    let shape = Shape { order, after: Some(nulls.to_vec()), limit: true, ..Shape::default() };
    let sql = statement.render(Dialect::Sqlite, &shape).sql.replace('"', "");
    let ranges = sql.split(" AS t0 WHERE ").skip(1);
    ranges.map(|range| range.split(" ORDER BY ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_cursor_becomes_ranges_of_an_index() {
    let statement = compile(json!({
        "name": "s", "select": "SELECT id FROM event",
        "order": {"up": "at", "down": "at DESC", "made": "_created_at DESC",
                  "mixed": "kind, at DESC", "id": "id DESC"},
    }));
    let of = |order, nulls: &[bool]| behind(&statement, order, nulls);
    assert_eq!(of("up", &[false, false]), ["((t0.at, t0.id) > (?2, ?3))"]);
    assert_eq!(of("down", &[false, false]), ["((t0.at, t0.id) < (?2, ?3))", "(t0.at IS NULL)"]);
    assert_eq!(of("made", &[false, false]), ["((t0._created_at, t0.id) < (?2, ?3))"]);
    assert_eq!(of("id", &[false]), ["(t0.id < ?2)"]);
    assert_eq!(
        of("up", &[true, false]),
        ["((t0.at IS NULL) AND (t0.id > ?2))", "(t0.at IS NOT NULL)"]
    );
    assert_eq!(of("down", &[true, false]), ["((t0.at IS NULL) AND (t0.id < ?2))"]);
    assert_eq!(
        of("mixed", &[false, false, false]),
        [
            "((t0.kind >= ?2) AND ((t0.kind > ?2) OR ((t0.at <= ?3) AND ((t0.at < ?3) OR (t0.id < ?4)))))",
            "((t0.kind = ?2) AND (t0.at IS NULL))",
        ]
    );
}

#[test]
fn orders_are_found_by_name_and_have_keys_that_tell_rows_apart() {
    use FieldType::{Integer, Text, Timestamp};
    let statement = compile(json!({
        "name": "s", "select": "SELECT id, at AS time FROM event",
        "order": {"newest": "time DESC", "kind": "kind"},
    }));
    assert_eq!(statement.order(None), Some(0));
    assert_eq!(statement.order(Some("kind")), Some(1));
    assert_eq!(statement.order(Some("oldest")), None);
    assert_eq!(statement.key_types(0), [Timestamp, Text]);
    assert_eq!(statement.key_types(1), [Text, Text]);
    let groups = compile(json!({
        "name": "s", "select": "SELECT count(*) AS n FROM event GROUP BY kind, at",
        "order": {"most": "n DESC"},
    }));
    assert_eq!(groups.key_types(0), [Integer, Text, Timestamp]);
    assert_eq!(groups.columns().len(), 1);
    let one = compile(json!({"name": "s", "select": "SELECT count(*) AS n FROM event"}));
    assert!(one.key_types(0).is_empty());
}

#[test]
fn a_statement_says_what_it_reads() {
    let statement = compile(json!({
        "name": "s", "select": "SELECT s.id FROM session s JOIN event e ON e.session = s.id",
        "where": ["EXISTS (SELECT 1 FROM edge WHERE edge.a = :a)", "s.id IN (SELECT session FROM event)"],
    }));
    assert_eq!(statement.reads(), ["session", "event", "edge"]);
    assert_eq!(statement.name(), "s");
}

#[test]
fn a_statement_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&compile(json!({"name": "s", "select": "SELECT id FROM event"})));
}

#[test]
fn keys_are_told_of_pages_and_no_others() {
    let statement = compile(json!({
        "name": "s", "select": "SELECT at FROM event", "order": {"newest": "at DESC"},
    }));
    let text = |whole| {
        let shape = Shape { whole, ..Shape::default() };
        statement.render(Dialect::Postgres, &shape).sql
    };
    assert!(text(false).contains("\"#0\"") && !text(true).contains('#'), "{}", text(true));
    assert!(text(true).contains("ORDER BY \"t0\".\"at\" DESC"), "{}", text(true));
}

#[test]
fn an_unordered_statement_is_not_sorted() {
    let statement = compile(json!({
        "name": "s", "select": "SELECT id FROM event UNION ALL SELECT session AS id FROM event",
        "unordered": true,
    }));
    assert!(statement.is_unordered() && statement.key_types(0).is_empty());
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let sql = render_all(&statement, dialect).sql;
        assert!(!sql.contains("ORDER BY") && !sql.contains('#'), "{sql}");
    }
}
