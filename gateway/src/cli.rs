//! The command line.

#![expect(clippy::print_stdout, reason = "a command prints its result")]

mod build;
mod compile;
mod migrate;
mod plugin_build;
mod plugin_plan;
mod serve;
mod stats;
mod toolchain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// What authors of plugins need.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Compile the component on standard input, within bounds: the gateway runs this itself.
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompileComponent { memory_bytes: u64, cpu_seconds: u64 },
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

/// Run the program.
#[must_use]
pub fn main() -> ExitCode {
    crate::telemetry::init();
    let done = match Arguments::parse().command {
        Command::CompileComponent { memory_bytes, cpu_seconds } => {
            return compile::run(memory_bytes, cpu_seconds);
        }
        Command::Serve { config } => serve::run(&config),
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
