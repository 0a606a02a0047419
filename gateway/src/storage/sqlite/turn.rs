//! A turn: the time in which one request has a connection, and its thread, to itself.
//!
//! A request sends its turn into a queue and its statements into the turn. Both ends notice when
//! the other goes away: a turn whose request is gone is rolled back. Tenants come in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::statement::Wall;
use super::super::transaction::{TransactionMode, Whose};
use crate::fair::Queue;

/// What a request asks of the thread that has its turn.
#[derive(Debug)]
pub(super) enum Step {
    /// Run statements one after another, up to the first that fails.
    Run {
        queries: Vec<Query>,
        deadline: Instant,
        answer: oneshot::Sender<Answers>,
    },
    /// Run a statement of a plugin behind its wall.
    RunWithin {
        query: Query,
        wall: Arc<Wall>,
        deadline: Instant,
        answer: oneshot::Sender<Answers>,
    },
    Control {
        sql: &'static str,
        answer: oneshot::Sender<Result<(), Error>>,
    },
    Commit {
        answer: oneshot::Sender<Result<(), Error>>,
    },
    Rollback {
        answer: oneshot::Sender<Result<(), Error>>,
    },
}

/// The rows of each statement.
pub(super) type Answers = Result<Vec<SqlRows>, Error>;

/// A turn as the thread sees it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) mode: TransactionMode,
    pub(super) steps: Receiver<Step>,
    /// Counts this turn as open until it is dropped.
    _open: Open,
}

/// The queue of turns of one thread or of several.
#[derive(Debug)]
pub(super) struct Turns {
    queue: Arc<Queue<Whose, Turn>>,
    open: Arc<AtomicU32>,
    /// Turns that have ended and are not acknowledged before another one ends.
    held: Arc<AtomicU32>,
}

/// The end of the queue that a thread works off. The last one that is dropped closes the queue.
#[derive(Clone, Debug)]
pub(super) struct Work(Arc<Closing>);

#[derive(Debug)]
struct Closing(Arc<Queue<Whose, Turn>>);

impl Turns {
    pub(super) fn new() -> (Self, Work) {
        let queue = Arc::<Queue<_, _>>::default();
        let work = Work(Arc::new(Closing(Arc::clone(&queue))));
        (Self { queue, open: Arc::default(), held: Arc::default() }, work)
    }

    /// Queue a turn with its first step, and give back the end that further steps go into.
    pub(super) fn take(
        &self,
        whose: Whose,
        mode: TransactionMode,
        first: Step,
    ) -> Result<Sender<Step>, Error> {
        let (sender, steps) = mpsc::channel();
        // The receiver is at hand, so neither of these fails but when the thread has ended.
        sender.send(first).map_err(|_| Error::Unavailable)?;
        let turn = Turn { mode, steps, _open: Open::new(&self.open) };
        self.queue.push(whose, turn).map_err(|_| Error::Unavailable)?;
        Ok(sender)
    }

    /// Where the thread notes how many turns it holds up.
    pub(super) fn held(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.held)
    }

    /// Turns that can do nothing until others end, where so many can run at once.
    pub(super) fn waiting(&self, at_once: usize) -> usize {
        let number = |count: &AtomicU32| count.load(Ordering::Acquire) as usize;
        number(&self.open).saturating_sub(at_once) + number(&self.held)
    }

    /// Turns that wait or run now.
    pub(super) fn open(&self) -> u32 {
        self.open.load(Ordering::Acquire)
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Work {
    /// Wait for the next turn; `None` when there will be none.
    pub(super) fn next(&self) -> Option<Turn> {
        self.0.0.pop()
    }

    /// The next turn, if one waits.
    pub(super) fn try_next(&self) -> Option<Turn> {
        self.0.0.try_pop()
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
        // Whoever waits for these is told by that they are gone.
        while self.0.try_pop().is_some() {}
    }
}

#[derive(Debug)]
struct Open(Arc<AtomicU32>);

impl Open {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
