//! What workers may do, with which token and in which state.

use serde_json::json;

use super::*;
use crate::machine::tests::{job, rules};

fn claimed() -> Job {
    let mut job = job(json!({}));
    job.enter(State::Assigned, None, &rules(0)).expect("it is queued");
    job
}

fn report(token: u64) -> Report {
    Report { token, ..Report::default() }
}

const VERBS: [Verb; 4] = [Verb::Start, Verb::Heartbeat, Verb::Complete, Verb::Fail];

fn code(worked: Result<Entered, Problem>) -> String {
    worked.expect_err("it is refused").code
}

#[test]
fn a_token_that_is_not_in_force_is_refused_whatever_the_state() {
    for verb in VERBS {
        for token in [0, 2, u64::MAX] {
            assert_eq!(code(claimed().work(verb, report(token), &rules(1))), "lease-lost");
        }
        for to in [State::Canceled, State::Paused, State::Retrying, State::TimedOut] {
            let mut job = claimed();
            job.enter(to, None, &rules(1)).expect("it is assigned");
            let before = job.transitions.clone();
            assert_eq!(code(job.work(verb, report(1), &rules(2))), "lease-lost", "{verb:?} {to:?}");
            assert_eq!(job.transitions, before);
        }
        assert_eq!(code(job(json!({})).work(verb, report(0), &rules(1))), "lease-lost");
    }
}

#[test]
fn a_worker_that_asks_again_is_told_the_same() {
    for (verb, state) in [(Verb::Start, State::Running), (Verb::Complete, State::Completed)] {
        let mut job = claimed();
        assert_eq!(job.work(verb, report(1), &rules(1)), Ok(Entered::Changed));
        assert_eq!(job.work(verb, report(1), &rules(2)), Ok(Entered::WasThere));
        assert_eq!(job.status, state);
    }
    let mut job = claimed();
    job.max_retries = 0;
    assert_eq!(job.work(Verb::Fail, report(1), &rules(1)), Ok(Entered::Changed));
    assert_eq!(job.work(Verb::Fail, report(1), &rules(2)), Ok(Entered::WasThere));
    assert_eq!(code(job.work(Verb::Complete, report(1), &rules(3))), "invalid-transition");
    assert_eq!(code(job.work(Verb::Heartbeat, report(1), &rules(3))), "invalid-transition");
}

#[test]
fn what_completes_without_a_start_is_written_as_started() {
    let mut job = claimed();
    let report =
        Report { result: Some([("a".to_owned(), json!(1))].into_iter().collect()), ..report(1) };
    job.work(Verb::Complete, report, &rules(3)).expect("it is assigned");
    let way: Vec<State> = job.transitions.iter().map(|entry| entry.to).collect();
    assert_eq!(way, [State::Queued, State::Assigned, State::Running, State::Completed]);
    assert_eq!((job.progress, job.duration_ms), (100.0, Some(0)));
    assert_eq!(job.result.and_then(|result| result.get("a").cloned()), Some(json!(1)));
}

#[test]
fn a_heartbeat_extends_the_lease_by_what_it_was_given_for() {
    let mut job = claimed();
    job.lend(7.0, rules(0).now);
    let said = Report { progress: Some(40.0), logs: Some("frame 1".to_owned()), ..report(1) };
    job.work(Verb::Heartbeat, said, &rules(5)).expect("it is assigned");
    let ends = job.lease.map(|lease| lease.expires_at.as_millis());
    assert_eq!((ends, job.progress), (Some(12_000), 40.0));
    assert_eq!((job.status, job.logs.len()), (State::Assigned, 1));
    assert_eq!(job.logs[0].text, "frame 1");
}

#[test]
fn of_what_workers_say_the_end_is_kept() {
    let mut job = claimed();
    for n in 0..10 {
        let said = Report { logs: Some(format!("{n}{}", "x".repeat(10_000))), ..report(1) };
        job.work(Verb::Heartbeat, said, &rules(1)).expect("it is assigned");
    }
    let first: Vec<&str> = job.logs.iter().map(|entry| &entry.text[..1]).collect();
    assert_eq!(first, ["4", "5", "6", "7", "8", "9"]);
    let said = Report { logs: Some("é".repeat(MAX_LOG_CHARS as usize)), ..report(1) };
    job.work(Verb::Heartbeat, said, &rules(1)).expect("it is assigned");
    assert!(job.logs.last().is_some_and(|entry| entry.text.starts_with('é')));
}

#[test]
fn a_failure_without_a_reason_is_one_at_run_time() {
    let mut job = claimed();
    let said = Report { error: Some("exit 1".to_owned()), ..report(1) };
    job.work(Verb::Fail, said, &rules(1)).expect("it is assigned");
    assert_eq!(
        (job.status, job.failure_reason),
        (State::Retrying, Some(FailureReason::RuntimeError))
    );
    assert_eq!(job.retry_reason.as_deref(), Some("exit 1"));
}
