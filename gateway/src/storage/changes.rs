//! What has changed, for requests that wait for it.
//!
//! Whoever waits looks at [`Storage::moment`] before it reads, and after it has begun to watch:
//! when the two differ, something changed in between, and it reads again. So nothing is missed
//! within a gateway. A change costs one atomic addition as long as nobody waits. Other gateways
//! on the same database are told by `postgres/listen.rs`, as long as one of them waits.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::document::{Outcome, Write};
use super::error::Error;
use super::{Schema, Storage, Tenant};

/// What is watched: the documents of one tenant in one table.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Topic {
    pub(super) tenant: i64,
    pub(super) table: String,
}

/// Changes of one storage.
#[derive(Debug)]
pub(super) struct Changes {
    /// How often a tenant's documents have changed; tenants share a counter.
    counters: [AtomicU64; COUNTERS],
    /// How many watch. Counted before a watch looks at its counter, and read after a change has
    /// been counted, so that one of the two sees the other.
    watching: AtomicUsize,
    watched: Mutex<Watched>,
    others: Others,
}

/// A power of two; more tenants than this wake each other for nothing now and then, and only
/// while a request runs.
const COUNTERS: usize = 256;

#[derive(Debug, Default)]
struct Watched {
    next: u64,
    /// How many watch, by tenant and plugin.
    watching: HashMap<(Tenant, String), usize>,
    by_topic: HashMap<Topic, HashMap<u64, Arc<Notify>>>,
}

/// What other gateways are to be told.
#[derive(Debug, Default)]
struct Others {
    /// Until when one of them is known to wait.
    wait_until: Mutex<Option<Instant>>,
    untold: Mutex<HashSet<Topic>>,
    /// There is something to tell.
    to_tell: Notify,
}

/// How much had changed of a tenant's documents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment(u64);

/// Which collections a transaction has changed: a bit for each, by rank. A manifest has at most 64.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChangeSet(u64);

impl ChangeSet {
    /// Only this one.
    pub(super) fn one(rank: usize) -> Self {
        Self(u32::try_from(rank).ok().and_then(|rank| 1_u64.checked_shl(rank)).unwrap_or_default())
    }

    /// Any of them.
    pub(super) fn all() -> Self {
        Self(u64::MAX)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What a call has changed. One whose outcome is not known may have changed all that it
    /// wrote.
    pub(super) fn of(
        schema: &Schema,
        writes: &[Write],
        outcomes: &Result<Vec<Outcome>, Error>,
    ) -> Self {
        let mut changed = Self::default();
        for (place, write) in writes.iter().enumerate() {
            let happened = match outcomes {
                Ok(outcomes) => outcomes.get(place).is_some_and(has_changed),
                Err(error) => error.leaves_open(),
            };
            if let (true, Ok(plan)) = (happened, schema.collection(&write.collection)) {
                changed.join(plan.changes);
            }
        }
        changed
    }

    pub(super) fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The transaction was committed, or may have been.
    pub(super) fn tell(self, storage: &Storage, schema: &Schema, tenant: Tenant) {
        if self.is_empty() {
            return;
        }
        let plans = schema.collections.values();
        let changed = plans.filter(|plan| Self::one(plan.rank).0 & self.0 != 0);
        storage.changes.note(tenant.key(), changed.map(|plan| plan.collection.table.as_str()));
    }
}

/// Wakes when documents of some collections have changed. Dropping it ends that.
#[derive(Debug)]
pub struct Watch {
    storage: Arc<Storage>,
    number: u64,
    /// Whose place it has among those who watch.
    whose: (Tenant, String),
    topics: Vec<Topic>,
    woken: Arc<Notify>,
}

impl Storage {
    /// How much has changed of a tenant's documents so far.
    #[must_use]
    pub fn moment(&self, tenant: Tenant) -> Moment {
        Moment(self.changes.counter(tenant.key()).load(Ordering::SeqCst))
    }

    /// Watch collections of a tenant from now on; `None` when so many of its requests to the plugin
    /// are watching already.
    ///
    /// # Errors
    /// The schema has no such collection.
    pub fn watch(
        self: &Arc<Self>,
        tenant: Tenant,
        schema: &Schema,
        collections: &[String],
        most: usize,
    ) -> Result<Option<Watch>, Error> {
        let topic = |name: &String| {
            let plan = schema.collection(name)?;
            Ok(Topic { tenant: tenant.key(), table: plan.collection.table.clone() })
        };
        let topics = collections.iter().map(topic).collect::<Result<Vec<_>, Error>>()?;
        let whose = (tenant, schema.plugin.clone());
        Ok(self.changes.enter(&whose, most).then(|| Watch::new(Arc::clone(self), whose, topics)))
    }

    /// Whether another gateway has said of late that requests wait there.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.changes.others.wait()
    }

