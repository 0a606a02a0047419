//! Every construct of plugins' SQL, through the storage layer on both databases: equal rows, all
//! pages, exact totals, and never another tenant's or an expired document.

use std::sync::Arc;
use std::time::Duration;

use loggia::manifest::{
    CollectionDeclaration, FieldType, Manifest, Mode, SelectDeclaration, TransactionIsolation,
};
use loggia::storage::collection::Collection;
use loggia::storage::statement::{Catalog, Statement};
use loggia::storage::{
    Change, Error, Expiry, Location, Otherwise, Page, PostgresOptions, Precondition, Rows, Schema,
    Session, SessionOptions, Storage, Tenant, Value, Write,
};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::harness::Database;

/// The compiler's own cases: statements with the rows that they must give.
#[path = "../../src/storage/statement/tests/cases.rs"]
mod cases;

/// The compiler's own mutants of them.
#[path = "../../src/storage/statement/tests/mutants.rs"]
mod mutants;

/// A database with both tenants' documents.
struct Store {
    storage: Arc<Storage>,
    schema: Arc<Schema>,
    tenant: Tenant,
}

impl Store {
    async fn open(database: &Database, collections: Json, cases: &[Json]) -> Self {
        let storage = Storage::open(&location(&database.url())).await.unwrap();
        let statements: Vec<Json> = cases.iter().enumerate().map(declaration).collect();
        let manifest = json!({
            "name": "test", "version": "0.1.0", "summary": "s",
            "collections": collections, "statements": statements,
            "operations": [{"name": "o", "method": "GET", "path": "/o", "summary": "s"}],
        })
        .to_string();
        let parsed = Manifest::parse(&manifest).unwrap();
        let schema = storage.install(&parsed, &manifest).await.unwrap();
        let tenant = storage.tenant("one").await.unwrap();
        let store = Self { storage, schema, tenant };
        let other = store.storage.tenant("two").await.unwrap();
        for (name, documents) in cases::documents().as_object().unwrap() {
            let documents = documents.as_array().unwrap();
            store.fill(store.tenant, name, documents.iter().map(as_body)).await;
            store.fill(other, name, documents.iter().map(as_body).map(canary)).await;
        }
        store
    }

    fn session(&self, tenant: Tenant, mode: Mode, now: i64) -> Session {
        let options = SessionOptions {
            mode,
            isolation: TransactionIsolation::ReadCommitted,
            now,
            deadline: Instant::now() + Duration::from_secs(60),
            document_bytes: 1 << 20,
            documents_read: 10_000,
            documents_written: 10_000,
        };
        self.storage.session(tenant, &self.schema, options)
    }

    /// Store documents at the instant 5, which some cases read.
    async fn fill(&self, tenant: Tenant, name: &str, bodies: impl Iterator<Item = Json>) {
        let write = |mut body: Json| {
            let members = body.as_object_mut().unwrap();
            let id = members.remove("id").unwrap().as_str().unwrap().to_owned();
            let expiry = match members.remove("expires").and_then(|instant| instant.as_i64()) {
                Some(instant) => Expiry::At(instant),
                None => Expiry::Keep,
            };
            Write {
                collection: name.to_owned(),
                id,
                change: Change::Put(body.to_string()),
                condition: Precondition::Absent,
                otherwise: Otherwise::Fail,
                expiry,
            }
        };
        let writes: Vec<Write> = bodies.map(write).collect();
        let mut session = self.session(tenant, Mode::Write, 5);
        session.apply(&writes).await.unwrap();
        session.commit().await.unwrap();
    }

    async fn select(&self, place: usize, case: &Json, page: &Page) -> Rows {
        let mut session = self.session(self.tenant, Mode::Read, cases::NOW);
        let arguments = arguments(place, case);
        let rows = session.select(&name(place), &arguments, Some(page)).await;
        session.rollback().await;
        rows.unwrap_or_else(|error| panic!("{error}: {}", case["select"]))
    }
}

fn location(url: &str) -> Location {
    match url.strip_prefix("sqlite:") {
        Some(path) => Location::Sqlite(path.into()),
        None => Location::Postgres(PostgresOptions {
            pool_size: 4,
            acquire_timeout: Duration::from_secs(30),
            ..PostgresOptions::new(url)
        }),
    }
}

fn name(place: usize) -> String {
    format!("case-{place}")
}

fn declaration((place, case): (usize, &Json)) -> Json {
    let mut declaration = json!({"name": name(place), "select": case["select"]});
    for member in ["where", "order"] {
        if let Some(value) = case.get(member) {
            declaration[member] = value.clone();
        }
    }
    declaration
}

