//! So many places, for tenants in turn. Begin reading at [`Places::ask`].
//!
//! While a place is free, nobody waits who could have it. So asking for one is a look under a lock,
//! and giving one back serves at most one who waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// What tenants share. Its clones are the same places.
#[derive(Debug)]
pub struct Places<T: Copy + Eq + Hash>(Arc<Mutex<State<T>>>);

/// What one tenant may have of the places in one matter.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The matter: a tenant's matters are counted apart, and have its turns together.
    pub matter: usize,
    /// The most places at a time.
    pub most: u32,
    /// The most that may wait for one.
    pub queued: u32,
}

/// A place, or a place in the queue.
#[derive(Debug)]
pub enum Asked<T: Copy + Eq + Hash> {
    /// It was free.
    Now(Place<T>),
    /// It will be told.
    Later(Waiter<T>),
}

/// As many wait as may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Place<T: Copy + Eq + Hash> {
    places: Places<T>,
    tenant: T,
    matter: usize,
}

/// Waits for a place until it is dropped.
#[derive(Debug)]
pub struct Waiter<T: Copy + Eq + Hash> {
    places: Places<T>,
    tenant: T,
    matter: usize,
    ticket: u64,
    told: oneshot::Receiver<Place<T>>,
}

#[derive(Debug)]
struct State<T: Copy + Eq + Hash> {
    size: u32,
    free: u32,
    waiting: u32,
    /// Tickets given out.
    tickets: u64,
    /// The matters of each tenant that has asked. An entry stays without one: tenants are few.
    tenants: HashMap<T, Vec<Matter<T>>>,
    /// Tenants of whom somebody waits, each once; whose turn is next comes first.
    turns: VecDeque<T>,
}

#[derive(Debug)]
struct Matter<T: Copy + Eq + Hash> {
    number: usize,
    most: u32,
    held: u32,
    /// By their tickets, and so in the order in which they came.
    waiters: BTreeMap<u64, oneshot::Sender<Place<T>>>,
}

