//! `loggia serve --watch`: a reload whenever the configuration file or a plugin's file has changed.
//!
//! Folders are watched and not files: most programs do not write into a file, but put another in
//! its place. What happens in the folders only says that it is time to look at the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use notify::{EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::reload::Source;
use crate::config::Config;
use crate::http::Reload;

/// A file that has not changed for so long is written completely.
const QUIET: Duration = Duration::from_millis(100);

/// The files, and as which ones they were seen.
type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

struct Watch {
    configuration: PathBuf,
    source: Source,
    reload: Reload,
    watcher: notify::RecommendedWatcher,
    happened: mpsc::Receiver<()>,
    folders: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
}

/// Begin to watch; what comes back reloads as long as it runs.
pub(super) fn start(
    path: &Path,
    source: Source,
    reload: Reload,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    // One is enough to know that something has happened.
    let (tell, happened) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading changes nothing.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            tell.try_send(()).ok();
        }
    });
    let mut watch = Watch {
        configuration: std::path::absolute(path)?,
        source,
        reload,
        watcher: watcher.context("--watch")?,
        happened,
        folders: BTreeSet::new(),
        files: BTreeSet::new(),
    };
    watch.look_for_files();
    // What changes from here on is told.
    let known = watch.seen();
    Ok(watch.run(known))
}

impl Watch {
    async fn run(mut self, mut known: Seen) {
        while self.happened.recv().await.is_some() {
            let now = self.settled().await;
            if now == known {
                continue;
            }
            // The outcome stands in the log.
            self.reload.run().await.ok();
            self.look_for_files();
            // What changes from here on is told again.
            let as_loaded = |file: &PathBuf| now.get(file).copied().unwrap_or_else(|| look(file));
            known = self.files.iter().map(|file| (file.clone(), as_loaded(file))).collect();
        }
    }

    /// The files, when nobody is writing them any more.
    async fn settled(&self) -> Seen {
        let mut before = self.seen();
        loop {
            sleep(QUIET).await;
            let now = self.seen();
            if now == before {
                return now;
            }
            before = now;
        }
    }

    fn seen(&self) -> Seen {
        self.files.iter().map(|file| (file.clone(), look(file))).collect()
    }

    /// Which files there are stands in the configuration. While that is faulty, they stay the same.
    fn look_for_files(&mut self) {
        if let Ok(config) = (self.source)() {
            self.files = files(&self.configuration, &config);
        }
        let folders = self.files.iter().filter_map(|file| file.parent());
        let folders: BTreeSet<PathBuf> = folders.map(Path::to_owned).collect();
        for folder in folders.difference(&self.folders) {
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched");
            }
        }
        self.folders.extend(folders);
    }
}

fn files(configuration: &Path, config: &Config) -> BTreeSet<PathBuf> {
    let plugins =
        config.plugins.values().filter_map(|plugin| std::path::absolute(&plugin.path).ok());
    plugins.chain([configuration.to_owned()]).collect()
}

/// `None` where there is no such file.
fn look(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
