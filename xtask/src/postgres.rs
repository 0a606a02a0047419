//! A `PostgreSQL` server for one run of the tests, which leaves nothing behind.
//!
//! A second process of xtask, the guard, owns the server. Its standard input is a pipe that
//! nobody writes to: the system closes it when xtask ends in whatever way, an error, Ctrl-C and
//! SIGKILL included, and the guard then stops the server and deletes its folder. A signal handler
//! could not promise as much.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use cluster::Cluster;
use programs::Programs;

pub(crate) use programs::ensure_installed;

mod cluster;
mod programs;

/// What the server promises when it confirms a commit.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub(crate) enum Durability {
    /// Nothing: faster, for tests.
    None,
    /// That it survives a loss of power: the default of `PostgreSQL`, for benchmarks.
    Full,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its standard input is what keeps the server running.
    guard: Child,
    url: String,
}

impl Server {
    /// Start a server with an empty database and wait until it answers.
    pub(crate) fn start(durability: Durability) -> Result<Self> {
        let value = clap::ValueEnum::to_possible_value(&durability);
        let value = value.context("the durability has no name")?;
        let mut guard = Command::new(env::current_exe()?)
            .args(["postgres-guard", "--durability", value.get_name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: Ctrl-C must not end it before it has cleaned up.
            .process_group(0)
            .spawn()
            .context("cannot start the guard of PostgreSQL")?;
        let stdout = guard.stdout.take().context("the guard has no standard output")?;
        let mut server = Self { guard, url: String::new() };
        BufReader::new(stdout).read_line(&mut server.url)?;
        ensure!(server.url.ends_with('\n'), "PostgreSQL did not start");
        server.url.truncate(server.url.len() - 1);
        Ok(server)
    }

    /// How to connect, as the user `postgres`, who may do anything.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stop the server and delete its folder.
    ///
    /// # Errors
    /// The guard could not do so. It has said why.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.guard.stdin.take());
        let status = self.guard.wait()?;
        ensure!(status.success(), "PostgreSQL did not stop cleanly");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // An error that is on its way already says more than one from here could. After
        // `stop` this does nothing.
        let _ = self.guard.wait();
    }
}

/// The guard: own a server until standard input ends.
pub(crate) fn guard(durability: Durability) -> Result<()> {
    let cluster = Cluster::start(Programs::find()?, durability)?;
    let mut stdout = io::stdout();
    // When xtask has ended meanwhile nobody reads this, and there is all the more to clean up.
    let _ = writeln!(stdout, "{}", cluster.url()).and_then(|()| stdout.flush());
    let ended = io::copy(&mut io::stdin(), &mut io::sink());
    cluster.stop()?;
    ended.map(|_| ()).context("cannot wait for xtask to end")
}