impl<T: Copy + Eq + Hash> Clone for Places<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Copy + Eq + Hash> Places<T> {
    /// So many places, all of them free.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self(Arc::new(Mutex::new(State {
            size,
            free: size,
            waiting: 0,
            tickets: 0,
            tenants: HashMap::new(),
            turns: VecDeque::new(),
        })))
    }

    /// A place, if one is free and the tenant may have it; else one in the queue.
    ///
    /// # Errors
    /// As many of the tenant wait as may.
    pub fn ask(&self, tenant: T, share: Share) -> Result<Asked<T>, Full> {
        let mut state = self.state();
        let State { free, tickets, tenants, .. } = &mut *state;
        let matters = tenants.entry(tenant).or_default();
        let nobody_waits = matters.iter().all(|matter| matter.waiters.is_empty());
        let matter = Matter::of(matters, share.matter);
        matter.most = share.most;
        if *free > 0 && matter.held < share.most {
            matter.held += 1;
            *free -= 1;
            return Ok(Asked::Now(self.place(tenant, share.matter)));
        }
        if matter.waiters.len() >= share.queued as usize {
            return Err(Full);
        }
        *tickets += 1;
        let ticket = *tickets;
        let (tell, told) = oneshot::channel();
        matter.waiters.insert(ticket, tell);
        state.waiting += 1;
        if nobody_waits {
            state.turns.push_back(tenant);
        }
        let places = self.clone();
        Ok(Asked::Later(Waiter { places, tenant, matter: share.matter, ticket, told }))
    }

    /// Places that are held.
    #[must_use]
    pub fn held(&self) -> u32 {
        let state = self.state();
        state.size - state.free
    }

    /// How many wait for one.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.state().waiting
    }

    fn place(&self, tenant: T, matter: usize) -> Place<T> {
        Place { places: self.clone(), tenant, matter }
    }

    fn give_back(&self, tenant: T, matter: usize) {
        let mut state = self.state();
        state.free += 1;
        let matters = state.tenants.entry(tenant).or_default();
        Matter::of(matters, matter).held -= 1;
        matters.retain(Matter::is_in_use);
        let next = state.next();
        drop(state);
        if let Some((tenant, matter, tell)) = next {
            // Who has gone in the meantime drops the place, and it goes to the next one.
            drop(tell.send(self.place(tenant, matter)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who gets a place: whose it is, in which matter, and how to tell.
type Next<T> = (T, usize, oneshot::Sender<Place<T>>);

impl<T: Copy + Eq + Hash> State<T> {
    /// The first in turn who may have one more.
    fn next(&mut self) -> Option<Next<T>> {
        let tenants = &self.tenants;
        let ready = |tenant: &T| tenants[tenant].iter().any(Matter::is_ready);
        let turn = self.turns.iter().position(ready)?;
        let tenant = self.turns.remove(turn)?;
        let matters = self.tenants.get_mut(&tenant)?;
        let ready = matters.iter_mut().filter(|matter| matter.is_ready());
        let matter = ready.min_by_key(|matter| matter.waiters.keys().next().copied())?;
        let (_, tell) = matter.waiters.pop_first()?;
        matter.held += 1;
        let number = matter.number;
        self.free -= 1;
        self.waiting -= 1;
        if matters.iter().any(|matter| !matter.waiters.is_empty()) {
            self.turns.push_back(tenant);
        }
        Some((tenant, number, tell))
    }

    /// Somebody does not wait any more, who may have been told meanwhile.
    fn leave(&mut self, tenant: T, matter: usize, ticket: u64) {
        let matters = self.tenants.entry(tenant).or_default();
        if Matter::of(matters, matter).waiters.remove(&ticket).is_none() {
            return;
        }
        let nobody_waits = matters.iter().all(|matter| matter.waiters.is_empty());
        self.waiting -= 1;
        if nobody_waits {
            self.turns.retain(|other| *other != tenant);
        }
    }
}

impl<T: Copy + Eq + Hash> Matter<T> {
    fn of(matters: &mut Vec<Self>, number: usize) -> &mut Self {
        let known = matters.iter().position(|matter| matter.number == number);
        let place = known.unwrap_or_else(|| {
            matters.push(Self { number, most: 0, held: 0, waiters: BTreeMap::new() });
            matters.len() - 1
        });
        &mut matters[place]
    }

    /// Matters come and go with loaded plugins.
    fn is_in_use(&self) -> bool {
        self.held > 0 || !self.waiters.is_empty()
    }

    fn is_ready(&self) -> bool {
        self.held < self.most && !self.waiters.is_empty()
    }
}

impl<T: Copy + Eq + Hash> Waiter<T> {
    /// The place, when it is this one's turn.
    pub async fn place(&mut self) -> Place<T> {
        let told = (&mut self.told).await;
        told.expect("who waits is in the queue until it is told")
    }

    /// Whether it is its own tenant's places that it waits for.
    #[must_use]
    pub fn has_all(&self) -> bool {
        let mut state = self.places.state();
        let matters = state.tenants.entry(self.tenant).or_default();
        let matter = Matter::of(matters, self.matter);
        matter.held >= matter.most
    }
}

impl<T: Copy + Eq + Hash> Drop for Waiter<T> {
    fn drop(&mut self) {
        self.places.state().leave(self.tenant, self.matter, self.ticket);
    }
}

impl<T: Copy + Eq + Hash> Drop for Place<T> {
    fn drop(&mut self) {
        self.places.give_back(self.tenant, self.matter);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const SHARE: Share = Share { matter: 0, most: 4, queued: 100 };

    fn now(places: &Places<u8>, tenant: u8, share: Share) -> Place<u8> {
        match places.ask(tenant, share) {
            Ok(Asked::Now(place)) => place,
            other => panic!("{tenant}: {other:?}"),
        }
    }

    fn later(places: &Places<u8>, tenant: u8, share: Share) -> Waiter<u8> {
        match places.ask(tenant, share) {
            Ok(Asked::Later(waiter)) => waiter,
            other => panic!("{tenant}: {other:?}"),
        }
    }

    /// Give the held place from one to the next, and say who had it.
    fn order(held: Place<u8>, mut waiters: Vec<Waiter<u8>>) -> Vec<u8> {
        let mut order = Vec::new();
        let mut held = Some(held);
        while held.take().is_some() {
            let told = waiters.iter_mut().enumerate().find_map(|(number, waiter)| {
                waiter.place().now_or_never().map(|place| (number, place))
            });
            held = told.map(|(number, place)| {
                order.push(waiters.remove(number).tenant);
                place
            });
        }
        assert_eq!(waiters.len(), 0, "nobody is forgotten");
        order
    }

    #[test]
    fn tenants_have_turns_however_many_one_has_waiting() {
        let places = Places::new(1);
        let held = now(&places, 1, SHARE);
        let tenants = [1, 1, 1, 1, 2, 1, 3, 2];
        let waiters: Vec<_> = tenants.map(|tenant| later(&places, tenant, SHARE)).into();
        assert_eq!(places.waiting(), 8);
        assert_eq!(order(held, waiters), [1, 2, 3, 1, 2, 1, 1, 1]);
        assert_eq!((places.held(), places.waiting()), (0, 0));
    }

    #[test]
    fn a_tenant_has_no_more_than_its_share() {
        let places = Places::new(3);
        let share = Share { most: 1, ..SHARE };
        let held = now(&places, 1, share);
        let mut waiter = later(&places, 1, share);
        // What is free is for others.
        let other = now(&places, 2, share);
        assert!(waiter.has_all());
        drop(other);
        assert!(waiter.place().now_or_never().is_none());
        drop(held);
        assert!(waiter.place().now_or_never().is_some());
    }

    #[test]
    fn a_queue_that_is_full_refuses_its_own_tenant_alone() {
        let places = Places::new(1);
        let share = Share { queued: 2, ..SHARE };
        let _held = now(&places, 1, share);
        let waiters = [later(&places, 1, share), later(&places, 1, share)];
        assert_eq!(places.ask(1, share).map(drop), Err(Full));
        let _other = later(&places, 2, share);
        let _of_another_matter = later(&places, 1, Share { matter: 1, ..share });
        drop(waiters);
        later(&places, 1, share);
    }

    #[test]
    fn matters_of_one_tenant_are_counted_apart_and_share_its_turns() {
        let places = Places::new(1);
        let matter = |matter| Share { matter, most: 1, queued: 10 };
        let held = now(&places, 9, SHARE);
        let waiters = vec![
            later(&places, 1, matter(1)),
            later(&places, 1, matter(2)),
            later(&places, 2, matter(1)),
        ];
        assert_eq!(order(held, waiters), [1, 2, 1]);
        let places = Places::new(2);
        let (_one, _other) = (now(&places, 1, matter(1)), now(&places, 1, matter(2)));
    }

    #[test]
    fn who_leaves_does_not_keep_a_place() {
        let places = Places::new(1);
        let held = now(&places, 1, SHARE);
        let gone = later(&places, 1, SHARE);
        let told = later(&places, 1, SHARE);
        let mut last = later(&places, 2, SHARE);
        drop(gone);
        assert_eq!(places.waiting(), 2);
        // It was told, and does not look.
        drop(held);
        drop(told);
        assert!(last.place().now_or_never().is_some());
        assert_eq!((places.held(), places.waiting()), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_place_is_lost_or_made() {
        let places = Places::new(3);
        let work = (0..64_u8).map(|number| {
            let places = places.clone();
            tokio::spawn(async move {
                for round in 0..100_u32 {
                    let share = Share { most: 2, ..SHARE };
                    let _place = match places.ask(number % 5, share) {
                        Ok(Asked::Now(place)) => place,
                        Ok(Asked::Later(mut waiter)) => {
                            if (round + u32::from(number)).is_multiple_of(3) {
                                tokio::task::yield_now().await;
                                continue;
                            }
                            waiter.place().await
                        }
                        Err(Full) => continue,
                    };
                    assert!(places.held() <= 3);
                    tokio::task::yield_now().await;
                }
            })
        });
        for done in work.collect::<Vec<_>>() {
            done.await.expect("it ends");
        }
        assert_eq!((places.held(), places.waiting()), (0, 0));
    }
}
