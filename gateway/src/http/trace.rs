//! The trace that a request belongs to (W3C Trace Context).

use hyper::HeaderMap;
use rand::RngExt as _;

/// The trace id of `traceparent` where it is valid, else a new one: 32 hexadecimal digits.
pub(super) fn trace_id(headers: &HeaderMap) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(parse);
    given.map_or_else(new_trace_id, str::to_owned)
}

/// A new one.
pub(super) fn new_trace_id() -> String {
    format!("{:032x}", rand::rng().random_range(1..=u128::MAX))
}

/// `00-<trace id>-<parent id>-<flags>`, all in lower-case hexadecimal digits.
fn parse(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let version = parts.next()?;
    let id = parts.next()?;
    let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let valid = version.len() == 2 && version != "ff" && id.len() == 32;
    (valid && id.bytes().all(hexadecimal) && id.bytes().any(|b| b != b'0')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_is_taken_over() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(parse(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for wrong in ["", "00", "00-xyz-1-1", "ff-4bf92f3577b34da6a3ce929d0e0e4736-1-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse(&format!("00-{}-1-1", "0".repeat(32))), None);
    }
}
