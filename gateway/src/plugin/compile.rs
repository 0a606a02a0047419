//! Compiling a component, in a process of its own: begin reading at [`Compiler::compile`].
//!
//! A compiler that is given what strangers wrote can be made to use all memory or all time. So the
//! gateway runs its own program again, which bounds itself, compiles, and writes the code to its
//! standard output: [`compile_here`] is that end.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wasmtime::Engine;

use super::code::Code;
use super::engine;
use super::load::LoadError;

/// What compiling one component may take.
#[derive(Clone, Copy, Debug)]
pub struct CompileBounds {
    /// Address space of the process, in bytes.
    pub memory_bytes: u64,
    /// Time that all its threads compute together, in seconds.
    pub cpu_seconds: u64,
    /// Until it is killed in any case.
    pub time: Duration,
}

impl Default for CompileBounds {
    /// A component in Python has 18 MB, and takes 0.4 GB and 13 s of an unhurried machine.
    fn default() -> Self {
        Self { memory_bytes: 4 << 30, cpu_seconds: 120, time: Duration::from_secs(300) }
    }
}

/// Compiles components by running a program.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// `loggia`, in this version.
    pub program: PathBuf,
    /// What a component may take of it.
    pub bounds: CompileBounds,
}

/// The command of `loggia` that compiles.
pub const COMPILE_COMMAND: &str = "compile-component";

impl Compiler {
    /// With the program that runs now, and the default bounds.
    ///
    /// # Errors
    /// The system does not say where that program is.
    pub fn of_this_program() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, bounds: CompileBounds::default() })
    }

    pub(super) async fn compile(&self, component: &[u8]) -> Result<Code, LoadError> {
        let child = self.start().map_err(|error| {
            LoadError::Compile(format!("{} cannot be run: {error}", self.program.display()))
        })?;
        match timeout(self.bounds.time, exchange(child, component)).await {
            Ok(Ok(output)) if output.status.success() => Ok(Code::compiled(output.stdout)),
            Ok(Ok(output)) => Err(self.failure(&output)),
            Ok(Err(error)) => Err(LoadError::Compile(error.to_string())),
            // The process is killed when its handle is dropped.
            Err(_elapsed) => {
                Err(LoadError::Compile(format!("it took more than {:?}", self.bounds.time)))
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        let CompileBounds { memory_bytes, cpu_seconds, .. } = self.bounds;
        Command::new(&self.program)
            .arg(COMPILE_COMMAND)
            .arg(memory_bytes.to_string())
            .arg(cpu_seconds.to_string())
            // It needs nothing of the gateway's, least of all passwords.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// What a process that failed has died of.
    fn failure(&self, output: &Output) -> LoadError {
        let CompileBounds { memory_bytes, cpu_seconds, .. } = self.bounds;
        let text = String::from_utf8_lossy(&output.stderr);
        if matches!(output.status.signal(), Some(SIGXCPU | SIGKILL)) {
            return LoadError::Compile(format!("it took more than {cpu_seconds} s of computing"));
        }
        if OUT_OF_MEMORY.iter().any(|sign| text.contains(sign)) {
            let mebibytes = memory_bytes >> 20;
            return LoadError::Compile(format!("it took more than {mebibytes} MiB of memory"));
        }
        if output.status.code() == Some(NOT_A_COMPONENT.into()) {
            return LoadError::component(text.trim_end());
        }
        LoadError::Compile(format!("the compiler failed: {}: {text}", output.status))
    }
}

/// Give it the component and read its answer, both at once: it may answer before it has read all.
async fn exchange(mut child: Child, component: &[u8]) -> io::Result<Output> {
    let mut stdin = child.stdin.take().expect("it was started with a pipe");
    let give = async move {
        // A process that has ended reads nothing; its status says why.
        stdin.write_all(component).await.ok();
    };
    let ((), output) = tokio::join!(give, child.wait_with_output());
    output
}

/// The exit code of a process that was given something that cannot be compiled: `EX_DATAERR`.
pub const NOT_A_COMPONENT: u8 = 65;

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

/// How Rust, and the operating system, say that there is no memory left.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "os error 12"];

/// Compile what comes in, within bounds that hold for the rest of this process.
///
/// # Errors
/// What comes in is no component, or the bounds cannot be set.
pub fn compile_here(
    memory_bytes: u64,
    cpu_seconds: u64,
    mut component: impl Read,
    mut code: impl Write,
) -> io::Result<()> {
    let limit =
        |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::As, memory_bytes)?;
    // One second between SIGXCPU, which tells it from other ends, and SIGKILL.
    let cpu = Rlimit { current: Some(cpu_seconds), maximum: Some(cpu_seconds + 1) };
    setrlimit(Resource::Cpu, cpu)?;
    let mut bytes = Vec::new();
    component.read_to_end(&mut bytes)?;
    let compiled = Engine::new(&engine::code_config())
        .and_then(|engine| engine.precompile_component(&bytes))
        .map_err(|error| io::Error::other(format!("{error:#}")))?;
    code.write_all(&compiled)?;
    code.flush()
}
