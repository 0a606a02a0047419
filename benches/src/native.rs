//! The handler to compare with: what someone would write by hand, with hyper and tokio-postgres,
//! to serve the plugin's documents. It has neither plugins, tenants, limits nor a log.
//!
//! It answers the benchmarks' requests as the plugin does, from the plugin's own table, with the
//! statements and round trips that the gateway makes of the plugin's calls (`store.rs`). It must
//! never do less than a careful author would: there is one deadline for all of a request, and a
//! connection whose statement did not end is closed.

mod answer;
mod fields;
mod store;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use store::Store;

/// Connect and tell the address; then serve until `stop` ends. The tables are those of a gateway
/// that has been started on this database before.
///
/// # Errors
/// The database cannot be reached, or no gateway has made its tables there.
pub async fn serve(
    url: &str,
    pool_size: u32,
    started: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let store = Arc::new(Store::open(url, pool_size).await?);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    started(listener.local_addr()?);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(serve_connection(stream, Arc::clone(&store)));
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, store: Arc<Store>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| {
        let store = Arc::clone(&store);
        async move { Ok::<_, Infallible>(answer::respond(&store, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(std::time::Duration::from_secs(5));
    http.serve_connection(TokioIo::new(stream), service).await.ok();
}
