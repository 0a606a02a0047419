//! `requests_per_second`: how many requests a tenant may send to a plugin, and what its clients are
//! told of that. A second's worth may come at once (GCRA).

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::problem::Problem;

/// The requests of one tenant to one plugin.
#[derive(Debug)]
pub(super) struct Rate<C: Clock = DefaultClock> {
    per_second: NonZeroU32,
    limiter: RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>,
}

/// What is left after a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Left {
    per_second: NonZeroU32,
    requests: u32,
    /// Until one more is.
    wait: Duration,
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Rate {
    /// `None` where there is no limit.
    pub(super) fn new(per_second: u32) -> Option<Self> {
        NonZeroU32::new(per_second).map(|limit| Self::with_clock(limit, DefaultClock::default()))
    }
}

impl<C: Clock> Rate<C> {
    fn with_clock(per_second: NonZeroU32, clock: C) -> Self {
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(per_second), clock);
        Self { per_second, limiter: limiter.with_middleware() }
    }

    /// Count a request.
    ///
    /// # Errors
    /// It is one too many.
    pub(super) fn take(&self) -> Result<Left, Problem> {
        self.left().map_err(|left| {
            let mut headers = HeaderMap::new();
            left.tell(&mut headers);
            let seconds = left.seconds();
            let detail = format!(
                "the tenant sends more than {} requests in a second; try again in {seconds} s",
                self.per_second
            );
            let problem =
                Problem::of_limit(StatusCode::TOO_MANY_REQUESTS, "tenant-quota", RATE, detail)
                    .retry_after(seconds);
            headers.into_iter().fold(problem, |problem, (name, value)| match name {
                Some(name) => problem.header(name, value),
                None => problem,
            })
        })
    }

    fn left(&self) -> Result<Left, Left> {
        let per_second = self.per_second;
        match self.limiter.check() {
            Ok(state) => {
                let requests = state.remaining_burst_capacity();
                Ok(Left { per_second, requests, wait: Duration::from_secs(1) })
            }
            Err(refused) => {
                let wait = refused.wait_time_from(self.limiter.clock().now());
                Err(Left { per_second, requests: 0, wait })
            }
        }
    }
}

/// Its name in `gateway.toml`.
const RATE: &str = "requests_per_second";

impl Left {
    /// As the draft of the `RateLimit` fields has it.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let policy = format!("\"requests\";q={};w=1", self.per_second);
        let left = format!("\"requests\";r={};t={}", self.requests, self.seconds());
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }

    fn seconds(&self) -> u32 {
        Problem::whole_seconds(self.wait)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_one_after_the_other() {
        let clock = FakeRelativeClock::default();
        let rate = Rate::with_clock(NonZeroU32::new(4).expect("not 0"), clock.clone());
        let left: Vec<_> = (0..4).map(|_| rate.left().map(|left| left.requests)).collect();
        assert_eq!(left, [Ok(3), Ok(2), Ok(1), Ok(0)]);
        let refused = rate.left().expect_err("the fifth is one too many");
        assert_eq!((refused.wait, refused.seconds()), (Duration::from_millis(250), 1));
        clock.advance(Duration::from_millis(249));
        assert_eq!(rate.left().map_err(|left| left.wait), Err(Duration::from_millis(1)));
        clock.advance(Duration::from_millis(1));
        assert!(rate.left().is_ok());
        assert!(rate.left().is_err());
    }

    #[test]
    fn clients_are_told_what_is_left() {
        let per_second = NonZeroU32::new(200).expect("not 0");
        let mut headers = HeaderMap::new();
        Left { per_second, requests: 7, wait: Duration::from_millis(1_001) }.tell(&mut headers);
        assert_eq!(headers[RATE_LIMIT_POLICY], "\"requests\";q=200;w=1");
        assert_eq!(headers[RATE_LIMIT], "\"requests\";r=7;t=2");
    }

    #[test]
    fn no_limit_is_none() {
        assert!(Rate::new(0).is_none());
    }
}
