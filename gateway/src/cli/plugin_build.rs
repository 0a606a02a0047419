//! `loggia plugin build`: from a crate to a component whose manifest is valid.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::build::{Profile, compile_component};
use super::compile::runtime;
use crate::config::Limits;
use crate::manifest::Manifest;
use crate::plugin::describe;
use crate::storage::Schema;
use crate::storage::statement::Dialect;

/// Build the crate in a folder and write its component.
pub(super) fn run(folder: &Path, output: Option<&Path>) -> anyhow::Result<()> {
    let component = compile_component(folder, Profile::Release)?;
    let manifest = check(&component)?;
    let path = match output {
        Some(path) => path.to_owned(),
        None => folder.join(format!("{}.wasm", manifest.name)),
    };
    write(&path, &component)?;
    let (name, version, bytes) = (&manifest.name, &manifest.version, component.len());
    println!("{}: {name} {version}, {bytes} bytes", path.display());
    Ok(())
}

/// Ask the component for its manifest and check all of it that needs no database.
fn check(component: &[u8]) -> anyhow::Result<Manifest> {
    let memory_bytes = Limits::default().plugin_memory_bytes;
    let runtime = runtime(None)?;
    let describing = describe(&runtime, component, memory_bytes);
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = executor.block_on(describing)?;
    let manifest = Manifest::parse(&text).map_err(faults)?;
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        Schema::compile(&manifest, dialect).map_err(faults)?;
    }
    Ok(manifest)
}

fn faults(faults: Vec<String>) -> anyhow::Error {
    anyhow::anyhow!("the manifest is not valid:\n{}", faults.join("\n"))
}

/// Whole or not at all: a gateway may be reading the file.
fn write(path: &Path, component: &[u8]) -> anyhow::Result<()> {
    if path.file_name().is_none() {
        bail!("{} is not the name of a file", path.display());
    }
    let temporary = PathBuf::from(format!("{}.new", path.display()));
    std::fs::write(&temporary, component)
        .and_then(|()| std::fs::rename(&temporary, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}
