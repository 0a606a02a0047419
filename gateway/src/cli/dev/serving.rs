//! A gateway that serves in a task of its own until it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::reload::Source;
use super::super::serve::{Started, start_from};
use crate::http::Reload;
use crate::plugin::Runtime;

/// A serving gateway.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) address: SocketAddr,
    reload: Reload,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    pub(super) async fn start(source: &Source, runtime: &Runtime) -> anyhow::Result<Self> {
        let started = start_from(Arc::clone(source), source()?, runtime).await?;
        let Started { server, gateway, reload, background } = started;
        let address = server.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            server.run(async { stopped.await.unwrap_or(()) }).await;
            background.stop().await;
            drop(gateway);
        });
        Ok(Self { address, reload, stop, task })
    }

    /// Serve what the source gives now to new requests, and tell where.
    pub(super) async fn reload(&self) -> anyhow::Result<SocketAddr> {
        self.reload.run().await.map_err(anyhow::Error::msg)?;
        Ok(self.address)
    }

    /// Let the requests under way end, and close the database.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.send(()).ok();
        Ok(self.task.await?)
    }
}
