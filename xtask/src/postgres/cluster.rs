//! One server with its folder: made, started, stopped and deleted.

use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::Durability;
use super::programs::Programs;

/// The path of a socket, `<folder>/.s.PGSQL.5432`, may have 107 bytes.
const MAX_FOLDER_BYTES: usize = 80;

/// A running server in a folder of its own, reached through a socket in that folder alone.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: Programs,
    folder: TempDir,
}

impl Cluster {
    /// Make a server and wait until it answers.
    pub(crate) fn start(programs: Programs, durability: Durability) -> Result<Self> {
        let parent = parent_folder(&programs, durability);
        let folder = tempfile::Builder::new()
            .prefix("loggia-")
            // The server trusts whoever reaches its socket.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .with_context(|| format!("cannot make a folder in {}", parent.display()))?;
        if let Some(user) = programs.user {
            chown(folder.path(), Some(user.uid), Some(user.gid))?;
        }
        let cluster = Self { programs, folder };
        cluster.create(durability)?;
        match cluster.launch() {
            Ok(()) => Ok(cluster),
            Err(error) => {
                // It may still be on its way up. What went wrong first says more than this can.
                let _ = cluster.stop();
                Err(error)
            }
        }
    }

    /// How to connect. The folder stands where a URL has the host, with its slashes encoded.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.path().as_os_str().as_encoded_bytes();
        let host: String = folder.iter().map(|byte| encoded(*byte)).collect();
        format!("postgres://postgres@{host}/postgres")
    }

    /// Stop the server without a last checkpoint, and delete its folder.
    pub(crate) fn stop(self) -> Result<()> {
        let mut stop = self.pg_ctl("stop");
        let stopped = quietly(stop.args(["--mode=immediate", "--timeout=60"]));
        let path = self.folder.path().to_owned();
        let deleted =
            self.folder.close().with_context(|| format!("cannot delete {}", path.display()));
        stopped.and(deleted)
    }

    fn create(&self, durability: Durability) -> Result<()> {
        let mut initdb = self.programs.command("initdb", self.folder.path());
        initdb
            .arg("--pgdata")
            .arg(self.data())
            .args(["--username=postgres", "--auth=trust"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        quietly(&mut initdb)?;
        // The file is the other user's, and appending keeps it so.
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(&path)?;
        file.write_all(self.settings(durability).as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn launch(&self) -> Result<()> {
        let log = self.folder.path().join("log");
        let mut start = self.pg_ctl("start");
        quietly(start.args(["--wait", "--timeout=60", "--log"]).arg(&log)).map_err(|error| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            error.context(format!("PostgreSQL did not start; its log says:\n{log}"))
        })
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut pg_ctl = self.programs.command("pg_ctl", self.folder.path());
        pg_ctl.arg(what).arg("--pgdata").arg(self.data());
        pg_ctl
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn settings(&self, durability: Durability) -> String {
        let folder = self.folder.path().display().to_string().replace('\'', "''");
        let mut settings = format!(
            "listen_addresses = ''\n\
             unix_socket_directories = '{folder}'\n\
             max_connections = 300\n\
             shared_buffers = 128MB\n"
        );
        if durability == Durability::None {
            settings += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
        }
        settings
    }
}

/// Where the server's folder may be.
fn parent_folder(programs: &Programs, durability: Durability) -> PathBuf {
    let temporary = env::temp_dir();
    // Elsewhere `/tmp` is often memory, which would make every commit look cheap.
    if durability == Durability::Full {
        return "/var/tmp".into();
    }
    // Root's own temporary folder may be closed to the user that the server runs as.
    if programs.user.is_some() || temporary.as_os_str().len() > MAX_FOLDER_BYTES {
        return "/tmp".into();
    }
    temporary
}

/// Run a program and show what it printed only if it fails. A file, and not a pipe, takes the
/// output: a server that stays behind would keep the pipe open.
fn quietly(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = tempfile::NamedTempFile::new()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(output.reopen()?)
        .stderr(output.reopen()?)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    let printed = fs::read_to_string(output.path()).unwrap_or_default();
    ensure!(status.success(), "{program} failed ({status}): {}", printed.trim());
    Ok(())
}

fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_folder_becomes_a_host() {
        let host: String = "/tmp/ä-1.x".bytes().map(encoded).collect();
        assert_eq!(host, "%2Ftmp%2F%C3%A4-1.x");
    }
}
