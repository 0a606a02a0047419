//! Where the next page of a diff begins: an id with a digest over all that makes the diff another
//! one. It keeps no secret; it tells what was altered or belongs to another diff.

use loggia_plugin_sdk::checkpoint::{Difference, DifferenceKind};
use loggia_plugin_sdk::{Encoding, Failure, Problem, sha256};

use crate::entry::ENTRIES;

/// The bytes of the digest that stand before the id.
const CHECK_BYTES: usize = 8;

/// A diff from one checkpoint to another or to now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: Option<&'a str>,
}

impl Of<'_> {
    /// The cursor behind the document of this id.
    pub(crate) fn cursor(self, id: &str) -> String {
        Encoding::Base64Url.encode([&self.check(id)[..], id.as_bytes()].concat())
    }

    /// The difference that a cursor stands behind.
    pub(crate) fn after(self, cursor: &str) -> Result<Difference, Failure> {
        let id = Encoding::Base64Url.decode(cursor).ok().and_then(|bytes| {
            let (check, id) = bytes.split_at_checked(CHECK_BYTES)?;
            let id = std::str::from_utf8(id).ok()?;
            (check == self.check(id)).then(|| id.to_owned())
        });
        let id = id.ok_or_else(|| {
            Problem::new(400, "invalid-cursor", "the cursor is of another list or was altered")
        })?;
        // The kind is not looked at.
        Ok(Difference { collection: ENTRIES.name().to_owned(), id, kind: DifferenceKind::Changed })
    }

    fn check(self, id: &str) -> [u8; CHECK_BYTES] {
        // Ids of checkpoints hold no line break.
        let text = format!("diff\n{}\n{}\n{id}", self.from, self.to.unwrap_or_default());
        let digest = sha256(text);
        std::array::from_fn(|place| digest[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_its_own_diff_alone() {
        let of = Of { from: "a", to: None };
        let cursor = of.cursor("61ff");
        assert_eq!(of.after(&cursor).map(|after| after.id), Ok("61ff".to_owned()));
        assert!(Of { from: "b", to: None }.after(&cursor).is_err());
        assert!(Of { from: "a", to: Some("b") }.after(&cursor).is_err());
        for altered in ["", "x", "AAAAAAAAAAA", &cursor[1..], &format!("{cursor}AA")] {
            assert!(of.after(altered).is_err(), "{altered}");
        }
    }
}
