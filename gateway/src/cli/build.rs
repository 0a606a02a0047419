//! Compiles the crate of a plugin and makes it a component.
//!
//! It calls cargo and reads the module that cargo names. It runs nothing of the plugin but what
//! cargo runs of any crate; whether the component is a good plugin is for `plugin check` to say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use wit_component::ComponentEncoder;

use super::toolchain::{TARGET, Toolchain};

/// A full stack of 1 MiB doubles the cost of a fresh instance. In this one `serde_json` reads and
/// writes recursive types 64 levels deep, the limit for documents.
const STACK_BYTES: u32 = 64 * 1024;

/// How a plugin is compiled, whatever its workspace says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    /// To be served: small and fast.
    Release,
    /// To be tried: a change is compiled in a second, and a trap names functions. It computes the
    /// same.
    Quick,
}

const RELEASE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    // There is nothing to unwind to: a panic is a trap either way.
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_STRIP", "true"),
];

const QUICK: [(&str, &str); 6] = [
    // Without it, the frames of recursive functions would not fit into the stack.
    ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_DEV_DEBUG", "false"),
    ("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false"),
    ("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false"),
    ("CARGO_PROFILE_DEV_PANIC", "abort"),
    ("CARGO_PROFILE_DEV_INCREMENTAL", "true"),
];

impl Profile {
    /// cargo's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Quick => "dev",
        }
    }

    fn settings(self) -> [(&'static str, &'static str); 6] {
        match self {
            Self::Release => RELEASE,
            Self::Quick => QUICK,
        }
    }
}

/// Compile the crate in `dir` and make it a component.
///
/// # Errors
/// There is no compiler for WebAssembly, the crate does not compile (cargo's messages are on
/// standard error by then), or its module does not fit the plugin interface.
pub(crate) fn compile_component(dir: &Path, profile: Profile) -> Result<Vec<u8>> {
    ensure!(
        dir.join("Cargo.toml").is_file(),
        "no Cargo.toml in {}: name the folder of a plugin's crate",
        dir.display()
    );
    let toolchain = Toolchain::find(dir)?;
    let module = compile_module(dir, &toolchain, profile)?;
    encode(&module).with_context(|| format!("cannot make {} a component", module.display()))
}

fn compile_module(dir: &Path, toolchain: &Toolchain, profile: Profile) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(dir)
        // Asking for a `cdylib` here, and for nothing beside it, is what lets LTO work: cargo
        // leaves it out of a library that is an `rlib` too, as one must be to have tests.
        .args(["rustc", "--lib", "--crate-type=cdylib", "--target", TARGET])
        .args(["--profile", profile.name()])
        .arg("--message-format=json-render-diagnostics")
        // Two compilers would evict each other's work from a folder that they share.
        .arg("--target-dir")
        .arg(target_folder(dir)?.join("plugins"))
        .envs(profile.settings())
        // These are meant for programs of this machine. Flags for plugins go into their
        // `.cargo/config.toml`, below `[target.wasm32-unknown-unknown]`.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stderr(Stdio::inherit());
    toolchain.configure(&mut cargo);
    cargo.args(["--", "-C", &format!("link-arg=-zstack-size={STACK_BYTES}")]);
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo could not compile the plugin in {}", dir.display());
    find_module(&output.stdout)
        .with_context(|| format!("cargo made no WebAssembly module of {}", dir.display()))
}

/// The folder that cargo builds the crate in `dir` into: `CARGO_TARGET_DIR` and
/// `.cargo/config.toml` have a say in it.
fn target_folder(dir: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .current_dir(dir)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo cannot read the crate in {}", dir.display());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let folder = metadata["target_directory"].as_str();
    folder.map(PathBuf::from).context("cargo metadata names no target folder")
}

/// The module among cargo's messages. The plugin's own is the last one: it is compiled after all
/// that it needs.
fn find_module(messages: &[u8]) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    let artifacts = messages
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact");
    let mut files = artifacts.filter_map(|artifact| {
        let files = artifact["filenames"].as_array()?.iter().filter_map(Value::as_str);
        files.map(PathBuf::from).find(|file| file.extension().is_some_and(|e| e == "wasm"))
    });
    files.next_back()
}

fn encode(module: &Path) -> Result<Vec<u8>> {
    let module = fs::read(module)?;
    let (interface, _) = wit_component::metadata::decode(&module)?;
    ensure!(
        interface.is_some(),
        "it names no interface: is the crate written with the plugin SDK?"
    );
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}

#[cfg(test)]
mod tests {
    use super::find_module;

    #[test]
    fn the_module_is_the_last_artifact_that_is_webassembly() {
        let messages = br#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib"]}
{"reason":"compiler-artifact","filenames":["/t/dependency.wasm"]}
{"reason":"compiler-artifact","filenames":["/t/plugin.d","/t/plugin.wasm"]}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(find_module(messages), Some("/t/plugin.wasm".into()));
        assert_eq!(find_module(b"not json\n"), None);
    }
}
