//! The statements of the native handler. They are the gateway's own, in the same transactions
//! and the same number of round trips: `tests/same_work.rs` fails when they are not.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::fields::Fields;
use crate::document::Documents;
use crate::gateway::ACQUIRE_TIMEOUT_MS;

const GET: &str = include_str!("get.sql");
const PUT: &str = include_str!("put.sql");

/// The documents of one tenant.
pub(super) struct Store {
    pool: bb8::Pool<Connector>,
    tenant: i32,
}

/// A document that was found.
pub(super) struct Found {
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) body: Bytes,
}

/// What a put has done.
pub(super) struct Written {
    pub(super) version: i64,
    pub(super) created: bool,
}

/// Why nothing was done.
pub(super) enum Failure {
    NoConnection,
    Postgres(tokio_postgres::Error),
}

impl Store {
    pub(super) async fn open(url: &str, pool_size: u32) -> Result<Self> {
        let mut config: Config = url.parse()?;
        config.options("-c jit=off").application_name("native");
        let pool = bb8::Pool::builder()
            .max_size(pool_size)
            .connection_timeout(Duration::from_millis(ACQUIRE_TIMEOUT_MS))
            .test_on_check_out(false)
            .build(Connector(config))
            .await?;
        let tenant = "SELECT id FROM loggia_tenant WHERE name = 'default'";
        let tenant = pool.get().await?.client.query_one(tenant, &[]).await;
        let tenant = tenant.context("no gateway has been started on this database")?.get(0);
        Ok(Self { pool, tenant })
    }

    /// Read a document by one statement.
    pub(super) async fn get(&self, id: &str) -> Result<Option<Found>, Failure> {
        let mut connection = self.pool.get().await?;
        connection.clean = false;
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.tenant, &id, &now()];
        let row = connection.client.query_opt(&connection.get, &parameters).await?;
        connection.clean = true;
        Ok(row.map(Found::from))
    }

    /// Store a document, whatever is there, by one statement.
    pub(super) async fn put(
        &self,
        documents: Documents,
        id: &str,
        text: &str,
        fields: &Fields<'_>,
    ) -> Result<Written, Failure> {
        let tags: Option<Vec<&str>> =
            fields.tags.as_ref().map(|tags| tags.iter().map(Cow::as_ref).collect());
        let (expires_at, keep_expiry) = (None::<i64>, false);
        let now = now();
        let parameters: [&(dyn ToSql + Sync); 15] = [
            &self.tenant,
            &id,
            &now,
            &expires_at,
            &Jsonb(text),
            &now,
            &fields.title.as_deref(),
            &fields.amount,
            &fields.ratio,
            &fields.done,
            &fields.due_us,
            &tags,
            &fields.extra.map(|extra| Jsonb(extra.get())),
            &fields.unique_key.as_deref(),
            &keep_expiry,
        ];
        let mut connection = self.pool.get().await?;
        connection.clean = false;
        let put = match documents {
            Documents::Uncounted => &connection.put_uncounted,
            Documents::Counted => &connection.put,
        };
        let row = connection.client.query_one(put, &parameters).await?;
        connection.clean = true;
        Ok(Written { version: row.get(0), created: row.get(1) })
    }
}

impl From<Row> for Found {
    fn from(row: Row) -> Self {
        let Jsonb(body) = row.get("body");
        Self {
            version: row.get("version"),
            created_at: row.get("created_at"),
            expires_at: row.get("expires_at"),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }
}

impl From<bb8::RunError<tokio_postgres::Error>> for Failure {
    fn from(error: bb8::RunError<tokio_postgres::Error>) -> Self {
        match error {
            bb8::RunError::User(error) => Self::Postgres(error),
            bb8::RunError::TimedOut => Self::NoConnection,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

/// Makes connections for the pool.
struct Connector(Config);

/// A connection with its statements prepared.
struct Connection {
    client: Client,
    get: Statement,
    put: Statement,
    put_uncounted: Statement,
    /// False while a statement is under way.
    clean: bool,
}

impl bb8::ManageConnection for Connector {
    type Connection = Connection;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Connection, tokio_postgres::Error> {
        let (client, connection) = self.0.connect(NoTls).await?;
        tokio::spawn(connection);
        let (get, put) = (client.prepare(GET).await?, client.prepare(PUT).await?);
        // The collections differ in their names alone.
        let put_uncounted = PUT.replace("faults__document", "faults__uncounted");
        let put_uncounted = client.prepare(&put_uncounted).await?;
        Ok(Connection { client, get, put, put_uncounted, clean: true })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), tokio_postgres::Error> {
        connection.client.check_connection().await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.client.is_closed() || !connection.clean
    }
}

/// JSON text as jsonb: on the wire a byte and then the text.
#[derive(Debug)]
struct Jsonb<'a>(&'a str);

const JSONB_FORMAT: u8 = 1;

impl<'a> FromSql<'a> for Jsonb<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw.get(1..).unwrap_or_default())?))
    }

    fn accepts(postgres_type: &Type) -> bool {
        *postgres_type == Type::JSONB
    }
}

impl ToSql for Jsonb<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_u8(JSONB_FORMAT);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(postgres_type: &Type) -> bool {
        *postgres_type == Type::JSONB
    }

    to_sql_checked!();
}

/// In microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
