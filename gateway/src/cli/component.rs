//! A plugin that a command names: a component, the folder of a crate, or a folder that holds one
//! component, as other languages' tools make it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;
use wit_component::DecodedWasm;

use super::ConfigurationFault;
use super::build::{Profile, compile_component};
use super::compile;
use crate::config::Limits;
use crate::manifest::Manifest;
use crate::plugin::{Runtime, describe};

/// The component of a file or a folder. A crate is compiled.
pub(super) fn component_at(path: &Path, profile: Profile) -> anyhow::Result<Vec<u8>> {
    if !path.is_dir() {
        return read(path);
    }
    if path.join("Cargo.toml").is_file() {
        return compile_component(path, profile);
    }
    read(&only_component(path)?)
}

/// The component in a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| ConfigurationFault(format!("{}: {error}", path.display())).into())
}

fn only_component(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is_component = |path: &&PathBuf| path.extension().is_some_and(|e| e == "wasm");
    let components: Vec<_> = paths.iter().filter(is_component).collect();
    match components.as_slice() {
        [one] => Ok((*one).clone()),
        found => {
            let fault = format!(
                "{} has no Cargo.toml and {} files *.wasm: name the component",
                folder.display(),
                found.len()
            );
            Err(ConfigurationFault(fault).into())
        }
    }
}

/// What a component says of itself.
#[derive(Debug)]
pub(super) struct Described {
    /// The manifest as it stands in the component.
    pub(super) text: String,
    pub(super) manifest: Manifest,
}

/// An engine for as long as a command runs: whatever it loads again is compiled once.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) runtime: Runtime,
    _cache: TempDir,
}

impl Engine {
    pub(super) fn new() -> anyhow::Result<Self> {
        let cache = tempfile::tempdir().context("a temporary folder")?;
        Ok(Self { runtime: compile::runtime(Some(cache.path()))?, _cache: cache })
    }
}

/// Ask a component for its manifest, and check its form.
pub(super) async fn describe_component(
    engine: &Engine,
    component: &[u8],
) -> anyhow::Result<Described> {
    let memory_bytes = Limits::default().plugin_memory_bytes;
    let text = describe(&engine.runtime, component, memory_bytes).await;
    let text = text.map_err(|error| ConfigurationFault(error.to_string()))?;
    let manifest = Manifest::parse(&text).map_err(|faults| faulty(&faults))?;
    Ok(Described { text, manifest })
}

/// All faults of a manifest.
pub(super) fn faulty(faults: &[String]) -> anyhow::Error {
    ConfigurationFault(format!("the manifest is not valid:\n{}", faults.join("\n"))).into()
}

/// The interfaces that a component imports.
pub(super) fn imports(component: &[u8]) -> anyhow::Result<Vec<String>> {
    match wit_component::decode(component)? {
        DecodedWasm::Component(resolve, world) => {
            let imports = resolve.worlds[world].imports.keys();
            Ok(imports.map(|import| resolve.name_world_key(import)).collect())
        }
        DecodedWasm::WitPackage(..) => anyhow::bail!("it is a WIT package, and no component"),
    }
}
