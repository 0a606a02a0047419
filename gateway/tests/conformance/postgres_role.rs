//! The second wall on `PostgreSQL`: what a connection that serves requests may not do, whatever
//! statement it is given.

use loggia::manifest::Mode;
use loggia::storage::{Location, PostgresOptions};
use serde_json::json;
use tokio_postgres::NoTls;

use crate::harness::Database;
use crate::harness::store::{TestStore, put};
use crate::postgres_commit::notes;

async fn direct(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Who runs the statements of sessions, as a trigger sees it.
async fn who_writes(store: &TestStore, client: &tokio_postgres::Client) -> String {
    let table = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '%note%'";
    let table: String = client.query_one(table, &[]).await.unwrap().get(0);
    let trigger = format!(
        "CREATE OR REPLACE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         NEW.body = jsonb_build_object('who', current_user); RETURN NEW; END $$; \
         CREATE OR REPLACE TRIGGER who BEFORE INSERT OR UPDATE ON {table} \
         FOR EACH ROW EXECUTE FUNCTION who()"
    );
    client.batch_execute(&trigger).await.unwrap();
    let mut session = store.session(Mode::Write);
    session.apply(&[put("note", "who", &json!({}))]).await.unwrap();
    session.commit().await.unwrap();
    let body = store.get("note", "who").await.unwrap().body;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["who"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serving_connection_reaches_the_gateways_tables_alone() {
    let database = Database::postgres().await;
    let client = direct(&database.url()).await;
    client.batch_execute("CREATE TABLE payroll (salary int)").await.unwrap();
    let location = Location::Postgres(PostgresOptions::new(database.url()));
    let store = TestStore::open_at(&location, database, &notes()).await;
    let number = "SELECT oid::text FROM pg_database WHERE datname = current_database()";
    let number: String = client.query_one(number, &[]).await.unwrap().get(0);
    let role = format!("loggia_serve_{number}");
    assert_eq!(who_writes(&store, &client).await, role);
    client.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
    for statement in [
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_ls_dir('.')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM payroll",
        "INSERT INTO payroll VALUES (1)",
        "CREATE TABLE own (x int)",
        "DROP TABLE loggia_tenant",
        "TRUNCATE loggia_tenant",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "CREATE ROLE another",
    ] {
        let refused = client.batch_execute(statement).await.unwrap_err();
        assert_eq!(
            refused.code().map(|code| code.code()),
            Some("42501"),
            "{statement}: {refused:?}"
        );
    }
    client.batch_execute("SELECT * FROM loggia_tenant").await.unwrap();
}

/// A database that was made by a gateway whose role could make no other is served as before, and
/// has the wall from the first start after somebody gave it one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_make_no_other_serves_by_itself() {
    let database = Database::postgres().await;
    let client = direct(&database.url()).await;
    let name = format!("plain_{}", std::process::id());
    let grants =
        format!("CREATE ROLE {name} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {name}");
    client.batch_execute(&grants).await.unwrap();
    let url = database.url().replacen("postgres@", &format!("{name}@"), 1);
    let location = Location::Postgres(PostgresOptions::new(url));
    let store = TestStore::open_at(&location, database, &notes()).await;
    assert_eq!(who_writes(&store, &client).await, name);
    client.batch_execute(&format!("ALTER ROLE {name} CREATEROLE")).await.unwrap();
    let database = std::sync::Arc::clone(&store.database);
    let again = loggia::storage::Storage::open(&location).await.unwrap();
    let again = TestStore { storage: again, schema: store.schema, tenant: store.tenant, database };
    let writer = who_writes(&again, &client).await;
    assert!(writer.starts_with("loggia_serve_"), "{writer}");
    drop((again, store.storage));
    client.batch_execute(&format!("DROP OWNED BY {name} CASCADE")).await.unwrap();
    client.batch_execute(&format!("DROP ROLE {name}")).await.unwrap();
}
