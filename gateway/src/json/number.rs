//! Numbers: which are accepted, and how a double is written.
//!
//! A number is accepted when everyone who reads it gets the same value: as a whole number of 64
//! bits, or as a double whose shortest decimal form has the value of the literal. `-0` is
//! accepted and equal to `0`; `PostgreSQL` drops the sign.

use super::fault::Problem;

/// A decimal of so many digits and no exponent is always the shortest form of its double.
const ALWAYS_EXACT_DIGITS: usize = 15;
/// `PostgreSQL` keeps so many digits behind the point. Exponents end there too, since it refuses
/// larger ones even where the value is zero.
const MAX_SCALE: i64 = 16_383;

/// An accepted number.
pub(super) struct Number {
    /// Behind its last byte.
    pub(super) end: usize,
    /// How many bytes longer it is when its exponent is written out.
    pub(super) growth: usize,
}

/// Read the number that begins at `start`, with a digit or a minus.
pub(super) fn scan(text: &str, start: usize) -> Result<Number, Problem> {
    let bytes = text.as_bytes();
    let first = start + usize::from(bytes[start] == b'-');
    let mut end = digits_end(bytes, first)?;
    if bytes[first] == b'0' && end > first + 1 {
        return Err(Problem::syntax(first + 1, "a number has no leading zeros"));
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(bytes, end + 1)?;
    }
    let mantissa_end = end;
    if let Some(b'e' | b'E') = bytes.get(end) {
        let has_sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits_end(bytes, end + 1 + usize::from(has_sign))?;
    }
    // Nearly all numbers are done here.
    if end == mantissa_end && end - first <= ALWAYS_EXACT_DIGITS {
        return Ok(Number { end, growth: 0 });
    }
    Ok(Number { end, growth: check(&text[start..end], start)? })
}

/// The end of at least one digit.
fn digits_end(bytes: &[u8], start: usize) -> Result<usize, Problem> {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 => Err(Problem::syntax(start, "a number needs a digit here")),
        count => Ok(start + count),
    }
}

/// Check the value of a literal, in time that is linear in its length. Gives the growth.
fn check(literal: &str, start: usize) -> Result<usize, Problem> {
    // An integer of 64 bits, which may have more digits than a double.
    if literal.parse::<i64>().is_ok() {
        return Ok(0);
    }
    // The grammar of JSON's numbers is a part of Rust's.
    let double: f64 = literal.parse().unwrap_or(f64::INFINITY);
    if double.is_infinite() {
        let detail = "the number is beyond the range of a double: write it as a string";
        return Err(Problem::new("number-range", start, detail));
    }
    let decimal = Decimal::new(literal);
    if !decimal.is_shortest(literal, double) {
        let detail = "the number has more digits than a double keeps: round it, or write it as a \
                      string";
        return Err(Problem::new("number-precision", start, detail));
    }
    if decimal.exponent > MAX_SCALE || decimal.scale() > MAX_SCALE {
        let detail = "the number has more than 16383 decimals, or as large an exponent";
        return Err(Problem::new("number-range", start, detail));
    }
    let sign = usize::from(literal.starts_with('-'));
    Ok((sign + decimal.written_out()).saturating_sub(literal.len()))
}

/// The absolute value of a literal: `0.`, then the digits, times ten to the power of `point`.
#[derive(Debug)]
struct Decimal<'a> {
    mantissa: &'a str,
    exponent: i64,
    /// Digits of the mantissa behind its point.
    fraction: usize,
    /// Zeros of the mantissa before its first other digit.
    zeros: usize,
    /// Digits from the first to the last that is not zero; none for zero itself.
    count: usize,
    /// 0 for zero itself.
    point: i64,
}

impl<'a> Decimal<'a> {
    fn new(literal: &'a str) -> Self {
        let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
        let exponent = exponent_value(exponent);
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let all = digits(mantissa).count();
        let zeros = digits(mantissa).take_while(|digit| *digit == b'0').count();
        if zeros == all {
            return Self { mantissa, exponent, fraction, zeros, count: 0, point: 0 };
        }
        let zeros_behind = digits(mantissa).rev().take_while(|digit| *digit == b'0').count();
        let point = signed(all - fraction) - signed(zeros) + exponent;
        Self { mantissa, exponent, fraction, zeros, count: all - zeros - zeros_behind, point }
    }

