//! What the storage does by itself, beside requests: it sweeps, and listens to other gateways.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Storage;

/// Tasks of one storage. Dropping this aborts them; [`Background::stop`] waits for their end.
#[derive(Debug)]
pub struct Background {
    /// Dropped to tell the tasks to end.
    running: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Background {
    /// Start the tasks. Without an interval this gateway does not sweep: another one does.
    #[must_use]
    pub fn start(storage: &Arc<Storage>, sweep_interval: Option<Duration>) -> Self {
        let (running, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        let listening = Arc::clone(storage);
        tasks.spawn(until(stopped.clone(), async move { listening.listen().await }));
        if let Some(interval) = sweep_interval {
            tasks.spawn(until(stopped, sweep(Arc::clone(storage), interval)));
        }
        Self { running, tasks }
    }

    /// End the tasks, and wait for it.
    pub async fn stop(self) {
        let Self { running, mut tasks } = self;
        drop(running);
        while tasks.join_next().await.is_some() {}
    }
}

/// A task that is dropped where it waits has done nothing by half: its transaction is undone.
async fn until(mut stopped: watch::Receiver<()>, task: impl Future<Output = ()>) {
    tokio::select! {
        _ = stopped.changed() => {}
        () = task => {}
    }
}

async fn sweep(storage: Arc<Storage>, interval: Duration) {
    loop {
        sleep(interval).await;
        if let Err(error) = storage.sweep_expired(storage.now()).await {
            tracing::warn!(%error, "the sweep ended early; the next one goes on");
        }
        if let Err(error) = storage.fold_counts().await {
            tracing::warn!(%error, "counts were not folded; the next sweep tries again");
        }
    }
}
