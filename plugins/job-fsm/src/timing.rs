//! How long a job may take, and how long it rests before it is tried again.

use loggia_plugin_sdk::Timestamp;
use serde_json::{Map, Value};

/// How long a worker that was given a job may take to start it.
pub(crate) const ASSIGNED_SECONDS: i64 = 300;

/// How long a job may run that says nothing of its duration.
const RUNNING_SECONDS: f64 = 1_800.0;

/// What the pipelines of gstreamer take to come up and to drain.
const GSTREAMER_SECONDS: f64 = 30.0;

/// The longest time that a job may ask for: 30 days.
const MAX_RUNNING_SECONDS: f64 = 2_592_000.0;

const FIRST_REST_SECONDS: u64 = 5;
const MAX_REST_SECONDS: u64 = 300;

/// How long a job may run.
pub(crate) fn running_millis(engine: &str, parameters: &Map<String, Value>) -> i64 {
    let duration = parameters.get("duration").and_then(Value::as_f64);
    let duration = duration.filter(|seconds| *seconds > 0.0);
    let seconds = match (duration, engine) {
        (None, _) => RUNNING_SECONDS,
        (Some(duration), "ffmpeg" | "auto") => duration * 2.0,
        (Some(duration), "gstreamer") => duration + GSTREAMER_SECONDS,
        (Some(duration), _) => duration,
    };
    millis(seconds.min(MAX_RUNNING_SECONDS))
}

/// When a job is tried again that was tried again so often before. `luck` is from 0 to 1, and
/// `jitter` what share of the rest it adds at most.
pub(crate) fn retry_at(now: Timestamp, retry_count: u32, jitter: f64, luck: f64) -> Timestamp {
    let doubled = FIRST_REST_SECONDS.saturating_mul(1 << retry_count.min(16));
    let seconds = f64::from(u32::try_from(doubled.min(MAX_REST_SECONDS)).unwrap_or(u32::MAX));
    now.plus_millis(millis(seconds * (1.0 + jitter * luck)))
}

#[expect(clippy::cast_possible_truncation, reason = "it is at most that of 30 days")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_may_run_as_long_as_its_engine_needs() {
        let cases = [
            ("ffmpeg", json!({"duration": 60}), 120_000),
            ("auto", json!({"duration": 60}), 120_000),
            ("gstreamer", json!({"duration": 60}), 90_000),
            ("blender", json!({"duration": 60}), 60_000),
            ("blender", json!({"duration": 0.5}), 500),
            ("ffmpeg", json!({}), 1_800_000),
            ("ffmpeg", json!({"duration": 0}), 1_800_000),
            ("gstreamer", json!({"duration": -1}), 1_800_000),
            ("auto", json!({"duration": "60"}), 1_800_000),
            ("auto", json!({"duration": 1e300}), 2_592_000_000),
        ];
        for (engine, parameters, expected) in cases {
            let Value::Object(parameters) = parameters else { panic!("an object") };
            assert_eq!(running_millis(engine, &parameters), expected, "{engine} {parameters:?}");
        }
    }

    #[test]
    fn each_rest_is_twice_the_one_before_up_to_300_seconds() {
        let rests = [5, 10, 20, 40, 80, 160, 300, 300];
        for (retry_count, seconds) in (0..).zip(rests) {
            let at = retry_at(Timestamp::from_millis(0), retry_count, 0.0, 0.7);
            assert_eq!(at.as_millis(), seconds * 1_000, "{retry_count}");
        }
        assert_eq!(retry_at(Timestamp::from_millis(0), u32::MAX, 0.0, 0.0).as_millis(), 300_000);
    }

    #[test]
    fn jitter_adds_its_share_at_most() {
        let rest = |luck| retry_at(Timestamp::from_millis(0), 1, 0.1, luck).as_millis();
        assert_eq!([rest(0.0), rest(0.5), rest(1.0)], [10_000, 10_500, 11_000]);
    }
}
