//! Rendered statements, run on `SQLite`.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Value, json};

use super::super::{Bind, Dialect, Rendered, Shape, Statement, functions};
use super::cases::{NOW, cases, documents};
use super::{collections, compile};
use crate::manifest::FieldType;
use crate::storage::collection::Collection;
use crate::storage::sqlite::register_functions;

/// A database with both tenants' documents.
fn database() -> Connection {
    let mut connection = Connection::open_in_memory().expect("it opens");
    register_functions(&connection).expect("they register");
    let documents = documents();
    for collection in collections() {
        create(&connection, &collection);
        for document in documents[&collection.name].as_array().expect("a list of documents") {
            insert(&connection, &collection, document, 1);
            insert(&connection, &collection, &canary(document), 2);
        }
    }
    connection.authorizer(Some(authorize)).expect("it is set");
    connection
}

/// No statement needs more than this.
fn authorize(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, column_name } => {
            // Without a column it is a table of which only rows are counted, or a sub-select.
            table_name == "json_each" || column_name.is_empty() || table_name.starts_with("test__")
        }
        AuthAction::Function { function_name } => {
            functions::SQLITE_FUNCTIONS.contains(&function_name)
        }
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

fn create(connection: &Connection, collection: &Collection) {
    let fields: String = collection
        .fields
        .iter()
        .map(|field| {
            let sqlite_type = match field.field_type {
                FieldType::Text | FieldType::Texts | FieldType::Json | FieldType::Words => "TEXT",
                FieldType::Integer | FieldType::Timestamp | FieldType::Boolean => "INTEGER",
                FieldType::Number => "REAL",
            };
            format!(", {} {sqlite_type}", field.column)
        })
        .collect();
    let sql = format!(
        "CREATE TABLE {} (rid INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, id TEXT NOT NULL, \
         version INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, \
         expires_at INTEGER, body TEXT NOT NULL{fields}, UNIQUE (tenant, id)) STRICT",
        collection.table
    );
    connection.execute(&sql, []).expect("the table is made");
}

fn insert(connection: &Connection, collection: &Collection, document: &Value, tenant: i64) {
    let mut columns = "tenant, id, version, created_at, updated_at, expires_at, body".to_owned();
    let id = document["id"].as_str().expect("a document has an id").to_owned();
    let mut values = vec![
        SqlValue::Integer(tenant),
        SqlValue::Text(id),
        SqlValue::Integer(1),
        SqlValue::Integer(5),
        SqlValue::Integer(6),
        document["expires"].as_i64().map_or(SqlValue::Null, SqlValue::Integer),
        SqlValue::Text(body(document)),
    ];
    for field in &collection.fields {
        columns = format!("{columns}, {}", field.column);
        values.push(bound(&document[&field.name], field.field_type));
    }
    let places: Vec<String> = (1..=values.len()).map(|place| format!("?{place}")).collect();
    let sql =
        format!("INSERT INTO {} ({columns}) VALUES ({})", collection.table, places.join(", "));
    connection.execute(&sql, params_from_iter(values)).expect("the document is inserted");
}

/// The id and the expiry of a document stand beside its body.
fn body(document: &Value) -> String {
    let mut body = document.clone();
    let members = body.as_object_mut().expect("an object");
    members.retain(|name, _| name != "id" && name != "expires");
    body.to_string()
}

/// The same document with a mark in every text but the id.
fn canary(document: &Value) -> Value {
    let mut document = document.clone();
    for (name, value) in document.as_object_mut().expect("an object") {
        match value {
            Value::String(text) if name != "id" => *text = format!("CANARY {text}"),
            Value::Array(_) => *value = json!(["CANARY", "a", "b"]),
            _ => {}
        }
    }
    document
}

fn bound(value: &Value, value_type: FieldType) -> SqlValue {
    match (value, value_type) {
        (Value::Null, _) => SqlValue::Null,
        (value, FieldType::Json | FieldType::Texts) => SqlValue::Text(value.to_string()),
        (Value::String(text), _) => SqlValue::Text(text.clone()),
        (Value::Bool(value), _) => SqlValue::Integer(i64::from(*value)),
        (value, FieldType::Number) => SqlValue::Real(value.as_f64().expect("a number")),
        (value, _) => SqlValue::Integer(value.as_i64().expect("a whole number")),
    }
}

