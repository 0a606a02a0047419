//! Changes of a plugin's tables: from what is there to what a manifest declares.
//!
//! Begin reading at [`install`]. `compare.rs` works out the steps, `check.rs` looks at the
//! documents for what stands against them, and `apply.rs` carries them out. Nothing notes how far
//! a change has come but the database itself: its catalog says which columns and indexes are
//! there, and each row by which declaration it was filled (`Collection::layout`). So a change that
//! was stopped at any place goes on from there, also when it is to lead elsewhere now.

mod apply;
mod check;
mod compare;
mod counts;
mod policies;
mod rows;
mod session;
mod state;
mod step;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::count::StoredLimit;
use super::error::Error;
use super::schema::Schema;
use crate::config::Permission;
use crate::manifest::Manifest;
use apply::Pace;
use counts::Counts;
pub(super) use session::ChangeSession;
use state::{Applied, Catalog};
pub use step::{Culprit, Culprits, Plan, Refusal, Step, StepKind};

/// Asks a plugin for the current form of bodies: the collection, the schema version that they
/// were written under, the bodies. For each its new form, or why there is none.
pub type Upgrade = Arc<
    dyn Fn(
            String,
            u32,
            Vec<String>,
        ) -> BoxFuture<'static, Result<Vec<Result<String, String>>, String>>
        + Send
        + Sync,
>;

/// What a change of a plugin's tables may do, and how.
#[derive(Clone, Default)]
pub struct InstallOptions {
    /// The steps that the operator permits.
    pub allow: BTreeSet<Permission>,
    /// Whether the numbers of documents and bytes are kept for each tenant and collection.
    pub statistics: bool,
    /// What a tenant may be limited to store. It is counted, and limits nobody by itself.
    pub stored_limits: Vec<StoredLimit>,
    /// Without it, no collection's schema version can grow while it has documents.
    pub upgrade: Option<Upgrade>,
    /// For tests: fail after so many statements and batches, as if the gateway had been killed.
    pub stop_after: Option<u32>,
}

impl std::fmt::Debug for InstallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstallOptions").field("allow", &self.allow).finish_non_exhaustive()
    }
}

/// Why a plugin's collections cannot be served from this database.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The manifest itself; each fault in a line.
    #[error("{}", .0.join("\n"))]
    Manifest(Vec<String>),
    /// Steps from what is stored to what is declared that need a permission, or that stored
    /// documents stand against. Nothing that was stored is lost.
    #[error("what it declares differs from what is stored, and cannot be applied:\n{}", .0.refused())]
    Refused(Plan),
    /// The plugin did not do what `upgrade` is to do.
    #[error("upgrade of {collection} from the schema version {from}: {why}")]
    Upgrade {
        /// The collection's name.
        collection: String,
        /// The schema version of the bodies.
        from: u32,
        /// How it failed.
        why: String,
    },
    /// The manifest that was applied last is not one that this gateway understands.
    #[error("the manifest of {plugin} in the database was applied by a newer gateway: {why}")]
    Unreadable {
        /// The plugin's name.
        plugin: String,
        /// What is wrong with it.
        why: String,
    },
    /// A statement that passed all checks and that the database does not take.
    #[error("the database does not take the statement {statement}: {reason}")]
    Statement {
        /// Its name.
        statement: String,
        /// What the database says.
        reason: String,
    },
    /// The database's failure.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// What is to be done for one plugin.
struct Work<'a> {
    schema: &'a Schema,
    options: &'a InstallOptions,
    /// On the database's clock.
    now: i64,
    /// Step by step, for people.
    plan: Plan,
    /// Collection by collection, in the order of the manifest.
    changes: Vec<compare::CollectionChange>,
    /// Tables of collections that are declared no more.
    dropped_tables: Vec<String>,
    counts: Counts,
    /// A change to something else was begun, and any part of it may be done.
    unfinished: bool,
}

impl Work<'_> {
    /// Whether a collection has no table yet.
    fn is_new(&self, collection: &str) -> bool {
        self.changes.iter().any(|change| change.is_new && change.collection == collection)
    }

    fn has_step(&self, kind: StepKind, collection: &str) -> bool {
        self.plan.steps.iter().any(|step| step.kind == kind && step.collection == collection)
    }

    /// Refuse a step, which is put into the plan where it was too small to stand there.
    fn set_refusal(&mut self, kind: StepKind, collection: &str, name: &str, refusal: Refusal) {
        let is_it = |step: &&mut Step| {
            step.kind == kind && step.collection == collection && step.name == name
        };
        match self.plan.steps.iter_mut().find(is_it) {
            Some(step) => step.refusal = Some(refusal),
            None => {
                let step = Step::new(kind, collection, name);
                self.plan.steps.push(Step { refusal: Some(refusal), ..step });
            }
        }
    }
}

/// Work out what a manifest would change, and change nothing.
pub(super) async fn plan(
    session: &mut ChangeSession,
    manifest: &Manifest,
    schema: &Schema,
    options: &InstallOptions,
    now: i64,
) -> Result<Plan, InstallError> {
    let applied = Applied::read(session, &manifest.name).await?;
    Ok(prepare(session, manifest, schema, options, now, &applied).await?.plan)
}

/// Make the tables what a manifest declares, one gateway at a time.
pub(super) async fn install(
    session: &mut ChangeSession,
    manifest: &Manifest,
    text: &str,
    schema: &Schema,
    options: &InstallOptions,
    now: i64,
) -> Result<(), InstallError> {
    session.lock().await?;
    let plugin = manifest.name.as_str();
    let applied = Applied::read(session, plugin).await?;
    let mut work = prepare(session, manifest, schema, options, now, &applied).await?;
    if work.plan.is_refused() {
        return Err(InstallError::Refused(work.plan));
    }
    let mut pace = Pace::new(options.stop_after);
    if !work.plan.steps.is_empty() {
        for step in &work.plan.steps {
            tracing::info!(plugin, step = %step, "changing the schema");
        }
        if work.unfinished {
            // Only as long as it is noted where the other change was to lead, it is known what
            // it has left.
            apply::drop_objects(session, &work, &mut pace, |_| true).await?;
        }
        Applied::begin(session, plugin, text).await?;
        pace.step()?;
        apply::apply(session, &mut work, &mut pace).await?;
    }
    work.counts.set_limits(session).await?;
    policies::set(session, schema).await?;
    let is_noted = applied.text.as_deref() == Some(text) && applied.pending.is_none();
    if !is_noted || !work.plan.steps.is_empty() {
        Applied::end(session, plugin, text).await?;
    }
    Ok(())
}

/// Compare, and look at the documents.
async fn prepare<'a>(
    session: &mut ChangeSession,
    manifest: &Manifest,
    schema: &'a Schema,
    options: &'a InstallOptions,
    now: i64,
    applied: &Applied,
) -> Result<Work<'a>, InstallError> {
    let tables = compare::tables(manifest, applied);
    let catalog = Catalog::read(session, tables).await?;
    let mut work = Work {
        schema,
        options,
        now,
        plan: Plan::new(&manifest.name),
        changes: Vec::new(),
        dropped_tables: Vec::new(),
        counts: Counts::read(session, manifest, schema).await?,
        unfinished: applied.pending.is_some(),
    };
    compare::compare(&mut work, session.dialect(), manifest, applied, &catalog);
    work.counts.compare(schema, &work.changes, &mut work.plan);
    check::check(session, &mut work).await?;
    Ok(work)
}
