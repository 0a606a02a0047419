//! The command line.

#![expect(clippy::print_stdout, reason = "a command prints its result")]

mod build;
mod check;
mod compile;
mod configured;
mod key_new;
mod migrate;
mod plugin_build;
mod plugin_plan;
mod serve;
mod stats;
mod tenants;
mod toolchain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Fault;
use crate::plugin::COMPILE_COMMAND;
pub use serve::{Started, start_with};

/// A storage gateway whose schemas are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, about, after_help = "Example: loggia serve --config gateway.toml")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the plugins of a configuration file.
    Serve {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
    /// Bring the gateway's own tables up to date, as every start does, and list its migrations.
    #[command(after_help = "Example: loggia migrate --list")]
    Migrate {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
        /// Only list which migrations are applied.
        #[arg(long, conflicts_with = "down_to")]
        list: bool,
        /// Take back the migrations after this number. Not each one can be taken back.
        #[arg(long, value_name = "NUMBER")]
        down_to: Option<u32>,
    },
    /// Print what is stored: documents and bytes by tenant, where `storage.statistics` is on, and
    /// the sizes of tables. `SQLite`: not while a gateway has the file open.
    #[command(after_help = "Example: loggia stats --config gateway.toml")]
    Stats {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
    /// Check the configuration and the plugins that it names, and tell all faults at once. Nothing
    /// is written, and no database is asked.
    #[command(after_help = "Example: loggia check --config gateway.toml\n\n\
                            Exit codes: 0 without a fault, 78 with some")]
    Check {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
    /// Keys of tenants.
    #[command(subcommand)]
    Key(KeyCommand),
    /// What authors of plugins need.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Compile the component on standard input, within bounds: the gateway runs this itself.
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompileComponent { memory_bytes: u64, cpu_seconds: u64 },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, and print it this once with its lines for the configuration file.
    #[command(after_help = "Example: loggia key new --name backend")]
    New {
        /// What plugins and logs are to call who uses it.
        #[arg(long, default_value = "backend", value_parser = key_name)]
        name: String,
    },
}

fn key_name(text: &str) -> Result<String, &'static str> {
    if crate::config::is_key_name(text) {
        return Ok(text.to_owned());
    }
    Err("a key's name has 1 to 63 letters, digits and characters of ._@-")
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Compile a plugin crate, make it a component, and check its manifest.
    #[command(after_help = "Example: loggia plugin build plugins/chat-sessions")]
    Build {
        /// The folder of the crate.
        folder: PathBuf,
        /// The file to write. Default: the manifest's name with .wasm, in the crate's folder.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Print what serving the configured plugins would change in the database.
    #[command(after_help = "Example: loggia plugin plan --config gateway.toml")]
    Plan {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
}

/// sysexits: a failure, and a faulty configuration.
const EX_SOFTWARE: u8 = 70;
const EX_CONFIG: u8 = 78;

/// A fault of the configuration or of a plugin that it names, told from other failures by the
/// exit code.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ConfigurationFault(String);

impl ConfigurationFault {
    /// Each in a line of its own, in the order of the file.
    fn of(faults: &[Fault]) -> Self {
        let mut faults = faults.to_vec();
        Fault::sort(&mut faults);
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Self(lines.join("\n"))
    }
}

impl From<Fault> for ConfigurationFault {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

/// Run the program.
#[must_use]
pub fn main() -> ExitCode {
    crate::telemetry::init();
    let done = match Arguments::parse().command {
        Command::CompileComponent { memory_bytes, cpu_seconds } => {
            return compile::run(memory_bytes, cpu_seconds);
        }
        Command::Serve { config } => serve::run(&config),
        Command::Check { config } => check::run(&config),
        Command::Key(KeyCommand::New { name }) => {
            key_new::run(&name);
            Ok(())
        }
        Command::Stats { config } => stats::run(&config),
        Command::Plugin(PluginCommand::Build { folder, output }) => {
            plugin_build::run(&folder, output.as_deref())
        }
        Command::Plugin(PluginCommand::Plan { config }) => plugin_plan::run(&config),
        Command::Migrate { config, list, down_to } => {
            let order = match (list, down_to) {
                (true, _) => migrate::Order::List,
                (false, Some(number)) => migrate::Order::DownTo(number),
                (false, None) => migrate::Order::Up,
            };
            migrate::run(&config, order)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loggia: {error:#}");
            let code = if error.is::<ConfigurationFault>() { EX_CONFIG } else { EX_SOFTWARE };
            ExitCode::from(code)
        }
    }
}
