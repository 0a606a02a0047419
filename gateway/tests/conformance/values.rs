//! What JSON a document may hold: the same answer in front of both databases, and nothing stored.

use serde_json::{Value, json};

use crate::harness::faults::{document, patient, route};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    sixty_four_levels_are_accepted_and_65_refused with patient,
    what_cannot_be_stored_is_refused_with_its_place with patient,
    text_that_is_not_json_is_refused_with_line_and_column with patient,
    a_document_is_an_object with patient,
    a_patch_is_checked_like_a_document with patient,
    what_both_databases_hold_comes_back_equal with patient,
}

fn nested(levels: usize) -> String {
    // The document itself is the first level.
    format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
}

async fn sixty_four_levels_are_accepted_and_65_refused(gateway: &TestGateway) {
    gateway.put_text(&document("d"), &nested(64)).await.assert_status(201);
    gateway.assert_stored("d", &serde_json::from_str(&nested(64)).unwrap()).await;
    for levels in [65, 66, 1_000, 100_000] {
        let answer = gateway.put_text(&document("deep"), &nested(levels)).await;
        answer.assert_problem(422, "too-deep");
    }
    gateway.assert_absent("deep").await;
    gateway.send("PATCH", &document("d"), &[JSON], nested(64)).await.assert_status(200);
    let answer = gateway.send("PATCH", &document("d"), &[JSON], nested(65)).await;
    answer.assert_problem(422, "too-deep");
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// A text, the code of its problem, and where the fault is.
const REFUSED: [(&str, &str, &str); 23] = [
    (r#"{"a": "x\u0000"}"#, "nul-character", "/a"),
    (r#"{"b": {"a\u0000": 1}}"#, "nul-character", "/b"),
    (r#"{"a": "\ud800"}"#, "lone-surrogate", "/a"),
    (r#"{"a": "\udc00x"}"#, "lone-surrogate", "/a"),
    (r#"{"a": ["\ud83e\u0041"]}"#, "lone-surrogate", "/a/0"),
    (r#"{"\ud800": 1}"#, "lone-surrogate", ""),
    (r#"{"a": 1, "a": 2}"#, "duplicate-member", "/a"),
    (r#"{"a": 1, "\u0061": 1}"#, "duplicate-member", "/a"),
    (r#"{"x": [{"é": 1, "\u00e9": 2}]}"#, "duplicate-member", "/x/0/é"),
    (r#"{"x": [{"🦀": 1, "\ud83e\udd80": 2}]}"#, "duplicate-member", "/x/0/🦀"),
    (r#"{"": 1, "": 2}"#, "duplicate-member", "/"),
    (r#"{"a~b/c": 1, "a~b\/c": 2}"#, "duplicate-member", "/a~0b~1c"),
    (r#"{"a": 1e400}"#, "number-range", "/a"),
    (r#"{"a": -1e400}"#, "number-range", "/a"),
    (r#"{"a": [1, 1e999999999999]}"#, "number-range", "/a/1"),
    (r#"{"a": 9223372036854775808}"#, "number-precision", "/a"),
    (r#"{"a": -9223372036854775809}"#, "number-precision", "/a"),
    (r#"{"a": 18446744073709551616}"#, "number-precision", "/a"),
    (r#"{"a": 0.1234567890123456789}"#, "number-precision", "/a"),
    (r#"{"a": 3.14159265358979323846}"#, "number-precision", "/a"),
    (r#"{"a": 1.00000000000000000001}"#, "number-precision", "/a"),
    (r#"{"a": 1e-400}"#, "number-precision", "/a"),
    (r#"{"a": 9007199254740993.0}"#, "number-precision", "/a"),
];

async fn what_cannot_be_stored_is_refused_with_its_place(gateway: &TestGateway) {
    for (text, code, pointer) in REFUSED {
        let answer = gateway.put_text(&document("d"), text).await;
        assert_eq!(answer.status, 422, "{text}: {answer:?}");
        let problem = answer.json();
        assert_eq!(
            (&problem["code"], &problem["pointer"]),
            (&json!(code), &json!(pointer)),
            "{text}"
        );
        answer.assert_problem(422, code);
    }
    gateway.assert_nothing_stored().await;
}

async fn text_that_is_not_json_is_refused_with_line_and_column(gateway: &TestGateway) {
    for (text, line, column) in [
        ("", 1, 1),
        ("{", 1, 2),
        ("{}\n\n x", 3, 2),
        ("{\"a\": 1,}", 1, 9),
        ("{\"a\":\n [1,\n  2 3]}", 3, 5),
        ("{a: 1}", 1, 2),
        ("{'a': 1}", 1, 2),
        ("{\"a\": NaN}", 1, 7),
        ("{\"a\": 01}", 1, 8),
        ("{\"a\": .5}", 1, 7),
        ("{\"a\": \"\u{1}\"}", 1, 8),
        ("{\"a\": \"\0\"}", 1, 8),
        ("{\"a\": \"\\x\"}", 1, 9),
        ("// a\n{}", 1, 1),
        ("\u{feff}{}", 1, 1),
        ("nul", 1, 4),
    ] {
        let answer = gateway.put_text(&document("d"), text).await;
        assert_eq!(answer.status, 400, "{text:?}: {answer:?}");
        let problem = answer.assert_problem(400, "invalid-json");
        let place = (&problem["line"], &problem["column"]);
        assert_eq!(place, (&json!(line), &json!(column)), "{text:?}: {problem}");
    }
    let not_utf8 = &b"{\"a\": \"\xff\"}"[..];
    let answer = gateway.send("PUT", &document("d"), &[JSON], not_utf8).await;
    answer.assert_problem(400, "invalid-json");
    gateway.assert_nothing_stored().await;
}

async fn a_document_is_an_object(gateway: &TestGateway) {
    for text in ["[]", "[{}]", "\"a\"", "1", "true", "null", " [1]"] {
        let answer = gateway.put_text(&document("d"), text).await;
        assert_eq!(answer.status, 422, "{text}: {answer:?}");
        answer.assert_problem(422, "not-an-object");
    }
    gateway.assert_nothing_stored().await;
}

async fn a_patch_is_checked_like_a_document(gateway: &TestGateway) {
    let body = json!({"kept": 1});
    gateway.put_document("d", &body).await.assert_status(201);
    for (text, code, _) in REFUSED {
        let answer = gateway.send("PATCH", &document("d"), &[JSON], text).await;
        answer.assert_problem(422, code);
        let batch = format!(r#"[{{"id": "d", "change": {{"merge": {text}}}}}]"#);
        let answer = gateway.send("POST", &route("apply"), &[JSON], batch).await;
        answer.assert_problem(422, code);
    }
    gateway.assert_stored("d", &body).await;
}

async fn what_both_databases_hold_comes_back_equal(gateway: &TestGateway) {
    let body = every_kind_of_value();
    gateway.put_document("d", &body).await.assert_status(201);
    gateway.assert_stored("d", &body).await;
    // And again, as a client does that changes nothing.
    let text = gateway.get(&document("d")).await;
    let text = std::str::from_utf8(&text.body).unwrap();
    gateway.put_text(&document("d"), text).await.assert_status(200);
    gateway.assert_stored("d", &body).await;
    gateway.patch_document("d", &json!({})).await.assert_status(200);
    gateway.assert_stored("d", &body).await;
}

fn every_kind_of_value() -> Value {
    json!({
        "numbers": [0, -1, 9_007_199_254_740_993_i64, i64::MAX, i64::MIN, 0.1, 1.5e300, -2.5e-300,
            f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e22, 123_456_789.012_345_67],
        "text": "\u{1}\t\"\\/\u{7f}äß\u{fffd}\u{ffff}\u{1F980}\u{10ffff}\u{2028}",
        "": {"": {" ": []}},
        "__proto__": {"constructor": null},
        "a.b/c~d": true,
        "long": "x".repeat(100_000),
        "wide": (0..5_000).collect::<Vec<_>>(),
        "empty": [{}, [], "", null, false],
    })
}
