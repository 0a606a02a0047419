//! `quarantine_traps`: a plugin that traps too often for a tenant is closed to it for a while.
//! Other tenants are served: what traps may be what this one has stored, or asks for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use super::problem::Problem;
use crate::config::Limits;

/// The traps of one plugin for one tenant.
#[derive(Debug)]
pub(super) struct Quarantine {
    most: usize,
    window: Duration,
    duration: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When it trapped, at most so often as closes it.
    traps: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Quarantine {
    /// `None` where traps close nothing.
    pub(super) fn new(limits: &Limits) -> Option<Self> {
        let most = usize::try_from(limits.quarantine_traps).unwrap_or(usize::MAX);
        (most > 0).then(|| Self {
            most,
            window: Duration::from_millis(limits.quarantine_window_ms),
            duration: Duration::from_millis(limits.quarantine_ms),
            state: Mutex::default(),
        })
    }

    /// Count a trap; true where it closes the plugin. What was under way before that may trap as
    /// well, and does not keep it closed for longer.
    pub(super) fn note_trap(&self, now: Instant) -> bool {
        let mut state = self.lock();
        if state.closed_until.is_some_and(|until| now < until) {
            return false;
        }
        let is_old = |at: &Instant| now.duration_since(*at) > self.window;
        while state.traps.front().is_some_and(is_old) {
            state.traps.pop_front();
        }
        state.traps.push_back(now);
        if state.traps.len() < self.most {
            return false;
        }
        state.traps.clear();
        state.closed_until = Some(now + self.duration);
        true
    }

    /// Refuse a request while it is closed.
    pub(super) fn check(&self, now: Instant) -> Result<(), Problem> {
        let closed_until = self.lock().closed_until;
        let Some(left) = closed_until.map(|until| until.saturating_duration_since(now)) else {
            return Ok(());
        };
        if left.is_zero() {
            return Ok(());
        }
        let detail = "the plugin has failed too often for this tenant lately; try again later";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Problem::of_limit(status, "plugin-quarantined", "quarantine_traps", detail);
        Err(problem.retry_after(Problem::whole_seconds(left)))
    }

    /// Nothing that is done under this lock can leave it half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn quarantine(traps: u32) -> Option<Quarantine> {
        let limits = Limits {
            quarantine_traps: traps,
            quarantine_window_ms: 60_000,
            quarantine_ms: 10_000,
            ..Limits::default()
        };
        Quarantine::new(&limits)
    }

    #[test]
    fn traps_within_the_window_close_it_for_its_time() {
        let quarantine = quarantine(3).expect("it is on");
        let began = Instant::now();
        let traps = [0, 30, 61].map(|at| quarantine.note_trap(began + at * SECOND));
        assert_eq!(traps, [false; 3], "the first is older than the window");
        assert!(quarantine.check(began + 61 * SECOND).is_ok());
        let closed = began + 62 * SECOND;
        assert!(quarantine.note_trap(closed));
        for late in [Duration::ZERO, 10 * SECOND - Duration::from_millis(1)] {
            let problem = quarantine.check(closed + late).expect_err("it is closed");
            assert_eq!(problem.code(), "plugin-quarantined");
            assert!(!quarantine.note_trap(closed + late), "it was under way");
        }
        let open = closed + 10 * SECOND;
        assert!(quarantine.check(open).is_ok());
        // What was before does not count once more.
        let traps = [1, 2, 3].map(|at| quarantine.note_trap(open + at * SECOND));
        assert_eq!(traps, [false, false, true]);
    }

    #[test]
    fn less_than_a_second_is_told_as_one() {
        let wait = [0, 1, 999_999, 1_000_000_000, 1_000_000_001].map(Duration::from_nanos);
        assert_eq!(wait.map(Problem::whole_seconds), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn no_number_of_traps_is_none() {
        assert!(quarantine(0).is_none());
    }
}
