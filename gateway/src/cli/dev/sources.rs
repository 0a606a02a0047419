//! The sources of plugins, and when they change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What cargo and this program write, and what changes with every commit.
const NOT_WATCHED: [&str; 4] = ["target", super::STATE, ".git", "node_modules"];

/// Editors write in several steps; what comes so soon after another is one change.
const QUIET: Duration = Duration::from_millis(30);

/// Changes of files, as long as this is not dropped.
#[derive(Debug)]
pub(super) struct Changes {
    paths: mpsc::UnboundedReceiver<PathBuf>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Watch the sources in these folders.
    pub(super) fn of<'p>(folders: impl Iterator<Item = &'p Path>) -> anyhow::Result<Self> {
        let (sender, paths) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let event = event.ok().filter(|event| !event.kind.is_access());
            let paths = event.into_iter().flat_map(|event| event.paths);
            paths.filter(|path| is_source(path)).for_each(|path| drop(sender.send(path)));
        })?;
        for folder in folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if path.is_dir() && !NOT_WATCHED.contains(&name) {
                    watcher.watch(&path, RecursiveMode::Recursive)?;
                }
            }
        }
        Ok(Self { paths, _watcher: watcher })
    }

    /// The files of the next change.
    pub(super) async fn next(&mut self) -> Vec<PathBuf> {
        let mut changed: Vec<PathBuf> = self.paths.recv().await.into_iter().collect();
        while let Ok(Some(path)) = timeout(QUIET, self.paths.recv()).await {
            changed.push(path);
        }
        changed
    }
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs" || extension == "toml")
}