fn compile(place: usize, case: &Json) -> Statement {
    let collections: Vec<CollectionDeclaration> =
        serde_json::from_value(cases::collections()).unwrap();
    let collections: Vec<Collection> =
        collections.iter().map(|c| Collection::new("test", c).unwrap()).collect();
    let declaration: SelectDeclaration =
        serde_json::from_value(declaration((place, case))).unwrap();
    Statement::compile(&declaration, Catalog::of(&collections)).unwrap()
}

fn arguments(place: usize, case: &Json) -> Vec<(String, Value)> {
    let statement = compile(place, case);
    let parameters = statement.parameters().iter();
    let given = parameters.filter_map(|parameter| {
        let value = case["given"].get(&parameter.name)?;
        Some((parameter.name.clone(), argument(value, parameter.parameter_type)))
    });
    given.collect()
}

fn argument(value: &Json, parameter_type: FieldType) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    match parameter_type {
        FieldType::Text => Value::Text(value.as_str().unwrap().to_owned()),
        FieldType::Integer => Value::Integer(value.as_i64().unwrap()),
        FieldType::Number => Value::Number(value.as_f64().unwrap()),
        FieldType::Boolean => Value::Boolean(value.as_bool().unwrap()),
        FieldType::Timestamp => Value::Timestamp(value.as_i64().unwrap()),
        FieldType::Texts => {
            let texts = value.as_array().unwrap().iter();
            Value::Texts(texts.map(|text| text.as_str().unwrap().to_owned()).collect())
        }
        FieldType::Json => Value::Json(value.to_string()),
        FieldType::Words => unreachable!("no parameter has it"),
    }
}

/// The cases state times as numbers; a body holds them as text.
fn as_body(document: &Json) -> Json {
    let mut body = document.clone();
    for name in ["updated", "at"] {
        if let Some(microseconds) = body.get(name).and_then(Json::as_i64) {
            let time = jiff::Timestamp::from_microsecond(microseconds).unwrap();
            body[name] = json!(format!("{time:.6}"));
        }
    }
    body
}

/// The same document with a mark in every text but the id and the times.
fn canary(mut document: Json) -> Json {
    for (name, value) in document.as_object_mut().unwrap() {
        match value {
            Json::String(text) if !["id", "updated", "at"].contains(&name.as_str()) => {
                *text = format!("CANARY {text}");
            }
            Json::Array(_) => *value = json!(["CANARY", "a", "b"]),
            _ => {}
        }
    }
    document
}

/// Rows as the cases state them: values in the order of the columns, times as numbers.
fn shown(statement: &Statement, rows: &Rows) -> Vec<Json> {
    let objects: Vec<Json> = serde_json::from_str(&rows.json).unwrap();
    let value = |object: &Json, column: &loggia::storage::statement::Column| {
        let value = object[&column.name].clone();
        match (column.column_type, value.as_str()) {
            (FieldType::Timestamp, Some(text)) => {
                json!(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
            }
            _ => value,
        }
    };
    let row =
        |object: &Json| Json::Array(statement.columns().iter().map(|c| value(object, c)).collect());
    objects.iter().map(row).collect()
}

/// JSON has one kind of number: 15.0 is 15.
fn normal(value: Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 && number.is_f64() => {
                // Minus zero is zero, too.
                format!("{:.0}", double + 0.0).parse().unwrap()
            }
            _ => Json::Number(number),
        },
        Json::Array(values) => values.into_iter().map(normal).collect(),
        Json::Object(members) => {
            members.into_iter().map(|(name, value)| (name, normal(value))).collect()
        }
        value => value,
    }
}

/// Versions are the database's own, so the one case that shows one is not compared.
fn comparable_cases() -> Vec<Json> {
    let all = cases::cases();
    let shows_version = |case: &Json| case["select"].as_str().unwrap().contains("_version");
    assert_eq!(all.iter().filter(|case| shows_version(case)).count(), 1);
    all.into_iter().filter(|case| !shows_version(case)).collect()
}

/// The collections, with an index wherever a case could be served by one.
fn indexed_collections() -> Json {
    let mut collections = cases::collections();
    collections[0]["indexes"] = json!([
        {"name": "tags", "contains": ["tags"]},
        {"name": "meta", "contains": ["meta"]},
        {"name": "open", "fields": ["updated"], "where": {"state": ["open"]}},
        {"name": "rest", "fields": ["updated"], "where": {"state": ["closed", null]}},
    ]);
    collections
}

