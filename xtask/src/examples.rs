//! Builds the example plugins in other languages as their READMEs say, for the tests: their tools
//! come from npm and `PyPI`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::step;
use crate::workspace::{Workspace, run};

/// Build what has changed since it was built.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join("examples/plugins");
    build_javascript(workspace, &folder.join("javascript"))?;
    build_python(workspace, &folder.join("python"))
}

fn build_javascript(workspace: &Workspace, folder: &Path) -> Result<()> {
    if is_current(workspace, folder, "bookmarks.wasm")? {
        return Ok(());
    }
    step("building the example plugin in JavaScript");
    run(Command::new("npm").current_dir(folder).args(["ci", "--no-audit", "--no-fund"]))?;
    run(Command::new("npm").current_dir(folder).args(["run", "build"]))
}

fn build_python(workspace: &Workspace, folder: &Path) -> Result<()> {
    if is_current(workspace, folder, "counters.wasm")? {
        return Ok(());
    }
    step("building the example plugin in Python");
    // Not into the system's packages, where pip may not write.
    let tools = workspace.tools("python");
    let mut pip = Command::new("python3");
    pip.current_dir(folder).args(["-m", "pip", "install", "--quiet", "--upgrade"]);
    run(pip.args(["--requirement", "requirements.txt", "--target"]).arg(&tools))?;
    let mut build = Command::new(tools.join("bin/componentize-py"));
    build.current_dir(folder).env("PYTHONPATH", &tools);
    build.args(["-d", "../../../wit", "-w", "plugin", "componentize", "app"]);
    run(build.args(["-o", "counters.wasm"]))
}

/// Whether a component is newer than the interface and all that it is made of.
fn is_current(workspace: &Workspace, folder: &Path, component: &str) -> Result<bool> {
    let Ok(built) = modified(&folder.join(component)) else {
        return Ok(false);
    };
    for folder in [folder, &workspace.root.join("wit")] {
        for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            // A folder, such as that of npm's packages, changes by being built with.
            if path.is_file() && modified(&path)? > built {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn modified(path: &Path) -> Result<SystemTime> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.with_context(|| format!("{}", path.display()))
}
