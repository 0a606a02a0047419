//! Statements about the documents of one collection.

use serde_json::{Value, json};

use super::super::{Bind, Catalog, Delete, Dialect, Documents, Fault, Update};
use super::collections;
use crate::manifest::{CollectionDeclaration, FieldType, ScopeDeclaration};
use crate::storage::collection::Collection;

fn scope(declaration: Value) -> Result<Documents, Vec<Fault>> {
    let declaration: ScopeDeclaration =
        serde_json::from_value(declaration).expect("the declaration is right");
    Documents::compile(&declaration, Catalog::of(&collections()))
}

#[test]
fn a_scope_selects_the_columns_of_documents() {
    let scope = scope(json!({"name": "s", "scope": "session", "where": "state = :state"}));
    let scope = scope.expect("it is right");
    let rendered = scope.render(Dialect::Postgres, &[true], 0);
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
    let rendered = scope.expect("it is right").render(Dialect::Sqlite, &[], 0);
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

/// What says under which declaration a row was written.
fn edge_marks() -> String {
    let collections = collections();
    let edge = collections.iter().find(|collection| collection.name == "edge");
    edge.expect("edge is declared").set_marks()
}

fn update(declaration: &Value) -> Result<Update, Vec<Fault>> {
    let declaration =
        serde_json::from_value(declaration.clone()).expect("the declaration is right");
    Update::compile(&declaration, Catalog::of(&collections()))
}

#[test]
fn an_update_picks_under_locks_and_writes_by_the_key() {
    let update = update(&json!({"name": "u", "update": "edge", "set": {"cost": "cost + :by"},
        "where": "a = 'p'", "order": {"dear": "cost DESC"}, "locked": "skip"}));
    let rendered = update.expect("it is right").render(Dialect::Postgres, &[true]);
    let columns = |of: &str| {
        let names = ["id", "version", "created_at", "updated_at", "expires_at", "body"];
        names.map(|name| format!("\"{of}\".\"{name}\"")).join(", ")
    };
    assert_eq!(
        rendered.sql,
        format!(
            "WITH \"picked\" AS MATERIALIZED (SELECT \"t0\".\"id\" AS \"id\", \
             \"t0\".\"f__cost\" AS \"#0\", \"t0\".\"id\" AS \"#1\" \
             FROM \"test__edge\" AS \"t0\" WHERE \"t0\".\"tenant\" = $1::int4 \
             AND (\"t0\".\"f__a\" = ('p'::text COLLATE \"C\")) \
             ORDER BY \"t0\".\"f__cost\" DESC NULLS LAST, \"t0\".\"id\" DESC NULLS LAST \
             LIMIT $2::int8 FOR NO KEY UPDATE OF \"t0\" SKIP LOCKED), \
             \"changed\" AS (UPDATE \"test__edge\" AS \"t0\" \
             SET \"version\" = nextval('loggia_version'), \"updated_at\" = $3::int8{}, \
             \"f__cost\" = (\"t0\".\"f__cost\" + $4::int8), \
             \"body\" = (\"t0\".\"body\" || jsonb_build_object(('cost'::text COLLATE \"C\"), \
             (\"t0\".\"f__cost\" + $4::int8))) FROM \"picked\" AS \"p\" \
             WHERE \"t0\".\"tenant\" = $1::int4 AND \"t0\".\"id\" = \"p\".\"id\" \
             RETURNING {}, \"p\".\"#0\", \"p\".\"#1\") SELECT {} FROM \"changed\" AS \"c\" \
             ORDER BY \"c\".\"#0\" DESC NULLS LAST, \"c\".\"#1\" DESC NULLS LAST",
            edge_marks(),
            columns("t0"),
            columns("c")
        )
    );
    assert_eq!(rendered.binds, [Bind::Tenant, Bind::Limit, Bind::Now, Bind::Parameter(0)]);
}

#[test]
fn a_delete_on_sqlite_picks_ids_and_then_deletes_them() {
    let declaration = json!({"name": "d", "delete": "edge", "where": ["cost > :cost"]});
    let declaration = serde_json::from_value(declaration).expect("the declaration is right");
    let delete = Delete::compile(&declaration, Catalog::of(&collections())).expect("it is right");
    assert_eq!(
        delete.render(Dialect::Sqlite, &[false]).sql,
        "SELECT \"t0\".\"id\" FROM \"test__edge\" AS \"t0\" WHERE \"t0\".\"tenant\" = ?1 \
         ORDER BY \"t0\".\"id\" LIMIT ?2"
    );
    assert_eq!(
        delete.render_change().sql,
        "DELETE FROM \"test__edge\" AS \"t0\" WHERE \"t0\".\"tenant\" = ?1 \
         AND \"t0\".\"id\" IN (SELECT value FROM json_each(?2))"
    );
    assert!(!delete.parameters()[0].required);
}

#[test]
fn a_refused_update_says_where_and_why() {
    let set = |field: &str, value: &str| json!({"update": "session", "set": {field: value}});
    for (declaration, part, column, reason) in [
        (set("other", "1"), "set other", 1, "other is not a declared field of session"),
        (set("_version", "1"), "set _version", 1, "not a declared field"),
        (set("size", "'a'"), "set size", 1, "this is text, where integer is needed"),
        (set("size", "sum(size)"), "set size", 1, "sum is not allowed here"),
        (
            set("size", "row_number() OVER (ORDER BY id)"),
            "set size",
            1,
            "among the columns of a SELECT only",
        ),
        (set("size", "size + none"), "set size", 8, "no column none"),
        (set("size", "size = 1, tenant = 2"), "set size", 9, "unexpected ,"),
        (set("size", "size WHERE 1 = 1"), "set size", 6, "unexpected WHERE"),
        (set("title", "json_append(meta, 1)"), "set title", 1, "this is json, where text"),
        (set("meta", "json_append(tags, 1)"), "set meta", 13, "this is text[], where json"),
        (set("meta", "json_append(meta)"), "set meta", 1, "takes 2 arguments"),
        (
            json!({"update": "session", "set": {"size": "1"}, "where": "json_contains(meta, json_append(meta, 1))"}),
            "where",
            21,
            "json_append is for what an update sets only",
        ),
        (
            json!({"update": "session", "set": {"size": "1"}, "order": {"o": "size + 1"}}),
            "order o",
            1,
            "an order takes names of columns only",
        ),
        (
            json!({"update": "edge", "expires": "never"}),
            "expires",
            1,
            "documents of edge do not expire",
        ),
        (json!({"update": "session", "expires": "'soon'"}), "expires", 1, "this is text"),
        (json!({"update": "none", "set": {"a": "1"}}), "update", 1, "none is not a collection"),
    ] {
        let mut declaration = declaration;
        declaration["name"] = json!("u");
        let faults = update(&declaration).expect_err("it must be refused");
        let Fault { part: found_part, column: found, reason: found_reason, .. } = &faults[0];
        assert_eq!((found_part.as_str(), *found), (part, column), "{declaration}: {faults:?}");
        assert!(found_reason.contains(reason), "{declaration}: {faults:?}");
    }
}

#[test]
fn a_field_whose_place_others_share_cannot_be_set() {
    let declaration: CollectionDeclaration = serde_json::from_value(json!({
        "name": "c", "fields": {
            "whole": {"type": "json", "path": "/a"},
            "part": {"type": "text", "path": "/a/b"},
            "either": {"type": "text", "path": ["/x", "/y/0"]},
            "late": {"type": "text", "path": ["/z", "/ab"]},
            "same": {"type": "integer", "path": "/ab"},
            "free": {"type": "text", "path": ["/free", "/older"]},
        },
    }))
    .expect("the declaration is right");
    let collections = [Collection::new("test", &declaration).expect("it is a collection")];
    for (field, reason) in [
        ("whole", Some("overlaps that of part")),
        ("part", Some("overlaps that of whole")),
        ("either", Some("may lead into an array")),
        ("late", Some("overlaps that of same")),
        ("same", Some("overlaps that of late")),
        ("free", None),
    ] {
        let declaration = json!({"name": "u", "update": "c", "set": {field: "NULL"}});
        let declaration = serde_json::from_value(declaration).expect("the declaration is right");
        let compiled = Update::compile(&declaration, Catalog::of(&collections));
        match (compiled, reason) {
            (Ok(_), None) => {}
            (Err(faults), Some(reason)) => assert!(faults[0].reason.contains(reason), "{faults:?}"),
            (compiled, _) => panic!("{field}: {compiled:?}"),
        }
    }
}