/// One run of a statement.
struct Run<'r> {
    connection: &'r Connection,
    statement: &'r Statement,
    given: &'r Value,
    shape: Shape,
    cursor: Vec<SqlValue>,
    limit: i64,
    offset: i64,
}

impl Run<'_> {
    fn rows(&self) -> Vec<Vec<SqlValue>> {
        let rendered = self.statement.render(Dialect::Sqlite, &self.shape);
        self.query(&rendered)
    }

    fn total(&self) -> SqlValue {
        let rendered = self.statement.render_total(Dialect::Sqlite, &self.shape.given);
        self.query(&rendered).remove(0).remove(0)
    }

    fn query(&self, rendered: &Rendered) -> Vec<Vec<SqlValue>> {
        let mut prepared = self
            .connection
            .prepare(&rendered.sql)
            .unwrap_or_else(|error| panic!("{error}: {}", rendered.sql));
        assert_eq!(prepared.parameter_count(), rendered.binds.len(), "{}", rendered.sql);
        let binds = rendered.binds.iter().map(|bind| self.bind(*bind));
        let width = prepared.column_count();
        let mut rows = prepared.query(params_from_iter(binds)).expect("it runs");
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap_or_else(|e| panic!("{e}: {}", rendered.sql)) {
            let value = |place| row.get(place).expect("a column");
            all.push((0..width).map(value).collect());
        }
        all
    }

    fn bind(&self, bind: Bind) -> SqlValue {
        match bind {
            Bind::Tenant => SqlValue::Integer(1),
            Bind::Now => SqlValue::Integer(NOW),
            Bind::Parameter(place) => {
                let parameter = &self.statement.parameters()[place];
                bound(&self.given[&parameter.name], parameter.parameter_type)
            }
            Bind::Key(place) => self.cursor[place].clone(),
            Bind::Limit => SqlValue::Integer(self.limit),
            // No case here searches for words: see the conformance suite.
            Bind::AllWords(_) | Bind::AnyWord(_) => SqlValue::Null,
            Bind::Offset => SqlValue::Integer(self.offset),
            Bind::Ids => SqlValue::Null,
        }
    }
}

/// A value of the result as JSON. Its form must be that of its type.
fn shown(value: &SqlValue, column_type: FieldType) -> Value {
    match (value, column_type) {
        (SqlValue::Null, _) => Value::Null,
        (SqlValue::Integer(number), FieldType::Boolean) => json!(*number == 1),
        (SqlValue::Integer(number), FieldType::Integer | FieldType::Timestamp) => json!(number),
        (SqlValue::Real(number), FieldType::Number) => json!(number),
        (SqlValue::Text(text), FieldType::Text) => json!(text),
        (SqlValue::Text(text), FieldType::Texts | FieldType::Json) => {
            serde_json::from_str(text).expect("JSON")
        }
        (value, column_type) => panic!("{value:?} for {column_type:?}"),
    }
}

fn shown_rows(statement: &Statement, rows: &[Vec<SqlValue>]) -> Value {
    let columns = statement.columns();
    let row = |row: &Vec<SqlValue>| -> Value {
        row.iter().zip(columns).map(|(value, column)| shown(value, column.column_type)).collect()
    };
    rows.iter().map(row).collect()
}

fn run<'r>(connection: &'r Connection, statement: &'r Statement, case: &'r Value) -> Run<'r> {
    let given = |parameter: &super::super::Parameter| case["given"].get(&parameter.name).is_some();
    let shape = Shape {
        given: statement.parameters().iter().map(given).collect(),
        order: statement.order(case["by"].as_str()).expect("a named order"),
        ..Shape::default()
    };
    let cursor = Vec::new();
    Run { connection, statement, given: &case["given"], shape, cursor, limit: 0, offset: 0 }
}

fn compiled(case: &Value) -> Statement {
    let mut declaration = case.clone();
    declaration["name"] = json!("case");
    compile(declaration)
}

