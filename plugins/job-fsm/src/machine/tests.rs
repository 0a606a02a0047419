//! Each change of state, with what it does to the job.

use serde_json::{Value, json};

use super::*;
use crate::new_job::NewJob;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(0).plus_seconds(seconds)
}

pub(crate) fn rules(seconds: i64) -> Rules {
    let settings = Settings { retry_jitter: 0.0, ..Settings::default() };
    Rules { now: at(seconds), settings, luck: 0.5 }
}

pub(crate) fn job(new: Value) -> Job {
    let new: NewJob = serde_json::from_value(new).expect("a new job");
    new.into_job(1, at(0))
}

/// A job of this state, as it comes there.
fn in_state(state: State) -> Job {
    let way: &[State] = match state {
        State::Queued => &[],
        State::Assigned => &[State::Assigned],
        State::Running => &[State::Assigned, State::Running],
        State::Completed => &[State::Assigned, State::Running, State::Completed],
        State::Failed => &[State::Assigned, State::Failed],
        State::Canceled => &[State::Canceled],
        State::TimedOut => &[State::Assigned, State::TimedOut],
        State::Retrying => &[State::Retrying],
        State::Rejected => &[State::Rejected],
        State::Paused => &[State::Paused],
    };
    let mut job = job(json!({}));
    for state in way {
        job.enter(*state, None, &rules(0)).expect("a way there");
    }
    assert_eq!(job.status, state);
    job
}

#[test]
fn a_job_goes_where_its_state_allows_and_nowhere_else() {
    for from in State::ALL {
        for to in State::ALL {
            let mut job = in_state(from);
            let before = job.transitions.len();
            let entered = job.enter(to, Some("why"), &rules(9));
            if from == to {
                assert_eq!(entered, Ok(Entered::WasThere), "{from:?}");
            } else if from.next().contains(&to) {
                assert_eq!(entered, Ok(Entered::Changed), "{from:?} to {to:?}");
                let entry = job.transitions.last().expect("an entry");
                assert_eq!((entry.to, entry.at), (to, at(9)));
                assert_eq!(entry.reason.as_deref(), Some("why"));
                assert_eq!(job.status, to);
            } else {
                assert_eq!(entered, Err(InvalidTransition { from, to }));
            }
            let changed = entered == Ok(Entered::Changed);
            assert_eq!(job.transitions.len(), before + usize::from(changed), "{from:?} to {to:?}");
            assert_eq!(job.status == to, entered.is_ok());
        }
    }
}

#[test]
fn the_log_is_a_chain() {
    let mut job = in_state(State::Running);
    job.fail(FailureReason::RuntimeError, None, "why", &rules(1)).expect("it runs");
    job.enter(State::Queued, None, &rules(6)).expect("it rests");
    job.enter(State::Canceled, None, &rules(7)).expect("it is queued");
    job.reopen(None, &rules(8)).expect("it was canceled");
    let log = job.log("j");
    let shown: Vec<(&Value, &Value)> =
        log.iter().map(|entry| (&entry["to"], &entry["attempt"])).collect();
    let expected = [
        ("queued", 0),
        ("assigned", 1),
        ("running", 1),
        ("retrying", 1),
        ("queued", 1),
        ("canceled", 1),
        ("retrying", 1),
        ("queued", 1),
    ];
    assert_eq!(
        shown,
        expected
            .map(|(to, attempt)| (json!(to), json!(attempt)))
            .iter()
            .map(|(to, attempt)| (to, attempt))
            .collect::<Vec<_>>()
    );
    assert!(log.windows(2).all(|two| two[1]["from"] == two[0]["to"]), "{log:?}");
    assert_eq!((&log[0]["from"], &log[7]["seq"]), (&json!(null), &json!(8)));
}

#[test]
fn only_who_has_a_job_has_a_token() {
    for state in State::ALL {
        let job = in_state(state);
        let keeps = state.is_held() || state == State::Completed;
        assert_eq!(job.is_lent_by(1), keeps, "{state:?}");
        assert!(!job.is_lent_by(0) && !job.is_lent_by(2), "{state:?}");
        assert_eq!(job.shown_lease().is_some(), state.is_held(), "{state:?}");
    }
}

