//! Every code with its place, and agreement with `serde_json`.

mod random;
mod syntax;

use super::*;

/// The code and place of the fault that a text has.
fn fault(text: impl AsRef<[u8]>) -> (&'static str, String, usize, usize) {
    let fault = check(text.as_ref()).expect_err("the text has a fault");
    (fault.code, fault.pointer, fault.line, fault.column)
}

fn refuse(table: &[(&str, &str, usize, usize)], code: &str) {
    for (text, pointer, line, column) in table {
        assert_eq!(fault(text), (code_of(code), (*pointer).to_owned(), *line, *column), "{text}");
    }
}

fn code_of(code: &str) -> &'static str {
    let codes = [
        "invalid-json",
        "nul-character",
        "lone-surrogate",
        "duplicate-member",
        "too-deep",
        "number-range",
        "number-precision",
    ];
    codes.into_iter().find(|known| *known == code).expect("a known code")
}

fn accept(texts: &[&str]) {
    for text in texts {
        assert_eq!(check(text.as_bytes()), Ok(*text));
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
    }
}

#[test]
fn syntax_faults_have_a_place() {
    let table = [
        ("", "", 1, 1),
        (" \n ", "", 2, 2),
        (r#"{"a" 1}"#, "/a", 1, 6),
        (r#"{"a":}"#, "/a", 1, 6),
        (r#"{"a":1,}"#, "", 1, 8),
        (r#"{"a":1 "b":2}"#, "", 1, 8),
        ("{\"a\":[1,\n2,\n  {\"b~/\":tru}]}", "/a/2/b~0~1", 3, 13),
        ("[1,2", "", 1, 5),
        ("[1,[2,[3,]]]", "/1/1/1", 1, 10),
        ("[[],[[]],x]", "/2", 1, 10),
        ("[1] 2", "", 1, 5),
        ("{\"a\":\"x\ny\"}", "/a", 1, 8),
        ("{\"a\":\"x\\q\"}", "/a", 1, 9),
        ("{\"a\":{\"b\":1},\"c\u{1}\":2}", "", 1, 16),
        ("\u{feff}{}", "", 1, 1),
    ];
    refuse(&table, "invalid-json");
}

#[test]
fn invalid_utf8_has_a_place_and_an_earlier_fault_comes_first() {
    let place = |pointer: &str, line, column| ("invalid-json", pointer.to_owned(), line, column);
    assert_eq!(fault(b"{\"a\":\n\"x\xffy\"}"), place("/a", 2, 3));
    assert_eq!(fault(b"{}\xff"), place("", 1, 3));
    assert_eq!(fault(b"\xff"), place("", 1, 1));
    assert_eq!(fault(b"[1,x,\"\xff\"]"), place("/1", 1, 4));
    assert_eq!(fault(b"[\"\\u0000\xff\"]").0, "nul-character");
    // Overlong, a surrogate, beyond Unicode, and cut off.
    for bytes in [&b"\xc0\x80"[..], b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2"]
    {
        let text = [b"[\"", bytes, b"\"]"].concat();
        assert_eq!(fault(&text), place("/0", 1, 3));
    }
}

#[test]
fn nul_is_refused_in_strings_and_names() {
    let table = [
        (r#""\u0000""#, "", 1, 2),
        (r#"{"a":["x\u0000"]}"#, "/a/0", 1, 9),
        (r#"{"a":{"b\u0000":1}}"#, "/a", 1, 9),
    ];
    refuse(&table, "nul-character");
    refuse(&[("\"\0\"", "", 1, 2)], "invalid-json");
    accept(&[r#""\\u0000""#, r#""\u0001\u0010\u0100\u1000""#]);
}

#[test]
fn lone_surrogates_are_refused_in_strings_and_names() {
    let table = [
        (r#"["\ud800"]"#, "/0", 1, 3),
        (r#"["\uDFFF"]"#, "/0", 1, 3),
        (r#"["\udc00\ud800"]"#, "/0", 1, 3),
        (r#"["\ud800\ud800"]"#, "/0", 1, 3),
        (r#"["\ud800\u0041"]"#, "/0", 1, 3),
        (r#"["\ud800\n"]"#, "/0", 1, 3),
        (r#"["\ud83d\ude00\ude00"]"#, "/0", 1, 15),
        (r#"{"a":1,"\ud800":2}"#, "", 1, 9),
    ];
    refuse(&table, "lone-surrogate");
    accept(&[r#""\ud83d\ude00 \uD83D\uDE00 \uD800\uDC00 \uDBFF\uDFFF \ud7ff \ue000""#]);
}

#[test]
fn a_member_that_is_given_twice_is_refused() {
    let table = [
        (r#"{"a":1,"a":2}"#, "/a", 1, 8),
        (r#"{"a":1,"\u0061":2}"#, "/a", 1, 8),
        (r#"{"\u0061":1,"a":2}"#, "/a", 1, 13),
        (r#"{"":1,"":2}"#, "/", 1, 7),
        (r#"[{"x":{"k/":{"z":1},"b":[],"k\/":1}}]"#, "/0/x/k~1", 1, 28),
        (
            r#"{"prefix-of-a-long-name":1,"b":{},"prefix-of-a-long-name":1}"#,
            "/prefix-of-a-long-name",
            1,
            35,
        ),
    ];
    refuse(&table, "duplicate-member");
    accept(&[
        r#"{"a":{"a":{"a":1}},"b":{"a":[{"a":1},{"a":1}]},"A":1}"#,
        // Composed and decomposed: two names.
        "{\"\u{e9}\":1,\"e\u{301}\":2}",
        // Alike in length and at the end.
        r#"{"1-abcdefgh":1,"2-abcdefgh":2}"#,
    ]);
}

#[test]
fn a_member_that_is_given_twice_is_found_among_many() {
    for count in 1..40_usize {
        for twin in 0..count {
            let inner = "{\"name-0\":0,\"name-1\":1}";
            let mut members: Vec<_> = (0..count).map(|i| format!("\"name-{i}\":{inner}")).collect();
            let accepted = format!("{{{}}}", members.join(","));
            assert_eq!(check(accepted.as_bytes()), Ok(&*accepted));
            members.push(format!("\"n\\u0061me-{twin}\":0"));
            let (code, pointer, ..) = fault(format!("[{{{}}}]", members.join(",")));
            assert_eq!((code, pointer), ("duplicate-member", format!("/0/name-{twin}")));
        }
    }
}

#[test]
fn sixty_four_levels_are_accepted_and_no_more() {
    for (open, inner, close, token) in
        [("[", "", "]", "/0"), ("{\"a\":", "1", "}", "/a"), ("[{\"b\":", "1", "}]", "/0/b")]
    {
        let levels = 64 / open.matches(['[', '{']).count();
        let nested = |levels| format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
        accept(&[&nested(levels)]);
        let column = levels * open.len() + 1;
        let pointer = token.repeat(levels);
        assert_eq!(fault(nested(levels + 1)), ("too-deep", pointer.clone(), 1, column));
        assert_eq!(fault(nested(200_000)), ("too-deep", pointer, 1, column));
    }
}

#[test]
fn numbers_beyond_a_double_are_refused() {
    let long = format!("[1{}]", "0".repeat(400));
    let table = [
        ("1e400", "", 1, 1),
        ("[0,\n-1e309]", "/1", 2, 1),
        ("1.7976931348623159e308", "", 1, 1),
        ("1e999999999", "", 1, 1),
        ("1e99999999999999999999999999", "", 1, 1),
        // Zero, but PostgreSQL has no place for so many decimals or such an exponent.
        ("0e-16384", "", 1, 1),
        ("0e16384", "", 1, 1),
        ("0e99999999999999999999999999", "", 1, 1),
        (&long, "/0", 1, 2),
    ];
    refuse(&table, "number-range");
    let zeros = |count| format!("[1.{}]", "0".repeat(count));
    refuse(&[(&zeros(16_384), "/0", 1, 2)], "number-range");
    accept(&[&zeros(16_383), "0e-16383", "0e16383", "1.7976931348623157e308", "-1e308"]);
}

#[test]
fn numbers_that_a_double_does_not_keep_are_refused() {
    let table = [
        ("0.1000000000000000055511151231257827", "", 1, 1),
        ("9223372036854775808", "", 1, 1),
        ("-9223372036854775809", "", 1, 1),
        ("18446744073709551615", "", 1, 1),
        ("1e-400", "", 1, 1),
        ("1e-99999999999999999999999999", "", 1, 1),
        ("2.5e-324", "", 1, 1),
        ("[0.30000000000000001]", "/0", 1, 2),
        ("9007199254740993.0", "", 1, 1),
    ];
    refuse(&table, "number-precision");
    accept(&[
        "0",
        "-0",
        "-0.0",
        "0.000",
        "0e0",
        "0.1",
        "0.10",
        "1.5e3",
        "1E+3",
        "15000e-4",
        "1e20",
        "100000000000000000000",
        "0.30000000000000004",
        "9223372036854775807",
        "-9223372036854775808",
        "9007199254740993",
        "5e-324",
        // Halfway between two shortest forms, as JavaScript and as Rust write it.
        "2230000007741524.2",
        "2230000007741524.3",
        "2.2250738585072014e-308",
        "12345678901234567e-5",
        "0.00000000000000000000000000000000000000000001",
    ]);
}

#[test]
fn a_long_number_takes_linear_time() {
    let digits = "123456789".repeat(200_000);
    let zeros = "0".repeat(1_000_000);
    for (text, code) in [
        (digits.clone(), "number-range"),
        (format!("0.{digits}"), "number-precision"),
        (format!("0.{zeros}1e1000001"), "number-precision"),
        (format!("0.{zeros}1"), "number-precision"),
        (format!("1e{digits}"), "number-range"),
        (format!("1.{zeros}"), "number-range"),
    ] {
        assert_eq!(fault(&text).0, code, "{}", &text[..20]);
    }
}

#[test]
fn the_pointer_of_a_fault_is_bounded() {
    let long = "n".repeat(2_000);
    let text = format!("{{\"a\":{{\"{long}\":{{\"b\":x}}}}}}");
    assert_eq!(check(text.as_bytes()).map_err(|fault| fault.pointer), Err("/a".to_owned()));
}

#[test]
fn only_syntax_is_no_json() {
    for (text, expected) in [("{", true), ("1e400", false)] {
        let fault = check(text.as_bytes()).expect_err("the text has a fault");
        assert_eq!(fault.is_syntax(), expected, "{text}");
    }
}

#[test]
fn a_fault_says_what_and_where() {
    let fault = check(br#"{"a":[1e400]}"#).expect_err("the number is too large");
    assert_eq!(
        fault.to_string(),
        "the number is beyond the range of a double: write it as a string, \
         at \"/a/0\" in line 1, column 7"
    );
}

#[test]
fn a_document_is_an_object() {
    let paths = PathSet::default();
    for (text, line, column) in [("[]", 1, 1), (" \n null", 2, 2), ("\"{}\"", 1, 1)] {
        let fault = check_document(text, &paths, 100).expect_err("this is no object");
        let place = (fault.code, &*fault.pointer, fault.line, fault.column);
        assert_eq!(place, ("not-an-object", "", line, column));
    }
    assert!(check_document(" {} ", &paths, 100).is_ok());
    let fault = check_document("[", &paths, 100).expect_err("this is no JSON");
    assert!(fault.is_syntax());
}

#[test]
fn the_size_that_counts_is_that_of_the_stored_form() {
    let paths = PathSet::default();
    for (text, size) in [
        (r#"{"a":[1,2]}"#, 11),
        ("{ \"a\" :\t[ 1,\r\n2 ] } ", 11),
        (r#"{"a":" "}"#, 9),
        (r#"{"a":1e308}"#, 315),
        (r#"{"a":-5e-324}"#, 333),
    ] {
        assert!(check_document(text, &paths, size).is_ok(), "{text}");
        let fault = check_document(text, &paths, size - 1).expect_err("this is too large");
        assert_eq!((fault.code, fault.is_syntax()), ("too-large", false), "{text}");
    }
    // White space has a limit too, and what is beyond it is not even read.
    let spaces = |count| format!("{{}}{}", " ".repeat(count));
    assert!(check_document(&spaces(19), &paths, 10).is_ok());
    assert!(check_document(&spaces(20), &paths, 10).is_err());
}