#[test]
fn every_case_gives_its_rows_and_no_other_tenants() {
    let connection = database();
    for case in cases() {
        let statement = compiled(&case);
        let run = run(&connection, &statement, &case);
        let rows = run.rows();
        let shown = shown_rows(&statement, &rows);
        assert_eq!(shown, case["rows"], "{}", case["select"]);
        assert!(!shown.to_string().contains("CANARY"), "{}", case["select"]);
        assert!(!shown.to_string().contains("EXPIRED"), "{}", case["select"]);
        let count = i64::try_from(rows.len()).expect("few rows");
        assert_eq!(run.total(), SqlValue::Integer(count), "total of {}", case["select"]);
    }
}

#[test]
fn pages_of_every_size_give_all_rows_once() {
    let connection = database();
    for case in cases() {
        let statement = compiled(&case);
        for limit in 1..=4 {
            let paged = pages(run(&connection, &statement, &case), limit);
            let Some(paged) = paged else { continue };
            assert_eq!(
                shown_rows(&statement, &paged),
                case["rows"],
                "{} by {limit}",
                case["select"]
            );
        }
    }
}

/// All rows, page by page. `None` when the order has no cursor.
fn pages(mut run: Run<'_>, limit: i64) -> Option<Vec<Vec<SqlValue>>> {
    let width = run.statement.columns().len();
    let keys = run.statement.key_types(run.shape.order).len();
    if keys == 0 {
        return None;
    }
    (run.limit, run.shape.limit) = (limit, true);
    let mut all: Vec<Vec<SqlValue>> = Vec::new();
    loop {
        let page = run.rows();
        let Some(last) = page.last() else { return Some(all) };
        assert_eq!(last.len(), width + keys);
        run.cursor = last[width..].to_vec();
        run.shape.after = Some(run.cursor.iter().map(|key| *key == SqlValue::Null).collect());
        all.extend(page);
        assert!(all.len() < 100, "the pages do not end");
    }
}

#[test]
fn an_offset_skips_rows_with_and_without_a_limit() {
    let connection = database();
    let case = json!({"select": "SELECT id FROM event", "order": {"at": "at DESC"}});
    let statement = compiled(&case);
    let mut run = run(&connection, &statement, &case);
    (run.offset, run.shape.offset) = (4, true);
    assert_eq!(shown_rows(&statement, &run.rows()), json!([["e1"], ["e3"]]));
    (run.limit, run.shape.limit) = (1, true);
    assert_eq!(shown_rows(&statement, &run.rows()), json!([["e1"]]));
    run.cursor = vec![SqlValue::Integer(130), SqlValue::Text("e6".to_owned())];
    run.shape.after = Some(vec![false, false]);
    assert_eq!(shown_rows(&statement, &run.rows()), json!([["e3"]]));
}

/// How `SQLite` would run a page of the newest sessions behind a cursor.
fn plan(nulls: [bool; 2]) -> Vec<String> {
    let connection = Connection::open_in_memory().expect("it opens");
    collections().iter().for_each(|collection| create(&connection, collection));
    let index = "CREATE INDEX i ON test__session (tenant, f__state, f__updated DESC, id DESC)";
    connection.execute(index, []).expect("the index is made");
    let statement = compile(json!({
        "name": "s", "select": "SELECT id, title FROM session WHERE state = :state",
        "order": {"newest": "updated DESC"},
    }));
    let after = Some(nulls.to_vec());
    let shape = Shape { given: vec![true], after, limit: true, ..Shape::default() };
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.render(Dialect::Sqlite, &shape).sql);
    let mut prepared = connection.prepare(&sql).expect("it is prepared");
    let nothing = vec![SqlValue::Null; prepared.parameter_count()];
    let steps = prepared.query_map(params_from_iter(nothing), |row| row.get(3)).expect("it runs");
    steps.collect::<Result<_, _>>().expect("it has steps")
}

#[test]
fn a_page_behind_a_cursor_begins_where_the_index_does() {
    let search =
        |range: &str| format!("SEARCH d USING INDEX i (tenant=? AND f__state=? AND {range})");
    let steps = plan([false, false]);
    assert!(steps.contains(&search("(f__updated,id)<(?,?)")), "{steps:?}");
    assert!(steps.contains(&search("f__updated=?")), "{steps:?}");
    assert_eq!(plan([true, false]), [search("f__updated=? AND id<?")]);
}
