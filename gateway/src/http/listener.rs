//! One listening socket: accepts connections, limits them, and stops in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config;

/// A socket and how connections to it are served.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    connections: Arc<Semaphore>,
    header_timeout: Duration,
}

/// After an error of `accept`, such as too many open files, trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The system holds as many that are not accepted yet as can be served. With its default of 128, of
/// clients that come all at once some wait seconds for an answer to their first packet.
fn listen(address: SocketAddr, max_connections: usize) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A gateway that is started again does not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(u32::try_from(max_connections).unwrap_or(u32::MAX))
}

impl Listener {
    /// Take an address.
    pub(super) fn bind(address: SocketAddr, config: &config::Server) -> std::io::Result<Self> {
        Ok(Self {
            socket: listen(address, config.max_connections)?,
            connections: Arc::new(Semaphore::new(config.max_connections)),
            header_timeout: Duration::from_millis(config.header_timeout_ms),
        })
    }

    /// The address, with the port that was chosen for port 0.
    pub(super) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serve until `stopped`; then accept nothing more, and let requests under way end.
    pub(super) async fn run<F>(
        self,
        mut stopped: watch::Receiver<()>,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let mut open = JoinSet::new();
        let until_stopped = stopped.clone();
        loop {
            tokio::select! {
                _ = stopped.changed() => break,
                (stream, permit) = self.accept() => {
                    open.spawn(self.serve(stream, permit, until_stopped.clone(), answer.clone()));
                }
                // Only takes out what has ended, so that the set does not grow.
                Some(_) = open.join_next(), if !open.is_empty() => {}
            }
        }
        drop(self.socket);
        while open.join_next().await.is_some() {}
    }

    /// The next connection, when there is room for it.
    async fn accept(&self) -> (TcpStream, OwnedSemaphorePermit) {
        let permit = Arc::clone(&self.connections).acquire_owned().await;
        let permit = permit.expect("the semaphore of connections is never closed");
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// One connection until its end.
    fn serve<F>(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        mut stopped: watch::Receiver<()>,
        answer: impl Fn(Request<Incoming>) -> F + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let service = service_fn(move |request| {
            let answered = answer(request);
            async move { Ok::<_, std::convert::Infallible>(answered.await) }
        });
        let mut http = http1::Builder::new();
        // Without the timer, hyper ignores the timeout.
        http.timer(TokioTimer::new()).header_read_timeout(self.header_timeout);
        async move {
            // Answers are small and written at once: waiting to fill a packet only costs time.
            stream.set_nodelay(true).ok();
            let connection = http.serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                _ = stopped.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended with an error");
            }
            drop(permit);
        }
    }
}
