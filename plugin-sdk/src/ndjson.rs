//! NDJSON: one JSON value on each line, in the body of a request or of an answer.

use serde::{Deserialize, Serialize};
use serde_json::Error;

use crate::problem::Problem;

pub(crate) const MEDIA_TYPE: &str = "application/x-ndjson";

/// The values of a body. Lines without any are left out.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    body: &'a [u8],
) -> impl Iterator<Item = Result<T, Problem>> {
    let lines = body.split(|byte| *byte == b'\n').zip(1_usize..);
    lines.filter(|(text, _)| !text.trim_ascii().is_empty()).map(|(text, line)| {
        serde_json::from_slice(text).map_err(|fault| invalid_line(line, &fault))
    })
}

/// It reads as that of [`Request::json`](crate::Request::json), with the line of the body.
fn invalid_line(line: usize, fault: &Error) -> Problem {
    let column = fault.column();
    let text = fault.to_string();
    let within = format!(" at line {} column {column}", fault.line());
    let reason = text.strip_suffix(&within).unwrap_or(&text);
    Problem::new(400, "invalid-json", format!("{reason} at line {line} column {column}"))
        .with("line", line)
        .with("column", column)
}

/// The body that holds these values.
pub(crate) fn write<T: Serialize>(
    values: impl IntoIterator<Item = T>,
) -> serde_json::Result<String> {
    let mut body = String::new();
    for value in values {
        let text = serde_json::to_string(&value)?;
        // A raw value is written as it was stored. In JSON, line breaks stand between tokens only.
        body += &text.replace(['\n', '\r'], " ");
        body.push('\n');
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn values(body: &[u8]) -> Vec<Result<Vec<u32>, Problem>> {
        read(body).collect()
    }

    #[test]
    fn each_line_is_a_value() {
        assert_eq!(values(b""), []);
        assert_eq!(values(b"[1]\n[2, 3]"), [Ok(vec![1]), Ok(vec![2, 3])]);
        assert_eq!(values(b"\r\n[1]\r\n \n[2]\n"), [Ok(vec![1]), Ok(vec![2])]);
    }

    #[test]
    fn a_line_of_another_form_is_told_with_its_place_and_stops_no_other() {
        let values = values(b"[1]\n\n[2, \"x\"]\n[\n[3]");
        assert_eq!(values[0], Ok(vec![1]));
        assert_eq!(values[3], Ok(vec![3]));
        let problem = values[1].as_ref().expect_err("the second value");
        assert_eq!((problem.status, problem.code.as_str()), (400, "invalid-json"));
        let place = (&problem.extensions["line"], &problem.extensions["column"]);
        assert_eq!(place, (&3.into(), &7.into()));
        let detail = "invalid type: string \"x\", expected u32 at line 3 column 7";
        assert_eq!(problem.detail, detail);
        let problem = values[2].as_ref().expect_err("the third value");
        assert_eq!(problem.extensions["line"], 4);
    }

    #[test]
    fn a_value_stays_on_its_line() {
        let raw: &RawValue = serde_json::from_str("{\"a\":\r\n [1.50]}").expect("it is JSON");
        assert_eq!(write([raw, raw]).expect("it is written").lines().count(), 2);
        assert_eq!(write(["a\nb"]).expect("it is written"), "\"a\\nb\"\n");
    }
}
