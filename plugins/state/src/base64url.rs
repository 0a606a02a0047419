//! Bytes as text: base64url without padding (RFC 4648, section 5), in documents and in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a text, if it is one. Each sequence of bytes has one text: bits that are left over
/// must be 0.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Two hexadecimal digits for each byte: texts in the order of the bytes.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_stands_for_other_bytes() {
        assert_eq!(encode(&[0xff, 0xfe]), "__4");
        assert_eq!(decode("__4"), Some(vec![0xff, 0xfe]));
        assert_eq!(decode(""), Some(Vec::new()));
        for wrong in ["__5", "__4=", "//4", "_", "a b", "é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn digits_have_the_order_of_the_bytes() {
        let bytes: [&[u8]; 6] = [b"", b"\0", b"\0\xff", b"\x01", b"a", b"\xff"];
        let texts: Vec<String> = bytes.iter().map(|bytes| hexadecimal(bytes)).collect();
        assert_eq!(texts, ["", "00", "00ff", "01", "61", "ff"]);
        assert!(texts.is_sorted());
    }
}
