//! Tells other gateways what has changed here, and hears it from them.
//!
//! It has a connection of its own: a NOTIFY inside of a transaction would make commits wait for
//! each other. Gateways tell of changes only while one of them has said that it waits. What is
//! lost on the way is found by a look at the server each second, as long as anybody waits here.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_postgres::Client;

use super::super::changes::{Changes, Topic};
use super::super::error::Error;
use super::Postgres;
use super::error::classify;

/// Between two looks at the server.
const LOOK: Duration = Duration::from_secs(1);
/// Between two connections; and how often other gateways are told that somebody waits here.
const RECONNECT: Duration = Duration::from_secs(1);
const ANNOUNCE: Duration = Duration::from_secs(10);
/// How long an announcement counts: two may be lost.
const ANNOUNCED_FOR: Duration = Duration::from_secs(30);
/// A server that does not answer is given up.
const ANSWER: Duration = Duration::from_secs(5);
/// Messages that are heard and not looked at yet; more are dropped, and found by the next look.
const HEARD: usize = 1_000;

impl Postgres {
    /// Keep listening, whatever happens to the connection.
    pub(in super::super) async fn listen(&self, changes: &Changes) {
        let name = format!("{:016x}", rand::random::<u64>());
        loop {
            if let Err(error) = self.hear(changes, &name).await {
                tracing::warn!(%error, "other gateways are not heard; trying again");
            }
            sleep(RECONNECT).await;
        }
    }

    /// Until the connection breaks.
    async fn hear(&self, changes: &Changes, name: &str) -> Result<(), Error> {
        let (heard_by, mut heard) = mpsc::channel(HEARD);
        let (client, _driver) = self.connector.open_listening(heard_by).await?;
        let mut teller = Teller { client, name, announced: None, seen: None };
        teller.ask("LISTEN loggia_change").await?;
        // What was told before, nobody here has heard: neither changes nor who waits.
        changes.wake_all();
        teller.say(&[format!("{name} asks")]).await?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                told = heard.recv() => match told {
                    Some(told) if asks(name, &told) => teller.announce(changes).await?,
                    Some(told) => take_in(changes, name, &told),
                    None => return Err(Error::Unavailable),
                },
                () = changes.to_tell() => teller.tell(changes).await?,
                _ = look.tick() => teller.look(changes).await?,
            }
        }
    }
}

/// Whether another gateway, which begins to listen, wants to know who waits.
fn asks(name: &str, told: &str) -> bool {
    told.split_once(' ').is_some_and(|(sender, what)| sender != name && what == "asks")
}

/// A message is the sender's name, then `asks`, `waits`, or a tenant and a table.
fn take_in(changes: &Changes, name: &str, told: &str) {
    let words: Vec<&str> = told.split(' ').collect();
    match words.as_slice() {
        [sender, ..] if *sender == name => {}
        [_, "waits"] => changes.heard_of_waiting(ANNOUNCED_FOR),
        [_, tenant, table] => {
            if let Ok(tenant) = tenant.parse() {
                changes.heard_of(&Topic { tenant, table: (*table).to_owned() });
            }
        }
        _ => tracing::debug!(told, "a message that no gateway sends"),
    }
}

struct Teller<'a> {
    client: Client,
    /// Who tells: a gateway hears its own messages, too.
    name: &'a str,
    /// When others were last told that somebody waits here.
    announced: Option<Instant>,
    /// The transactions that the server had seen at the last look.
    seen: Option<String>,
}

impl Teller<'_> {
    /// Say again that somebody waits here, where that is so.
    async fn announce(&mut self, changes: &Changes) -> Result<(), Error> {
        self.announced = None;
        self.tell(changes).await
    }

    /// All that there is to tell, in one transaction.
    async fn tell(&mut self, changes: &Changes) -> Result<(), Error> {
        let untold = changes.take_untold().into_iter();
        let mut told: Vec<String> =
            untold.map(|topic| format!("{} {} {}", self.name, topic.tenant, topic.table)).collect();
        if changes.watching() > 0 && self.announced.is_none_or(|at| at.elapsed() >= ANNOUNCE) {
            told.push(format!("{} waits", self.name));
            self.announced = Some(Instant::now());
        }
        if told.is_empty() {
            return Ok(());
        }
        self.say(&told).await
    }

    async fn say(&self, told: &[String]) -> Result<(), Error> {
        const SAY: &str = "SELECT pg_notify('loggia_change', told) FROM unnest($1::text[]) AS told";
        answered(self.client.query(SAY, &[&told])).await.map(drop)
    }

    /// Whether any transaction has begun or ended since the last look. The first look cannot
    /// tell, so it counts as that.
    async fn look(&mut self, changes: &Changes) -> Result<(), Error> {
        if changes.watching() == 0 {
            (self.announced, self.seen) = (None, None);
            return Ok(());
        }
        self.tell(changes).await?;
        let seeing = self.client.query_one("SELECT pg_current_snapshot()::text", &[]);
        let seen: String = answered(seeing).await?.get(0);
        if self.seen.as_ref() != Some(&seen) {
            changes.wake_all();
        }
        self.seen = Some(seen);
        Ok(())
    }

    async fn ask(&self, sql: &str) -> Result<(), Error> {
        answered(self.client.batch_execute(sql)).await
    }
}

async fn answered<T>(
    asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    let answer = timeout(ANSWER, asking).await.map_err(|_elapsed| Error::Unavailable)?;
    answer.map_err(|error| classify(&error))
}
