//! Load: keep-alive connections that send one request after the other, and how long each took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::document::{self, Method};

/// Documents that there are. No two connections write the same one.
pub const DOCUMENTS: usize = 1_024;

/// Connections to one server. All of them run on the thread that calls.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    connections: Vec<Connection>,
    /// By the number of the document.
    requests: Arc<[Vec<u8>]>,
}

/// How long each request took.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// In nanoseconds, in no order.
    pub latencies: Vec<u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
enum Until {
    Time(Instant),
    /// So many by each connection.
    Count(u64),
}

/// Store all documents, so that every GET finds one and every PUT replaces one.
///
/// # Errors
/// As [`Load::open`] and [`Load::run_times`].
pub fn fill(address: SocketAddr) -> Result<()> {
    for method in [Method::Put, Method::PutCounted] {
        Load::open(address, method, 32)?.run_times(DOCUMENTS as u64)?;
    }
    Ok(())
}

impl Load {
    /// Open connections that all send this method.
    ///
    /// # Errors
    /// The server does not take them.
    pub fn open(address: SocketAddr, method: Method, connections: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let requests = (0..DOCUMENTS).map(|number| document::request(method, number));
        let requests = requests.collect();
        let connections = runtime.block_on(async {
            let mut open = Vec::with_capacity(connections);
            for _ in 0..connections {
                open.push(Connection::open(address).await?);
            }
            Ok::<_, std::io::Error>(open)
        })?;
        Ok(Self { runtime, connections, requests })
    }

    /// Send requests on all connections for some time.
    ///
    /// # Errors
    /// An answer is not 200 or 201, or did not come.
    pub fn run_for(&mut self, time: Duration) -> Result<Measured> {
        self.run(|_place, _of| Until::Time(Instant::now() + time))
    }

    /// Send so many requests, spread over all connections.
    ///
    /// # Errors
    /// An answer is not 200 or 201, or did not come.
    pub fn run_times(&mut self, times: u64) -> Result<Measured> {
        self.run(|place, of| Until::Count(times / of + u64::from(place < times % of)))
    }

    fn run(&mut self, until: impl Fn(u64, u64) -> Until) -> Result<Measured> {
        let connections = std::mem::take(&mut self.connections);
        let of = connections.len();
        let began = Instant::now();
        let finished = self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for (place, connection) in connections.into_iter().enumerate() {
                let until = until(place as u64, of as u64);
                tasks.spawn(send(connection, Arc::clone(&self.requests), place, of, until));
            }
            let mut finished = Vec::with_capacity(of);
            while let Some(task) = tasks.join_next().await {
                finished.push(task??);
            }
            anyhow::Ok(finished)
        })?;
        let mut measured = Measured { latencies: Vec::new(), elapsed: began.elapsed() };
        for (connection, latencies) in finished {
            self.connections.push(connection);
            measured.latencies.extend(latencies);
        }
        Ok(measured)
    }
}

/// Every `of`th document, so that the connections' documents are all different.
async fn send(
    mut connection: Connection,
    requests: Arc<[Vec<u8>]>,
    place: usize,
    of: usize,
    until: Until,
) -> Result<(Connection, Vec<u64>)> {
    let mut latencies = Vec::new();
    for request in requests.iter().skip(place).step_by(of).cycle() {
        let began = Instant::now();
        let ended = match until {
            Until::Time(end) => began >= end,
            Until::Count(count) => latencies.len() as u64 >= count,
        };
        if ended {
            break;
        }
        let answer = connection.send(request).await?;
        ensure!(matches!(answer.status, 200 | 201), "an answer is {}", answer.head);
        latencies.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok((connection, latencies))
}

impl Measured {
    /// Take in what another run has measured.
    pub fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
    }

    /// Answers in a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a number of requests is small")]
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time that this part of the requests, from 0 to 1, did not exceed; in milliseconds.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of requests is small and not negative"
    )]
    pub fn percentile_ms(&mut self, part: f64) -> f64 {
        let count = self.latencies.len();
        let place = ((count as f64 * part).ceil() as usize).clamp(1, count.max(1)) - 1;
        if count == 0 {
            return f64::NAN;
        }
        let (_, nanoseconds, _) = self.latencies.select_nth_unstable(place);
        *nanoseconds as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let latencies = (1..=100).rev().map(|ms| ms * 1_000_000).collect();
        let mut measured = Measured { latencies, elapsed: Duration::from_secs(2) };
        let percentiles = [0.0, 0.5, 0.99, 1.0].map(|part| measured.percentile_ms(part));
        assert_eq!(percentiles.map(f64::round), [1.0, 50.0, 99.0, 100.0]);
        assert_eq!(measured.per_second().round(), 50.0);
    }
}