    /// How many requests watch.
    #[must_use]
    pub fn watching(&self) -> usize {
        self.changes.watching.load(Ordering::SeqCst)
    }
}

impl Watch {
    fn new(storage: Arc<Storage>, whose: (Tenant, String), topics: Vec<Topic>) -> Self {
        let woken = Arc::<Notify>::default();
        let number = storage.changes.add(&topics, &woken);
        Self { storage, number, whose, topics, woken }
    }

    /// Wait for a change since the watch began, or since the last one that this told of.
    pub async fn changed(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.storage.changes.remove(&self.topics, self.number);
        self.storage.changes.leave(&self.whose);
    }
}

impl Changes {
    pub(super) fn new() -> Self {
        Self {
            counters: std::array::from_fn(|_| AtomicU64::default()),
            watching: AtomicUsize::default(),
            watched: Mutex::default(),
            others: Others::default(),
        }
    }

    /// A transaction of this gateway has changed these tables, and has ended.
    pub(super) fn note<'a>(&self, tenant: i64, tables: impl Iterator<Item = &'a str>) {
        self.counter(tenant).fetch_add(1, Ordering::SeqCst);
        let (here, there) = (self.watching() > 0, self.others.wait());
        if !here && !there {
            return;
        }
        for table in tables {
            let topic = Topic { tenant, table: table.to_owned() };
            self.wake(&topic);
            if there {
                self.others.tell(topic);
            }
        }
    }

    /// Another gateway has changed a table.
    pub(super) fn heard_of(&self, topic: &Topic) {
        self.counter(topic.tenant).fetch_add(1, Ordering::SeqCst);
        self.wake(topic);
    }

    /// Another gateway waits, or still does.
    pub(super) fn heard_of_waiting(&self, for_this_long: Duration) {
        *lock(&self.others.wait_until) = Some(Instant::now() + for_this_long);
    }

    /// Something may have changed that nobody has told of.
    pub(super) fn wake_all(&self) {
        let watched = lock(&self.watched);
        watched.by_topic.values().flat_map(HashMap::values).for_each(|woken| woken.notify_one());
    }

    pub(super) fn watching(&self) -> usize {
        self.watching.load(Ordering::SeqCst)
    }

    /// Wait for something to tell other gateways: a change, or that requests wait here.
    pub(super) async fn to_tell(&self) {
        self.others.to_tell.notified().await;
    }

    /// What is to be told of changes.
    pub(super) fn take_untold(&self) -> HashSet<Topic> {
        std::mem::take(&mut lock(&self.others.untold))
    }

    fn counter(&self, tenant: i64) -> &AtomicU64 {
        let place = usize::try_from(tenant.unsigned_abs()).unwrap_or_default() % COUNTERS;
        &self.counters[place]
    }

    fn wake(&self, topic: &Topic) {
        let watched = lock(&self.watched);
        let waiting = watched.by_topic.get(topic);
        waiting.into_iter().flat_map(HashMap::values).for_each(|woken| woken.notify_one());
    }

    /// Take a place among those who watch.
    fn enter(&self, whose: &(Tenant, String), most: usize) -> bool {
        let mut watched = lock(&self.watched);
        let watching = watched.watching.entry(whose.clone()).or_default();
        if *watching >= most {
            return false;
        }
        *watching += 1;
        if self.watching.fetch_add(1, Ordering::SeqCst) == 0 {
            self.others.to_tell.notify_one();
        }
        true
    }

    /// Give it back.
    fn leave(&self, whose: &(Tenant, String)) {
        if let Some(watching) = lock(&self.watched).watching.get_mut(whose) {
            *watching -= 1;
        }
        self.watching.fetch_sub(1, Ordering::SeqCst);
    }

    fn add(&self, topics: &[Topic], woken: &Arc<Notify>) -> u64 {
        let mut watched = lock(&self.watched);
        let number = watched.next;
        watched.next += 1;
        for topic in topics {
            let waiting = watched.by_topic.entry(topic.clone()).or_default();
            waiting.insert(number, Arc::clone(woken));
        }
        number
    }

    fn remove(&self, topics: &[Topic], number: u64) {
        let mut watched = lock(&self.watched);
        for topic in topics {
            if let Some(waiting) = watched.by_topic.get_mut(topic) {
                waiting.remove(&number);
                if waiting.is_empty() {
                    watched.by_topic.remove(topic);
                }
            }
        }
    }
}

impl Others {
    fn wait(&self) -> bool {
        lock(&self.wait_until).is_some_and(|until| Instant::now() < until)
    }

    fn tell(&self, topic: Topic) {
        lock(&self.untold).insert(topic);
        self.to_tell.notify_one();
    }
}

fn has_changed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Written { .. } | Outcome::Deleted(true))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
