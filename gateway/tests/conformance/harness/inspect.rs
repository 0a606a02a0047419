//! A look into the database behind the gateway's back: what its tables hold, and how it would run
//! a statement.

use loggia::manifest::{Manifest, SelectDeclaration};
use loggia::storage::collection::Collection;
use loggia::storage::statement::{Catalog, Dialect, Shape, Statement};
use serde_json::{Value as Json, json};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::database::Database;

impl Database {
    /// The rows of a query, each value as text.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let url = self.url();
        match url.strip_prefix("sqlite:") {
            Some(path) => sqlite_rows(path, sql),
            None => postgres_rows(&url, sql).await,
        }
    }

    #[allow(dead_code, reason = "cases with tables beside a collection's")]
    /// How many rows a table has, those of all tenants together.
    pub(crate) async fn count(&self, table: &str) -> u64 {
        let rows = self.query(&format!("SELECT count(*) FROM \"{table}\"")).await;
        rows[0][0].parse().unwrap()
    }

    /// How the database would run a select when small tables were large ones. On `PostgreSQL`
    /// parameters are the `values` in their order, which stand in quotes.
    pub(crate) async fn plan(&self, declared: &Json, select: &str, values: &[&str]) -> String {
        let is_sqlite = self.url().starts_with("sqlite:");
        let dialect = if is_sqlite { Dialect::Sqlite } else { Dialect::Postgres };
        let sql = render(declared, select, dialect);
        let lines = if is_sqlite {
            self.query(&format!("EXPLAIN QUERY PLAN {sql}")).await
        } else {
            let values = values.join(", ");
            let sql = format!(
                "SET enable_seqscan = off; SET plan_cache_mode = force_custom_plan; \
                 PREPARE q AS {sql}; EXPLAIN EXECUTE q({values})"
            );
            self.query(&sql).await
        };
        lines.concat().join("\n")
    }
}

/// A select over declared collections as text, with all of its parameters given.
fn render(declared: &Json, select: &str, dialect: Dialect) -> String {
    let manifest = json!({
        "name": "test", "version": "0.1.0", "summary": "s",
        "collections": declared["collections"],
        "operations": [{"name": "o", "method": "GET", "path": "/o", "summary": "s"}],
    });
    let manifest = Manifest::parse(&manifest.to_string()).unwrap();
    let collections: Vec<Collection> =
        manifest.collections.iter().map(|c| Collection::new("test", c).unwrap()).collect();
    let declaration: SelectDeclaration =
        serde_json::from_value(json!({"name": "s", "select": select})).unwrap();
    let statement = Statement::compile(&declaration, Catalog::of(&collections)).unwrap();
    let given = vec![true; statement.parameters().len()];
    statement.render(dialect, &Shape { given, ..Shape::default() }).sql
}

fn sqlite_rows(path: &str, sql: &str) -> Vec<Vec<String>> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut prepared = connection.prepare(sql).unwrap();
    let width = prepared.column_count();
    let mut rows = prepared.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let text = |place| match row.get::<_, rusqlite::types::Value>(place).unwrap() {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        all.push((0..width).map(text).collect());
    }
    all
}

async fn postgres_rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    drop(client);
    driver.await.unwrap().ok();
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let text = |place| row.get(place).unwrap_or_default().to_owned();
            Some((0..row.len()).map(text).collect())
        }
        _ => None,
    });
    rows.collect()
}
