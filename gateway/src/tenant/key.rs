//! Keys: `loggia_`, 32 random letters and digits, and 6 that check the rest.
//!
//! A key is shown once, when it is made. The gateway knows its SHA-256 only: with so many random
//! bits, a digest that was made slow on purpose would protect it no better.

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use sha2::{Digest as _, Sha256};

/// By this, programs that look for secrets in files and logs can know a key.
const PREFIX: &str = "loggia_";
/// 32 of 62 characters are 190 bits.
const RANDOM: usize = 32;
/// 6 of 62 characters hold the 32 bits of a CRC.
const CHECKSUM: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What the gateway knows of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest(pub(super) [u8; 32]);

/// A new key.
#[must_use]
pub fn generate() -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(RANDOM).map(char::from);
    let key: String = PREFIX.chars().chain(random).collect();
    let checksum = checksum(&key);
    key + &checksum
}

impl Digest {
    /// None where this is no key: then it need not be looked for.
    #[must_use]
    pub fn of_key(text: &str) -> Option<Self> {
        let whole = text.len() == PREFIX.len() + RANDOM + CHECKSUM && text.starts_with(PREFIX);
        let (key, sum) = text.split_at_checked(text.len().checked_sub(CHECKSUM)?)?;
        (whole && sum == checksum(key)).then(|| Self(Sha256::digest(text).into()))
    }

    /// From hexadecimal digits, as the configuration has them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// By these it is found.
    pub(super) fn beginning(self) -> [u8; 8] {
        std::array::from_fn(|place| self.0[place])
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The CRC-32 of a text in digits of base 62.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = [0; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    digits.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_one_and_no_other_is_like_it() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        assert_eq!(one.len(), 45);
        let digest = Digest::of_key(&one).expect("it is a key");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()), Some(digest));
    }

    #[test]
    fn the_form_of_keys_does_not_change() {
        let key = "loggia_0000000000000000000000000000000028MakD";
        let digest = "340f66e05c7957c55e08b0dd90adeddb28cc6a5d433554d63032f7bffa289b72";
        assert_eq!(Digest::of_key(key).map(|digest| digest.to_string()).as_deref(), Some(digest));
    }

    #[test]
    fn a_character_that_is_another_is_noticed() {
        let key = generate();
        for place in 0..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[place] = if wrong[place] == b'x' { b'y' } else { b'x' };
            let wrong = String::from_utf8(wrong).expect("it is ASCII");
            assert_eq!(Digest::of_key(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "0", &"0".repeat(63), &"g".repeat(64), &"+0".repeat(32), &"é".repeat(32)]
        {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
    }
}
