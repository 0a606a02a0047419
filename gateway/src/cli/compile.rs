//! The engine that commands use, and the command that compiles for it in a process of its own.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::plugin::{Cache, Compiler, NOT_A_COMPONENT, Runtime, compile_here};

/// An engine whose compiler is this program, with a folder for compiled code.
pub(super) fn runtime(cache: Option<&Path>) -> anyhow::Result<Runtime> {
    let compiler = Compiler::of_this_program().context("the path of this program")?;
    let cache = cache.and_then(|folder| {
        let opened = Cache::open(folder);
        let folder = folder.display();
        opened.inspect_err(|error| tracing::warn!(%error, %folder, "no code is cached")).ok()
    });
    Runtime::new(compiler, cache)
        .map_err(|error| anyhow::anyhow!("the WebAssembly engine: {error:#}"))
}

/// Compile the component on standard input.
pub(super) fn run(memory_bytes: u64, cpu_seconds: u64) -> ExitCode {
    let (stdin, stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    match compile_here(memory_bytes, cpu_seconds, stdin, stdout) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NOT_A_COMPONENT)
        }
    }
}
