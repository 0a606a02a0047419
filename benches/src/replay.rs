//! Replays requests: each is sent once, over some connections at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::load::Measured;

/// A request, ready to be written to a connection.
pub type Request = Vec<u8>;

/// Sends requests to one server. All of its connections run on the thread that calls.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    runtime: Runtime,
}

impl Client {
    /// A client of the server at this address.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { address, runtime })
    }

    /// Send each request once, at most so many at a time, and in their order where that is one.
    ///
    /// # Errors
    /// An answer is not a success, or did not come.
    pub fn send(&self, requests: Vec<Request>, in_flight: usize) -> Result<Measured> {
        let steps = requests.into_iter().map(|request| vec![request]).collect();
        self.send_steps(steps, in_flight)
    }

    /// As [`Self::send`], where what is measured takes several requests, one after the other.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_steps(&self, operations: Vec<Vec<Request>>, in_flight: usize) -> Result<Measured> {
        let (operations, next) = (Arc::new(operations), Arc::new(AtomicUsize::new(0)));
        self.runtime.block_on(async {
            // New ones each time: the server closes those that do nothing for some seconds.
            let mut connections = Vec::with_capacity(in_flight);
            for _ in 0..in_flight {
                connections.push(Connection::open(self.address).await?);
            }
            let began = Instant::now();
            let mut tasks = JoinSet::new();
            for connection in connections {
                tasks.spawn(take_turns(connection, Arc::clone(&operations), Arc::clone(&next)));
            }
            let mut measured = Measured::default();
            while let Some(task) = tasks.join_next().await {
                measured.latencies.extend(task??);
            }
            measured.elapsed = began.elapsed();
            anyhow::Ok(measured)
        })
    }

    /// Let so many clients converse at once, each told its number, where a request depends on the
    /// answer to another. They give back the nanoseconds that are measured.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn converse(
        &self,
        clients: usize,
        converse: impl AsyncFn(usize, Conversation) -> Result<Vec<u64>>,
    ) -> Result<Measured> {
        self.runtime.block_on(async {
            let mut conversations = Vec::with_capacity(clients);
            for _ in 0..clients {
                conversations.push(Conversation(Connection::open(self.address).await?));
            }
            let began = Instant::now();
            let running = conversations
                .into_iter()
                .enumerate()
                .map(|(client, conversation)| converse(client, conversation));
            let mut measured = Measured::default();
            // All are one task, which tokio would make pause with most of them not looked at, for
            // so long that the server closes their connections.
            let running = tokio::task::unconstrained(futures_util::future::join_all(running));
            for latencies in running.await {
                measured.latencies.extend(latencies?);
            }
            measured.elapsed = began.elapsed();
            anyhow::Ok(measured)
        })
    }

    /// Send one request and give back its body.
    ///
    /// # Errors
    /// The answer is not a success, or did not come.
    pub fn ask(&self, request: &Request) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            let mut connection = Connection::open(self.address).await?;
            Ok(send(&mut connection, request).await?.to_vec())
        })
    }
}

/// What a client says and hears, each answer before the next request.
#[derive(Debug)]
pub struct Conversation(Connection);

impl Conversation {
    /// Send a request and give back the answer's body.
    ///
    /// # Errors
    /// The answer is not a success, or did not come.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        send(&mut self.0, request).await
    }
}

/// Take whatever comes next, until there is nothing more.
async fn take_turns(
    mut connection: Connection,
    operations: Arc<Vec<Vec<Request>>>,
    next: Arc<AtomicUsize>,
) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    while let Some(steps) = operations.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        for request in steps {
            send(&mut connection, request).await?;
        }
        latencies.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(latencies)
}

async fn send<'a>(connection: &'a mut Connection, request: &[u8]) -> Result<&'a [u8]> {
    let answer = connection.send(request).await?;
    ensure!(
        (200..300).contains(&answer.status),
        "{} {}",
        answer.head,
        String::from_utf8_lossy(answer.body)
    );
    Ok(answer.body)
}

/// A request with a body of this type, or without one where it is empty.
#[must_use]
pub fn request(method: &str, path: &str, content_type: &str, body: &[u8]) -> Request {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n");
    if !body.is_empty() {
        let length = body.len();
        text += &format!("content-type: {content_type}\r\ncontent-length: {length}\r\n");
    } else if method == "POST" {
        text += "content-length: 0\r\n";
    }
    text += "\r\n";
    let mut request = text.into_bytes();
    request.extend_from_slice(body);
    request
}

/// A request with a JSON body.
#[must_use]
pub fn json(method: &str, path: &str, body: &serde_json::Value) -> Request {
    request(method, path, "application/json", body.to_string().as_bytes())
}

/// A request without a body.
#[must_use]
pub fn bare(method: &str, path: &str) -> Request {
    request(method, path, "", b"")
}
