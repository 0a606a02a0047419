//! `loggia migrate`: the gateway's own tables.

use std::path::Path;

use anyhow::Context as _;

use super::ConfigurationFault;
use super::serve::location;
use crate::config::Config;
use crate::storage::migrations::Migrations;

/// What to do with the migrations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Apply those that are pending.
    Up,
    /// Only say which are applied.
    List,
    /// Take those back that have a higher number.
    DownTo(u32),
}

/// Do it, and print all migrations with what has become of each.
pub(super) fn run(path: &Path, order: Order) -> anyhow::Result<()> {
    let config = Config::load(path).map_err(|error| ConfigurationFault(error.to_string()))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let location = location(&config).map_err(ConfigurationFault::from)?;
        let mut migrations = Migrations::open(&location).await.context("the database")?;
        match order {
            Order::Up => migrations.up().await?,
            Order::DownTo(number) => migrations.down_to(number).await?,
            Order::List => {}
        }
        for (name, applied) in migrations.list().await? {
            println!("{} {name}", if applied { "applied" } else { "pending" });
        }
        Ok(())
    })
}