async fn every_case_gives_its_rows(database: Database, collections: Json) {
    let cases = comparable_cases();
    let store = Store::open(&database, collections, &cases).await;
    for (place, case) in cases.iter().enumerate() {
        let statement = compile(place, case);
        let order = case["by"].as_str().map(str::to_owned);
        let whole = Page { limit: 1_000, order: order.clone(), total: true, ..Page::default() };
        let rows = store.select(place, case, &whole).await;
        let found = Json::Array(shown(&statement, &rows));
        assert_eq!(normal(found), normal(case["rows"].clone()), "{}", case["select"]);
        assert_eq!(rows.total, Some(u64::from(rows.count)), "{}", case["select"]);
        assert!(!rows.json.contains("CANARY") && !rows.json.contains("EXPIRED"), "{}", rows.json);
        assert_eq!(
            paged(&store, place, case, order).await.unwrap_or(shown(&statement, &rows)),
            shown(&statement, &rows),
            "{}",
            case["select"]
        );
    }
}

/// All rows in pages of two. `None` where nothing tells rows apart, so that there is no cursor.
async fn paged(
    store: &Store,
    place: usize,
    case: &Json,
    order: Option<String>,
) -> Option<Vec<Json>> {
    let statement = compile(place, case);
    if statement.key_types(statement.order(order.as_deref())?).is_empty() {
        return None;
    }
    let mut page = Page { limit: 2, order, ..Page::default() };
    let mut all = Vec::new();
    loop {
        let rows = store.select(place, case, &page).await;
        all.extend(shown(&statement, &rows));
        page.after = Some(match rows.next {
            Some(next) => next,
            None => return Some(all),
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_gives_its_rows_on_sqlite() {
    every_case_gives_its_rows(Database::sqlite(), cases::collections()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_gives_its_rows_by_indexes_on_sqlite() {
    every_case_gives_its_rows(Database::sqlite(), indexed_collections()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_gives_its_rows_on_postgres() {
    every_case_gives_its_rows(Database::postgres().await, cases::collections()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_gives_its_rows_by_indexes_on_postgres() {
    every_case_gives_its_rows(Database::postgres().await, indexed_collections()).await;
}

/// Mutants that the compiler accepts, as many as a manifest may have statements.
fn accepted_mutants() -> Vec<Json> {
    let mut mutants = mutants::Mutants::new(0xCA4A47, &comparable_cases());
    let collections: Vec<CollectionDeclaration> =
        serde_json::from_value(cases::collections()).unwrap();
    let collections: Vec<Collection> =
        collections.iter().map(|c| Collection::new("test", c).unwrap()).collect();
    let mut accepted: Vec<Json> = Vec::new();
    while accepted.len() < 256 {
        let mutant = mutants.next();
        let declaration: SelectDeclaration = serde_json::from_value(mutant.clone()).unwrap();
        let known = accepted.iter().any(|other| other["select"] == mutant["select"]);
        if !known && Statement::compile(&declaration, Catalog::of(&collections)).is_ok() {
            accepted.push(mutant);
        }
    }
    accepted
}

/// A value for each parameter.
fn some_arguments(statement: &Statement) -> Vec<(String, Value)> {
    let value = |parameter_type| match parameter_type {
        FieldType::Text => Value::Text("open".to_owned()),
        FieldType::Integer => Value::Integer(2),
        FieldType::Number => Value::Number(1.5),
        FieldType::Boolean => Value::Boolean(true),
        FieldType::Timestamp => Value::Timestamp(100),
        FieldType::Texts => Value::Texts(vec!["a".to_owned(), "s1".to_owned()]),
        FieldType::Json => Value::Json("{\"k\":1}".to_owned()),
        FieldType::Words => unreachable!("no parameter has it"),
    };
    let parameters = statement.parameters().iter();
    parameters.map(|known| (known.name.clone(), value(known.parameter_type))).collect()
}

/// None shows another tenant's or an expired document, and the database takes each.
async fn accepted_mutants_see_their_tenant_only(database: Database) {
    let mutants = accepted_mutants();
    let store = Store::open(&database, cases::collections(), &mutants).await;
    let mut ran = 0;
    for (place, mutant) in mutants.iter().enumerate() {
        let arguments = some_arguments(&compile(place, mutant));
        let mut session = store.session(store.tenant, Mode::Read, cases::NOW);
        let page = Page { limit: 1_000, total: true, ..Page::default() };
        let rows = session.select(&name(place), &arguments, Some(&page)).await;
        session.rollback().await;
        match rows {
            Ok(rows) => {
                ran += 1;
                let shows = rows.json.contains("CANARY") || rows.json.contains("EXPIRED");
                assert!(!shows, "{mutant}: {}", rows.json);
            }
            Err(Error::Invalid(fault)) if fault.code == "number-range" => {}
            Err(error) => panic!("{error}: {mutant}"),
        }
    }
    assert!(ran > 200, "{ran} ran");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_mutants_see_their_tenant_only_on_sqlite() {
    accepted_mutants_see_their_tenant_only(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_mutants_see_their_tenant_only_on_postgres() {
    accepted_mutants_see_their_tenant_only(Database::postgres().await).await;
}
