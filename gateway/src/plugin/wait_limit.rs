//! When a guest that waits has to end: for a timer of WASI, say. Ticks end one that computes, and
//! storage calls end by themselves. Begin reading at [`WaitLimit::bound`].

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::budget::Breach;

/// Until when the call under way may hold its locks without working on the database. The host's
/// functions say so, and whoever awaits the call looks: the call has the store to itself.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitLimit(Arc<Mutex<Option<Instant>>>);

impl WaitLimit {
    /// `None` while it holds no locks, and during a storage call.
    pub(super) fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Await a call until it ends, holds its locks for too long, or `latest` comes. The limit
    /// changes only while the call is polled, so it is enough to look at it then.
    pub(super) async fn bound<T>(
        &self,
        latest: Instant,
        call: impl Future<Output = T>,
    ) -> Result<T, Breach> {
        let (mut call, mut timer) = (pin!(call), pin!(sleep_until(latest)));
        poll_fn(|context| {
            if let Poll::Ready(output) = call.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            let (until, breach) = match self.get() {
                Some(until) if until < latest => (until, Breach::Transaction),
                _ => (latest, Breach::Request),
            };
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            timer.as_mut().poll(context).map(|()| Err(breach))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::time::Duration;

    use tokio::task::yield_now;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_call_ends_at_the_latest_or_when_its_locks_have_to_go() {
        let (limit, now) = (WaitLimit::default(), Instant::now());
        assert_eq!(limit.bound(now + MINUTE, async { 1 }).await, Ok(1));
        assert_eq!(limit.bound::<()>(now, pending()).await, Err(Breach::Request));
        let sleeper = async {
            yield_now().await;
            limit.set(Some(now));
            pending::<()>().await;
        };
        assert_eq!(limit.bound(now + MINUTE, sleeper).await, Err(Breach::Transaction));
        // The request ends first.
        limit.set(Some(now + MINUTE));
        assert_eq!(limit.bound::<()>(now, pending()).await, Err(Breach::Request));
    }

    #[tokio::test]
    async fn a_storage_call_is_not_cut_short() {
        let (limit, now) = (WaitLimit::default(), Instant::now());
        let ended = Cell::new(false);
        let call = async {
            limit.set(Some(now));
            limit.set(None);
            yield_now().await;
            ended.set(true);
            limit.set(Some(now));
            pending::<()>().await;
        };
        assert_eq!(limit.bound(now + MINUTE, call).await, Err(Breach::Transaction));
        assert!(ended.get());
    }
}
