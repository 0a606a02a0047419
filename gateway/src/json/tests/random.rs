//! Random texts with a fixed seed: what is accepted must be JSON, and what is refused must be no
//! JSON or break one of the rules beyond it.

use serde_json::Value;

use super::super::{check, merge, write_number, write_string};

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }
}

fn value(random: &mut Random, depth: usize, out: &mut String) {
    out.push_str(random.pick(&["", "", "", " ", "\n", "\t\r"]));
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => out.push_str(random.pick(&["null", "true", "false"])),
        1 => out.push_str(&(random.next() as i64 >> random.below(64)).to_string()),
        2 => write_number(out, f64::from_bits(random.next())),
        3 => number(random, out),
        4 => string(random, out),
        5 => container(random, depth, out, '[', ']'),
        _ => container(random, depth, out, '{', '}'),
    }
    out.push_str(random.pick(&["", "", "", " ", "\n"]));
}

fn container(random: &mut Random, depth: usize, out: &mut String, open: char, close: char) {
    out.push(open);
    for index in 0..random.below(5) {
        if index > 0 {
            out.push(',');
        }
        if open == '{' {
            string(random, out);
            out.push(':');
        }
        value(random, depth - 1, out);
    }
    out.push(close);
}

fn string(random: &mut Random, out: &mut String) {
    let parts = [
        "a",
        "bc",
        "longer text",
        "é",
        "日",
        "😀",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\u00e9",
        "\\ud83d\\ude00",
        "~",
        "/",
        "\u{7f}",
    ];
    out.push('"');
    (0..random.below(4)).for_each(|_| out.push_str(random.pick(&parts)));
    out.push('"');
}

fn number(random: &mut Random, out: &mut String) {
    out.push_str(random.pick(&["", "-"]));
    out.push_str(&(random.next() >> random.below(64)).to_string());
    if random.below(2) == 0 {
        out.push('.');
        out.push_str(random.pick(&["", "0", "00", "000000"]));
        out.push_str(&(random.next() >> random.below(64)).to_string());
    }
    if random.below(2) == 0 {
        out.push_str(random.pick(&["e", "E", "e+", "e-", "E-0"]));
        out.push_str(&random.below(330).to_string());
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    const TOKENS: &[u8] = b"{}[]:,\"\\u0019eE+-.tfn \n\t\x00\x1f\x7f\x80\xc3\xed\xff";
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let token = TOKENS[random.below(TOKENS.len())];
        match random.below(4) {
            0 => bytes.insert(at, token),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] = token,
            _ if at < bytes.len() => drop(bytes.remove(at)),
            _ => {}
        }
    }
}

/// Whether the text was accepted.
fn agree(bytes: &[u8]) -> bool {
    let theirs = serde_json::from_slice::<Value>(bytes);
    let show = String::from_utf8_lossy(bytes);
    match check(bytes) {
        Ok(_) => assert!(theirs.is_ok(), "accepted: {show}"),
        Err(fault) if fault.is_syntax() => assert!(theirs.is_err(), "{fault}: {show}"),
        Err(fault) => {
            // The places of a fault must be within the text.
            assert!(fault.line >= 1 && fault.column <= bytes.len(), "{fault}: {show}");
            if let Ok(value) = theirs {
                assert!(breaks_a_rule(fault.code, &value, &show), "{fault}: {show}");
            }
        }
    }
    check(bytes).is_ok()
}

/// Whether a text that is JSON can have this fault, as far as the tree still tells.
fn breaks_a_rule(code: &str, value: &Value, text: &str) -> bool {
    match code {
        "duplicate-member" => text.matches(':').count() > member_count(value),
        "number-precision" => text.bytes().filter(u8::is_ascii_digit).count() > 1,
        "number-range" => text.contains(['e', 'E']),
        "nul-character" => text.contains("\\u0000"),
        _ => false,
    }
}

fn member_count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(member_count).sum(),
        Value::Object(members) => members.len() + members.values().map(member_count).sum::<usize>(),
        _ => 0,
    }
}