#[test]
fn each_state_is_looked_at_when_something_is_due() {
    let week = 7 * 86_400;
    let cases = [
        (State::Queued, None),
        (State::Assigned, Some(30)),
        (State::Running, Some(30)),
        (State::Completed, Some(week)),
        (State::Failed, Some(week)),
        (State::Canceled, Some(week)),
        (State::TimedOut, Some(0)),
        (State::Retrying, Some(5)),
        (State::Rejected, Some(week)),
        (State::Paused, None),
    ];
    for (state, due) in cases {
        assert_eq!(in_state(state).due_at, due.map(at), "{state:?}");
    }
}

#[test]
fn a_worker_has_five_minutes_to_start_and_what_the_job_says_to_run() {
    let mut job = job(json!({"engine": "gstreamer", "parameters": {"duration": 100}}));
    job.enter(State::Assigned, None, &rules(0)).expect("it is queued");
    assert_eq!(job.timeout_at, Some(at(300)));
    job.lend(1_000.0, at(0));
    assert_eq!(job.due_at, Some(at(300)), "the earlier of both");
    job.enter(State::Running, None, &rules(10)).expect("it is assigned");
    assert_eq!((job.timeout_at, job.started_at), (Some(at(140)), Some(at(10))));
    assert_eq!(job.lease.map(|lease| lease.expires_at), Some(at(1_010)));
    assert_eq!(job.due_at, Some(at(140)));
    job.enter(State::Completed, None, &rules(60)).expect("it runs");
    assert_eq!((job.duration_ms, job.completed_at), (Some(50_000), Some(at(60))));
    assert_eq!(job.timeout_at, None);
}

#[test]
fn a_failure_is_tried_again_where_that_is_of_use() {
    use FailureReason::{CapabilityMismatch, NetworkError, RuntimeError};
    let cases = [
        (RuntimeError, None, 0, State::Retrying),
        (RuntimeError, Some("exit 1"), 2, State::Retrying),
        (RuntimeError, None, 3, State::Failed),
        (NetworkError, None, 4, State::Failed),
        (RuntimeError, Some("non-retryable: no such file"), 0, State::Failed),
        (CapabilityMismatch, None, 0, State::Failed),
    ];
    for (reason, error, retry_count, expected) in cases {
        let mut job = in_state(State::Running);
        job.retry_count = retry_count;
        job.fail(reason, error.map(str::to_owned), "why", &rules(10)).expect("it runs");
        assert_eq!(job.status, expected, "{reason:?} {error:?} {retry_count}");
        assert_eq!(job.failure_reason, Some(reason));
        assert_eq!(job.error.as_deref(), error);
        assert_eq!(job.completed_at.is_some(), expected == State::Failed);
    }
}

#[test]
fn retries_rest_longer_each_time_and_end() {
    let mut job = job(json!({"max_retries": 4}));
    let mut now = 0;
    let mut rests = Vec::new();
    loop {
        job.enter(State::Assigned, None, &rules(now)).expect("it is queued");
        job.fail(FailureReason::RuntimeError, None, "why", &rules(now)).expect("it is assigned");
        if job.status == State::Failed {
            break;
        }
        let rest = (job.run_at.as_millis() / 1_000) - now;
        rests.push(rest);
        now += rest;
        job.enter(State::Queued, None, &rules(now)).expect("it rests");
    }
    assert_eq!(rests, [5, 10, 20, 40]);
    assert_eq!((job.attempt, job.retry_count), (5, 4));
    assert_eq!(job.retry_reason.as_deref(), Some("why"));
}

#[test]
fn an_operator_tries_again_what_has_failed_or_was_canceled_alone() {
    for state in State::ALL {
        let mut job = in_state(state);
        let reopened = job.reopen(Some("again"), &rules(9));
        if matches!(state, State::Failed | State::Canceled) {
            assert_eq!(reopened, Ok(Entered::Changed));
            let way: Vec<State> = job.transitions.iter().rev().take(2).map(|to| to.to).collect();
            assert_eq!(way, [State::Queued, State::Retrying]);
            assert_eq!((job.run_at, job.completed_at), (at(9), None));
        } else {
            let refused = InvalidTransition { from: state, to: State::Retrying };
            assert_eq!(reopened, Err(refused));
        }
    }
}

#[test]
fn a_job_that_needs_something_is_looked_at_at_once() {
    assert_eq!(job(json!({"parameters": {"threads": 4}})).due_at, Some(at(0)));
    let later = job(json!({"run_at": at(60)}));
    assert_eq!((later.due_at, later.run_at), (Some(at(60)), at(60)));
    assert_eq!(job(json!({"run_at": at(-60)})).run_at, at(0), "not before it was made");
}
