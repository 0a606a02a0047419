//! `loggia dev`: builds the plugins of a folder, serves them, and reloads them when a file has
//! changed. What does not build, or cannot be served, leaves the last one that could.
//!
//! Begin at [`run`].

mod project;
mod serving;
mod sources;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;

use super::reload::Source;
use super::{ConfigurationFault, compile};
use crate::config::{Config, Permission, Plugin};
use crate::plugin::Runtime;
use project::Project;
use serving::Serving;
use sources::Changes;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// A plugin's folder, or a folder of such folders.
    pub(super) folder: PathBuf,
    /// The configuration; its database is used, too.
    pub(super) config: Option<PathBuf>,
    pub(super) listen: Option<SocketAddr>,
}

/// Where built plugins and the database are, in the folder.
pub(super) const STATE: &str = ".loggia";

/// The plugins that were built last: their names, and where their components are.
type Components = Arc<Mutex<Vec<(String, PathBuf)>>>;

/// Build, serve, and wait for changes until Ctrl-C.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let projects = Project::find(&options.folder)?;
    let config = configuration(options)?;
    let runtime = compile::runtime(config.server.cache_folder())?;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let components = Components::default();
    let source = source(options.clone(), Arc::clone(&components));
    executor.block_on(Dev { projects, components, source, runtime, serving: None }.run())
}

/// The configuration as it is each time, with what was built in it.
fn source(options: Options, components: Components) -> Source {
    let mut unconfigured = Plugin::at(PathBuf::new());
    if options.config.is_none() {
        // The documents are nobody's.
        unconfigured.allow = Permission::ALL.into();
    }
    Arc::new(move || {
        let mut config = configuration(&options)?;
        let components = components.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, path) in components.iter() {
            let plugin = config.plugins.entry(name.clone());
            plugin.or_insert_with(|| unconfigured.clone()).path.clone_from(path);
        }
        Ok(config)
    })
}

/// With `--config`: that file. Else the defaults with a database in the folder.
fn configuration(options: &Options) -> anyhow::Result<Config> {
    let mut config = match &options.config {
        Some(path) => Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?,
        None => unconfigured(&options.folder.join(STATE))?,
    };
    if let Some(listen) = options.listen {
        config.server.listen = listen;
    }
    Ok(config)
}

fn unconfigured(state: &Path) -> anyhow::Result<Config> {
    std::fs::create_dir_all(state).with_context(|| state.display().to_string())?;
    let mut config = Config::default();
    config.server.cache_dir = state.join("cache");
    // Another gateway may have the usual one.
    config.server.admin_listen.set_port(0);
    config.storage.url = format!("sqlite:{}", state.join("dev.db").display());
    Ok(config)
}

struct Dev {
    projects: Vec<Project>,
    components: Components,
    source: Source,
    runtime: Runtime,
    serving: Option<Serving>,
}

impl Dev {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut changes = Changes::of(self.projects.iter().map(Project::folder))?;
        let mut changed: Vec<PathBuf> =
            self.projects.iter().map(|project| project.folder().to_owned()).collect();
        loop {
            self.follow(&changed).await;
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                next = changes.next() => changed = next,
            }
        }
        match self.serving {
            Some(serving) => serving.stop().await,
            None => Ok(()),
        }
    }

    /// Build what has changed, and serve it if all is well.
    async fn follow(&mut self, changed: &[PathBuf]) {
        let began = Instant::now();
        let mut built = 0;
        for project in self.projects.iter_mut().filter(|project| project.is_of(changed)) {
            match project.build(&self.runtime).await {
                Ok(()) => built += 1,
                Err(error) => println!("\n{}: {error:#}", project.folder().display()),
            }
        }
        if built == 0 || !self.projects.iter().all(Project::is_built) {
            return println!("{}; waiting for a change", self.kept());
        }
        match self.serve().await {
            Ok(address) => {
                println!("\nserved after {} ms\nhttp://{address}", began.elapsed().as_millis());
                let routes = self.projects.iter().flat_map(Project::routes);
                routes.for_each(|route| println!("  {route}"));
            }
            Err(error) => println!("\n{error:#}\n{}; waiting for a change", self.kept()),
        }
    }

    fn kept(&self) -> &'static str {
        match self.serving {
            Some(_) => "what was served is served on",
            None => "nothing is served yet",
        }
    }

    /// Serve what was built.
    async fn serve(&mut self) -> anyhow::Result<SocketAddr> {
        let built = self.projects.iter().filter_map(Project::component).collect();
        *self.components.lock().unwrap_or_else(PoisonError::into_inner) = built;
        match &self.serving {
            Some(serving) => serving.reload().await,
            None => {
                let serving = Serving::start(&self.source, &self.runtime).await?;
                Ok(self.serving.insert(serving).address)
            }
        }
    }
}
