//! Keys that begin with the same bytes, as a range of their hexadecimal digits.
//!
//! A range is what an index can follow, and it is right whatever the last byte is: behind all digits
//! comes `g`, so no byte needs to be counted up.

use loggia_plugin_sdk::{Encoding, Problem};
use serde::Serialize;

/// The arguments `from` and `to` of statements; neither is given for all keys.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Prefix {
    from: Option<String>,
    to: Option<String>,
}

impl Prefix {
    /// All keys that begin with these bytes, in base64url; none stands for no bytes.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let bytes = Encoding::Base64Url.decode(text).map_err(|_| {
            Problem::new(422, "invalid-prefix", "a prefix is bytes in base64url without padding")
                .with("pointer", "/prefix")
        })?;
        let digits = Encoding::Hex.encode(bytes);
        Ok(Self { to: Some(format!("{digits}g")), from: Some(digits) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range_whatever_its_last_byte() {
        let Prefix { from: Some(from), to: Some(to) } =
            Prefix::parse(Some(&Encoding::Base64Url.encode(b"a\xff"))).expect("a prefix")
        else {
            panic!("it is no range")
        };
        let within = |key: &[u8]| {
            let digits = Encoding::Hex.encode(key);
            from <= digits && digits < to
        };
        assert!(within(b"a\xff") && within(b"a\xff\0") && within(b"a\xff\xff\xff"));
        assert!(!within(b"a") && !within(b"a\xfe\xff") && !within(b"b") && !within(b"\xff"));
    }

    #[test]
    fn no_bytes_are_the_beginning_of_all_keys() {
        assert_eq!(Prefix::parse(None), Ok(Prefix::default()));
        assert_eq!(Prefix::parse(Some("")), Ok(Prefix::default()));
        assert!(Prefix::parse(Some("a")).is_err());
    }
}
