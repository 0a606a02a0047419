//! An open storage with one installed manifest, and its calls as requests make them: each in a
//! session of its own, in autocommit mode where nothing else is said.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loggia::manifest::{Manifest, Mode, TransactionIsolation};
use loggia::storage::{
    Change, Document, Expiry, InstallOptions, Location, Otherwise, Outcome, Page, PostgresOptions,
    Precondition, Rows, Schema, Session, SessionOptions, Storage, Tenant, Value, Write,
};
use loggia_benches::database::Database;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

/// The two databases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    fn database(self) -> Result<Database> {
        match self {
            Self::Sqlite => Database::sqlite(),
            Self::Postgres => Database::postgres(),
        }
    }

    /// What it is, with the settings that a commit's cost depends on.
    pub(crate) fn describe(self) -> Result<String> {
        let described = self.database()?.describe()?;
        Ok(match self {
            Self::Sqlite => described,
            Self::Postgres => {
                format!("{described}, {} connections", PostgresOptions::new("").pool_size)
            }
        })
    }
}

/// A storage that is measured.
#[derive(Debug)]
pub(crate) struct Store {
    storage: Arc<Storage>,
    schema: Arc<Schema>,
    tenant: Tenant,
    /// Dropped last: the database goes when its connections have gone.
    database: Database,
}

/// Documents in one call where many are made.
const BATCH: u64 = 1_000;

impl Store {
    /// Open an empty database and install what is declared: parts of a manifest.
    pub(crate) async fn open(
        backend: Backend,
        declared: &Json,
        options: &InstallOptions,
    ) -> Result<Arc<Self>> {
        let database = backend.database()?;
        let location = location(&database);
        Self::open_at(database, &location, declared, options).await
    }

    /// On `PostgreSQL`, with row level security.
    pub(crate) async fn open_with_policies(
        declared: &Json,
        options: &InstallOptions,
    ) -> Result<Arc<Self>> {
        let database = Backend::Postgres.database()?;
        let mut location = location(&database);
        if let Location::Postgres(postgres) = &mut location {
            postgres.row_level_security = true;
        }
        Self::open_at(database, &location, declared, options).await
    }

    async fn open_at(
        database: Database,
        location: &Location,
        declared: &Json,
        options: &InstallOptions,
    ) -> Result<Arc<Self>> {
        let storage = Storage::open(location).await?;
        let mut manifest = json!({
            "name": "bench", "version": "0.1.0", "summary": "Benchmarks",
            "operations": [{"name": "get", "method": "GET", "path": "/get", "summary": "None"}],
        });
        for (name, value) in declared.as_object().context("parts of a manifest")? {
            manifest[name] = value.clone();
        }
        let text = manifest.to_string();
        let manifest = Manifest::parse(&text).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let schema = storage.install_with(&manifest, &text, options).await?;
        let tenant = storage.tenant("bench").await?;
        Ok(Arc::new(Self { storage, schema, tenant, database }))
    }

    /// Do what the database does by itself some time after many writes.
    pub(crate) fn settle(&self) -> Result<()> {
        self.database.vacuum()
    }

    pub(crate) fn session(&self, mode: Mode) -> Session {
        let options = SessionOptions {
            mode,
            isolation: TransactionIsolation::ReadCommitted,
            now: self.storage.now(),
            deadline: Instant::now() + Duration::from_secs(60),
            document_bytes: 1 << 20,
            documents_read: 1_000_000,
            documents_written: 1_000_000,
        };
        self.storage.session(self.tenant, &self.schema, options)
    }

    /// Read a document that is there.
    pub(crate) async fn get(&self, mode: Mode, collection: &str, id: String) -> Result<Document> {
        let mut session = self.session(mode);
        let found = session.get(collection, std::slice::from_ref(&id)).await?;
        session.commit().await?;
        let found = found.into_iter().next().flatten();
        found.with_context(|| format!("there is no {collection} {id}"))
    }

    pub(crate) async fn apply(&self, mode: Mode, writes: &[Write]) -> Result<Vec<Outcome>> {
        let mut session = self.session(mode);
        let outcomes = session.apply(writes).await?;
        session.commit().await?;
        Ok(outcomes)
    }

    /// Apply one write by itself.
    pub(crate) async fn write(&self, write: Write) -> Result<Outcome> {
        let outcomes = self.apply(Mode::Autocommit, &[write]).await?;
        outcomes.into_iter().next().context("an outcome for each write")
    }

    pub(crate) async fn select(
        &self,
        statement: &str,
        arguments: &[(String, Value)],
        page: Option<&Page>,
    ) -> Result<Rows> {
        let mut session = self.session(Mode::Autocommit);
        let rows = session.select(statement, arguments, page).await?;
        session.commit().await?;
        Ok(rows)
    }

    /// Take the first document of a queue, which is not empty.
    pub(crate) async fn claim(&self, statement: &str) -> Result<()> {
        let mut session = self.session(Mode::Autocommit);
        let claimed = session.update_where(statement, &[], 1).await?;
        session.commit().await?;
        ensure!(claimed.len() == 1, "{} documents were claimed", claimed.len());
        Ok(())
    }

    /// Delete the documents of a group.
    pub(crate) async fn delete(&self, statement: &str, group: i64) -> Result<u64> {
        let mut session = self.session(Mode::Autocommit);
        let group = [("group".to_owned(), Value::Integer(group))];
        let deleted = session.delete_where(statement, &group, 0).await?;
        session.commit().await?;
        Ok(deleted)
    }

    /// Put documents by their numbers.
    pub(crate) async fn fill(
        &self,
        numbers: std::ops::Range<u64>,
        document: impl Fn(u64) -> Write,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        let mut next = numbers.start;
        while next < numbers.end {
            let end = numbers.end.min(next + BATCH);
            let writes: Vec<Write> = (next..end).map(&document).collect();
            outcomes.extend(self.apply(Mode::Autocommit, &writes).await?);
            next = end;
        }
        Ok(outcomes)
    }
}

fn location(database: &Database) -> Location {
    let url = database.url();
    match url.strip_prefix("sqlite:") {
        Some(path) => Location::Sqlite(path.into()),
        None => Location::Postgres(PostgresOptions {
            // A server of the tests may be slow to take connections.
            acquire_timeout: Duration::from_secs(10),
            ..PostgresOptions::new(url)
        }),
    }
}

/// A write without a condition.
pub(crate) fn write(collection: &str, id: String, change: Change) -> Write {
    Write {
        collection: collection.to_owned(),
        id,
        change,
        condition: Precondition::Any,
        otherwise: Otherwise::Fail,
        expiry: Expiry::Keep,
    }
}

pub(crate) fn put(collection: &str, id: String, body: String) -> Write {
    write(collection, id, Change::Put(body))
}

/// A body of so many bytes: these members, and words that differ.
pub(crate) fn body(mut members: Json, number: u64, bytes: usize) -> String {
    members["text"] = json!("");
    let room = bytes.saturating_sub(members.to_string().len());
    let mut text = String::with_capacity(room + 8);
    let mut word = number;
    while text.len() < room {
        word = word.wrapping_mul(31).wrapping_add(7) % 100_003;
        text.push_str(&format!("word{word} "));
    }
    text.truncate(room);
    members["text"] = json!(text);
    members.to_string()
}

pub(crate) fn version(outcome: &Outcome) -> Result<u64> {
    match outcome {
        Outcome::Written { version, .. } => Ok(*version),
        other => anyhow::bail!("it was not written: {other:?}"),
    }
}
