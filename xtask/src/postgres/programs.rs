//! Finds `PostgreSQL`'s programs, and the user that may run them.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::{self, is_root};

/// Where Debian keeps each version in a folder of its own, and off the PATH.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// `PostgreSQL`'s programs, ready to run.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// Whom they run as, when it is someone else.
    pub(crate) user: Option<User>,
}

/// A user of the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Find the programs, or install them.
///
/// # Errors
/// There are none and none could be installed. The message says what to install.
pub(crate) fn ensure_installed() -> Result<()> {
    if find_folder().is_none() {
        apt::install(&["postgresql"]).with_context(missing)?;
    }
    Programs::find().map(|_| ())
}

impl Programs {
    /// Find the programs.
    pub(crate) fn find() -> Result<Self> {
        let folder = find_folder().with_context(missing)?;
        // The programs refuse to run as root.
        let user = if is_root() { Some(User::unprivileged()?) } else { None };
        Ok(Self { folder, user })
    }

    /// A command for one of the programs, in a folder that its user can enter.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(folder);
        if let Some(user) = self.user {
            // This drops root's other groups as well.
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

impl User {
    /// The user that `PostgreSQL`'s package made, or the one that owns nothing.
    fn unprivileged() -> Result<Self> {
        let find = |name: &str| Some(Self { uid: id("-u", name)?, gid: id("-g", name)? });
        find("postgres").or_else(|| find("nobody")).context(
            "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: \
             run this as another user",
        )
    }
}

fn id(what: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([what, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn missing() -> String {
    format!(
        "no PostgreSQL server (initdb, pg_ctl, postgres) on the PATH, beside pg_config or in \
         {DEBIAN_VERSIONS}. tests and benchmarks need one; install it:\n  \
         on Debian and Ubuntu: apt-get install --no-install-recommends postgresql\n  \
         on Fedora:            dnf install postgresql-server\n  \
         on macOS:             brew install postgresql"
    )
}

/// The PATH comes first: whoever put a server there has chosen it.
fn find_folder() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates = env::split_paths(&path).chain(from_pg_config()).chain(debian_folders());
    candidates.into_iter().find(|folder| has_server(folder))
}

/// Packages of clients bring a folder without the server.
fn has_server(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
}

/// The newest version first.
fn debian_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(DEBIAN_VERSIONS).into_iter().flatten().flatten();
    let version = |name: &str| name.parse::<f64>().ok();
    let mut versions: Vec<_> = entries
        .filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    versions.into_iter().map(|(_, folder)| folder).collect()
}