    /// Whether it is a shortest form of the double to which its literal has been read.
    fn is_shortest(&self, literal: &str, double: f64) -> bool {
        let mut buffer = [0; MAX_SHORTEST_BYTES];
        let shortest = shortest(double, &mut buffer);
        // Most literals come from a printer of doubles and are this very text. Of two forms that
        // are equally close Rust's own printer takes the upper one.
        literal == shortest
            || *self == Decimal::new(shortest)
            || *self == Decimal::new(&format!("{double:e}"))
    }

    /// Digits behind the point when the exponent is written out; below 0 there are none.
    fn scale(&self) -> i64 {
        signed(self.fraction) - self.exponent
    }

    /// The length without an exponent, as `PostgreSQL` writes it.
    fn written_out(&self) -> usize {
        let whole = self.point.max(1);
        let fraction = if self.scale() > 0 { self.scale() + 1 } else { 0 };
        usize::try_from(whole + fraction).unwrap_or(usize::MAX)
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        digits(self.mantissa).skip(self.zeros).take(self.count)
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point && self.digits().eq(other.digits())
    }
}

fn digits(mantissa: &str) -> impl DoubleEndedIterator<Item = u8> {
    mantissa.bytes().filter(u8::is_ascii_digit)
}

/// Exact up to a size that the length of no text can balance.
fn exponent_value(text: &str) -> i64 {
    const MAX: i64 = 1 << 56;
    let size = digits(text).fold(0, |size, digit| (size * 10 + i64::from(digit - b'0')).min(MAX));
    if text.starts_with('-') { -size } else { size }
}

/// Lengths of texts always fit.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Append a finite double in the shortest form that reads back equal.
///
/// A whole number below 10^16 has neither point nor exponent, and there is no negative zero: so
/// it looks the same whichever database had it. What is not finite becomes `null`, since JSON
/// has no word for it.
pub fn write_number(out: &mut String, number: f64) {
    // This makes the negative zero positive.
    let number = number + 0.0;
    let mut buffer = [0; MAX_SHORTEST_BYTES];
    let text = shortest(number, &mut buffer);
    // The one form that ends so is that of a whole number without an exponent.
    out.push_str(text.strip_suffix(".0").unwrap_or(text));
}

/// `-2.2250738585072014e-308` is among the longest.
const MAX_SHORTEST_BYTES: usize = 32;

/// The shortest decimal that reads back as the double: the closest of that length, and of two
/// that are equally close the even one, as `PostgreSQL`, JavaScript and Python have it.
fn shortest(double: f64, buffer: &mut [u8; MAX_SHORTEST_BYTES]) -> &str {
    let mut rest = buffer.as_mut_slice();
    // The buffer is large enough; with an error there would be no text.
    let room =
        serde_json::to_writer(&mut rest, &double).map_or(MAX_SHORTEST_BYTES, |()| rest.len());
    let length = MAX_SHORTEST_BYTES - room;
    std::str::from_utf8(&buffer[..length]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: f64) -> String {
        let mut out = String::new();
        write_number(&mut out, number);
        out
    }

    #[test]
    fn doubles_are_written_short_and_stable() {
        let table = [
            (3.0, "3"),
            (-0.0, "0"),
            (-17.5, "-17.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000"),
            (9_999_999_999_999_998.0, "9999999999999998"),
            (1e16, "1e+16"),
            (1e-7, "1e-7"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (5e-324, "5e-324"),
            (2_230_000_007_741_524.0 + 0.25, "2230000007741524.2"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ];
        for (number, text) in table {
            assert_eq!(written(number), text);
        }
    }

    #[test]
    fn a_written_double_is_accepted_and_reads_back_equal() {
        let mut bits: u64 = 1;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            let number = f64::from_bits(bits);
            if !number.is_finite() {
                continue;
            }
            for number in [number, number.trunc(), (number * 100.0).round() / 100.0] {
                let text = written(number);
                if text != "null" {
                    assert_eq!(text.parse(), Ok(number), "{text}");
                    let scanned = scan(&text, 0).map(|number| number.end);
                    assert_eq!(scanned.ok(), Some(text.len()), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_growth_is_that_of_postgresql() {
        let table = [
            ("1e308", 309),
            ("-1e308", 310),
            ("5e-324", 326),
            ("1.0e2", 5),
            ("1.5e-3", 6),
            ("150e-1", 6),
            ("0e-16383", 16_385),
            ("0e9", 3),
            ("-12.50", 6),
        ];
        for (text, length) in table {
            let growth = scan(text, 0).map(|number| number.growth).ok();
            assert_eq!(growth, Some(length - text.len()), "{text}");
        }
    }
}
