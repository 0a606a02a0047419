//! A gateway that serves in a task of its own until it is stopped.

use std::net::SocketAddr;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::serve::{Started, start_with};
use crate::config::Config;
use crate::plugin::Runtime;

/// A serving gateway.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    pub(super) async fn start(config: &Config, runtime: &Runtime) -> anyhow::Result<Self> {
        let Started { server, gateway, background, .. } = start_with(config, runtime).await?;
        let address = server.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            server.run(async { stopped.await.unwrap_or(()) }).await;
            background.stop().await;
            drop(gateway);
        });
        Ok(Self { address, stop, task })
    }

    /// Let the requests under way end, and close the database.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.send(()).ok();
        Ok(self.task.await?)
    }
}
