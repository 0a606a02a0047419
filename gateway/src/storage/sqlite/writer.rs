//! The thread that writes: group commit.
//!
//! One outer transaction holds the turns of several requests, one after the other. A turn that is
//! rolled back undoes its own savepoint only, or the transaction while nothing else is in it. The
//! group ends when no turn waits or it has become long; then one COMMIT, one fsync, and every turn
//! is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::error::Error;
use super::connection::Deadline;
use super::error::classify;
use super::guard::Guard;
use super::turn::{Step, Turn, Turns, Work};
use super::value;
use super::version::Versions;

/// No new turn joins a group that is as old as this: those before it wait for their answer.
const MAX_GROUP_AGE: Duration = Duration::from_millis(10);
/// Nor one that has so many.
const MAX_GROUP_TURNS: usize = 256;

/// Start the thread and give back its queue.
pub(super) fn start(mut connection: Connection) -> Result<Turns, Error> {
    let versions = Versions::new(&connection).map_err(|error| classify(&error))?;
    let deadline = Deadline::watch(&mut connection)?;
    let (turns, work) = Turns::new();
    let held = turns.held();
    let guard = Guard::watch(&mut connection)?;
    let mut writer = Writer { connection, deadline, guard, versions, held };
    thread::Builder::new()
        .name("sqlite-writer".to_owned())
        .spawn(move || {
            while let Some(turn) = work.next() {
                writer.group(turn, &work);
            }
        })
        .map_err(|error| Error::Other(format!("a thread for SQLite: {error}")))?;
    Ok(turns)
}

type Answer = oneshot::Sender<Result<(), Error>>;

struct Writer {
    connection: Connection,
    deadline: Deadline,
    guard: Guard,
    versions: Versions,
    /// How many turns wait for the end of the one that runs, to be committed with it.
    held: Arc<AtomicU32>,
}

/// What a turn is undone by.
#[derive(Clone, Copy)]
enum Undo {
    /// Nothing else is in the group's transaction. A savepoint puts each page aside that is
    /// changed, which is dear where many are.
    Transaction,
    Savepoint,
}

/// How a turn ended.
enum End {
    /// It waits for the group's commit.
    Committed(Answer),
    RolledBack,
    /// `SQLite` has rolled the whole group back, as it does after some errors.
    GroupLost,
}

impl Writer {
    fn group(&mut self, first: Turn, work: &Work) {
        if let Err(error) = self.begin() {
            refuse(&first, &classify(&error));
            return;
        }
        let began = Instant::now();
        let mut committed = Vec::new();
        let mut next = Some(first);
        while let Some(turn) = next {
            self.held.store(u32::try_from(committed.len()).unwrap_or(u32::MAX), Ordering::Release);
            let undo = if committed.is_empty() { Undo::Transaction } else { Undo::Savepoint };
            let end = self.turn(&turn, undo);
            self.held.store(0, Ordering::Release);
            match end {
                End::Committed(answer) => committed.push(answer),
                End::RolledBack => {}
                End::GroupLost => {
                    if !self.connection.is_autocommit() {
                        self.control("ROLLBACK").ok();
                    }
                    // Nothing of it was committed, so each may run again.
                    return acknowledge(committed, &Err(Error::Aborted));
                }
            }
            let room = committed.len() < MAX_GROUP_TURNS && began.elapsed() < MAX_GROUP_AGE;
            next = if room { work.try_next() } else { None };
        }
        acknowledge(committed, &self.commit());
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        self.deadline.clear();
        self.versions.reserve(&self.connection)?;
        self.connection.execute_batch("BEGIN IMMEDIATE")
    }

    fn commit(&self) -> Result<(), Error> {
        self.deadline.clear();
        let done = self.connection.execute_batch("COMMIT").map_err(|error| {
            tracing::error!(%error, "SQLite did not commit");
            classify(&error)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            self.control("ROLLBACK").ok();
        }
        done
    }

    /// Give one request the connection until it ends its transaction.
    fn turn(&self, turn: &Turn, undo: Undo) -> End {
        if let Err(error) = self.begin_turn(undo) {
            refuse(turn, &error);
            return End::GroupLost;
        }
        loop {
            // An error here means that the request is gone: it was given up, or its deadline
            // has passed.
            let Ok(step) = turn.steps.recv() else {
                return self.roll_back(undo);
            };
            if let Some(end) = self.step(step, undo) {
                return end;
            }
            if self.connection.is_autocommit() {
                return End::GroupLost;
            }
        }
    }

    /// Do what the request asks; `Some` when its turn ends with it.
    fn step(&self, step: Step, undo: Undo) -> Option<End> {
        match step {
            Step::Run { queries, deadline, answer } => {
                self.deadline.set(deadline);
                let rows = value::run_all(&self.connection, &queries);
                answer.send(rows.map_err(|error| classify(&error))).ok();
                None
            }
            Step::RunWithin { query, wall, deadline, answer } => {
                self.deadline.set(deadline);
                let rows = self.guard.run(&self.connection, &query, wall);
                answer.send(rows.map(|rows| vec![rows]).map_err(|error| classify(&error))).ok();
                None
            }
            Step::Control { sql, answer } => {
                answer.send(self.control(sql)).ok();
                None
            }
            Step::Commit { answer } => Some(match self.end_turn(undo) {
                Ok(()) => End::Committed(answer),
                Err(error) => {
                    answer.send(Err(error)).ok();
                    self.roll_back(undo)
                }
            }),
            Step::Rollback { answer } => {
                let end = self.roll_back(undo);
                answer.send(Ok(())).ok();
                Some(end)
            }
        }
    }

    fn begin_turn(&self, undo: Undo) -> Result<(), Error> {
        match undo {
            Undo::Transaction => Ok(()),
            Undo::Savepoint => self.control("SAVEPOINT request"),
        }
    }

    fn end_turn(&self, undo: Undo) -> Result<(), Error> {
        match undo {
            Undo::Transaction => Ok(()),
            Undo::Savepoint => self.control("RELEASE SAVEPOINT request"),
        }
    }

    fn roll_back(&self, undo: Undo) -> End {
        let done = self.control(match undo {
            Undo::Transaction => "ROLLBACK; BEGIN IMMEDIATE",
            Undo::Savepoint => "ROLLBACK TO SAVEPOINT request; RELEASE SAVEPOINT request",
        });
        match done {
            Ok(()) => End::RolledBack,
            Err(_) => End::GroupLost,
        }
    }

    fn control(&self, sql: &str) -> Result<(), Error> {
        self.deadline.clear();
        self.connection.execute_batch(sql).map_err(|error| classify(&error))
    }
}

/// Answer a turn that cannot run.
fn refuse(turn: &Turn, error: &Error) {
    match turn.steps.recv() {
        Ok(Step::Run { answer, .. } | Step::RunWithin { answer, .. }) => {
            drop(answer.send(Err(error.clone())))
        }
        Ok(Step::Control { answer, .. } | Step::Commit { answer } | Step::Rollback { answer }) => {
            drop(answer.send(Err(error.clone())));
        }
        Err(_) => {}
    }
}

fn acknowledge(answers: Vec<Answer>, done: &Result<(), Error>) {
    for answer in answers {
        // Who has stopped waiting learns nothing; the write is there all the same.
        answer.send(done.clone()).ok();
    }
}
