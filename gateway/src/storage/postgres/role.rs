//! The second wall: connections that serve requests have the rights of a role that can reach the
//! gateway's tables and nothing else.
//!
//! A statement that should not have been rendered reads no password, no file and no table of
//! somebody else. What changes tables goes on as the role of the URL. The role is made once for
//! each database, under the lock of the migrations, and stays.

use tokio_postgres::Client;

/// The role for connections that serve; `None` where the role of the URL may not have one, which
/// is told to the operator.
pub(super) async fn ensure(client: &mut Client) -> Result<Option<String>, tokio_postgres::Error> {
    let row = client.query_one(LOOK, &[]).await?;
    let (role, schema): (String, Option<String>) = (row.get(0), row.get(1));
    let (exists, member, may_create): (bool, bool, bool) = (row.get(2), row.get(3), row.get(4));
    match schema {
        Some(schema) if !exists && may_create => create(client, &role, &schema).await?,
        _ if exists && member => {}
        _ => {
            tracing::warn!(
                %role,
                "requests are served with all rights of the URL's role: give it CREATEROLE once, \
                 or make it a member of this role, so that they have rights on the gateway's \
                 tables alone"
            );
            return Ok(None);
        }
    }
    Ok(Some(role))
}

/// Roles belong to a whole server, so the name says for which of its databases.
const LOOK: &str = "WITH serving AS (
        SELECT 'loggia_serve_' || oid AS name FROM pg_database WHERE datname = current_database()
    )
    SELECT name,
        quote_ident(current_schema()),
        EXISTS (SELECT FROM pg_roles WHERE rolname = name),
        coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = name), false),
        (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
    FROM serving";

/// The tables that the gateway makes later are given to the role as they are made.
async fn create(
    client: &mut Client,
    role: &str,
    schema: &str,
) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let statements = format!(
        "CREATE ROLE {role} NOLOGIN;
         GRANT {role} TO CURRENT_USER;
         GRANT USAGE ON SCHEMA {schema} TO {role};
         ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
             GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
         ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role}"
    );
    transaction.batch_execute(&statements).await?;
    for row in transaction.query(OWN_TABLES, &[]).await? {
        let (table, is_sequence): (String, bool) = (row.get(0), row.get(1));
        let rights = if is_sequence { "USAGE" } else { "SELECT, INSERT, UPDATE, DELETE" };
        transaction.batch_execute(&format!("GRANT {rights} ON {table} TO {role}")).await?;
    }
    transaction.commit().await
}

/// Those that a gateway has made before it had the role: its own, and each plugin's.
const OWN_TABLES: &str = r"SELECT c.oid::regclass::text, c.relkind = 'S'
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace
    AND c.relkind IN ('r', 'S')
    AND to_regclass('loggia_plugin') IS NOT NULL
    AND (c.relname LIKE 'loggia\_%' OR 5 = (SELECT count(*) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND NOT a.attisdropped
        AND a.attname IN ('tenant', 'version', 'created_at', 'updated_at', 'body')))";
