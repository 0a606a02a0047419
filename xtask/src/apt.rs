//! Installs Debian's packages, where that is possible without asking anyone.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::step;
use crate::workspace::run;

/// Install packages, and never remove one.
///
/// # Errors
/// The system has no apt-get, the user is not root, or apt-get failed.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    ensure!(is_root(), "only root may install {}", packages.join(" "));
    let has_apt = Command::new("apt-get").arg("--version").output().is_ok();
    ensure!(has_apt, "there is no apt-get to install {} with", packages.join(" "));
    step(&format!("installing {} with apt-get", packages.join(" ")));
    // An image's lists of packages are often old or empty.
    run(&mut apt(&["update", "--quiet=2"]))?;
    // Some of these conflict with packages that someone may have chosen, such as rustup.
    run(apt(&["install", "--quiet=2", "--yes", "--no-install-recommends", "--no-remove"])
        .args(packages))
}

fn apt(args: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    // It tells each package that it unpacks; its errors go to standard error.
    apt.stdout(Stdio::null());
    apt
}

/// Whether this process may do anything.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}
