//! Finds what compiles a plugin: a Rust compiler with a standard library for WebAssembly.
//!
//! It only looks, and never installs: `cargo xtask` does that, and compiles this same file to see
//! what is missing. Begin at [`Toolchain::find`].

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The target of every plugin. It offers neither clock nor files: what a plugin may touch is
/// imported through the plugin interface alone.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's packages put their compiler. rustup's usually hides it on the PATH.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// An older compiler knows neither the edition nor the library that plugins are written for.
const OLDEST: (u32, u32) = (1, 95);

/// A way to compile for [`TARGET`].
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The compiler that cargo takes by itself has the target's standard library.
    Installed,
    /// Debian's compiler builds the standard library from its source, along with the plugin.
    BuildStd {
        /// Debian's compiler: the source must be of the very same version.
        rustc: PathBuf,
        /// rustup's `rust-lld`, because Debian's packages bring no linker for WebAssembly.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Find a way to compile the crate in `dir`, whose `rust-toolchain.toml` has a say in it.
    ///
    /// # Errors
    /// There is none. The message says what to install.
    pub(crate) fn find(dir: &Path) -> Result<Self> {
        let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let compiler = Compiler::inspect(&program, dir);
        if compiler.as_ref().is_ok_and(Compiler::has_target) {
            return Ok(Self::Installed);
        }
        Self::find_debian(compiler.as_ref().ok()).map_err(|debian| {
            let found = match compiler {
                Ok(compiler) => format!("rustc {} has no {TARGET}", compiler.release),
                Err(error) => format!("{error:#}"),
            };
            missing(&found, &debian)
        })
    }

    /// Debian's compiler with its source, linking with what belongs to `other`.
    fn find_debian(other: Option<&Compiler>) -> Result<Self> {
        ensure!(Path::new(DEBIAN_RUSTC).exists(), "there is no {DEBIAN_RUSTC}");
        let debian = Compiler::inspect(OsStr::new(DEBIAN_RUSTC), Path::new("/"))?;
        debian.check_source()?;
        let linker = [other, Some(&debian)].into_iter().flatten().find_map(Compiler::linker);
        let linker = linker.context("no rust-lld in the folder of rustup's compiler")?;
        Ok(Self::BuildStd { rustc: DEBIAN_RUSTC.into(), linker })
    }

    /// Make `cargo`, a command that builds for [`TARGET`], use this toolchain.
    pub(crate) fn configure(&self, cargo: &mut Command) {
        let Self::BuildStd { rustc, linker } = self else { return };
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            // Lets a stable cargo accept the option above.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC", rustc)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
}

/// A compiler, as far as it matters here.
struct Compiler {
    /// Such as `1.95.0`.
    release: String,
    /// The target of its own machine.
    host: String,
    /// The folder that holds its libraries.
    sysroot: PathBuf,
}

impl Compiler {
    fn inspect(program: &OsStr, dir: &Path) -> Result<Self> {
        let version = output(program, &["-vV"], dir)?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned()).with_context(|| {
                format!("{} -vV names no {name} of itself", program.to_string_lossy())
            })
        };
        let sysroot = output(program, &["--print", "sysroot"], dir)?;
        let sysroot = PathBuf::from(sysroot.trim_end());
        Ok(Self { release: field("release:")?, host: field("host:")?, sysroot })
    }

    fn has_target(&self) -> bool {
        self.sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
    }

    /// The source of the standard library is there, and fits.
    fn check_source(&self) -> Result<()> {
        ensure!(self.is_new_enough(), "{DEBIAN_RUSTC} is {}, which is too old", self.release);
        let source = self.sysroot.join("lib/rustlib/src/rust");
        let version = fs::read_to_string(source.join("src/version")).with_context(|| {
            format!("no source of the standard library in {}", source.display())
        })?;
        ensure!(
            version.trim() == self.release,
            "the source in {} is of version {}, but {DEBIAN_RUSTC} is {}",
            source.display(),
            version.trim(),
            self.release,
        );
        Ok(())
    }

    fn is_new_enough(&self) -> bool {
        let mut numbers = self.release.split('.').map(str::parse);
        matches!(
            (numbers.next(), numbers.next()),
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST
        )
    }

    /// It must be the file named `rust-lld`: the `wasm-ld` beside it refuses the `-flavor`
    /// argument that the compiler passes.
    fn linker(&self) -> Option<PathBuf> {
        let linker = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        linker.is_file().then_some(linker)
    }
}

fn output(program: &OsStr, args: &[&str], dir: &Path) -> Result<String> {
    let name = program.to_string_lossy();
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .with_context(|| format!("cannot run {name} in {}", dir.display()))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed no UTF-8"))
}

fn missing(found: &str, debian: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "no compiler for WebAssembly: {found}; {debian:#}. install one of these:\n  \
         with rustup, on any system:\n    \
         rustup target add {TARGET}\n  \
         on Debian, where rustup cannot reach its server (its compiler stays first on the PATH):\n    \
         apt-get update && apt-get install --no-install-recommends rustc-web rust-web-src"
    )
}
