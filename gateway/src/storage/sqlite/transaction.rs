//! A transaction as a request sees it: steps sent to the thread that has its turn.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::statement::Wall;
use super::super::transaction::{TransactionMode, Whose};
use super::Sqlite;
use super::turn::{Answers, Step};

/// A transaction, or in autocommit mode the right to run reads by themselves.
pub(crate) struct Transaction {
    sqlite: Arc<Sqlite>,
    whose: Whose,
    mode: TransactionMode,
    /// Set by the first statement. Dropping it gives the turn up, and the thread rolls back.
    steps: Option<Sender<Step>>,
    /// Set by an answer that did not come: the turn is over, and nothing may look like success.
    lost: bool,
}

impl Transaction {
    pub(in super::super) fn new(sqlite: Arc<Sqlite>, whose: Whose, mode: TransactionMode) -> Self {
        Self { sqlite, whose, mode, steps: None, lost: false }
    }

    /// Run one statement. The first one waits for the turn.
    pub(in super::super) async fn run(
        &mut self,
        query: Query,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        let answers = self.run_all(vec![query], deadline).await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    /// Run statements one after another, up to the first that fails.
    pub(in super::super) async fn run_all(
        &mut self,
        queries: Vec<Query>,
        deadline: Instant,
    ) -> Result<Vec<SqlRows>, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Step::Run { queries, deadline, answer })?;
        self.answers(answered, deadline).await
    }

    /// Run a statement of a plugin behind its wall.
    pub(in super::super) async fn run_within(
        &mut self,
        query: Query,
        wall: Arc<Wall>,
        deadline: Instant,
    ) -> Result<SqlRows, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Step::RunWithin { query, wall, deadline, answer })?;
        let answers = self.answers(answered, deadline).await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    async fn answers(
        &mut self,
        answered: oneshot::Receiver<Answers>,
        deadline: Instant,
    ) -> Answers {
        let answers = wait(answered, deadline).await;
        self.note_loss(&answers);
        if self.mode == TransactionMode::Autocommit {
            self.steps = None;
        }
        answers
    }

    /// Run a statement of transaction control.
    pub(in super::super) async fn control(
        &mut self,
        sql: &'static str,
        deadline: Instant,
    ) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Step::Control { sql, answer })?;
        let done = wait(answered, deadline).await;
        self.note_loss(&done);
        done
    }

    fn note_loss<T>(&mut self, answer: &Result<T, Error>) {
        if matches!(answer, Err(Error::Timeout | Error::Aborted)) {
            self.steps = None;
            self.lost = self.mode != TransactionMode::Autocommit;
        }
    }

    pub(in super::super) async fn commit(mut self) -> Result<(), Error> {
        let Some(steps) = self.steps.take() else {
            return if self.lost { Err(Error::Aborted) } else { Ok(()) };
        };
        let (answer, answered) = oneshot::channel();
        steps.send(Step::Commit { answer }).map_err(|_| Error::Aborted)?;
        match timeout(COMMIT_TIMEOUT, answered).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(Error::OutcomeUnknown),
        }
    }

    pub(in super::super) async fn rollback(mut self) {
        let (answer, answered) = oneshot::channel();
        if let Some(steps) = self.steps.take()
            && steps.send(Step::Rollback { answer }).is_ok()
        {
            answered.await.ok();
        }
    }

    fn send(&mut self, step: Step) -> Result<(), Error> {
        if self.lost {
            return Err(Error::Aborted);
        }
        match &self.steps {
            // The thread has ended the turn, which it does when the transaction was lost.
            Some(steps) => steps.send(step).map_err(|_| Error::Aborted),
            None => {
                self.steps = Some(self.sqlite.turns(self.mode).take(self.whose, self.mode, step)?);
                Ok(())
            }
        }
    }
}

/// Once COMMIT is on its way, only its answer tells what happened.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

async fn wait<T>(
    answered: oneshot::Receiver<Result<T, Error>>,
    deadline: Instant,
) -> Result<T, Error> {
    match timeout_at(deadline, answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::Aborted),
        Err(_elapsed) => Err(Error::Timeout),
    }
}
