//! Bytes as text: in JSON, in ids and in paths.

use std::fmt;

use crate::problem::{Failure, Problem};

/// How bytes are written as text.
///
/// ```
/// use loggia_plugin_sdk::Encoding;
///
/// assert_eq!(Encoding::Base64.encode([0xfb, 0xff]), "+/8=");
/// assert_eq!(Encoding::Base64Url.encode([0xfb, 0xff]), "-_8");
/// assert_eq!(Encoding::Hex.encode([0xfb, 0xff]), "fbff");
/// assert_eq!(Encoding::Hex.decode("fbff")?, [0xfb, 0xff]);
/// # Ok::<(), loggia_plugin_sdk::InvalidEncoding>(())
/// ```
///
/// Each text that can be read stands for its bytes alone, but that hexadecimal digits are read in
/// either case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Two digits for each byte, in lower case. Texts have the order of their bytes, and so can be
    /// a field that a statement orders by.
    Hex,
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
    /// Base64 for paths and ids, without padding (RFC 4648, section 5), as the gateway writes a
    /// parameter of [bytes](crate::manifest::Param::bytes).
    Base64Url,
}

const PART_BYTES: usize = 3 << 20;

impl Encoding {
    /// The bytes as text.
    #[must_use]
    pub fn encode(self, bytes: impl AsRef<[u8]>) -> String {
        // The table takes no more than 8 MiB where addresses have 32 bits. Parts of a multiple of three
        // bytes have no padding, so their texts are one text.
        bytes.as_ref().chunks(PART_BYTES).map(|part| self.table().encode(part)).collect()
    }

    /// The bytes of a text.
    ///
    /// # Errors
    /// The text is none of this encoding, which `?` makes a problem for the client.
    pub fn decode(self, text: &str) -> Result<Vec<u8>, InvalidEncoding> {
        let invalid = |fault: data_encoding::DecodeError| InvalidEncoding {
            encoding: self,
            position: fault.position,
        };
        self.table().decode(text.as_bytes()).map_err(invalid)
    }

    fn table(self) -> data_encoding::Encoding {
        match self {
            Self::Hex => data_encoding::HEXLOWER_PERMISSIVE,
            Self::Base64 => data_encoding::BASE64,
            Self::Base64Url => data_encoding::BASE64URL_NOPAD,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hex => "hexadecimal digits",
            Self::Base64 => "base64 with padding",
            Self::Base64Url => "base64url without padding",
        }
    }
}

/// A text that is none of an [`Encoding`]. To the client it is 400 `invalid-encoding`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidEncoding {
    encoding: Encoding,
    /// Where the text goes wrong.
    position: usize,
}

impl fmt::Display for InvalidEncoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not {}, from byte {} on", self.encoding.name(), self.position)
    }
}

impl std::error::Error for InvalidEncoding {}

impl From<InvalidEncoding> for Problem {
    fn from(fault: InvalidEncoding) -> Self {
        Self::new(400, "invalid-encoding", fault.to_string())
    }
}

impl From<InvalidEncoding> for Failure {
    fn from(fault: InvalidEncoding) -> Self {
        Problem::from(fault).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_are_one_text() {
        let bytes: Vec<u8> = (0..=250).cycle().take(2 * PART_BYTES + 1).collect();
        for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64Url] {
            assert_eq!(encoding.encode(&bytes), encoding.table().encode(&bytes));
        }
    }

    #[test]
    fn every_byte_survives() {
        let bytes: Vec<u8> = (0..=255).collect();
        for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64Url] {
            for end in 0..bytes.len() {
                let text = encoding.encode(&bytes[..end]);
                assert_eq!(encoding.decode(&text).as_deref(), Ok(&bytes[..end]), "{text}");
            }
        }
    }

    #[test]
    fn hexadecimal_digits_have_the_order_of_their_bytes() {
        let bytes: [&[u8]; 5] = [b"", b"\x00", b"\x00\x01", b"\x7f", b"\x80"];
        let texts = bytes.map(|bytes| Encoding::Hex.encode(bytes));
        assert!(texts.is_sorted(), "{texts:?}");
    }

    #[test]
    fn what_is_not_of_the_encoding_is_refused_with_its_place() {
        for (encoding, text, detail) in [
            (Encoding::Hex, "0g", "not hexadecimal digits, from byte 1 on"),
            (Encoding::Hex, "000", "not hexadecimal digits, from byte 2 on"),
            (Encoding::Base64, "+/8", "not base64 with padding, from byte 0 on"),
            (Encoding::Base64Url, "-_8=", "not base64url without padding, from byte 3 on"),
            (Encoding::Base64Url, "+_8", "not base64url without padding, from byte 0 on"),
            // The last bits belong to no byte, so a text that sets them would be a second one.
            (Encoding::Base64Url, "-_9", "not base64url without padding, from byte 2 on"),
        ] {
            let problem = encoding.decode(text).map_err(Problem::from).expect_err(text);
            assert_eq!((problem.status, problem.code.as_str()), (400, "invalid-encoding"));
            assert_eq!(problem.detail, detail, "{text}");
        }
        assert_eq!(Encoding::Hex.decode("FBff"), Ok(vec![0xfb, 0xff]));
    }
}
