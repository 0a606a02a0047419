//! What became of a commit whose answer was lost.
//!
//! The transaction knows its number from its beginning, and the server remembers how each number
//! ended. A connection of its own asks, outside the pool, which may be broken.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::Client;

use super::super::error::Error;
use super::connection::Backend;
use super::connector::{Connector, timeline};

/// How long the answer is worth waiting for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// The end of a transaction: `Ok` when it was committed, [`Error::Aborted`] when nothing of it is
/// there, [`Error::OutcomeUnknown`] when nobody says.
pub(super) async fn resolve(
    connector: &Connector,
    backend: &Backend,
    transaction: &str,
) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    let asking = async {
        loop {
            if let Ok((client, _driver)) = connector.open().await
                && let Some(end) = ask(&client, backend, transaction).await
            {
                return end;
            }
            sleep(PAUSE).await;
        }
    };
    let end = timeout_at(deadline, asking).await.unwrap_or(Err(Error::OutcomeUnknown));
    let outcome = match &end {
        Ok(()) => "committed",
        Err(Error::Aborted) => "aborted",
        Err(_) => "unknown",
    };
    tracing::warn!(transaction, outcome, "the answer to a commit was lost");
    end
}

/// `None` where the connection fails: then another one may say it.
async fn ask(client: &Client, backend: &Backend, transaction: &str) -> Option<Result<(), Error>> {
    let here = timeline(client).await;
    if backend.timeline.is_some() && here.is_some() && backend.timeline != here {
        // Another server has taken over. What it has under this number may be something else.
        return Some(Err(Error::OutcomeUnknown));
    }
    loop {
        let row = client.query_one(STATUS, &[&transaction]).await.ok()?;
        match row.get(0) {
            Some("committed") => return Some(Ok(())),
            Some("aborted") => return Some(Err(Error::Aborted)),
            // Where COMMIT has not reached the server, it waits for it; without its process the
            // transaction can never be committed.
            Some("in progress") => {
                client.execute(END, &[&backend.pid, &transaction]).await.ok()?;
            }
            _ => return Some(Err(Error::OutcomeUnknown)),
        }
        sleep(PAUSE).await;
    }
}

const STATUS: &str = "SELECT pg_xact_status($1::text::xid8)";

/// The number of a process may be another's by now; the transaction's cannot. One that is
/// committing is left alone: it may be waiting for a standby, as the operator wants.
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid = $1 AND backend_xid = ($2::text::xid8)::xid \
                   AND state LIKE 'idle in transaction%'";
