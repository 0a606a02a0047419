//! What waits, warm, for whom it belongs to: instances for their tenants, in all but the tests.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// By owner, each since when, the longest first. No list is empty.
pub(super) struct Idle<K, T> {
    by_owner: HashMap<K, Vec<(Instant, T)>>,
    count: usize,
    most: usize,
}

/// Shared with the task that throws away what nobody asks for.
pub(super) type SharedIdle<K, T> = Arc<Mutex<Idle<K, T>>>;

/// Nothing that is done under this lock can leave it half done.
pub(super) fn lock<K, T>(idle: &Mutex<Idle<K, T>>) -> MutexGuard<'_, Idle<K, T>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Copy + Eq + Hash, T> Idle<K, T> {
    /// Room for so many of all owners.
    pub(super) fn new(most: usize) -> Self {
        Self { by_owner: HashMap::new(), count: 0, most }
    }

    /// The one that was used last.
    pub(super) fn take(&mut self, owner: K) -> Option<T> {
        let (_, value) = self.by_owner.get_mut(&owner)?.pop()?;
        self.forget(owner, 1);
        Some(value)
    }

    /// Keep one, and give back what has no room: one of another owner, or a quiet one would
    /// keep its own for long, or the one itself where there is no other.
    pub(super) fn put(&mut self, owner: K, value: T) -> Option<T> {
        let evicted = if self.count < self.most { None } else { self.take_other(owner) };
        if self.count >= self.most {
            return Some(value);
        }
        self.by_owner.entry(owner).or_default().push((Instant::now(), value));
        self.count += 1;
        evicted
    }

    fn take_other(&mut self, owner: K) -> Option<T> {
        let other = *self.by_owner.keys().find(|other| **other != owner)?;
        self.take(other)
    }

    /// All that have waited for that long.
    fn take_idle_for(&mut self, longest: Duration) -> Vec<T> {
        let owners: Vec<_> = self.by_owner.keys().copied().collect();
        let mut old = Vec::new();
        for owner in owners {
            let Some(kept) = self.by_owner.get_mut(&owner) else {
                continue;
            };
            let count = kept.partition_point(|(since, _)| since.elapsed() >= longest);
            old.extend(kept.drain(..count).map(|(_, value)| value));
            self.forget(owner, count);
        }
        old
    }

    /// After so many of this owner were taken out.
    fn forget(&mut self, owner: K, taken: usize) {
        self.count -= taken;
        if self.by_owner.get(&owner).is_some_and(Vec::is_empty) {
            self.by_owner.remove(&owner);
        }
    }
}

/// Throw away what has waited for so long, in a task that ends when nobody else holds them.
pub(super) fn evict_regularly<K, T>(idle: &SharedIdle<K, T>, longest: Duration)
where
    K: Copy + Eq + Hash + Send + 'static,
    T: Send + 'static,
{
    let idle = Arc::downgrade(idle);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(longest / 2).await;
            let Some(idle) = idle.upgrade() else {
                return;
            };
            let old = lock(&idle).take_idle_for(longest);
            // Not under the lock: each gives memory back.
            drop(old);
        }
    });
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{Sender, channel};

    use super::*;

    const A: char = 'a';
    const B: char = 'b';

    #[test]
    fn each_owner_gets_its_own_the_last_used_first() {
        let mut idle = Idle::new(10);
        for (owner, value) in [(A, 1), (B, 2), (A, 3)] {
            assert_eq!(idle.put(owner, value), None);
        }
        assert_eq!([idle.take(A), idle.take(A), idle.take(A)], [Some(3), Some(1), None]);
        assert_eq!([idle.take(B), idle.take(B)], [Some(2), None]);
        assert!(idle.by_owner.is_empty());
    }

    #[test]
    fn another_owner_makes_room_and_else_nobody_does() {
        let mut idle = Idle::new(2);
        assert_eq!([idle.put(A, 1), idle.put(A, 2), idle.put(A, 3)], [None, None, Some(3)]);
        assert_eq!(idle.put(B, 4), Some(2));
        assert_eq!((idle.count, idle.take(A), idle.take(B)), (2, Some(1), Some(4)));
    }

    #[test]
    fn what_was_idle_for_longer_is_taken_out() {
        let mut idle = Idle::new(10);
        let long_ago = Instant::now() - Duration::from_secs(100);
        idle.by_owner.insert(A, vec![(long_ago, 1), (Instant::now(), 2)]);
        idle.by_owner.insert(B, vec![(long_ago, 3)]);
        idle.count = 3;
        let mut old = idle.take_idle_for(Duration::from_secs(60));
        old.sort_unstable();
        assert_eq!((old, idle.count, idle.by_owner.len()), (vec![1, 3], 1, 1));
    }

    #[tokio::test]
    async fn what_nobody_asks_for_is_dropped() {
        let idle: SharedIdle<char, Sender<()>> = Arc::new(Mutex::new(Idle::new(10)));
        let (kept, dropped) = channel();
        lock(&idle).put(A, kept);
        evict_regularly(&idle, Duration::from_millis(1));
        dropped.await.expect_err("it is dropped and not sent");
        assert_eq!(lock(&idle).count, 0);
    }
}
