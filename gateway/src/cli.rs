//! The command line.

#![expect(clippy::print_stdout, reason = "a command prints its result")]

mod build;
mod check;
mod compile;
mod component;
mod configured;
mod dev;
mod generation;
mod key_new;
mod migrate;
mod plugin;
mod plugin_build;
mod plugin_check;
mod plugin_inspect;
mod plugin_new;
mod plugin_plan;
mod plugin_test;
mod reload;
mod serve;
mod stats;
mod tenants;
mod toolchain;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Fault;
use crate::plugin::COMPILE_COMMAND;
pub use reload::Source;
pub use serve::{Started, start_from, start_with};

/// A storage gateway whose schemas are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, about, after_help = "Example: loggia serve --config gateway.toml")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the plugins of a configuration file. SIGHUP loads both anew.
    #[command(after_help = "Example: loggia serve --config gateway.toml --watch")]
    Serve {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
        /// Load it and its plugins anew when a file has changed.
        #[arg(long)]
        watch: bool,
    },
    /// Build the plugins of a folder, serve them, and do so again after each change.
    #[command(after_help = "Examples:\n  loggia dev notes\n  loggia dev plugins --listen \
                            127.0.0.1:9000")]
    Dev {
        /// A plugin's folder, or a folder of such folders.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// A configuration to take all but the plugins' files from. Default: a database of its
        /// own in the folder `.loggia`, all of whose changes are allowed.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Where to listen. Default: the configuration's address.
        #[arg(long, env = "LOGGIA_SERVER__LISTEN")]
        listen: Option<SocketAddr>,
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
    Plugin(plugin::PluginCommand),
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

fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigurationFault>() {
        EX_CONFIG
    } else if error.is::<plugin_test::TestsFailed>() {
        TESTS_FAILED
    } else {
        EX_SOFTWARE
    }
}

/// As other test runners say it.
const TESTS_FAILED: u8 = 1;
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
    let command = Arguments::parse().command;
    if matches!(&command, Command::Plugin(command) if command.is_quiet()) {
        crate::telemetry::init_quiet();
    } else {
        crate::telemetry::init();
    }
    let done = match command {
        Command::CompileComponent { memory_bytes, cpu_seconds } => {
            return compile::run(memory_bytes, cpu_seconds);
        }
        Command::Serve { config, watch } => {
            let when = if watch { serve::ReloadWhen::Changed } else { serve::ReloadWhen::Asked };
            serve::run(&config, when)
        }
        Command::Check { config } => check::run(&config),
        Command::Key(KeyCommand::New { name }) => {
            key_new::run(&name);
            Ok(())
        }
        Command::Dev { folder, config, listen } => {
            dev::run(&dev::Options { folder, config, listen })
        }
        Command::Stats { config } => stats::run(&config),
        Command::Plugin(command) => command.run(),
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
            ExitCode::from(code_of(&error))
        }
    }
}
