//! Requests at a steady rate, every answer of which is looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::component::{ATTACK, STORED};

/// Connections that each send one request after the other.
const CONNECTIONS: u32 = 20;

/// A load that goes on until it is stopped.
pub(crate) struct Load {
    answers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    connections: JoinSet<Vec<String>>,
}

impl Load {
    /// So many requests each second, half of which write.
    pub(crate) fn start(address: SocketAddr, per_second: u32) -> Self {
        let (answers, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let mut connections = JoinSet::new();
        let pause = Duration::from_secs(1) * CONNECTIONS / per_second;
        for _ in 0..CONNECTIONS {
            connections.spawn(run(address, pause, Arc::clone(&answers), Arc::clone(&stop)));
        }
        Self { answers, stop, connections }
    }

    /// Until there are a hundred more answers.
    pub(crate) async fn goes_on(&self) {
        let before = self.answers.load(Ordering::SeqCst);
        while self.answers.load(Ordering::SeqCst) < before + 100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many answers there were, and those that were failures.
    pub(crate) async fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let failures = self.connections.join_all().await.into_iter().flatten().collect();
        (self.answers.load(Ordering::SeqCst), failures)
    }
}

async fn run(
    address: SocketAddr,
    pause: Duration,
    answers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut connection, driver) = handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(driver);
    let mut failures = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        for (method, path) in [("POST", ATTACK), ("GET", STORED)] {
            ticks.tick().await;
            let (status, body) = send(&mut connection, method, path).await;
            answers.fetch_add(1, Ordering::SeqCst);
            // The document that GET looks for is one that nobody has written.
            if !matches!((method, status), ("POST", 204) | ("GET", 404)) {
                failures.push(format!("{method}: {status} {body}"));
            }
        }
    }
    drop(connection);
    driver.await.unwrap().ok();
    failures
}

async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    method: &str,
    path: &str,
) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).header("host", "t");
    let request = request.body(Full::default()).unwrap();
    let answer = connection.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}
