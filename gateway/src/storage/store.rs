//! One database with what the gateway keeps in it for itself: tenants, manifests, secrets.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rand::Rng as _;

use super::changes::Changes;
use super::clock::Clock;
use super::cursor::Seal;
use super::ddl::policy;
use super::error::Error;
use super::plan_check;
use super::postgres::{self, PoolState, Postgres};
use super::schema::Schema;
use super::schema_change::{self, ChangeSession, InstallError, InstallOptions, Plan};
use super::session::{Session, SessionOptions};
use super::sql::{Query, SqlRows, SqlValue};
use super::sqlite::{self, Sqlite};
use super::statement::Dialect;
use super::transaction::{Transaction, TransactionMode, Whose};
use crate::manifest::Manifest;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A `PostgreSQL` server.
    Postgres(postgres::Options),
    /// A file.
    Sqlite(PathBuf),
}

/// An open database.
#[derive(Debug)]
pub struct Storage {
    backend: Backend,
    clock: Arc<Clock>,
    seal: Seal,
    /// What was installed last, by the plugin's name: what the sweeper goes through.
    installed: RwLock<HashMap<String, Arc<Schema>>>,
    pub(super) changes: Changes,
}

/// The two databases: a closed set.
#[derive(Debug)]
enum Backend {
    Postgres(Arc<Postgres>),
    Sqlite(Arc<Sqlite>),
}

/// Whose documents. Made by [`Storage::tenant`] only.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tenant(pub(super) i64);

impl Tenant {
    /// The key in the database's tables.
    pub(super) fn key(self) -> i64 {
        self.0
    }
}

/// What is taken from the database now: nothing, when no request is under way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct InUse {
    /// Connections or turns that are not back in the pool.
    pub connections: u32,
}

impl Storage {
    /// Open a database, making what does not exist in it.
    ///
    /// # Errors
    /// It cannot be reached or opened, or the gateway's own tables cannot be brought up to date.
    pub async fn open(location: &Location) -> Result<Arc<Self>, Error> {
        let clock = Arc::<Clock>::default();
        let backend = match location {
            Location::Postgres(options) => {
                Backend::Postgres(Arc::new(Postgres::open(options, Arc::clone(&clock)).await?))
            }
            Location::Sqlite(path) => {
                let path = path.clone();
                let opened = tokio::task::spawn_blocking(move || Sqlite::open(&path)).await;
                let opened = opened.map_err(|error| Error::Other(error.to_string()))?;
                Backend::Sqlite(Arc::new(opened?))
            }
        };
        let secret = backend.secret("cursor").await?;
        let (seal, installed) = (Seal::new(&secret), RwLock::default());
        Ok(Arc::new(Self { backend, clock, seal, installed, changes: Changes::new() }))
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.backend.dialect()
    }

