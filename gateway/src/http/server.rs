//! The listener: accepts connections, limits them, and stops in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Gateway, request};
use crate::config;

/// A gateway on its socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    gateway: Arc<Gateway>,
    connections: Arc<Semaphore>,
    header_timeout: Duration,
    grace: Duration,
}

/// After an error of `accept`, such as too many open files, trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Take the address.
    ///
    /// # Errors
    /// The address is in use or not this machine's.
    pub async fn bind(config: &config::Server, gateway: Arc<Gateway>) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(config.listen).await?,
            gateway,
            connections: Arc::new(Semaphore::new(config.max_connections)),
            header_timeout: Duration::from_millis(config.header_timeout_ms),
            grace: Duration::from_millis(config.shutdown_grace_ms),
        })
    }

    /// The address that it listens on, with the port that was chosen for port 0.
    ///
    /// # Errors
    /// The socket's failure.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serve until `stop` ends; then accept nothing more, and let requests under way end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(());
        let mut open = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                (stream, permit) = self.accept() => {
                    open.spawn(self.serve(stream, permit, stopped.clone()));
                }
                // Only takes out what has ended, so that the set does not grow.
                Some(_) = open.join_next(), if !open.is_empty() => {}
            }
        }
        drop(self.listener);
        drop(stopping);
        drain(&self.gateway, open, self.grace).await;
    }

    /// The next connection, when there is room for it.
    async fn accept(&self) -> (TcpStream, OwnedSemaphorePermit) {
        let permit = Arc::clone(&self.connections).acquire_owned().await;
        let permit = permit.expect("the semaphore of connections is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// One connection until its end.
    fn serve(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        mut stopped: watch::Receiver<()>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let gateway = Arc::clone(&self.gateway);
        let service = service_fn(move |request| {
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, std::convert::Infallible>(request::respond(gateway, request).await) }
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

/// Connections first, then calls whose client has gone: their commits are still to come.
async fn drain(gateway: &Gateway, mut open: JoinSet<()>, grace: Duration) {
    let deadline = Instant::now() + grace;
    let all_ended = async {
        while open.join_next().await.is_some() {}
        while gateway.in_calls() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout_at(deadline, all_ended).await.is_err() {
        tracing::warn!(connections = open.len(), "stopped before all requests had ended");
    }
}
