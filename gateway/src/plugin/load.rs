//! From a component's bytes to a plugin that can be called.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};

use super::admission;
use super::engine::Runtime;
use super::instance::Instances;
use super::{Plugin, Retry, log};
use crate::config::{Isolation, Permission};
use crate::manifest::Manifest;
use crate::storage::{InstallError, InstallOptions, Schema, Storage, StoredLimit, Upgrade};

/// How a plugin is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadOptions {
    /// How instances are shared.
    pub isolation: Isolation,
    /// A warm instance is thrown away after so many.
    pub max_requests_per_instance: u32,
    /// The most that one instance's memory can be.
    pub memory_bytes: usize,
    /// What happens to requests that lose a race.
    pub retry: Retry,
    /// Changes of its tables that the operator permits.
    pub allow: BTreeSet<Permission>,
    /// Whether the numbers of documents and bytes are kept.
    pub statistics: bool,
    /// What a tenant may be limited to store.
    pub stored_limits: Vec<StoredLimit>,
}

/// Why a plugin cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not a component of this interface, or one that fails to describe itself.
    #[error("it is not a plugin of this gateway: {0}")]
    Component(String),
    /// Compiling it took more than it may, or cannot be done here.
    #[error("it could not be compiled: {0}")]
    Compile(String),
    /// What it declares; each fault in a line.
    #[error("its manifest is not valid:\n{}", .0.join("\n"))]
    Manifest(Vec<String>),
    /// What it declares cannot be stored here.
    #[error(transparent)]
    Install(#[from] InstallError),
}

/// `describe` builds a text; this is ample.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// For one batch of bodies, at most some megabytes.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(60);

/// A component that has been compiled and has described itself. Nothing was changed for it yet.
pub struct Prepared {
    declared: Declared,
    instances: Instances,
}

/// What a component says of itself, and how it is to be run.
pub struct Declared {
    pub(super) manifest: Manifest,
    text: String,
    /// Of the component, in hexadecimal digits.
    pub(super) sha256: String,
    pub(super) options: LoadOptions,
    changes: InstallOptions,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("declared", &self.declared).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Declared").field("name", &self.manifest.name).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Compile a component, ask it for its manifest, and check that.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn new(
        runtime: &Runtime,
        component: &[u8],
        options: LoadOptions,
    ) -> Result<Self, LoadError> {
        let pre = runtime.prepare(component).await?;
        let instances = Instances::new(
            runtime.clone(),
            pre,
            options.isolation,
            options.max_requests_per_instance,
            options.memory_bytes,
        );
        let text = call_describe(&instances).await?;
        let manifest = Manifest::parse(&text).map_err(LoadError::Manifest)?;
        let upgrade = Some(upgrade_by(instances.others(options.memory_bytes)));
        let changes = InstallOptions {
            allow: options.allow.clone(),
            upgrade,
            statistics: options.statistics,
            stored_limits: options.stored_limits.clone(),
            ..InstallOptions::default()
        };
        let sha256 = digest(component);
        Ok(Self { declared: Declared { manifest, text, sha256, options, changes }, instances })
    }

    /// What it declares.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Make its tables.
    ///
    /// # Errors
    /// [`LoadError::Install`].
    pub async fn install(self, storage: &Arc<Storage>) -> Result<Plugin, LoadError> {
        let Self { declared, instances } = self;
        let schema = declared.install(storage).await?;
        Ok(Plugin {
            default_settings: declared.manifest.default_settings().to_string().into(),
            declared,
            schema,
            storage: Arc::clone(storage),
            instances,
            matter: admission::next_matter(),
        })
    }
}

impl Declared {
    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether its tables can be made. Nothing is changed.
    ///
    /// # Errors
    /// [`LoadError::Install`].
    pub async fn check(&self, storage: &Storage) -> Result<(), LoadError> {
        let plan = storage.plan(&self.manifest, &self.changes).await?;
        if plan.is_refused() { Err(InstallError::Refused(plan).into()) } else { Ok(()) }
    }

