//! Runs a sequence on one database and writes down what is seen.
//!
//! What may differ is left out: a version is written as its place among those that were seen, and
//! a cursor as whether there is one. Numbers are written by their value, members in order.

use std::collections::HashMap;

use loggia::manifest::Mode;
use loggia::storage::{Change, Document, Error, Outcome, Page, Precondition, Session, Write};
use serde_json::Value as Json;

use super::declared::{DECLARED, STATEMENTS};
use super::sequence::{BEGINNING, Call, ChangeOf, Condition, PageOf, Sequence, Step, WriteOf};
use crate::harness::store::{TestStore, owned};

/// Everything that was seen, line by line, with what is stored in the end.
pub(super) async fn run(store: &TestStore, sequence: &Sequence) -> Vec<String> {
    let mut trace = Trace::default();
    for step in sequence {
        trace.step(store, step).await;
    }
    let ids = ["a", "b", "c", "d", "A", "ä/ü %", "\u{10ffff}"].to_vec();
    let stored = DECLARED.map(|collection| Call::Get { collection, ids: ids.clone() }).to_vec();
    // At the latest time of any step, and long before: then nothing has expired.
    for at in [250, -1_000] {
        let calls = stored.clone();
        trace.step(store, &Step::Session { mode: Mode::Read, at, calls, commits: true }).await;
    }
    trace.lines
}

#[derive(Default)]
struct Trace {
    lines: Vec<String>,
    /// All versions, in the order in which they were seen.
    versions: Vec<u64>,
    last_seen: HashMap<(&'static str, &'static str), u64>,
}

impl Trace {
    async fn step(&mut self, store: &TestStore, step: &Step) {
        match step {
            Step::Sweep { at } => {
                // How many it took depends on other sequences; what is left is seen later.
                store.storage.sweep_expired(time(*at)).await.unwrap();
            }
            Step::Session { mode, at, calls, commits } => {
                let mut session = store.session_at(*mode, time(*at));
                for call in calls {
                    self.call(&mut session, call).await;
                }
                let kept = session.kept();
                let ended = if *commits {
                    session.commit().await
                } else {
                    session.rollback().await;
                    Ok(())
                };
                let ended = ended.map_err(|error| self.error(&error));
                self.lines.push(format!("{mode:?} at {at} kept {kept} ended {ended:?}"));
            }
        }
    }

    async fn call(&mut self, session: &mut Session, call: &Call) {
        let line = match call {
            Call::Get { collection, ids } => self.get(session, collection, ids).await,
            Call::Apply(writes) => self.apply(session, writes).await,
            Call::Select { statement, arguments, page } => {
                let arguments = owned(arguments);
                match page {
                    None => self.select(session, statement, &arguments, None).await.0,
                    Some(page) => self.pages(session, statement, &arguments, *page).await,
                }
            }
            Call::Update { statement, arguments, limit } => {
                let changed = session.update_where(statement, &owned(arguments), *limit).await;
                match changed {
                    Ok(documents) => self.documents(statement, &documents),
                    Err(error) => format!("{statement} {}", self.error(&error)),
                }
            }
            Call::Delete { statement, arguments, limit } => {
                let deleted = session.delete_where(statement, &owned(arguments), *limit).await;
                format!("{statement} {:?}", deleted.map_err(|error| self.error(&error)))
            }
            Call::Sweep(collections) => {
                let collections: Vec<String> =
                    collections.iter().map(|&name| name.to_owned()).collect();
                let swept = session.sweep(&collections).await;
                format!("sweep {:?}", swept.map_err(|error| self.error(&error)))
            }
        };
        self.lines.push(line);
    }

