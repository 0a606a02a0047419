//! What is known of the database beyond single connections: whether it is gone, and since when a
//! connection must be to be trusted. [`Sink`] finds out, and [`attend`] finds it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::super::error::Error;
use super::connection::Connection;
use super::connector::Connector;
use super::pool::Manager;

/// How often a database that is gone is tried.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// Probes that may wait for an answer at a time. An address that swallows packets takes each for
/// three seconds, and so is still tried more than once a second.
const MAX_PROBES: usize = 5;

/// What is known of the database, beyond single connections.
#[derive(Debug)]
pub(super) struct Circuit {
    /// Grows with each failure of a connection that was made after the last one.
    pub(super) generation: AtomicU64,
    /// True while the database is known to be gone: nobody waits for it then.
    down: watch::Sender<bool>,
    /// Each failure to connect. bb8 gives it to its sink and lets `get` wait on for a connection
    /// that nobody makes, so here all are told who wait for a new one.
    pub(super) refusals: watch::Sender<Error>,
}

impl Circuit {
    pub(super) fn new() -> Self {
        let generation = AtomicU64::new(0);
        let refusals = watch::Sender::new(Error::Unavailable);
        Self { generation, down: watch::Sender::new(false), refusals }
    }

    pub(super) fn is_down(&self) -> bool {
        *self.down.borrow()
    }

    pub(super) async fn goes_down(&self) {
        // The sender is here, so this cannot fail.
        self.down.subscribe().wait_for(|down| *down).await.ok();
    }

    /// Whether a connection must not be used again.
    pub(super) fn condemns(&self, connection: &Connection) -> bool {
        !connection.clean
            || connection.client.is_closed()
            || connection.generation < self.generation.load(Ordering::Acquire)
    }
}

/// Told of failures to connect when bb8 has counted them, so that who asks next does not wait for
/// a connection that nobody makes.
#[derive(Debug)]
pub(super) struct Sink(pub(super) Arc<Circuit>);

impl bb8::ErrorSink<Error> for Sink {
    fn sink(&self, error: Error) {
        // From here on everybody is refused at once, until a probe has connected.
        if matches!(error, Error::Unavailable) && !self.0.down.send_replace(true) {
            tracing::error!("PostgreSQL is gone; requests are refused until it is back");
        }
        self.0.refusals.send_replace(match error {
            Error::Saturated => error,
            // Why the server refuses the gateway is in the log, and for no client.
            _ => Error::Unavailable,
        });
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<Error>> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

/// Find the database again, each time that it is gone.
pub(super) async fn attend(kept: bb8::Pool<Manager>, circuit: Arc<Circuit>, connector: Connector) {
    loop {
        circuit.goes_down().await;
        let connection = probe(&circuit, &connector).await;
        tracing::info!("PostgreSQL is back");
        // Closed where there is no room for it.
        kept.add(Box::new(connection)).ok();
        circuit.down.send_replace(false);
    }
}

/// Try again and again. Ends with the first connection.
async fn probe(circuit: &Circuit, connector: &Connector) -> Connection {
    let mut probes = JoinSet::new();
    let mut ticks = interval(PROBE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick(), if probes.len() < MAX_PROBES => {
                let generation = circuit.generation.load(Ordering::Acquire);
                let connector = connector.clone();
                probes.spawn(async move { connector.connect(generation).await });
            }
            Some(ended) = probes.join_next() => {
                if let Ok(Ok(connection)) = ended {
                    return connection;
                }
            }
        }
    }
}