    /// Whether it is the embedded database, whose one writer all requests share.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.dialect() == Dialect::Sqlite
    }

    /// Now, on the database's clock, in microseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Let the clock stand still at this time, for tests of plugins.
    pub fn freeze_clock(&self, at: i64) {
        self.clock.freeze(at);
    }

    /// How many requests wait now until another one ends: for its locks on `PostgreSQL`, for their
    /// turn to write on `SQLite`.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn blocked(&self) -> Result<usize, Error> {
        match &self.backend {
            Backend::Postgres(_) => {
                let waiting = self.run(BLOCKED, Vec::new()).await?.first_integer();
                Ok(waiting.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
            }
            Backend::Sqlite(sqlite) => Ok(sqlite.turns_waiting()),
        }
    }

    /// Compile a manifest and make the tables what it declares, as far as that needs no
    /// permission.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub async fn install(
        &self,
        manifest: &Manifest,
        manifest_text: &str,
    ) -> Result<Arc<Schema>, InstallError> {
        self.install_with(manifest, manifest_text, &InstallOptions::default()).await
    }

    /// Compile a manifest and make the tables what it declares.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub async fn install_with(
        &self,
        manifest: &Manifest,
        manifest_text: &str,
        options: &InstallOptions,
    ) -> Result<Arc<Schema>, InstallError> {
        let mut schema = self.compile(manifest, options)?;
        let mut session = self.backend.change_session().await?;
        let change = schema_change::install(
            &mut session,
            manifest,
            manifest_text,
            &schema,
            options,
            self.now(),
        );
        change.await?;
        self.check_policies().await?;
        schema.warnings = plan_check::check(self, &schema).await?;
        let schema = Arc::new(schema);
        let mut installed = self.installed.write().unwrap_or_else(PoisonError::into_inner);
        installed.insert(manifest.name.clone(), Arc::clone(&schema));
        Ok(schema)
    }

    /// A role may be one that no policy holds for.
    async fn check_policies(&self) -> Result<(), InstallError> {
        if !self.has_row_level_security() {
            return Ok(());
        }
        let active = self.run(policy::IS_ACTIVE, Vec::new()).await?;
        match active.first_integer() {
            Some(1) => Ok(()),
            _ => Err(Error::Other(policy::BYPASSED.to_owned()).into()),
        }
    }

    fn has_row_level_security(&self) -> bool {
        match &self.backend {
            Backend::Postgres(postgres) => postgres.has_row_level_security(),
            Backend::Sqlite(_) => false,
        }
    }

    /// Compile a manifest for this database. Nothing is changed.
    ///
    /// # Errors
    /// [`InstallError::Manifest`].
    pub fn compile(
        &self,
        manifest: &Manifest,
        options: &InstallOptions,
    ) -> Result<Schema, InstallError> {
        let mut schema =
            Schema::compile(manifest, self.dialect()).map_err(InstallError::Manifest)?;
        if options.statistics {
            schema.keep_statistics();
        }
        schema.limit_stored(&options.stored_limits);
        Ok(schema)
    }

    /// What was installed last of each plugin.
    pub(super) fn installed(&self) -> Vec<Arc<Schema>> {
        let installed = self.installed.read().unwrap_or_else(PoisonError::into_inner);
        installed.values().cloned().collect()
    }

    /// What installing a manifest would change. Nothing is changed.
    ///
    /// # Errors
    /// See [`InstallError`]; never [`InstallError::Refused`].
    pub async fn plan(
        &self,
        manifest: &Manifest,
        options: &InstallOptions,
    ) -> Result<Plan, InstallError> {
        let schema = self.compile(manifest, options)?;
        let mut session = self.backend.change_session().await?;
        schema_change::plan(&mut session, manifest, &schema, options, self.now()).await
    }

    /// The tenant of this name, made when it is new.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn tenant(&self, name: &str) -> Result<Tenant, Error> {
        let dialect = self.dialect();
        self.backend.run(dialect.insert_tenant(), vec![name.into()]).await?;
        let rows = self.backend.run(dialect.tenant(), vec![name.into()]).await?;
        let key = rows.first_integer();
        key.map(Tenant).ok_or_else(|| Error::Other(format!("the tenant {name} was not stored")))
    }

    /// What one run of one request may do.
    #[must_use]
    pub fn session(
        self: &Arc<Self>,
        tenant: Tenant,
        schema: &Arc<Schema>,
        options: SessionOptions,
    ) -> Session {
        Session::new(Arc::clone(self), Arc::clone(schema), tenant, options)
    }

    /// What is taken from the database now.
    #[must_use]
    pub fn in_use(&self) -> InUse {
        InUse {
            connections: match &self.backend {
                Backend::Postgres(postgres) => postgres.pool().in_use,
                Backend::Sqlite(sqlite) => sqlite.transactions_open(),
            },
        }
    }

    /// Ask the database for an answer.
    ///
    /// # Errors
    /// It gives none.
    pub async fn ping(&self) -> Result<(), Error> {
        self.run("SELECT 1", Vec::new()).await.map(drop)
    }

    /// Run one of the gateway's own statements, by itself.
    pub(super) async fn run(&self, sql: &str, binds: Vec<SqlValue>) -> Result<SqlRows, Error> {
        self.backend.run(sql, binds).await
    }

    /// The most connections that each of these tenants may have at a time, from now on; others may
    /// have all. `SQLite` has none.
    pub fn share_connections(&self, shares: HashMap<Tenant, u32>) {
        if let Backend::Postgres(postgres) = &self.backend {
            postgres.share(shares);
        }
    }

    /// The pool of connections; `None` on `SQLite`, which has none.
    #[must_use]
    pub fn pool(&self) -> Option<PoolState> {
        match &self.backend {
            Backend::Postgres(postgres) => Some(postgres.pool()),
            Backend::Sqlite(_) => None,
        }
    }

    /// Hear from other gateways what they have changed, and tell them, for ever. With `SQLite`
    /// there is no other.
    pub(super) async fn listen(&self) {
        match &self.backend {
            Backend::Postgres(postgres) => postgres.listen(&self.changes).await,
            Backend::Sqlite(_) => std::future::pending().await,
        }
    }

    pub(super) fn seal(&self) -> &Seal {
        &self.seal
    }

    pub(super) fn transaction(&self, whose: Whose, mode: TransactionMode) -> Transaction {
        match &self.backend {
            Backend::Postgres(postgres) => {
                Transaction::Postgres(postgres::Transaction::new(Arc::clone(postgres), whose, mode))
            }
            Backend::Sqlite(sqlite) => {
                Transaction::Sqlite(sqlite::Transaction::new(Arc::clone(sqlite), whose, mode))
            }
        }
    }
}

