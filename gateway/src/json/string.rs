//! String literals: which are accepted, and how they are written.

use super::fault::Problem;

/// An accepted literal.
pub(super) struct Literal {
    /// Behind its closing quote.
    pub(super) end: usize,
    /// Whether it holds an escape, so that its text is not what it says.
    pub(super) escaped: bool,
}

/// Read the literal whose opening quote is at `start`.
pub(super) fn scan(text: &str, start: usize) -> Result<Literal, Problem> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(Literal { end: at + 1, escaped }),
            Some(b'\\') => at = escape_end(bytes, at)?,
            Some(_) => return Err(Problem::syntax(at, "a control character must be escaped")),
            None => return Err(Problem::syntax(at, "the text ends within a string")),
        }
        escaped = true;
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The first quote, backslash or control character at or after `at`, eight bytes at a time.
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let stops = stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)).count();
    at + plain
}

/// Sets the high bit of each byte that ends a plain run. A borrow can set bits above the lowest
/// one that is right, and only the lowest is used.
fn stops(chunk: u64) -> u64 {
    let quote = chunk ^ (ONES * u64::from(b'"'));
    let backslash = chunk ^ (ONES * u64::from(b'\\'));
    let control = chunk.wrapping_sub(ONES * 0x20) & !chunk;
    let equal = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (control | equal) & HIGH_BITS
}

/// The end of the escape whose backslash is at `at`.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Problem> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => unicode_escape_end(bytes, at),
        Some(_) => Err(Problem::syntax(at + 1, "there is no such escape")),
        None => Err(Problem::syntax(at + 1, "the text ends within a string")),
    }
}

fn unicode_escape_end(bytes: &[u8], at: usize) -> Result<usize, Problem> {
    match code_unit(bytes, at)? {
        0 => Err(Problem::new("nul-character", at, "the character U+0000 cannot be stored")),
        0xd800..0xdc00 if bytes[at + 6..].starts_with(b"\\u") => match code_unit(bytes, at + 6)? {
            0xdc00..0xe000 => Ok(at + 12),
            _ => Err(lone_surrogate(at)),
        },
        0xd800..0xe000 => Err(lone_surrogate(at)),
        _ => Ok(at + 6),
    }
}

fn lone_surrogate(at: usize) -> Problem {
    Problem::new("lone-surrogate", at, "half of a surrogate pair stands for no character")
}

/// The four hexadecimal digits of the escape whose backslash is at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Result<u32, Problem> {
    (at + 2..at + 6).try_fold(0, |unit, place| {
        let digit = bytes.get(place).and_then(|byte| char::from(*byte).to_digit(16));
        let fault = || Problem::syntax(place.min(bytes.len()), "\\u needs four hexadecimal digits");
        Ok(unit * 16 + digit.ok_or_else(fault)?)
    })
}

/// Append a JSON string literal. Only what must be escaped is.
pub fn write_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, tail) = rest.split_at(plain_end(rest.as_bytes(), 0));
        out.push_str(plain);
        let Some(byte) = tail.bytes().next() else { break };
        write_escape(out, byte);
        rest = &tail[1..];
    }
    out.push('"');
}

fn write_escape(out: &mut String, byte: u8) {
    let short = match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        0x08 => "\\b",
        0x0c => "\\f",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        _ => {
            out.push_str("\\u00");
            out.push(char::from(b'0' + byte / 16));
            out.push(char::from(b"0123456789abcdef"[usize::from(byte % 16)]));
            return;
        }
    };
    out.push_str(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_string_reads_back_equal() {
        let mut all: String = ('\0'..'\u{180}').collect();
        all.push_str("\u{2028}\u{d7ff}\u{e000}\u{ffff}\u{10ffff}");
        for start in all.char_indices().map(|(start, _)| start) {
            let mut out = String::from("[");
            write_string(&mut out, &all[start..]);
            out.push(']');
            assert_eq!(
                serde_json::from_str::<[String; 1]>(&out).ok(),
                Some([all[start..].to_owned()])
            );
            assert_eq!(serde_json::to_string(&[&all[start..]]).ok(), Some(out));
        }
    }

    #[test]
    fn a_plain_run_ends_at_the_same_byte_at_every_alignment() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut bytes = [b'~'; 20];
                bytes[place] = byte;
                let stops = matches!(byte, b'"' | b'\\' | ..0x20);
                assert_eq!(plain_end(&bytes, 0), if stops { place } else { 20 }, "{byte} {place}");
            }
        }
    }
}
