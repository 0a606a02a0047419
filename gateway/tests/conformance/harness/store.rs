//! The storage layer under test, without HTTP and without a plugin: a database of its own with
//! the collections and statements that a case declares.

use std::sync::Arc;
use std::time::Duration;

use loggia::manifest::{Manifest, Mode, TransactionIsolation};
use loggia::storage::{
    Change, Document, Error, Expiry, InstallError, InstallOptions, Location, Otherwise, Outcome,
    Page, PostgresOptions, Precondition, Rows, Schema, Session, SessionOptions, Storage, Tenant,
    Value, Write,
};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::database::Database;

/// An open storage with one installed schema and the tenant `one`.
#[derive(Debug)]
pub(crate) struct TestStore {
    pub(crate) storage: Arc<Storage>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) tenant: Tenant,
    /// Dropped last: the database goes when its connections have gone.
    pub(crate) database: Arc<Database>,
}

impl TestStore {
    /// Open a database and install what is declared: an object with `collections` and, where the
    /// case needs them, other parts of a manifest.
    pub(crate) async fn open(database: Database, declared: &Json) -> Self {
        let location = location(&database);
        Self::open_at(&location, database, declared).await
    }

    /// The same where the database is reached otherwise, such as through a proxy.
    pub(crate) async fn open_at(location: &Location, database: Database, declared: &Json) -> Self {
        let storage = Storage::open(location).await.unwrap();
        let schema = install(&storage, declared).await.unwrap();
        let tenant = storage.tenant("one").await.unwrap();
        Self { storage, schema, tenant, database: Arc::new(database) }
    }

    /// Another gateway's storage on the same database.
    #[allow(dead_code, reason = "cases with two gateways")]
    pub(crate) async fn second(&self) -> Self {
        let storage = Storage::open(&location(&self.database)).await.unwrap();
        let (schema, database) = (Arc::clone(&self.schema), Arc::clone(&self.database));
        Self { storage, schema, tenant: self.tenant, database }
    }

    /// The same storage as another tenant sees it.
    pub(crate) async fn as_tenant(&self, name: &str) -> Self {
        let tenant = self.storage.tenant(name).await.unwrap();
        let (storage, schema) = (Arc::clone(&self.storage), Arc::clone(&self.schema));
        Self { storage, schema, tenant, database: Arc::clone(&self.database) }
    }

    #[allow(dead_code, reason = "cases that look at one database")]
    pub(crate) fn is_sqlite(&self) -> bool {
        self.storage.is_sqlite()
    }

    /// A session whose time does not run out.
    pub(crate) fn session(&self, mode: Mode) -> Session {
        self.session_with(options(mode, self.storage.now()))
    }

    /// A session at another time.
    #[allow(dead_code, reason = "cases about time")]
    pub(crate) fn session_at(&self, mode: Mode, now: i64) -> Session {
        self.session_with(options(mode, now))
    }

    pub(crate) fn session_with(&self, options: SessionOptions) -> Session {
        self.storage.session(self.tenant, &self.schema, options)
    }

    /// Apply writes in a transaction of their own.
    pub(crate) async fn apply(&self, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
        let mut session = self.session(Mode::Write);
        let outcomes = session.apply(writes).await;
        match &outcomes {
            Ok(_) => session.commit().await?,
            Err(_) => session.rollback().await,
        }
        outcomes
    }

    /// Put one document and give back its version.
    pub(crate) async fn put(&self, collection: &str, id: &str, body: &Json) -> u64 {
        let outcomes = self.apply(&[put(collection, id, body)]).await.unwrap();
        version(&outcomes[0])
    }

    pub(crate) async fn get(&self, collection: &str, id: &str) -> Option<Document> {
        let mut session = self.session(Mode::Read);
        let found = session.get(collection, &[id.to_owned()]).await.unwrap();
        session.commit().await.unwrap();
        found.into_iter().next().unwrap()
    }

    /// The rows of a statement as JSON.
    pub(crate) async fn select(&self, statement: &str, arguments: &[(&str, Value)]) -> Json {
        let rows = self.try_select(statement, arguments, None).await.unwrap();
        serde_json::from_str(&rows.json).unwrap()
    }

    pub(crate) async fn try_select(
        &self,
        statement: &str,
        arguments: &[(&str, Value)],
        page: Option<&Page>,
    ) -> Result<Rows, Error> {
        let mut session = self.session(Mode::Read);
        let rows = session.select(statement, &owned(arguments), page).await;
        session.rollback().await;
        rows
    }
}

/// Compile and install what a case declares.
pub(crate) async fn install(
    storage: &Arc<Storage>,
    declared: &Json,
) -> Result<Arc<Schema>, InstallError> {
    install_with(storage, declared, &InstallOptions::default()).await
}

/// As [`install`], with permissions and the like.
pub(crate) async fn install_with(
    storage: &Arc<Storage>,
    declared: &Json,
    options: &InstallOptions,
) -> Result<Arc<Schema>, InstallError> {
    let (parsed, text) = manifest(declared)?;
    storage.install_with(&parsed, &text, options).await
}

/// A whole manifest of what a case declares, and its text.
pub(crate) fn manifest(declared: &Json) -> Result<(Manifest, String), InstallError> {
    let mut manifest = json!({
        "name": "test", "version": "0.1.0", "summary": "s", "collections": [],
        "operations": [{"name": "o", "method": "GET", "path": "/o", "summary": "s"}],
    });
    for (name, value) in declared.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    let text = manifest.to_string();
    let parsed = Manifest::parse(&text).map_err(InstallError::Manifest)?;
    Ok((parsed, text))
}

pub(crate) fn location(database: &Database) -> Location {
    let url = database.url();
    match url.strip_prefix("sqlite:") {
        Some(path) => Location::Sqlite(path.into()),
        None => Location::Postgres(PostgresOptions {
            acquire_timeout: Duration::from_secs(60),
            max_waiters: 10_000,
            row_level_security: database.row_level_security(),
            ..PostgresOptions::new(url)
        }),
    }
}

pub(crate) fn options(mode: Mode, now: i64) -> SessionOptions {
    SessionOptions {
        mode,
        isolation: TransactionIsolation::ReadCommitted,
        now,
        deadline: Instant::now() + Duration::from_secs(60),
        document_bytes: 1 << 20,
        documents_read: 100_000,
        documents_written: 100_000,
    }
}

pub(crate) fn owned(arguments: &[(&str, Value)]) -> Vec<(String, Value)> {
    arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// A put of any document.
pub(crate) fn put(collection: &str, id: &str, body: &Json) -> Write {
    write(collection, id, Change::Put(body.to_string()))
}

/// A write without a condition.
pub(crate) fn write(collection: &str, id: &str, change: Change) -> Write {
    Write {
        collection: collection.to_owned(),
        id: id.to_owned(),
        change,
        condition: Precondition::Any,
        otherwise: Otherwise::Fail,
        expiry: Expiry::Keep,
    }
}

#[track_caller]
pub(crate) fn version(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Written { version, .. } => *version,
        other => panic!("{other:?}"),
    }
}
