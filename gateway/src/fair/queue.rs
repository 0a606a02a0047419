//! Work for threads, from tenants in turn.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What waits to be worked off.
#[derive(Debug)]
pub struct Queue<T, I> {
    state: Mutex<State<T, I>>,
    /// There is more, or there will be no more.
    changed: Condvar,
}

#[derive(Debug)]
struct State<T, I> {
    /// Of each tenant that has something here.
    items: HashMap<T, VecDeque<I>>,
    /// These tenants; whose turn is next comes first.
    turns: VecDeque<T>,
    closed: bool,
}

impl<T: Copy + Eq + Hash, I> Default for Queue<T, I> {
    fn default() -> Self {
        let state = State { items: HashMap::new(), turns: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T: Copy + Eq + Hash, I> Queue<T, I> {
    /// Add an item.
    ///
    /// # Errors
    /// The item, when the queue is closed.
    pub fn push(&self, tenant: T, item: I) -> Result<(), I> {
        let mut state = self.state();
        if state.closed {
            return Err(item);
        }
        let items = state.items.entry(tenant).or_default();
        items.push_back(item);
        if items.len() == 1 {
            state.turns.push_back(tenant);
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Wait for the next item; `None` when the queue is closed.
    pub fn pop(&self) -> Option<I> {
        let mut state = self.state();
        loop {
            if let Some(item) = state.next() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next item, if there is one.
    pub fn try_pop(&self) -> Option<I> {
        self.state().next()
    }

    /// Take nothing more. What is there is still worked off.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T, I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Copy + Eq + Hash, I> State<T, I> {
    fn next(&mut self) -> Option<I> {
        let tenant = self.turns.pop_front()?;
        let items = self.items.get_mut(&tenant)?;
        let item = items.pop_front();
        if items.is_empty() {
            self.items.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_have_turns_and_each_keeps_its_order() {
        let queue = Queue::default();
        for item in ["a1", "a2", "a3", "b1", "a4", "c1", "b2"] {
            queue.push(item.as_bytes()[0], item).expect("it is open");
        }
        let popped: Vec<&str> = std::iter::from_fn(|| queue.try_pop()).collect();
        assert_eq!(popped, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_takes_nothing() {
        let queue = Queue::default();
        queue.push(1, "last").expect("it is open");
        queue.close();
        assert_eq!(queue.push(1, "late"), Err("late"));
        assert_eq!((queue.pop(), queue.pop()), (Some("last"), None));
    }

    #[test]
    fn who_waits_is_woken() {
        let queue = Queue::default();
        std::thread::scope(|scope| {
            let popped = scope.spawn(|| (queue.pop(), queue.pop()));
            queue.push(1, "item").expect("it is open");
            queue.close();
            assert_eq!(popped.join().expect("it ends"), (Some("item"), None));
        });
    }
}
