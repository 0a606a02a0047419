//! Builds the gateway, and with it the plugins: the gateway is the plugins' build tool.

use anyhow::Result;

use crate::workspace::{Profile, Workspace, run};
use crate::{install, step};
use list::Plugin;

#[path = "../../plugins/list.rs"]
mod list;

/// All plugins that tests and benchmarks need.
pub(crate) fn all() -> Vec<&'static str> {
    Plugin::ALL.iter().map(|plugin| plugin.name()).collect()
}

/// The plugins that `gateway.toml` serves.
pub(crate) const SERVED: &[&str] =
    &["chat-sessions", "discord-events", "graph-networks", "job-fsm", "state"];

/// What is compiled before the plugins. The features of shared dependencies follow from all that
/// is asked of cargo at once: with less in this list, what comes after would compile much again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// The gateway, as `serve` needs it.
    Gateway,
    /// The tests as well, so that `cargo test` compiles nothing.
    Tests,
    /// The gateway in the release profile, and the benchmarks.
    Benches,
}

impl Scope {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &["build", "--workspace", "--bin=loggia"],
            Self::Tests => &["build", "--workspace", "--all-targets"],
            Self::Benches => {
                &["build", "--release", "--package=loggia", "--package=loggia-benches"]
            }
        }
    }

    fn profile(self) -> Profile {
        match self {
            Self::Gateway | Self::Tests => Profile::Dev,
            Self::Benches => Profile::Release,
        }
    }
}

/// Build the gateway and all plugins.
pub(crate) fn build_all(workspace: &Workspace) -> Result<()> {
    install::ensure_toolchain(workspace)?;
    build(workspace, Scope::Gateway, &all())
}

/// Build the gateway, then the named plugins as `plugins/<name>.wasm`.
pub(crate) fn build(workspace: &Workspace, scope: Scope, names: &[&str]) -> Result<()> {
    step("building the gateway (a first build takes some minutes)");
    workspace.cargo(scope.args())?;
    for name in names {
        step(&format!("building the plugin {name}"));
        let mut gateway = workspace.command(workspace.gateway(scope.profile()));
        gateway.args(["plugin", "build", &format!("plugins/{name}")]);
        run(gateway.args(["--output", &format!("plugins/{name}.wasm")]))?;
    }
    Ok(())
}