    async fn install(&self, storage: &Storage) -> Result<Arc<Schema>, LoadError> {
        let Self { manifest, text, changes, .. } = self;
        let schema = storage.install_with(manifest, text, changes).await?;
        for warning in schema.warnings() {
            tracing::warn!(plugin = manifest.name, "{warning}");
        }
        Ok(schema)
    }
}

impl Plugin {
    /// Compile a component, ask it for its manifest, check that, and make its tables.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(
        runtime: &Runtime,
        storage: &Arc<Storage>,
        component: &[u8],
        options: LoadOptions,
    ) -> Result<Self, LoadError> {
        Prepared::new(runtime, component, options).await?.install(storage).await
    }

    /// Whether this component, run so, would be the same once more. Then this one can go on, with
    /// its warm instances.
    #[must_use]
    pub fn is_made_of(&self, component: &[u8], options: &LoadOptions) -> bool {
        self.declared.options == *options && self.declared.sha256 == digest(component)
    }

    /// Make its tables what it declares, where others have changed them meanwhile.
    ///
    /// # Errors
    /// [`LoadError::Install`].
    pub async fn install_again(&self) -> Result<(), LoadError> {
        self.declared.install(&self.storage).await.map(drop)
    }
}

fn digest(component: &[u8]) -> String {
    Sha256::digest(component).iter().map(|b| format!("{b:02x}")).collect()
}

/// The text of a component's manifest, not yet checked.
///
/// # Errors
/// It is not a component of this interface, or `describe` fails.
pub async fn describe(
    runtime: &Runtime,
    component: &[u8],
    memory_bytes: usize,
) -> Result<String, LoadError> {
    describe_and_upgrade(runtime, component, memory_bytes).await.map(|(text, _)| text)
}

/// As [`describe`], with what brings stored bodies up to date.
///
/// # Errors
/// As [`describe`].
pub async fn describe_and_upgrade(
    runtime: &Runtime,
    component: &[u8],
    memory_bytes: usize,
) -> Result<(String, Upgrade), LoadError> {
    let pre = runtime.prepare(component).await?;
    let instances = Instances::new(runtime.clone(), pre, Isolation::Request, 1, memory_bytes);
    let text = call_describe(&instances).await?;
    Ok((text, upgrade_by(instances)))
}

/// A fresh instance for each batch.
fn upgrade_by(instances: Instances) -> Upgrade {
    let instances = Arc::new(instances);
    Arc::new(move |collection, from, bodies| {
        let instances = Arc::clone(&instances);
        let called = async move { call_upgrade(&instances, &collection, from, &bodies).await };
        called.boxed()
    })
}

async fn call_upgrade(
    instances: &Instances,
    collection: &str,
    from: u32,
    bodies: &[String],
) -> Result<Vec<Result<String, String>>, String> {
    let upgrade = async {
        let _room = admission::admit_own(&instances.runtime).await;
        let mut instance = instances.fresh().await?;
        let guest = instance.guest.loggia_plugin_handler();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        guest.call_upgrade(&mut instance.store, collection, from, &bodies).await
    };
    match tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await {
        Ok(upgraded) => upgraded.map_err(|error| format!("{error:#}")),
        Err(_elapsed) => Err(format!("a batch took longer than {} s", UPGRADE_TIMEOUT.as_secs())),
    }
}

async fn call_describe(instances: &Instances) -> Result<String, LoadError> {
    let describe = async {
        let _room = admission::admit_own(&instances.runtime).await;
        let mut instance = instances.fresh().await?;
        instance.guest.loggia_plugin_handler().call_describe(&mut instance.store).await
    };
    match tokio::time::timeout(DESCRIBE_TIMEOUT, describe).await {
        Ok(described) => described.map_err(|error| component_error(&error)),
        Err(_elapsed) => Err(LoadError::Component(format!(
            "describe took longer than {} s",
            DESCRIBE_TIMEOUT.as_secs()
        ))),
    }
}

fn component_error(error: &wasmtime::Error) -> LoadError {
    LoadError::component(&format!("{error:#}"))
}

impl LoadError {
    /// What is wrong with a component, in a text that may hold names out of it.
    pub(super) fn component(why: &str) -> Self {
        Self::Component(log::printable(why))
    }
}
