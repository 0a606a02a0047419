//! Gets a compiler for WebAssembly: rustup's target, else Debian's packages, else a message.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;
use crate::{apt, step};

/// rustup fetches 20 MB. Where its server cannot be reached it may wait for much longer.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// Find a compiler for plugins, or install one.
///
/// # Errors
/// There is none and none could be installed. The message says what to install.
pub(crate) fn ensure_toolchain(workspace: &Workspace) -> Result<()> {
    let find = || Toolchain::find(&workspace.root);
    if find().is_ok() {
        return Ok(());
    }
    step(&format!("adding the target {TARGET} with rustup"));
    if let Err(error) = add_target(workspace) {
        step(&format!("rustup could not add the target: {error:#}"));
    }
    if find().is_ok() {
        return Ok(());
    }
    let installed = apt::install(&["rustc-web", "rust-web-src"]);
    find().map(|_| ()).map_err(|missing| match installed {
        Ok(()) => missing,
        Err(error) => missing.context(format!("{error:#}")),
    })
}

fn add_target(workspace: &Workspace) -> Result<()> {
    let mut rustup = workspace.command("rustup");
    rustup.args(["target", "add", TARGET]).stdin(Stdio::null());
    // Its failure is no news for a developer of rustup.
    rustup.env("RUST_BACKTRACE", "0");
    wait(rustup.spawn().context("cannot run rustup")?, RUSTUP_LIMIT)
}

/// Wait for a program, and end it when it takes longer than `limit`.
fn wait(mut child: Child, limit: Duration) -> Result<()> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "it failed ({status})");
            return Ok(());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("it took longer than {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
