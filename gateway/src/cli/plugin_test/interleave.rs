//! Requests that are under way at once, each let go by one storage call at a time.
//!
//! At every turn all requests stand still: before a storage call, before a commit, or because the
//! database makes them wait for one that does. Who waits so is known from the database, so no time
//! has to pass to find it out, and the turn goes to another. Begin at [`run`].

use std::time::Duration;

use futures_util::future::select_all;
use tokio::time::sleep;

use super::choices::Choices;
use super::lane::{Event, Held, Lane};
use super::steps::{Interleave, Order};
use super::world::World;
use crate::http::Answer;
use crate::storage::Storage;

/// What came of it.
#[derive(Debug)]
pub(super) struct Interleaved<'t> {
    pub(super) lanes: Vec<Lane<'t>>,
    pub(super) answers: Vec<Answer>,
    /// Whose turn it was, from 1.
    pub(super) order: Vec<usize>,
}

/// What a request does now.
#[derive(Debug)]
enum State {
    /// It computes, or waits for the database.
    Moving,
    /// It stands still until it is let go.
    Parked(Held),
    /// It waits for a change, and is woken by the gateway.
    Waiting,
    Ended(Answer),
}

/// Between two looks at the database.
const LOOK: Duration = Duration::from_millis(1);

/// So often in a row the database says that all others wait before it is believed: the end of a
/// transaction and its disappearance from the lists are not one.
const LOOKS: u32 = 3;

/// Run the requests in one order.
pub(super) async fn run<'t>(
    world: &mut World,
    step: &'t Interleave,
    choices: &mut Choices,
) -> anyhow::Result<Interleaved<'t>> {
    let mut lanes = Vec::new();
    for request in &step.requests {
        lanes.push(world.send(request).await?);
    }
    let mut race = Race { states: lanes.iter().map(|_| State::Moving).collect(), lanes };
    let mut turns = Turns::new(&step.order, choices);
    loop {
        race.settle(&world.storage).await?;
        let parked = race.parked();
        if let Some(turn) = turns.next(&parked) {
            race.let_go(turn);
        } else if !race.moved().await? {
            break;
        }
    }
    let order = turns.taken.iter().map(|place| place + 1).collect();
    let answers = race.states.into_iter().filter_map(|state| match state {
        State::Ended(answer) => Some(answer),
        _ => None,
    });
    Ok(Interleaved { answers: answers.collect(), lanes: race.lanes, order })
}

struct Race<'t> {
    lanes: Vec<Lane<'t>>,
    states: Vec<State>,
}

impl Race<'_> {
    /// Wait until every request stands still, has ended, or waits for one that stands still.
    async fn settle(&mut self, storage: &Storage) -> anyhow::Result<()> {
        let mut blocked_looks = 0;
        while blocked_looks < LOOKS {
            let moving = self.count(|state| matches!(state, State::Moving));
            if moving == 0 {
                return Ok(());
            }
            let looked = tokio::select! {
                moved = self.moved() => {
                    moved?;
                    None
                }
                () = sleep(LOOK) => Some(storage.blocked().await?),
            };
            let parked = self.count(|state| matches!(state, State::Parked(_)));
            match looked {
                Some(blocked) if blocked >= moving && parked > 0 => blocked_looks += 1,
                _ => blocked_looks = 0,
            }
        }
        Ok(())
    }

    /// Wait for what comes next of any; false when all have ended.
    async fn moved(&mut self) -> anyhow::Result<bool> {
        let moving = self.lanes.iter_mut().zip(&self.states).enumerate();
        let moving =
            moving.filter(|(_, (_, state))| matches!(state, State::Moving | State::Waiting));
        let nexts: Vec<_> = moving
            .map(|(place, (lane, _))| Box::pin(async move { (place, lane.next().await) }))
            .collect();
        if nexts.is_empty() {
            return Ok(false);
        }
        let ((place, event), _, _) = select_all(nexts).await;
        self.states[place] = match event.map_err(anyhow::Error::msg)? {
            Event::Parked(held) => State::Parked(held),
            Event::Waits => State::Waiting,
            Event::Runs => State::Moving,
            Event::Answered(answer) => State::Ended(answer),
        };
        Ok(true)
    }

    fn parked(&self) -> Vec<usize> {
        let states = self.states.iter().enumerate();
        states.filter(|(_, s)| matches!(s, State::Parked(_))).map(|(place, _)| place).collect()
    }

    fn let_go(&mut self, place: usize) {
        if let State::Parked(held) = std::mem::replace(&mut self.states[place], State::Moving) {
            held.let_go();
        }
    }

    fn count(&self, is: impl Fn(&State) -> bool) -> usize {
        self.states.iter().filter(|state| is(state)).count()
    }
}

/// Decides whose turn it is.
struct Turns<'c> {
    choices: Option<&'c mut Choices>,
    stated: std::vec::IntoIter<usize>,
    taken: Vec<usize>,
}

impl<'c> Turns<'c> {
    fn new(order: &Order, choices: &'c mut Choices) -> Self {
        let (choices, stated) = match order {
            Order::All => (Some(choices), Vec::new()),
            Order::Stated(turns) => (None, turns.clone()),
        };
        Self { choices, stated: stated.into_iter(), taken: Vec::new() }
    }

    /// One of those that stand still. The stated turn of another passes: it has ended, or waits
    /// for one of these.
    fn next(&mut self, parked: &[usize]) -> Option<usize> {
        let first = *parked.first()?;
        let turn = match &mut self.choices {
            Some(choices) if parked.len() > 1 => parked[choices.take(parked.len())],
            Some(_) => first,
            None => self.stated.find(|turn| parked.contains(turn)).unwrap_or(first),
        };
        self.taken.push(turn);
        Some(turn)
    }
}
