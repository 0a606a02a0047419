//! `loggia stats`: what the configured plugins have stored.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::ConfigurationFault;
use super::compile::runtime;
use super::configured::read;
use super::serve::location;
use crate::config::Config;
use crate::manifest::Manifest;
use crate::plugin::describe;
use crate::storage::{InstallOptions, Schema, Statistics, Storage};

/// Print a line for each tenant's part of a collection, and one for each collection's tables.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let storage = Storage::open(&location(&config).map_err(ConfigurationFault::from)?)
            .await
            .context("the database")?;
        let schemas = schemas(&config, &storage).await?;
        print(&config, &storage.statistics(&schemas).await?);
        Ok(())
    })
}

async fn schemas(config: &Config, storage: &Arc<Storage>) -> anyhow::Result<Vec<Arc<Schema>>> {
    let memory_bytes = config.limits.plugin_memory_bytes;
    let runtime = runtime(config.server.cache_folder())?;
    let options =
        InstallOptions { statistics: config.storage.statistics, ..InstallOptions::default() };
    let mut schemas = Vec::new();
    for (name, plugin) in &config.plugins {
        let component = read(config, name, plugin).map_err(ConfigurationFault::from)?;
        let faulty = |fault: &dyn std::fmt::Display| {
            ConfigurationFault(format!("the plugin {name} ({}): {fault}", plugin.path.display()))
        };
        let text = describe(&runtime, &component, memory_bytes).await.map_err(|e| faulty(&e))?;
        let manifest = Manifest::parse(&text).map_err(|faults| faulty(&faults.join("\n")))?;
        let schema = storage.compile(&manifest, &options).map_err(|error| faulty(&error))?;
        schemas.push(Arc::new(schema));
    }
    Ok(schemas)
}

fn print(config: &Config, statistics: &Statistics) {
    if config.storage.statistics {
        println!("plugin collection tenant documents bytes");
        for stored in &statistics.stored {
            let crate::storage::Stored { plugin, collection, tenant, documents, bytes } = stored;
            println!("{plugin} {collection} {tenant} {documents} {bytes}");
        }
        println!();
    }
    println!("plugin collection table_bytes index_bytes");
    for table in &statistics.tables {
        let crate::storage::TableSize { plugin, collection, table_bytes, index_bytes } = table;
        println!("{plugin} {collection} {table_bytes} {index_bytes}");
    }
}
