//! `loggia dev`: builds the plugins of a folder, serves them, and does so again when a file has
//! changed. What does not build, or cannot be served, leaves the last one that could.
//!
//! Begin at [`run`].

mod project;
mod serving;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;

use super::{ConfigurationFault, compile};
use crate::config::{Config, Permission, Plugin};
use crate::plugin::Runtime;
use project::Project;
use serving::Serving;
use watch::Changes;

/// What to serve, and where.
#[derive(Debug)]
pub(super) struct Options {
    /// A plugin's folder, or a folder of such folders.
    pub(super) folder: PathBuf,
    /// The configuration; its database is used, too.
    pub(super) config: Option<PathBuf>,
    pub(super) listen: Option<SocketAddr>,
}

/// Where built plugins and the database are, in the folder.
pub(super) const STATE: &str = ".loggia";

/// Build, serve, and wait for changes until Ctrl-C.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let projects = Project::find(&options.folder)?;
    let config = configuration(options)?;
    let mut unconfigured = Plugin::at(PathBuf::new());
    if options.config.is_none() {
        // The documents are nobody's.
        unconfigured.allow = Permission::ALL.into();
    }
    let runtime = compile::runtime(config.server.cache_folder())?;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    executor.block_on(Dev { projects, config, unconfigured, runtime, serving: None }.run())
}

/// With `--config`: that file. Else the defaults with a database in the folder.
fn configuration(options: &Options) -> anyhow::Result<Config> {
    let mut config = match &options.config {
        Some(path) => Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?,
        None => {
            let state = options.folder.join(STATE);
            std::fs::create_dir_all(&state).with_context(|| state.display().to_string())?;
            let mut config = Config::default();
            config.server.cache_dir = state.join("cache");
            // Another gateway may have the usual one.
            config.server.admin_listen.set_port(0);
            config.storage.url = format!("sqlite:{}", state.join("dev.db").display());
            config
        }
    };
    if let Some(listen) = options.listen {
        config.server.listen = listen;
    }
    Ok(config)
}

struct Dev {
    projects: Vec<Project>,
    config: Config,
    /// For plugins that the configuration does not name.
    unconfigured: Plugin,
    runtime: Runtime,
    serving: Option<Serving>,
}

impl Dev {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut changes = Changes::of(self.projects.iter().map(Project::folder))?;
        let mut changed: Vec<PathBuf> =
            self.projects.iter().map(|project| project.folder().to_owned()).collect();
        loop {
            self.follow(&changed).await?;
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
    async fn follow(&mut self, changed: &[PathBuf]) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut built = 0;
        for project in self.projects.iter_mut().filter(|project| project.is_of(changed)) {
            match project.build(&self.runtime).await {
                Ok(()) => built += 1,
                Err(error) => println!("\n{}: {error:#}", project.folder().display()),
            }
        }
        if built == 0 || !self.projects.iter().all(Project::is_built) {
            let kept = if self.serving.is_some() {
                "what was served is served on"
            } else {
                "nothing is served yet"
            };
            println!("{kept}; waiting for a change");
            return Ok(());
        }
        match self.serve().await {
            Ok(()) => {
                self.projects.iter_mut().for_each(Project::keep);
                println!("\nserved after {} ms", began.elapsed().as_millis());
            }
            Err(error) => {
                println!("\n{error:#}");
                self.serve_again().await?;
            }
        }
        self.print_routes();
        Ok(())
    }

    /// Serve what was built, in place of what is served.
    async fn serve(&mut self) -> anyhow::Result<()> {
        if let Some(serving) = self.serving.take() {
            serving.stop().await?;
        }
        let mut config = self.config.clone();
        for project in &self.projects {
            let (name, path) = project.component()?;
            let plugin = config.plugins.entry(name).or_insert_with(|| self.unconfigured.clone());
            plugin.path = path;
        }
        self.serving = Some(Serving::start(&config, &self.runtime).await?);
        Ok(())
    }

    /// What was served before.
    async fn serve_again(&mut self) -> anyhow::Result<()> {
        self.projects.iter_mut().try_for_each(Project::take_back)?;
        if !self.projects.iter().all(Project::is_built) {
            println!("nothing is served yet; waiting for a change");
            return Ok(());
        }
        self.serve().await?;
        println!("the last one that could be served is served on");
        Ok(())
    }

    fn print_routes(&self) {
        let Some(serving) = &self.serving else { return };
        println!("http://{}", serving.address);
        self.projects.iter().flat_map(Project::routes).for_each(|route| println!("  {route}"));
    }
}