    async fn get(
        &mut self,
        session: &mut Session,
        collection: &'static str,
        ids: &[&'static str],
    ) -> String {
        let asked: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        let found = match session.get(collection, &asked).await {
            Ok(found) => found,
            Err(error) => return format!("get {}", self.error(&error)),
        };
        let mut line = format!("get {collection}");
        for (id, document) in ids.iter().zip(&found) {
            let Some(document) = document else {
                line.push_str(" none");
                continue;
            };
            assert_eq!(document.id, *id);
            self.last_seen.insert((collection, id), document.version);
            line.push_str(&self.document(document));
        }
        line
    }

    fn documents(&mut self, about: &str, documents: &[Document]) -> String {
        let seen: String = documents.iter().map(|document| self.document(document)).collect();
        format!("{about}{seen}")
    }

    fn document(&mut self, document: &Document) -> String {
        format!(
            " {:?} {} created {} updated {} expires {:?} {}",
            document.id,
            self.version(document.version),
            document.created_at - BEGINNING,
            document.updated_at - BEGINNING,
            document.expires_at.map(|at| at - BEGINNING),
            canonical(&document.body)
        )
    }

    async fn apply(&mut self, session: &mut Session, writes: &[WriteOf]) -> String {
        let made: Vec<Write> = writes.iter().map(|write| self.write(write)).collect();
        let outcomes = match session.apply(&made).await {
            Ok(outcomes) => outcomes,
            Err(error) => return format!("apply {}", self.error(&error)),
        };
        let mut line = "apply".to_owned();
        for (write, outcome) in writes.iter().zip(&outcomes) {
            line.push_str(&match outcome {
                Outcome::Written { version, created } => {
                    self.last_seen.insert((write.collection, write.id), *version);
                    format!(" written {} {created}", self.version(*version))
                }
                Outcome::Deleted(was_there) => format!(" deleted {was_there}"),
                Outcome::Skipped(error) => format!(" skipped {}", self.error(error)),
            });
        }
        line
    }

    fn write(&self, write: &WriteOf) -> Write {
        let WriteOf { collection, id, change, condition, otherwise, expiry } = write;
        let (otherwise, expiry) = (*otherwise, *expiry);
        Write {
            collection: (*collection).to_owned(),
            id: (*id).to_owned(),
            change: match change {
                ChangeOf::Put(body) => Change::Put(body.clone()),
                ChangeOf::Merge(patch) => Change::Merge(patch.clone()),
                ChangeOf::Delete => Change::Delete,
            },
            condition: match condition {
                Condition::Any => Precondition::Any,
                Condition::Absent => Precondition::Absent,
                Condition::Present => Precondition::Present,
                Condition::Seen => match self.last_seen.get(&(*collection, *id)) {
                    Some(version) => Precondition::Version(*version),
                    None => Precondition::Any,
                },
                Condition::Other(place) => {
                    let place = usize::from(*place) % self.versions.len().max(1);
                    Precondition::Version(self.versions.get(place).copied().unwrap_or(u64::MAX))
                }
            },
            otherwise,
            expiry,
        }
    }

    /// All pages, each by the cursor of the one before.
    async fn pages(
        &mut self,
        session: &mut Session,
        statement: &str,
        arguments: &[(String, loggia::storage::Value)],
        page: PageOf,
    ) -> String {
        let orders = STATEMENTS.iter().find(|(name, _)| *name == statement).unwrap().1;
        let mut page = Page {
            limit: page.limit,
            offset: page.offset,
            order: orders.get(page.order).map(|&order| order.to_owned()),
            after: None,
            total: page.total,
        };
        let mut line = String::new();
        loop {
            let (seen, next) = self.select(session, statement, arguments, Some(&page)).await;
            line.push_str(&seen);
            let Some(next) = next else {
                return line;
            };
            page = Page { after: Some(next), offset: 0, ..page };
        }
    }

    async fn select(
        &mut self,
        session: &mut Session,
        statement: &str,
        arguments: &[(String, loggia::storage::Value)],
        page: Option<&Page>,
    ) -> (String, Option<String>) {
        match session.select(statement, arguments, page).await {
            Err(error) => (format!("select {}", self.error(&error)), None),
            Ok(rows) => {
                let (count, total) = (rows.count, rows.total);
                let line = format!("{statement} {count} of {total:?} {}", canonical(&rows.json));
                (line, rows.next)
            }
        }
    }

    /// A failure that no plugin can cause is one of the test.
    fn error(&mut self, error: &Error) -> String {
        match error {
            Error::PreconditionFailed(mismatch) => {
                let found = mismatch.found.map(|version| self.version(version));
                format!("precondition-failed {} {:?} {found:?}", mismatch.index, mismatch.id)
            }
            Error::Timeout | Error::Unavailable | Error::OutcomeUnknown | Error::Other(_) => {
                panic!("{error:?} after\n{}", self.lines.join("\n"))
            }
            error => format!("{error:?}"),
        }
    }

    fn version(&mut self, version: u64) -> String {
        let known = self.versions.iter().position(|seen| *seen == version);
        let place = known.unwrap_or_else(|| {
            self.versions.push(version);
            self.versions.len() - 1
        });
        format!("v{place}")
    }
}

fn time(seconds: i64) -> i64 {
    BEGINNING + seconds * 1_000_000
}

/// The text of a JSON value in which equal values are equal texts.
fn canonical(text: &str) -> String {
    let value: Json = serde_json::from_str(text).unwrap();
    canonical_value(&value)
}

fn canonical_value(value: &Json) -> String {
    match value {
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                format!("{}", number as i64)
            }
            (None, number) => format!("{number:?}"),
        },
        Json::Array(items) => {
            format!("[{}]", items.iter().map(canonical_value).collect::<Vec<_>>().join(","))
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let member =
                |(name, value): &(&String, &Json)| format!("{name:?}:{}", canonical_value(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    }
}
