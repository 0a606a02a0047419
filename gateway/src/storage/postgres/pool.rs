//! The connections that are kept, and who gets one next.
//!
//! Begin reading at [`Pool::acquire`]. What every wait here has is an end: requests wait so long
//! for a connection and no longer, only so many wait, and none waits for a database that is known
//! to be gone. A connection that has met an error of the connection itself condemns all that are
//! older than the error: they were made to the same server, and each would fail a request to
//! show it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::super::error::Error;
use super::connection::Connection;
use super::connector::Connector;

/// Connections to one database, at most so many at a time.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

/// How many connections, and how patient those are who want one.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolOptions {
    pub(super) size: u32,
    pub(super) acquire_timeout: Duration,
    pub(super) max_waiters: u32,
}

struct Shared {
    connector: Connector,
    options: PoolOptions,
    /// One for each connection that is out or being made.
    permits: Arc<Semaphore>,
    waiters: AtomicU32,
    /// The one used last is taken first, so that the others can be closed when they are old.
    idle: Mutex<Vec<Idle>>,
    /// Grows with each failure of a connection that was made after the last one.
    generation: AtomicU64,
    /// True while the database is known to be gone: nobody waits for it then.
    down: watch::Sender<bool>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection is closed after this time: routes, passwords and plans change.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// One that nobody needs is closed after this time.
const MAX_IDLE: Duration = Duration::from_secs(10 * 60);
/// How often a database that is gone is tried.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// Probes that may wait for an answer at a time. An address that swallows packets takes each for
/// three seconds, and so is still tried more than once a second.
const MAX_PROBES: usize = 5;

impl Pool {
    pub(super) fn new(connector: Connector, options: PoolOptions) -> Self {
        let shared = Shared {
            connector,
            options,
            permits: Arc::new(Semaphore::new(options.size as usize)),
            waiters: AtomicU32::new(0),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
            down: watch::Sender::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A clean connection, kept or new.
    pub(super) async fn acquire(&self, deadline: Instant) -> Result<PooledConnection, Error> {
        let shared = &self.shared;
        if *shared.down.borrow() {
            return Err(Error::Unavailable);
        }
        let permit = self.permit(deadline).await?;
        match shared.take_idle() {
            Some(connection) => Ok(PooledConnection::new(connection, permit, shared)),
            None => self.connect(permit, deadline).await,
        }
    }

    /// Those who came first get theirs first.
    async fn permit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
        let shared = &self.shared;
        if let Ok(permit) = Arc::clone(&shared.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::begin(shared)?;
        let patience = (Instant::now() + shared.options.acquire_timeout).min(deadline);
        let mut down = shared.down.subscribe();
        tokio::select! {
            permit = Arc::clone(&shared.permits).acquire_owned() => {
                permit.map_err(|_closed| Error::Unavailable)
            }
            _ = down.wait_for(|down| *down) => Err(Error::Unavailable),
            () = tokio::time::sleep_until(patience) => Err(if patience < deadline {
                Error::PoolExhausted
            } else {
                Error::Timeout
            }),
        }
    }

    /// A task of its own connects: a connection that comes too late for this request is kept for
    /// the next one.
    async fn connect(
        &self,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<PooledConnection, Error> {
        let shared = Arc::clone(&self.shared);
        let connecting = tokio::spawn(async move {
            match shared.connect().await {
                Ok(connection) => Ok(PooledConnection::new(connection, permit, &shared)),
                Err(error) => {
                    if matches!(error, Error::Unavailable) {
                        shared.go_down();
                    }
                    // Why the server refuses the gateway is in the log, and for no client.
                    Err(match error {
                        Error::Other(_) => Error::Unavailable,
                        error => error,
                    })
                }
            }
        });
        let patience = Instant::now() + self.shared.options.acquire_timeout;
        match timeout_at(patience.min(deadline), connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(panicked)) => Err(Error::Other(panicked.to_string())),
            Err(_elapsed) if patience < deadline => Err(Error::Unavailable),
            Err(_elapsed) => Err(Error::Timeout),
        }
    }

    /// A connection of this generation was lost, and with it all that are as old.
    pub(super) fn lost(&self, generation: u64) {
        let shared = &self.shared;
        let next = generation + 1;
        let first = shared.generation.compare_exchange(
            generation,
            next,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if first.is_ok() {
            shared.idle().retain(|idle| idle.connection.generation >= next);
        }
    }

    /// What it holds now.
    pub(super) fn state(&self) -> PoolState {
        let shared = &self.shared;
        let available = shared.permits.available_permits();
        PoolState {
            size: shared.options.size,
            in_use: shared.options.size.saturating_sub(u32::try_from(available).unwrap_or(0)),
            idle: u32::try_from(shared.idle().len()).unwrap_or(u32::MAX),
            waiters: shared.waiters.load(Ordering::Acquire),
            down: *shared.down.borrow(),
        }
    }
}

/// What a pool of connections holds at a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolState {
    /// The most connections at a time.
    pub size: u32,
    /// Connections that requests have, or that are being made for them.
    pub in_use: u32,
    /// Connections that wait for a request.
    pub idle: u32,
    /// Requests that wait for a connection.
    pub waiters: u32,
    /// Whether the database is known to be gone.
    pub down: bool,
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Given up when somebody else finds that the database is gone: one that froze would keep
    /// this one's permit beyond its return.
    async fn connect(&self) -> Result<Connection, Error> {
        let mut down = self.down.subscribe();
        let generation = self.generation.load(Ordering::Acquire);
        tokio::select! {
            connected = self.connector.connect(generation) => connected,
            _ = down.wait_for(|down| *down) => Err(Error::Unavailable),
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let generation = self.generation.load(Ordering::Acquire);
        let mut idle = self.idle();
        loop {
            let Idle { connection, .. } = idle.pop()?;
            // A server that has ended it in the meantime has said so, if it could.
            if connection.generation == generation && !connection.client.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Keep a connection that comes back, or drop it and so close it.
    fn give_back(&self, connection: Connection) {
        let now = Instant::now();
        let mut idle = self.idle();
        // The first one has waited for the longest time.
        if idle.first().is_some_and(|first| now - first.since > MAX_IDLE) {
            idle.remove(0);
        }
        let good = connection.clean
            && !connection.client.is_closed()
            && connection.generation == self.generation.load(Ordering::Acquire)
            && now - connection.opened < MAX_AGE;
        if good {
            idle.push(Idle { connection, since: now });
        }
    }

    /// From here on everybody is refused at once, until a probe has connected.
    fn go_down(self: &Arc<Self>) {
        if !self.down.send_replace(true) {
            tracing::error!("PostgreSQL is gone; requests are refused until it is back");
            tokio::spawn(probe(Arc::downgrade(self), self.connector.clone()));
        }
    }

    fn come_back(&self, connection: Connection) {
        tracing::info!("PostgreSQL is back");
        let out = self.options.size as usize - self.permits.available_permits();
        if self.idle().len() + out < self.options.size as usize {
            self.give_back(connection);
        }
        self.down.send_replace(false);
    }
}

/// Try again and again. Ends with the first connection, or with the pool.
async fn probe(shared: Weak<Shared>, connector: Connector) {
    let mut probes = JoinSet::new();
    let mut ticks = interval(PROBE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick(), if probes.len() < MAX_PROBES => {
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let generation = shared.generation.load(Ordering::Acquire);
                let connector = connector.clone();
                probes.spawn(async move { connector.connect(generation).await });
            }
            Some(ended) = probes.join_next() => {
                if let (Ok(Ok(connection)), Some(shared)) = (ended, shared.upgrade()) {
                    return shared.come_back(connection);
                }
            }
        }
    }
}

/// Goes back to the pool when it is dropped, or is closed when it is not clean.
pub(super) struct PooledConnection {
    /// `None` in `drop` alone.
    connection: Option<Connection>,
    shared: Arc<Shared>,
    /// Dropped after the connection is back, so that whoever gets it next finds one.
    _permit: OwnedSemaphorePermit,
}

impl PooledConnection {
    fn new(connection: Connection, permit: OwnedSemaphorePermit, shared: &Arc<Shared>) -> Self {
        Self { connection: Some(connection), shared: Arc::clone(shared), _permit: permit }
    }
}

const HELD: &str = "the connection is taken out by drop alone";

impl std::ops::Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect(HELD)
    }
}

impl std::ops::DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect(HELD)
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.give_back(connection);
        }
    }
}

/// One of those who wait, counted until it is dropped.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared) -> Result<Self, Error> {
        let before = shared.waiters.fetch_add(1, Ordering::AcqRel);
        let waiting = Self(&shared.waiters);
        if before >= shared.options.max_waiters {
            return Err(Error::PoolExhausted);
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}
