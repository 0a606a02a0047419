//! Load: so many calls in flight for some time, and how long each took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use loggia_benches::load::Measured;
use tokio::task::JoinSet;

use crate::store::Store;

/// How much is measured of each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// A few calls, to see that it works.
    Test,
    /// As many calls as end in this time.
    Time(Duration),
}

/// Calls of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) budget: Budget,
    pub(crate) in_flight: usize,
    /// No more calls than this, where each takes something that was made before.
    pub(crate) most: u64,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Different for all calls of a load.
    pub(crate) number: u64,
    /// Which of those in flight: two calls of one place never overlap.
    pub(crate) place: usize,
}

impl Budget {
    /// So many for a second of measuring, and enough for a test.
    pub(crate) fn supply(self, per_second: u64) -> u64 {
        match self {
            Self::Test => 200,
            Self::Time(time) => (time.as_secs_f64() * per_second as f64) as u64 + 200,
        }
    }

    /// A part of it, for figures of several rounds.
    pub(crate) fn part(self, of: u32) -> Self {
        match self {
            Self::Test => Self::Test,
            Self::Time(time) => Self::Time(time / of),
        }
    }
}

impl Load {
    /// Without a bound on the number of calls.
    pub(crate) fn new(budget: Budget, in_flight: usize) -> Self {
        Self { budget, in_flight, most: u64::MAX }
    }

    /// Make calls, the first ones unmeasured: connections and prepared statements are made then.
    pub(crate) async fn run<F>(
        self,
        store: &Arc<Store>,
        work: impl Fn(Arc<Store>, Call) -> F + Clone + Send + 'static,
    ) -> Result<Measured>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let numbers = Arc::new(AtomicU64::new(0));
        let warm_up = (2 * self.in_flight as u64).min(self.most / 2);
        self.run_until(store, &numbers, (None, warm_up), work.clone()).await?;
        // What was counted beyond the warm-up was not called.
        numbers.store(warm_up, Ordering::Relaxed);
        let until = match self.budget {
            Budget::Test => (None, self.most.min(warm_up + 4 * self.in_flight as u64)),
            Budget::Time(time) => (Some(time), self.most),
        };
        self.run_until(store, &numbers, until, work).await
    }

    async fn run_until<F>(
        self,
        store: &Arc<Store>,
        numbers: &Arc<AtomicU64>,
        until: (Option<Duration>, u64),
        work: impl Fn(Arc<Store>, Call) -> F + Clone + Send + 'static,
    ) -> Result<Measured>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (time, most) = until;
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for place in 0..self.in_flight {
            let (store, numbers, work) = (Arc::clone(store), Arc::clone(numbers), work.clone());
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while time.is_none_or(|time| began.elapsed() < time) {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    if number >= most {
                        break;
                    }
                    let began = Instant::now();
                    work(Arc::clone(&store), Call { number, place }).await?;
                    latencies.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
                }
                anyhow::Ok(latencies)
            });
        }
        let mut measured = Measured::default();
        while let Some(task) = tasks.join_next().await {
            measured.latencies.extend(task??);
        }
        measured.elapsed = began.elapsed();
        Ok(measured)
    }
}
