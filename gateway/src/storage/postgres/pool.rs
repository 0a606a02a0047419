//! Who gets a connection next, and when nobody does.
//!
//! bb8 keeps the connections, hands them out and closes old ones. Begin reading at
//! [`Pool::acquire`], which adds what bb8 lacks: only so many requests wait, none waits beyond its
//! deadline, none waits for a database that is known to be gone, and tenants have turns, each with
//! no more than its share. A connection that has met an
//! error of the connection itself condemns all that are older than the error: they were made to
//! the same server, and each would fail a request to show it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::error::Error;
use super::super::transaction::Whose;
use super::circuit::{Circuit, Sink, attend};
use super::connection::Connection;
use super::connector::{CONNECT_TIMEOUT, Connector};
use crate::fair::{Asked, Place, Places, Share};
use crate::storage::Tenant;

/// Connections to one database, at most so many at a time.
#[derive(Debug)]
pub(super) struct Pool {
    options: PoolOptions,
    kept: bb8::Pool<Manager>,
    circuit: Arc<Circuit>,
    /// One for each connection that is out or waited for. bb8 lets whoever asks at the right
    /// moment pass those who wait; with these, whose turn it is gets theirs first.
    places: Places<Whose>,
    /// The most for tenants that may not have them all.
    shares: ArcSwap<HashMap<Tenant, u32>>,
    /// Ends with the pool.
    _attendant: JoinSet<()>,
}

/// How many connections, and how patient those are who want one.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolOptions {
    pub(super) size: u32,
    pub(super) acquire_timeout: Duration,
    pub(super) max_waiters: u32,
}

/// A connection is closed after this time: routes, passwords and plans change.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// One that nobody needs is closed after this time.
const MAX_IDLE: Duration = Duration::from_secs(10 * 60);

impl Pool {
    pub(super) fn new(connector: Connector, options: PoolOptions) -> Self {
        let circuit = Arc::new(Circuit::new());
        let kept = bb8::Pool::builder()
            .max_size(options.size.max(1))
            .max_lifetime(MAX_AGE)
            .idle_timeout(MAX_IDLE)
            // The one used last is taken first, so that the others can be closed.
            .queue_strategy(bb8::QueueStrategy::Lifo)
            // It would ask the server before each request; see `acquire`.
            .test_on_check_out(false)
            // Requests are told at once; the attendant tries again.
            .retry_connection(false)
            .connection_timeout(options.acquire_timeout.max(Duration::from_millis(1)))
            .error_sink(Box::new(Sink(Arc::clone(&circuit))))
            .build_unchecked(Manager {
                connector: connector.clone(),
                circuit: Arc::clone(&circuit),
            });
        let mut attendant = JoinSet::new();
        attendant.spawn(attend(kept.clone(), Arc::clone(&circuit), connector));
        Self {
            options,
            kept,
            circuit,
            places: Places::new(options.size),
            shares: ArcSwap::default(),
            _attendant: attendant,
        }
    }

    /// What each tenant may have of it, from now on.
    pub(super) fn share(&self, shares: HashMap<Tenant, u32>) {
        self.shares.store(Arc::new(shares));
    }

    /// A clean connection, kept or new.
    pub(super) async fn acquire(
        &self,
        whose: Whose,
        deadline: Instant,
    ) -> Result<PooledConnection, Error> {
        if self.circuit.is_down() {
            return Err(Error::Unavailable);
        }
        let place = self.place(whose, deadline).await?;
        // Before bb8 is asked, so that no failure is missed.
        let mut refusals = self.circuit.refusals.subscribe();
        let connection = tokio::select! {
            biased;
            connection = timeout_at(deadline, self.good()) => {
                connection.map_err(|_elapsed| Error::Timeout)??
            }
            _ = refusals.changed() => return Err(refusals.borrow().clone()),
        };
        Ok(PooledConnection { connection, _place: place })
    }