impl Backend {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Run one of the gateway's own statements.
    async fn run(&self, sql: &str, binds: Vec<SqlValue>) -> Result<SqlRows, Error> {
        let query = Query { sql: sql.into(), binds };
        match self {
            Self::Postgres(postgres) => postgres.run(&query).await,
            Self::Sqlite(sqlite) => {
                let answers = sqlite.run_all(vec![query], OWN_TIMEOUT).await?;
                Ok(answers.into_iter().next().unwrap_or_default())
            }
        }
    }

    async fn change_session(&self) -> Result<ChangeSession, Error> {
        Ok(match self {
            Self::Postgres(postgres) => ChangeSession::Postgres(postgres.dedicated().await?),
            Self::Sqlite(sqlite) => ChangeSession::Sqlite(Arc::clone(sqlite)),
        })
    }

    /// A secret of this database, made by whoever asks first.
    async fn secret(&self, name: &str) -> Result<Vec<u8>, Error> {
        let dialect = self.dialect();
        let mut fresh = vec![0; 32];
        rand::rng().fill_bytes(&mut fresh);
        let binds = vec![name.into(), SqlValue::Bytes(fresh)];
        self.run(dialect.insert_secret(), binds).await?;
        let rows = self.run(dialect.secret(), vec![name.into()]).await?;
        match rows.values.into_iter().next() {
            Some(SqlValue::Bytes(secret)) => Ok(secret),
            _ => Err(Error::Other(format!("the secret {name} was not stored"))),
        }
    }
}

/// Server processes of this database that wait for a lock. A lock on a row names no database.
const BLOCKED: &str = "SELECT count(DISTINCT l.pid)
    FROM pg_locks l
    JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE NOT l.granted AND a.datname = current_database()";

/// For the gateway's own statements on `SQLite`.
const OWN_TIMEOUT: Duration = Duration::from_secs(60);

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The gateway's own statements. `PostgreSQL` numbers parameters with `$`, `SQLite` with `?`.
impl Dialect {
    fn insert_tenant(self) -> &'static str {
        match self {
            Self::Postgres => "INSERT INTO loggia_tenant (name) VALUES ($1) ON CONFLICT DO NOTHING",
            Self::Sqlite => "INSERT INTO loggia_tenant (name) VALUES (?1) ON CONFLICT DO NOTHING",
        }
    }

    fn tenant(self) -> &'static str {
        match self {
            Self::Postgres => "SELECT id FROM loggia_tenant WHERE name = $1",
            Self::Sqlite => "SELECT id FROM loggia_tenant WHERE name = ?1",
        }
    }

    fn insert_secret(self) -> &'static str {
        match self {
            Self::Postgres => {
                "INSERT INTO loggia_secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING"
            }
            Self::Sqlite => {
                "INSERT INTO loggia_secret (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
            }
        }
    }

    fn secret(self) -> &'static str {
        match self {
            Self::Postgres => "SELECT value FROM loggia_secret WHERE name = $1",
            Self::Sqlite => "SELECT value FROM loggia_secret WHERE name = ?1",
        }
    }
}
