//! What JSON the gateway accepts: one bounded pass in front of both databases.
//!
//! A text that passes comes back from `PostgreSQL` and from `SQLite` as an equal JSON value. The
//! pass builds no tree and never calls itself, and the module knows no other layer of the
//! gateway. Begin with [`check_document`]; the pass itself is in `json/scan.rs`.

pub mod edit;
mod fault;
mod keys;
mod merge;
mod number;
mod paths;
mod scan;
mod string;

pub use fault::Fault;
pub use merge::merge;
pub use number::write_number;
pub use paths::{Members, PathSet};
pub use string::write_string;

use fault::Problem;
use scan::Scanner;

/// So many arrays and objects may stand within each other. The limits of `serde_json` (128) and
/// of both databases lie above it.
pub const MAX_DEPTH: usize = 64;

/// Check a text that holds any JSON value.
///
/// # Errors
/// The first fault in the order of the text.
pub fn check(text: &[u8]) -> Result<&str, Fault> {
    let paths = PathSet::default();
    let Ok(text) = std::str::from_utf8(text) else { return Err(invalid_utf8(text, &paths)) };
    Scanner::new(text, &paths).run()?;
    Ok(text)
}

/// The text of the value at a JSON Pointer, in a text that holds JSON. There is none for JSON's null.
#[must_use]
pub fn find<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    let paths = PathSet::new(std::iter::once(&[pointer.to_owned()][..]));
    let mut scanner = Scanner::new(text, &paths);
    scanner.run().ok()?;
    scanner.finish().0.get(0)
}

/// Check a document's body and find its declared fields in the same pass.
///
/// The size that counts is the one that both databases can keep: white space between tokens is
/// left out, since `PostgreSQL` puts its own there, and a number with an exponent counts with all
/// the digits that `PostgreSQL` writes for it, 309 for `1e308`. So a body that was accepted is
/// accepted again in the form in which a database gives it back.
///
/// # Errors
/// The first fault in the order of the text; then `not-an-object` and `too-large`. A text of more
/// than twice `max_bytes` is refused unread, whatever it holds.
pub fn check_document<'a>(
    text: &'a str,
    paths: &PathSet,
    max_bytes: usize,
) -> Result<Members<'a>, Fault> {
    // White space is not free: SQLite keeps it.
    if text.len() / 2 > max_bytes {
        return Err(too_large(text.len(), max_bytes));
    }
    let mut scanner = Scanner::new(text, paths);
    scanner.run()?;
    let value = text.trim_start();
    if !value.starts_with('{') {
        let offset = text.len() - value.len();
        let problem = Problem::new("not-an-object", offset, "a document is a JSON object");
        return Err(Fault::new(text, String::new(), problem));
    }
    let (members, size) = scanner.finish();
    if size > max_bytes { Err(too_large(size, max_bytes)) } else { Ok(members) }
}

/// The place is found by reading what precedes it; a fault in that part comes first.
fn invalid_utf8(text: &[u8], paths: &PathSet) -> Fault {
    let valid = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut scanner = Scanner::new(valid, paths);
    let found = scanner.scan().err().filter(|problem| problem.offset < valid.len());
    let problem =
        found.unwrap_or_else(|| Problem::syntax(valid.len(), "the text is not valid UTF-8"));
    scanner.fault(problem)
}

fn too_large(size: usize, max_bytes: usize) -> Fault {
    Fault {
        code: "too-large",
        pointer: String::new(),
        line: 1,
        column: 1,
        detail: format!("the document has {size} bytes, and at most {max_bytes} are accepted"),
    }
}

#[cfg(test)]
mod tests;
