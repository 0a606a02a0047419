//! The threads that read. Each takes the next turn in the queue when it is free.

use std::path::Path;
use std::thread;

use rusqlite::Connection;

use super::super::error::Error;
use super::super::transaction::TransactionMode;
use super::connection::{Deadline, open_reader};
use super::error::classify;
use super::guard::Guard;
use super::turn::{Step, Turn, Turns, Work};
use super::value;

/// Reads are short; more threads than cores would only wait for each other.
const MAX_READERS: usize = 8;

/// Start the threads and give back their queue.
pub(super) fn start(path: &Path) -> Result<Turns, Error> {
    let (turns, work) = Turns::new();
    for number in 0..threads() {
        let mut connection = open_reader(path)?;
        let deadline = Deadline::watch(&mut connection)?;
        let guard = Guard::watch(&mut connection)?;
        let reader = Reader { connection, deadline, guard };
        let work = work.clone();
        thread::Builder::new()
            .name(format!("sqlite-reader-{number}"))
            .spawn(move || read(&reader, &work))
            .map_err(|error| Error::Other(format!("a thread for SQLite: {error}")))?;
    }
    Ok(turns)
}

/// How many can read at once.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(2, usize::from).clamp(2, MAX_READERS)
}

struct Reader {
    connection: Connection,
    deadline: Deadline,
    guard: Guard,
}

fn read(reader: &Reader, work: &Work) {
    while let Some(turn) = work.next() {
        if turn.mode == TransactionMode::Read {
            run_snapshot(reader, &turn);
        } else if let Ok(step) = turn.steps.recv() {
            run_step(reader, step);
        }
    }
}

/// A deferred transaction takes its snapshot with the first read.
fn run_snapshot(reader: &Reader, turn: &Turn) {
    let Reader { connection, deadline, .. } = reader;
    if let Err(error) = connection.execute_batch("BEGIN DEFERRED") {
        tracing::error!(%error, "SQLite did not begin a read");
        return;
    }
    while let Ok(step) = turn.steps.recv() {
        if run_step(reader, step) {
            break;
        }
    }
    deadline.clear();
    if let Err(error) = connection.execute_batch("ROLLBACK") {
        tracing::error!(%error, "SQLite did not end a read");
    }
}

/// Whether the turn ends with this step. An answer that nobody waits for is dropped.
fn run_step(reader: &Reader, step: Step) -> bool {
    match step {
        Step::Run { queries, deadline: by, answer } => {
            reader.deadline.set(by);
            answer
                .send(
                    value::run_all(&reader.connection, &queries).map_err(|error| classify(&error)),
                )
                .ok();
            false
        }
        Step::RunWithin { query, wall, deadline: by, answer } => {
            reader.deadline.set(by);
            let rows = reader.guard.run(&reader.connection, &query, wall);
            answer.send(rows.map(|rows| vec![rows]).map_err(|error| classify(&error))).ok();
            false
        }
        Step::Control { sql, answer } => {
            let denied = Error::Denied(format!("{sql} in a read"));
            answer.send(Err(denied)).ok();
            false
        }
        Step::Commit { answer } | Step::Rollback { answer } => {
            answer.send(Ok(())).ok();
            true
        }
    }
}
