//! A plugin that is being written: its folder, and what was built of it last.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::ConfigurationFault;
use super::super::build::Profile;
use super::super::component::{component_at, faulty};
use super::STATE;
use crate::manifest::Manifest;
use crate::plugin::{Runtime, describe};

/// One plugin.
#[derive(Debug)]
pub(super) struct Project {
    folder: PathBuf,
    /// The manifest of what was built last.
    built: Option<Manifest>,
}

impl Project {
    /// The plugin in a folder, or those in the folders within.
    pub(super) fn find(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let is_plugin = |folder: &Path| folder.join("Cargo.toml").is_file();
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        let mut folders = Vec::new();
        if is_plugin(&folder) {
            folders.push(folder.clone());
        } else {
            for entry in std::fs::read_dir(&folder)? {
                folders.push(entry?.path());
            }
            folders.retain(|folder| is_plugin(folder));
            folders.sort();
        }
        if folders.is_empty() {
            let fault = format!(
                "{} is no crate and holds none: make one with `loggia plugin new`",
                folder.display()
            );
            return Err(ConfigurationFault(fault).into());
        }
        Ok(folders.into_iter().map(|folder| Self { folder, built: None }).collect())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether one of these files is its.
    pub(super) fn is_of(&self, changed: &[PathBuf]) -> bool {
        changed.iter().any(|path| path.starts_with(&self.folder))
    }

    /// Build it, and ask it for its manifest.
    pub(super) async fn build(&mut self, runtime: &Runtime) -> anyhow::Result<()> {
        let folder = self.folder.clone();
        // It waits for cargo; requests are served meanwhile.
        let building = tokio::task::spawn_blocking(move || component_at(&folder, Profile::Quick));
        let component = building.await??;
        let memory_bytes = crate::config::Limits::default().plugin_memory_bytes;
        let text = describe(runtime, &component, memory_bytes).await?;
        let manifest = Manifest::parse(&text).map_err(|faults| faulty(&faults))?;
        self.write(&manifest.name, &component)?;
        self.built = Some(manifest);
        Ok(())
    }

    fn write(&self, name: &str, component: &[u8]) -> anyhow::Result<()> {
        let path = self.component_path(name);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, component))
            .with_context(|| path.display().to_string())
    }

    fn component_path(&self, name: &str) -> PathBuf {
        self.folder.join(STATE).join(format!("{name}.wasm"))
    }

    pub(super) fn is_built(&self) -> bool {
        self.built.is_some()
    }

    /// Its name, and where its component is.
    pub(super) fn component(&self) -> Option<(String, PathBuf)> {
        let name = &self.built.as_ref()?.name;
        Some((name.clone(), self.component_path(name)))
    }

    /// A line for each operation.
    pub(super) fn routes(&self) -> Vec<String> {
        let Some(manifest) = &self.built else { return Vec::new() };
        let line = |operation: &crate::manifest::OperationDeclaration| {
            format!("{:6} /v1/{}{}", operation.method, manifest.name, operation.path)
        };
        manifest.operations.iter().map(line).collect()
    }
}
