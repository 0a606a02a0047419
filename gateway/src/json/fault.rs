//! What is wrong with a text, and where: the only error of this layer.

use std::fmt;

/// What is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// `invalid-json`, `nul-character`, `lone-surrogate`, `duplicate-member`, `too-deep`,
    /// `number-range`, `number-precision`, `not-an-object` or `too-large`.
    pub code: &'static str,
    /// A JSON Pointer (RFC 6901) to the value at fault, or to the container where it has none.
    pub pointer: String,
    /// Counted from 1.
    pub line: usize,
    /// The first byte at fault, counted from 1 in bytes. At the end of the text it is one more
    /// than the last.
    pub column: usize,
    /// What is wrong and what to do, for the client.
    pub detail: String,
}

impl Fault {
    /// Find line and column of a problem.
    pub(super) fn new(text: &str, pointer: String, problem: Problem) -> Self {
        let before = &text.as_bytes()[..problem.offset];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Self {
            code: problem.code,
            pointer,
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.len() - line_start,
            detail: problem.detail.to_owned(),
        }
    }

    /// Whether the text is no JSON at all. Otherwise it is JSON that cannot be stored.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.code == INVALID_JSON
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, line, column, detail, .. } = self;
        write!(f, "{detail}, at {pointer:?} in line {line}, column {column}")
    }
}

impl std::error::Error for Fault {}

const INVALID_JSON: &str = "invalid-json";

/// A fault before its place has been worked out, small enough for the way through the scanner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    code: &'static str,
    /// The first byte at fault.
    pub(super) offset: usize,
    detail: &'static str,
}

impl Problem {
    pub(super) fn new(code: &'static str, offset: usize, detail: &'static str) -> Self {
        Self { code, offset, detail }
    }

    pub(super) fn syntax(offset: usize, detail: &'static str) -> Self {
        Self::new(INVALID_JSON, offset, detail)
    }
}