    /// Tenants have turns, and those of a tenant who came first get theirs first.
    async fn place(&self, whose: Whose, deadline: Instant) -> Result<Place<Whose>, Error> {
        let asked = self.places.ask(whose, self.share_of(whose));
        let mut waiter = match asked.map_err(|_full| Error::PoolExhausted)? {
            Asked::Now(place) => return Ok(place),
            Asked::Later(waiter) => waiter,
        };
        let patience = (Instant::now() + self.options.acquire_timeout).min(deadline);
        tokio::select! {
            place = waiter.place() => return Ok(place),
            () = self.circuit.goes_down() => return Err(Error::Unavailable),
            () = sleep_until(patience) => {}
        }
        Err(if waiter.has_all() && self.has_less_than_all(whose) {
            Error::ConnectionLimit
        } else if patience < deadline {
            Error::PoolExhausted
        } else {
            Error::Timeout
        })
    }

    fn share_of(&self, whose: Whose) -> Share {
        let most = match whose {
            Whose::One(tenant) => self.shares.load().get(&tenant).copied(),
            Whose::Everyone => None,
        };
        let most = most.unwrap_or(u32::MAX).min(self.options.size);
        Share { matter: 0, most, queued: self.options.max_waiters }
    }

    fn has_less_than_all(&self, whose: Whose) -> bool {
        self.share_of(whose).most < self.options.size
    }

    /// bb8 hands out what it keeps without a look at it. A server that has ended a connection in
    /// the meantime has said so, if it could.
    async fn good(&self) -> Result<bb8::PooledConnection<'static, Manager>, Error> {
        loop {
            let kept = self.kept.get_owned().await.map_err(|_elapsed| Error::Unavailable)?;
            if !self.circuit.condemns(&kept) {
                return Ok(kept);
            }
        }
    }

    /// A connection of this generation was lost, and with it all that are as old.
    pub(super) fn lost(&self, generation: u64) {
        let count = &self.circuit.generation;
        let next = generation + 1;
        if count.compare_exchange(generation, next, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        // bb8 closes what is condemned only when that comes back to it, and its reaper looks at
        // ages alone; so all are taken and let go.
        let kept = self.kept.state().idle_connections;
        let _closed: Vec<_> =
            (0..kept).map_while(|_| self.kept.get_owned().now_or_never()).collect();
    }

    /// What it holds now.
    pub(super) fn state(&self) -> PoolState {
        PoolState {
            size: self.options.size,
            in_use: self.places.held(),
            idle: self.kept.state().idle_connections,
            waiters: self.places.waiting(),
            down: self.circuit.is_down(),
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

/// Makes the connections that bb8 keeps.
pub(super) struct Manager {
    connector: Connector,
    circuit: Arc<Circuit>,
}

impl Manager {
    /// Given up when somebody else finds that the database is gone: one that froze would keep
    /// its place in the pool beyond its return.
    async fn connect_once(&self) -> Result<Connection, Error> {
        let generation = self.circuit.generation.load(Ordering::Acquire);
        tokio::select! {
            connected = self.connector.connect(generation) => connected,
            () = self.circuit.goes_down() => Err(Error::Unavailable),
        }
    }
}

impl bb8::ManageConnection for Manager {
    /// In a box, because bb8 and who borrows it move it about.
    type Connection = Box<Connection>;
    type Error = Error;

    /// A server process that is ended while it greets does not mean that the database is gone: if
    /// it is, the second one says so as well. Silence needs no second proof.
    async fn connect(&self) -> Result<Box<Connection>, Error> {
        let began = Instant::now();
        let connected = match self.connect_once().await {
            Err(Error::Unavailable) if began.elapsed() < CONNECT_TIMEOUT => {
                self.connect_once().await
            }
            connected => connected,
        };
        connected.map(Box::new)
    }

    /// Not asked, since connections are not tested when they are handed out.
    async fn is_valid(&self, _: &mut Box<Connection>) -> Result<(), Error> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Box<Connection>) -> bool {
        self.circuit.condemns(connection)
    }
}

/// Goes back to the pool when it is dropped, or is closed when it is not clean.
pub(super) struct PooledConnection {
    connection: bb8::PooledConnection<'static, Manager>,
    /// Dropped after the connection is back, so that whoever gets it next finds one.
    _place: Place<Whose>,
}

impl std::ops::Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl std::ops::DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
