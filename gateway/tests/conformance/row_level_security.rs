//! `storage.row_level_security`: what `PostgreSQL` itself keeps apart, whatever statement a
//! connection that serves is given. That everything works behind policies is shown by the cases
//! of the storage layer, which all run with them, too.

use std::sync::Arc;

use loggia::manifest::Mode;
use loggia::storage::{Change, Error, Location, PostgresOptions, Storage};
use serde_json::{Value as Json, json};
use tokio_postgres::{Client, NoTls};

use crate::harness::Database;
use crate::harness::store::{TestStore, install, location, put, write};

fn declared() -> Json {
    json!({
        "collections": [
            {"name": "note", "fields": {"kind": "text"}},
            {"name": "line", "fields": {"note": "text"},
             "references": [{"name": "note", "field": "note", "collection": "note",
                             "on_delete": "cascade"}]},
        ],
        "statements": [{"name": "kinds", "select": "SELECT id, kind FROM note"}],
    })
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A connection with the rights of those that serve.
async fn serving(database: &Database) -> Client {
    let client = connect(&database.url()).await;
    let number = "SELECT oid::text FROM pg_database WHERE datname = current_database()";
    let number: String = client.query_one(number, &[]).await.unwrap().get(0);
    client.batch_execute(&format!("SET ROLE loggia_serve_{number}")).await.unwrap();
    client
}

async fn reach(client: &Client, whose: &str) {
    client.batch_execute(&format!("SET loggia.tenant = '{whose}'")).await.unwrap();
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn state(error: &tokio_postgres::Error) -> Option<&str> {
    error.code().map(|code| code.code())
}

/// A store with a document and a line of each of two tenants, and the second tenant's key.
async fn two_tenants() -> (TestStore, i64) {
    let database = Database::postgres_with_policies().await;
    let store = TestStore::open(database, &declared()).await;
    let other = store.as_tenant("two").await;
    for store in [&store, &other] {
        store.put("note", "1", &json!({"kind": "a"})).await;
        store.put("line", "1", &json!({"note": "1"})).await;
    }
    let client = connect(&store.database.url()).await;
    let key = "SELECT id::int8 FROM loggia_tenant WHERE name = 'two'";
    let key = number(&client, key).await;
    (store, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serving_connection_reaches_the_rows_of_its_tenant_alone() {
    let (store, two) = two_tenants().await;
    let client = serving(&store.database).await;
    let count = "SELECT count(*) FROM test__note";
    let change = "UPDATE test__note SET body = '{}'";
    for sql in [count, change, "DELETE FROM test__note"] {
        let refused = client.batch_execute(sql).await.unwrap_err();
        assert_eq!(state(&refused), Some("42704"), "without the setting: {sql}");
    }
    reach(&client, "*").await;
    assert_eq!(number(&client, count).await, 2);
    reach(&client, &two.to_string()).await;
    assert_eq!(number(&client, count).await, 1);
    let others = format!("tenant <> {two}");
    for sql in [
        format!("SELECT 1 FROM test__note WHERE {others}"),
        format!("UPDATE test__note SET body = '{{}}' WHERE {others}"),
        format!("DELETE FROM test__note WHERE {others}"),
        format!("DELETE FROM loggia_checkpoint WHERE {others}"),
    ] {
        assert_eq!(client.execute(&sql, &[]).await.unwrap(), 0, "{sql}");
    }
    for sql in [
        "UPDATE test__note SET tenant = tenant + 1000",
        "INSERT INTO test__line (tenant, id, version, created_at, updated_at, body, layout) \
         SELECT tenant + 1000, id, version, created_at, updated_at, body, layout FROM test__line",
    ] {
        let refused = client.batch_execute(sql).await.unwrap_err();
        assert_eq!(state(&refused), Some("42501"), "{sql}");
    }
    reach(&client, &(two + 1000).to_string()).await;
    assert_eq!(number(&client, count).await, 0);
    assert_eq!(client.execute("DELETE FROM test__note", &[]).await.unwrap(), 0);
}

/// A delete cascades to the lines of its tenant, and what a session has said does not hold for
/// the next one on the same connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_serves_one_tenant_after_the_other() {
    let (TestStore { schema, tenant, database, .. }, _) = two_tenants().await;
    let Location::Postgres(options) = location(&database) else { unreachable!() };
    let location = Location::Postgres(PostgresOptions { pool_size: 1, ..options });
    let storage = Storage::open(&location).await.unwrap();
    let store = TestStore { storage, schema, tenant, database };
    let other = store.as_tenant("two").await;
    for round in 0..3 {
        for (store, kind) in [(&store, "mine"), (&other, "theirs")] {
            let body = json!({"kind": kind, "round": round});
            let mut session = store.session(Mode::Autocommit);
            session.apply(&[put("note", "1", &body)]).await.unwrap();
            session.apply(&[put("note", "2", &body), put("note", "3", &body)]).await.unwrap();
            let found = session.get("note", &["1".to_owned()]).await.unwrap();
            let found: Json = serde_json::from_str(&found[0].as_ref().unwrap().body).unwrap();
            assert_eq!(found, body);
            session.commit().await.unwrap();
            store.put("note", "2", &body).await;
        }
        store.storage.sweep_expired(store.storage.now()).await.unwrap();
    }
    let rows = |kind| json!([1, 2, 3].map(|id| json!({"id": id.to_string(), "kind": kind})));
    assert_eq!(store.select("kinds", &[]).await, rows("mine"));
    assert_eq!(other.select("kinds", &[]).await, rows("theirs"));
    let delete = write("note", "1", Change::Delete);
    store.apply(&[delete]).await.unwrap();
    let client = connect(&store.database.url()).await;
    for (name, left) in [("one", 0), ("two", 1)] {
        let lines = format!(
            "SELECT count(*) FROM test__line JOIN loggia_tenant AS t ON t.id = tenant \
             WHERE t.name = '{name}'"
        );
        assert_eq!(number(&client, &lines).await, left, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_switched_on_and_off_by_a_restart() {
    let store = TestStore::open(Database::postgres().await, &declared()).await;
    store.put("note", "1", &json!({"kind": "a"})).await;
    let client = serving(&store.database).await;
    let on_tables = "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity";
    let url = store.database.url();
    for on in [true, true, false, false, true] {
        let options = PostgresOptions { row_level_security: on, ..PostgresOptions::new(&url) };
        let storage = Storage::open(&Location::Postgres(options)).await.unwrap();
        let schema = install(&storage, &declared()).await.unwrap();
        let (tenant, database) = (store.tenant, Arc::clone(&store.database));
        let again = TestStore { storage, schema, tenant, database };
        assert!(again.get("note", "1").await.is_some());
        // Two collections, checkpoints with their chunks, and what was swept.
        assert_eq!(number(&client, on_tables).await, if on { 5 } else { 0 });
        let unsaid = client.batch_execute("SELECT count(*) FROM test__note").await;
        assert_eq!(unsaid.is_err(), on);
    }
    // A gateway without the switch beside one that has it does not take documents to be gone.
    let mut session = store.session(Mode::Read);
    let refused = session.get("note", &["1".to_owned()]).await.unwrap_err();
    assert!(matches!(&refused, Error::Other(why) if why.contains("loggia.tenant")), "{refused:?}");
}

/// Where the gateway may make no other role to serve with, the owner is held to policies, too;
/// and a role that no policy holds for is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_hold_for_a_role_that_may_make_no_other() {
    let database = Database::postgres_with_policies().await;
    let client = connect(&database.url()).await;
    let name = format!("owner_{}", std::process::id());
    let grants =
        format!("CREATE ROLE {name} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {name}");
    client.batch_execute(&grants).await.unwrap();
    let url = database.url().replacen("postgres@", &format!("{name}@"), 1);
    let options = PostgresOptions { row_level_security: true, ..PostgresOptions::new(&url) };
    let location = Location::Postgres(options);
    let store = TestStore::open_at(&location, database, &declared()).await;
    store.put("note", "1", &json!({})).await;
    let owner = connect(&url).await;
    assert!(owner.batch_execute("SELECT FROM test__note").await.is_err());
    reach(&owner, "0").await;
    assert_eq!(number(&owner, "SELECT count(*) FROM test__note").await, 0);
    client.batch_execute(&format!("ALTER ROLE {name} BYPASSRLS")).await.unwrap();
    let storage = Storage::open(&location).await.unwrap();
    let refused = install(&storage, &declared()).await.unwrap_err().to_string();
    assert!(refused.contains("BYPASSRLS"), "{refused}");
    drop((storage, store.storage, owner));
    client.batch_execute(&format!("DROP OWNED BY {name} CASCADE")).await.unwrap();
    client.batch_execute(&format!("DROP ROLE {name}")).await.unwrap();
}
