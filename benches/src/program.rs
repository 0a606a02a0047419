//! The program itself, `loggia serve`, as an operator starts it: with a file of configuration and a
//! folder for compiled code, so that only the first start with that folder compiles.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use loggia::tenant::{Digest, generate};
use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{IN_USE, component_of, program};

/// A folder with a `gateway.toml` that names the plugins in use.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    /// Of a tenant, where there are any.
    key: Option<String>,
}

/// A serving process. Dropping it stops it, as a signal does.
#[derive(Debug)]
pub struct Program {
    address: SocketAddr,
    child: Child,
    /// It logs there as long as it runs.
    _log: BufReader<ChildStderr>,
}

/// What a process holds of the machine's memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All of it, in kB.
    pub resident: u64,
    /// Without what stands in files, such as its code.
    pub anonymous: u64,
}

impl Installation {
    /// One on a database, with a folder for compiled code and so many tenants.
    ///
    /// # Errors
    /// A plugin was not built, or no folder can be made.
    pub fn new(url: &str, cache: &Path, tenants: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in("/var/tmp")?;
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             cache_dir = {cache:?}\n[storage]\nurl = {url:?}\n"
        );
        for name in IN_USE {
            let path = component_of(name)?;
            writeln!(text, "[plugins.{name}]\npath = {path:?}")?;
        }
        let mut last = None;
        for number in 0..tenants {
            let key = generate();
            let digest = Digest::of_key(&key).context("a generated key is a key")?;
            writeln!(text, "[[tenants.t{number}.keys]]\nname = \"key\"\nroles = [\"admin\"]")?;
            writeln!(text, "sha256 = \"{digest}\"")?;
            last = Some(key);
        }
        std::fs::write(folder.path().join("gateway.toml"), text)?;
        Ok(Self { folder, key: last })
    }

    /// Start it, and wait until a plugin has answered a request.
    ///
    /// # Errors
    /// It does not start, or does not answer; its own words are in the error.
    pub fn start(&self) -> Result<Program> {
        let program = Program::start(self.folder.path())?;
        let authorization = self.key.as_ref().map(|key| format!("authorization: Bearer {key}\r\n"));
        let authorization = authorization.unwrap_or_default();
        let request =
            format!("GET /v1/state/entries HTTP/1.1\r\nhost: bench\r\n{authorization}\r\n");
        crate::replay::Client::new(program.address)?.ask(&request.into_bytes())?;
        Ok(program)
    }
}

impl Program {
    fn start(folder: &Path) -> Result<Self> {
        let mut child = Command::new(program()?)
            .args(["serve", "--config", "gateway.toml"])
            .current_dir(folder)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().context("it has no standard error")?);
        let mut said = String::new();
        loop {
            let begin = said.len();
            if log.read_line(&mut said)? == 0 {
                bail!("the gateway did not start: {said}");
            }
            if let Some(address) = serving_at(&said[begin..]) {
                return Ok(Self { address, child, _log: log });
            }
        }
    }

    /// What it holds now.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            number.with_context(|| format!("no {name} in {status}"))
        };
        Ok(Memory { resident: kilobytes("VmRSS")?, anonymous: kilobytes("RssAnon")? })
    }
}

/// Where clients ask, in the line of the log that says so.
fn serving_at(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    fields.get("address")?.as_str()?.parse().ok()
}

impl Drop for Program {
    fn drop(&mut self) {
        // A database that was left in the middle would make the next start take longer.
        let pid = self.child.id().to_string();
        Command::new("kill").arg("-TERM").arg(pid).status().ok();
        self.child.wait().ok();
    }
}