#[test]
fn random_texts_are_judged_as_serde_json_does() {
    let mut random = Random(1);
    let (mut accepted, mut survived) = (0, 0);
    for _ in 0..30_000 {
        let mut text = String::new();
        value(&mut random, 5, &mut text);
        accepted += usize::from(agree(text.as_bytes()));
        let mut bytes = text.into_bytes();
        for _ in 0..4 {
            mutate(&mut random, &mut bytes);
            survived += usize::from(agree(&bytes));
        }
    }
    // The generator must reach both sides.
    assert!((8_000..29_000).contains(&accepted), "{accepted}");
    assert!((1_000..60_000).contains(&survived), "{survived}");
}

/// The digits without zeros around them, and where the point stands, by way of text alone.
fn canonical(literal: &str) -> (String, i64) {
    let literal = literal.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = literal.split_once('e').unwrap_or((&literal, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let point = whole.len() as i64 - (digits.len() - significant.len()) as i64
        + exponent.parse::<i64>().expect("a small exponent");
    let significant = significant.trim_end_matches('0').to_owned();
    if significant.is_empty() { (significant, 0) } else { (significant, point) }
}

/// Two printers, since some doubles are halfway between two shortest forms.
fn is_shortest(text: &str, double: f64) -> bool {
    let mut written = String::new();
    write_number(&mut written, double);
    [written, format!("{double:e}")].iter().any(|shortest| canonical(shortest) == canonical(text))
}

#[test]
fn a_number_is_accepted_when_a_double_gives_its_decimal_back() {
    let mut random = Random(2);
    let mut codes = std::collections::BTreeMap::new();
    for round in 0..200_000 {
        let mut text = String::new();
        if round % 4 == 0 {
            write_number(&mut text, f64::from_bits(random.next()).round());
        } else {
            number(&mut random, &mut text);
        }
        if text == "null" {
            continue;
        }
        let double: f64 = text.parse().expect("a number");
        let expected = if text.parse::<i64>().is_ok() {
            "accepted"
        } else if double.is_infinite() {
            "number-range"
        } else if is_shortest(&text, double) {
            "accepted"
        } else {
            "number-precision"
        };
        let code = check(text.as_bytes()).map_or_else(|fault| fault.code, |_| "accepted");
        assert_eq!(code, expected, "{text}");
        *codes.entry(code).or_insert(0) += 1;
    }
    assert!(codes.len() == 3 && codes.values().all(|count| *count > 1_000), "{codes:?}");
}

/// This fails without the feature `float_roundtrip` of `serde_json`.
#[test]
fn a_merge_keeps_every_number() {
    let mut random = Random(3);
    for _ in 0..50_000 {
        let mut text = String::new();
        number(&mut random, &mut text);
        if check(text.as_bytes()).is_err() {
            continue;
        }
        let merged = merge(&format!("{{\"a\":{text}}}"), "{}").expect("both are JSON");
        let kept = &merged["{\"a\":".len()..merged.len() - 1];
        assert_eq!(kept.parse::<f64>(), text.parse(), "{text} became {kept}");
        // A double is not enough for an integer; but `-0` may become `-0.0`.
        if let Some(integer) = text.parse::<i64>().ok().filter(|integer| *integer != 0) {
            assert_eq!(kept.parse(), Ok(integer), "{text} became {kept}");
        }
        assert_eq!(check(kept.as_bytes()), Ok(kept));
    }
}

#[test]
fn random_names_are_read_as_serde_json_does() {
    let mut random = Random(4);
    for _ in 0..20_000 {
        let mut literal = String::new();
        string(&mut random, &mut literal);
        let name: String = serde_json::from_str(&literal).expect("a string");
        let mut written = String::new();
        write_string(&mut written, &name);
        let twice = format!("{{{literal}:1,{written}:2}}");
        assert_eq!(check(twice.as_bytes()).map_err(|f| f.code), Err("duplicate-member"), "{twice}");
    }
}
