//! `loggia plugin …`: what authors of plugins need.

use std::path::PathBuf;

use clap::Subcommand;

use super::{plugin_build, plugin_check, plugin_inspect, plugin_new, plugin_plan, plugin_test};

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Make the folder of a new plugin, which stores notes and has tests.
    #[command(after_help = "Example: loggia plugin new notes")]
    New {
        /// The folder to make; its name is the plugin's.
        folder: PathBuf,
        /// The folder of the SDK. Default: that of the clone which this program was built from.
        #[arg(long, default_value = plugin_new::SDK, hide_default_value = true)]
        sdk: PathBuf,
    },
    /// Compile a plugin crate, make it a component, and check its manifest.
    #[command(after_help = "Example: loggia plugin build plugins/chat-sessions")]
    Build {
        /// The folder of the crate.
        folder: PathBuf,
        /// The file to write. Default: the manifest's name with .wasm, in the crate's folder.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Print what a plugin declares and imports.
    #[command(after_help = "Examples:\n  loggia plugin inspect notes.wasm --sql\n  \
                            loggia plugin inspect notes --json")]
    Inspect {
        /// A component, or a folder with one or with a crate, which is built.
        path: PathBuf,
        /// Print each statement as both databases are sent it.
        #[arg(long)]
        sql: bool,
        /// Print JSON, with the statements' texts and the whole manifest.
        #[arg(long, conflicts_with = "sql")]
        json: bool,
    },
    /// Find all that is wrong with a plugin before it is served.
    #[command(after_help = "Examples:\n  loggia plugin check notes\n  loggia plugin check \
                            notes.wasm --config gateway.toml\n\nExit codes: 0 no faults, \
                            78 faults")]
    Check {
        /// A component, or a folder with one or with a crate, which is built.
        path: PathBuf,
        /// Also what this configuration allows, and what would change in its database.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Also how `PostgreSQL` plans the statements, in an empty database on this server.
        #[arg(long, env = "LOGGIA_TEST_POSTGRES", value_name = "URL", hide_env_values = true)]
        postgres: Option<String>,
    },
    /// Run the tests of a plugin, tests/*.toml in its folder, on `SQLite` and maybe `PostgreSQL`.
    #[command(after_help = "Examples:\n  loggia plugin test notes\n  loggia plugin test notes \
                            --postgres postgres://postgres@localhost/postgres\n\n\
                            Exit codes: 0 all passed, 1 some failed, 78 a test file is faulty")]
    Test {
        /// The plugin's folder: a crate, which is built, or a folder with a component.
        folder: PathBuf,
        /// The component, where it is not to be built.
        #[arg(long)]
        component: Option<PathBuf>,
        /// A server to make databases on, one for each test, dropped afterwards.
        #[arg(long, env = "LOGGIA_TEST_POSTGRES", value_name = "URL", hide_env_values = true)]
        postgres: Option<String>,
        /// Only tests whose names contain this.
        #[arg(long, value_name = "PART")]
        filter: Option<String>,
    },
    /// Print what serving the configured plugins would change in the database.
    #[command(after_help = "Example: loggia plugin plan --config gateway.toml")]
    Plan {
        /// The configuration file.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
}

impl PluginCommand {
    /// Whether it says by itself all that there is to say, so that the log is silent.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self, Self::Check { .. } | Self::Test { .. })
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New { folder, sdk } => plugin_new::run(&plugin_new::Options { folder, sdk }),
            Self::Build { folder, output } => plugin_build::run(&folder, output.as_deref()),
            Self::Inspect { path, sql, json } => {
                let form = match (json, sql) {
                    (true, _) => plugin_inspect::Form::Json,
                    (false, true) => plugin_inspect::Form::TextWithSql,
                    (false, false) => plugin_inspect::Form::Text,
                };
                plugin_inspect::run(&path, form)
            }
            Self::Check { path, config, postgres } => {
                plugin_check::run(&plugin_check::Options { path, config, postgres })
            }
            Self::Test { folder, component, postgres, filter } => {
                plugin_test::run(&plugin_test::Options { folder, component, postgres, filter })
            }
            Self::Plan { config } => plugin_plan::run(&config),
        }
    }
}
