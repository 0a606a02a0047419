//! What a job needs of the worker that runs it, read from its parameters.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What codecs that run on a GPU have in their names.
const GPU_CODECS: [&str; 4] = ["nvenc", "qsv", "videotoolbox", "vaapi"];

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Needs {
    pub(crate) gpu: bool,
    /// 0 for any number.
    pub(crate) threads: i64,
    /// 0 for any memory.
    pub(crate) memory_mb: i64,
}

impl Needs {
    pub(crate) fn of(parameters: &Map<String, Value>) -> Self {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let number = |name: &str| parameters.get(name).and_then(Value::as_f64).map_or(0, whole);
        let codec = text("codec").unwrap_or_default().to_lowercase();
        let accelerated = text("hwaccel").is_some_and(|name| !matches!(name, "" | "none"));
        Self {
            gpu: accelerated || GPU_CODECS.iter().any(|name| codec.contains(name)),
            threads: number("threads"),
            memory_mb: number("memory_mb"),
        }
    }

    /// Whether any worker can give it.
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// A part of a thread or of a megabyte takes a whole one.
#[expect(clippy::cast_possible_truncation, reason = "it is cut to what a worker can have")]
fn whole(number: f64) -> i64 {
    number.clamp(0.0, 1e15).ceil() as i64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn needs_follow_from_the_parameters() {
        let gpu = Needs { gpu: true, ..Needs::default() };
        let none = Needs::default();
        let cases = [
            (json!({}), none),
            (json!({"codec": "libx264"}), none),
            (json!({"codec": "h264_nvenc"}), gpu),
            (json!({"codec": "HEVC_NVENC"}), gpu),
            (json!({"codec": "av1_qsv"}), gpu),
            (json!({"codec": "h264_videotoolbox"}), gpu),
            (json!({"codec": "vp9_vaapi"}), gpu),
            (json!({"hwaccel": "cuda"}), gpu),
            (json!({"hwaccel": "none"}), none),
            (json!({"hwaccel": ""}), none),
            (json!({"hwaccel": null}), none),
            (json!({"threads": 8}), Needs { threads: 8, ..none }),
            (json!({"threads": 2.5}), Needs { threads: 3, ..none }),
            (json!({"threads": -2}), none),
            (json!({"threads": "8"}), none),
            (json!({"memory_mb": 4096, "hwaccel": "cuda"}), Needs { memory_mb: 4096, ..gpu }),
            (json!({"memory_mb": 1e300}), Needs { memory_mb: 1_000_000_000_000_000, ..none }),
        ];
        for (parameters, expected) in cases {
            let Value::Object(parameters) = parameters else { panic!("an object") };
            assert_eq!(Needs::of(&parameters), expected, "{parameters:?}");
            assert_eq!(expected.is_nothing(), expected == none);
        }
    }
}
