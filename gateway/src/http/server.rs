//! The server: one listener for clients, one for the operator, stopped together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::admin::{Admin, Reload};
use super::listener::Listener;
use super::{Gateway, request, schedule};
use crate::config;

/// A gateway on its sockets.
#[derive(Debug)]
pub struct Server {
    public: Listener,
    admin: Listener,
    gateway: Arc<Gateway>,
    reload: Reload,
    /// Whether this gateway calls what plugins have scheduled.
    schedules: bool,
    grace: Duration,
}

/// An address that cannot be taken, by the key that names it.
#[derive(Debug, thiserror::Error)]
#[error("server.{key} = \"{address}\": {error}")]
pub struct BindError {
    key: &'static str,
    address: SocketAddr,
    error: std::io::Error,
}

impl Server {
    /// Take the addresses.
    ///
    /// # Errors
    /// One is in use or not this machine's.
    pub fn bind(
        config: &config::Server,
        gateway: Arc<Gateway>,
        reload: Reload,
    ) -> Result<Self, BindError> {
        let bind = |key, address| {
            let bound = Listener::bind(address, config);
            bound.map_err(|error| BindError { key, address, error })
        };
        Ok(Self {
            public: bind("listen", config.listen)?,
            admin: bind("admin_listen", config.admin_listen)?,
            gateway,
            reload,
            schedules: config.schedules,
            grace: Duration::from_millis(config.shutdown_grace_ms),
        })
    }

    /// The address for clients, with the port that was chosen for port 0.
    ///
    /// # Errors
    /// The socket's failure.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// The address for the operator, with the port that was chosen for port 0.
    ///
    /// # Errors
    /// The socket's failure.
    pub fn admin_addr(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serve until `stop` ends; then accept nothing more, and let requests under way end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { public, admin, gateway, reload, schedules, grace } = self;
        let (stopping, stopped) = watch::channel(());
        let of_clients = Arc::clone(&gateway);
        let public = public
            .run(stopped.clone(), move |asked| request::respond(Arc::clone(&of_clients), asked));
        let pages = Arc::new(Admin::new(Arc::clone(&gateway), reload));
        let of_plugins = Arc::clone(&gateway);
        let until = stopped.clone();
        // They stop as connections do: what is under way ends.
        let scheduled = async {
            if schedules {
                schedule::run(of_plugins, until).await;
            }
        };
        let admin = admin.run(stopped, move |asked| {
            let pages = Arc::clone(&pages);
            async move { pages.respond(asked).await }
        });
        let serving = async { tokio::join!(public, admin, scheduled) };
        tokio::pin!(serving);
        tokio::select! {
            () = stop => {}
            _ = &mut serving => {}
        }
        drop(stopping);
        // Connections first, then calls whose client has gone: their commits are still to come.
        let all_ended = async {
            serving.await;
            while gateway.in_calls() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(grace, all_ended).await.is_err() {
            tracing::warn!("stopped before all requests had ended");
        }
    }
}
