//! What names an entry: any bytes.
//!
//! A document's id is text of at most 1,024 bytes. That of a key is its bytes in hexadecimal, and of a
//! key that is too long for this a digest. The field `hex` of the document has all of them, in the
//! order of the bytes.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Encoding, Problem, sha256};
use serde_json::json;

/// The longest key.
const MAX_BYTES: usize = 1_024;

/// The length of the longest key in base64url: no other has more characters.
pub(crate) const MAX_CHARACTERS: u32 = 1_366;

/// The longest key whose hexadecimal digits are an id.
const MAX_READABLE_BYTES: usize = 512;

/// Stands before a digest, and is no hexadecimal digit.
const DIGEST_MARK: char = '~';

/// From 1 to 1,024 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// A key in base64url, as the gateway gives a parameter of bytes.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let bytes = Encoding::Base64Url.decode(text).ok();
        let key = bytes.filter(|bytes| (1..=MAX_BYTES).contains(&bytes.len())).map(Self);
        key.ok_or_else(|| {
            let detail = "a key has 1 to 1,024 bytes, in base64url without padding";
            Problem::new(422, "invalid-key", detail)
        })
    }

    /// The key that an id has been made of; none where the id is a digest.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        Encoding::Hex.decode(id).ok().map(Self)
    }

    pub(crate) fn id(&self) -> String {
        if self.0.len() <= MAX_READABLE_BYTES {
            return self.hex();
        }
        format!("{DIGEST_MARK}{}", Encoding::Hex.encode(sha256(&self.0)))
    }

    pub(crate) fn hex(&self) -> String {
        Encoding::Hex.encode(&self.0)
    }

    /// In base64url, as clients see it in JSON.
    pub(crate) fn text(&self) -> String {
        Encoding::Base64Url.encode(&self.0)
    }
}

/// The parameter of a path or a query that holds a key or the beginning of one.
pub(crate) fn param(about: &str) -> Param {
    Param::bytes().keyword("maxLength", json!(MAX_CHARACTERS)).describe(about)
}

/// The parameter of a path that names an entry.
pub(crate) fn in_path() -> Param {
    param("The key: any 1 to 1,024 bytes, percent-encoded.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> Key {
        Key::parse(&Encoding::Base64Url.encode(bytes)).expect("a key")
    }

    #[test]
    fn a_key_is_read_off_its_id() {
        for bytes in [&b"a"[..], b"\0\xff", &[0xab; MAX_READABLE_BYTES]] {
            assert_eq!(Key::of_id(&key(bytes).id()), Some(key(bytes)));
        }
        assert_eq!(key(b"a\xff").id(), "61ff");
        assert_eq!(key(&[0xab; MAX_READABLE_BYTES]).id().len(), 1_024);
    }

    #[test]
    fn a_long_key_has_a_digest_for_its_id() {
        let long = key(&[b'a'; MAX_READABLE_BYTES + 1]);
        assert_eq!(long.id().len(), 65);
        assert_eq!(Key::of_id(&long.id()), None);
        assert_ne!(long.id(), key(&[b'b'; MAX_READABLE_BYTES + 1]).id());
        assert_eq!(long.hex().len(), 2 * (MAX_READABLE_BYTES + 1));
    }

    #[test]
    fn no_key_is_empty_or_too_long() {
        let longest = Encoding::Base64Url.encode([b'a'; MAX_BYTES]);
        assert_eq!(longest.len(), MAX_CHARACTERS as usize);
        assert!(Key::parse(&longest).is_ok());
        assert!(Key::parse(&Encoding::Base64Url.encode([b'a'; MAX_BYTES + 1])).is_err());
        assert!(Key::parse("").is_err() && Key::parse("a=").is_err());
    }
}
