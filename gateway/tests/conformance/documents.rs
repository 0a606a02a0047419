//! One document: its preconditions, its versions, its id, and the fields that its body declares.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::faults::{document, patient, route, value};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_put_creates_and_then_replaces with patient,
    if_match_writes_at_that_version_only with patient,
    if_match_star_writes_what_is_there with patient,
    if_match_takes_a_list_and_no_weak_tag with patient,
    if_none_match_star_writes_where_nothing_is with patient,
    if_none_match_of_a_tag_writes_at_another_version with patient,
    several_documents_are_read_and_changed_under_one_etag with patient,
    what_is_not_there_is_not_found with patient,
    an_etag_never_repeats with patient,
    a_merge_patch_follows_its_rfc with patient,
    a_merge_patch_that_cannot_be_stored_changes_nothing with patient,
    an_id_has_1_to_1024_bytes with patient,
    ids_are_compared_byte_by_byte with patient,
    a_field_takes_values_of_its_type with patient,
    a_field_of_another_type_is_refused_with_its_place with patient,
    a_text_field_has_at_most_2048_bytes with patient,
    the_longest_rows_of_an_index_fit with patient,
    a_unique_value_stands_in_one_document with patient,
    absent_unique_values_do_not_collide with patient,
    a_unique_value_is_free_again with patient,
}

async fn a_put_creates_and_then_replaces(gateway: &TestGateway) {
    let first = json!({"title": "one", "undeclared": {"a": [1, null]}});
    let created = gateway.put_document("d", &first).await.assert_status(201);
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.etag(), format!("\"{}\"", created.json()["version"]));
    let got = gateway.assert_stored("d", &first).await;
    assert_eq!(got.etag(), created.etag());
    let created_at = got.header("x-created-at").expect("a time").to_owned();

    let second = json!({"title": "two"});
    let replaced = gateway.put_document("d", &second).await.assert_status(200);
    assert_ne!(replaced.etag(), created.etag());
    let got = gateway.assert_stored("d", &second).await;
    assert_eq!(got.etag(), replaced.etag());
    assert_eq!(got.header("x-created-at"), Some(created_at.as_str()));
    assert_eq!(got.header("x-expires-at"), None);
}

/// A document `d`, its `ETag`, and one that it had before.
async fn current_and_stale(gateway: &TestGateway, body: &Value) -> (String, String) {
    let stale = gateway.put_document("d", &json!({"title": "old"})).await.etag();
    let current = gateway.put_document("d", body).await.etag();
    (current, stale)
}

const WRITES: [(&str, u16); 3] = [("PUT", 200), ("PATCH", 200), ("DELETE", 204)];

async fn if_match_writes_at_that_version_only(gateway: &TestGateway) {
    let body = json!({"title": "kept"});
    let change = json!({"title": "changed"});
    for (method, status) in WRITES {
        let (current, stale) = current_and_stale(gateway, &body).await;
        for other in [stale.as_str(), "\"0\"", "\"18446744073709551615\"", "\"x\""] {
            let refused = gateway.conditional(method, "d", ("if-match", other), &change).await;
            refused.assert_problem(412, "precondition-failed");
            assert_eq!(refused.etag(), current, "{method} {other}");
            assert_eq!(gateway.assert_stored("d", &body).await.etag(), current);
        }
        let nowhere = gateway.conditional(method, "absent", ("if-match", &current), &change).await;
        nowhere.assert_problem(412, "precondition-failed");
        assert_eq!(nowhere.header("etag"), None);
        gateway.assert_absent("absent").await;
        let done = gateway.conditional(method, "d", ("if-match", &current), &change).await;
        done.assert_status(status);
        match method {
            "DELETE" => gateway.assert_absent("d").await,
            _ => assert_ne!(gateway.assert_stored("d", &change).await.etag(), current),
        }
    }
}

async fn if_match_star_writes_what_is_there(gateway: &TestGateway) {
    let change = json!({"title": "changed"});
    for (method, status) in WRITES {
        let refused = gateway.conditional(method, "d", ("if-match", "*"), &change).await;
        refused.assert_problem(412, "precondition-failed");
        assert_eq!(refused.header("etag"), None);
        gateway.assert_absent("d").await;
        gateway.put_document("d", &json!({})).await.assert_status(201);
        let done = gateway.conditional(method, "d", ("if-match", "*"), &change).await;
        done.assert_status(status);
        if method != "DELETE" {
            gateway.assert_stored("d", &change).await;
            gateway.delete(&document("d")).await.assert_status(204);
        }
    }
}

async fn if_match_takes_a_list_and_no_weak_tag(gateway: &TestGateway) {
    let (current, stale) = current_and_stale(gateway, &json!({})).await;
    let body = json!({"title": "new"});
    for tags in [format!("W/{current}"), format!("{stale}, \"x\""), current.replace('"', "")] {
        let refused = gateway.conditional("PUT", "d", ("if-match", &tags), &body).await;
        refused.assert_problem(412, "precondition-failed");
        assert_eq!(refused.etag(), current, "{tags}");
    }
    let tags = format!("{stale}, {current}");
    gateway.conditional("PUT", "d", ("if-match", &tags), &body).await.assert_status(200);
    gateway.assert_stored("d", &body).await;
}

async fn if_none_match_star_writes_where_nothing_is(gateway: &TestGateway) {
    let star = ("if-none-match", "*");
    let body = json!({"title": "first"});
    let created = gateway.conditional("PUT", "d", star, &body).await.assert_status(201);
    let refused = gateway.conditional("PUT", "d", star, &json!({"title": "second"})).await;
    refused.assert_problem(412, "precondition-failed");
    assert_eq!(refused.etag(), created.etag());
    for method in ["PATCH", "DELETE"] {
        // Nothing that is absent can be merged into or deleted.
        for id in ["d", "absent"] {
            let refused = gateway.conditional(method, id, star, &json!({})).await;
            refused.assert_problem(422, "impossible-condition");
        }
    }
    gateway.assert_stored("d", &body).await;
    gateway.assert_absent("absent").await;
}

async fn if_none_match_of_a_tag_writes_at_another_version(gateway: &TestGateway) {
    let body = json!({"title": "kept"});
    for (method, status) in WRITES {
        let (current, stale) = current_and_stale(gateway, &body).await;
        let refused =
            gateway.conditional(method, "d", ("if-none-match", &current), &json!({})).await;
        refused.assert_problem(412, "precondition-failed");
        assert_eq!(refused.etag(), current);
        gateway.assert_stored("d", &body).await;
        let done = gateway.conditional(method, "d", ("if-none-match", &stale), &json!({})).await;
        done.assert_status(status);
    }
    let etag = gateway.put_document("d", &body).await.etag();
    let unchanged = gateway.conditional("GET", "d", ("if-none-match", &etag), &json!({})).await;
    assert_eq!(unchanged.assert_status(304).body.len(), 0);
}

async fn several_documents_are_read_and_changed_under_one_etag(gateway: &TestGateway) {
    let path = route("together?id=a&id=b");
    for id in ["a", "b"] {
        gateway.put_document(id, &json!({"title": id})).await.assert_status(201);
    }
    let etag = gateway.get(&path).await.assert_status(200).etag();
    let if_none_match = [("if-none-match", etag.as_str())];
    gateway.send("GET", &path, &if_none_match, "").await.assert_status(304);
    gateway.put_document("b", &json!({"title": "changed"})).await.assert_status(200);
    let changed = gateway.send("GET", &path, &if_none_match, "").await.assert_status(200).etag();
    assert_ne!(changed, etag);

    let refused = gateway.send("POST", &path, &[("if-match", &etag)], "").await;
    refused.assert_problem(412, "precondition-failed");
    assert_eq!(refused.etag(), changed);
    gateway.assert_stored("a", &json!({"title": "a"})).await;
    gateway.send("POST", &path, &[("if-match", &changed)], "").await.assert_status(204);
    gateway.assert_stored("a", &json!({"title": "a", "extra": "changed"})).await;
}

async fn what_is_not_there_is_not_found(gateway: &TestGateway) {
    gateway.get(&document("d")).await.assert_problem(404, "not-found");
    gateway.delete(&document("d")).await.assert_problem(404, "not-found");
    let patched = gateway.patch_document("d", &json!({"title": "x"})).await;
    patched.assert_problem(412, "precondition-failed");
    assert_eq!(patched.header("etag"), None);
    gateway.assert_nothing_stored().await;
}

async fn an_etag_never_repeats(gateway: &TestGateway) {
    let mut tags = HashSet::new();
    for round in 0..10 {
        let created = gateway.put_document("d", &json!({})).await.assert_status(201);
        let replaced = gateway.put_document("d", &json!({})).await.assert_status(200);
        let patched = gateway.patch_document("d", &json!({})).await.assert_status(200);
        for tag in [created.etag(), replaced.etag(), patched.etag()] {
            assert!(tags.insert(tag.clone()), "{tag} was there before round {round}");
        }
        gateway.delete(&document("d")).await.assert_status(204);
    }
    let current = gateway.put_document("d", &json!({"title": "last"})).await.etag();
    for tag in &tags {
        let refused = gateway.conditional("PUT", "d", ("if-match", tag), &json!({})).await;
        refused.assert_problem(412, "precondition-failed");
        assert_eq!(refused.etag(), current);
    }
}

/// A document, a patch and what comes of them: those of RFC 7396 that are objects, and numbers.
const MERGES: [(&str, &str, &str); 11] = [
    (r#"{"a": "b"}"#, r#"{"a": "c"}"#, r#"{"a": "c"}"#),
    (r#"{"a": "b"}"#, r#"{"b": "c"}"#, r#"{"a": "b", "b": "c"}"#),
    (r#"{"a": "b"}"#, r#"{"a": null}"#, "{}"),
    (r#"{"a": "b", "b": "c"}"#, r#"{"a": null}"#, r#"{"b": "c"}"#),
    (r#"{"a": ["b"]}"#, r#"{"a": "c"}"#, r#"{"a": "c"}"#),
    (r#"{"a": "c"}"#, r#"{"a": ["b"]}"#, r#"{"a": ["b"]}"#),
    (r#"{"a": {"b": "c"}}"#, r#"{"a": {"b": "d", "c": null}}"#, r#"{"a": {"b": "d"}}"#),
    (r#"{"a": [{"b": "c"}]}"#, r#"{"a": [1]}"#, r#"{"a": [1]}"#),
    (r#"{"e": null}"#, r#"{"a": 1}"#, r#"{"e": null, "a": 1}"#),
    ("{}", r#"{"a": {"bb": {"ccc": null}}}"#, r#"{"a": {"bb": {}}}"#),
    (r#"{"n": 9007199254740993}"#, r#"{"m": 0.1}"#, r#"{"n": 9007199254740993, "m": 0.1}"#),
];

async fn a_merge_patch_follows_its_rfc(gateway: &TestGateway) {
    for (target, patch, merged) in MERGES {
        let (target, patch, merged) = (value(target), value(patch), value(merged));
        let before = gateway.put_document("d", &target).await.etag();
        let after = gateway.patch_document("d", &patch).await.assert_status(200);
        assert_ne!(after.etag(), before);
        assert_eq!(gateway.assert_stored("d", &merged).await.etag(), after.etag());
    }
    // The fields follow the body.
    gateway.put_document("d", &json!({"title": "t", "amount": 1})).await.assert_status(200);
    gateway.patch_document("d", &json!({"title": null, "amount": 2})).await.assert_status(200);
    let item = &gateway.list("").await["items"][0];
    assert_eq!((&item["title"], &item["amount"]), (&Value::Null, &json!(2)));
}

async fn a_merge_patch_that_cannot_be_stored_changes_nothing(gateway: &TestGateway) {
    let body = json!({"title": "t", "amount": 1});
    let etag = gateway.put_document("d", &body).await.etag();
    let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(2_049));
    for (patch, code, pointer) in [
        (r#"{"amount": "one"}"#, "field-type", Some("/amount")),
        (r#"{"title": {"a": 1}}"#, "field-type", Some("/title")),
        (&long, "field-too-long", Some("/title")),
        ("[1]", "not-an-object", None),
        ("\"text\"", "not-an-object", None),
        ("null", "not-an-object", None),
    ] {
        let patch = value(patch);
        let problem = gateway.patch_document("d", &patch).await.assert_problem(422, code);
        assert_eq!(problem.get("pointer").and_then(Value::as_str), pointer, "{problem}");
        assert_eq!(gateway.assert_stored("d", &body).await.etag(), etag);
    }
}

async fn an_id_has_1_to_1024_bytes(gateway: &TestGateway) {
    let body = json!({"title": "t"});
    for id in ["i", &"i".repeat(1_024), &"é".repeat(512), &"\u{1F980}".repeat(256)] {
        gateway.put_document(id, &body).await.assert_status(201);
        gateway.assert_stored(id, &body).await;
        assert_eq!(gateway.list("").await["items"][0]["id"], id);
        gateway.patch_document(id, &json!({"amount": 1})).await.assert_status(200);
        gateway.delete(&document(id)).await.assert_status(204);
    }
    for id in [&"i".repeat(1_025), &"é".repeat(513)] {
        gateway.put_document(id, &body).await.assert_problem(422, "invalid-id");
        gateway.get(&document(id)).await.assert_problem(422, "invalid-id");
        gateway.patch_document(id, &body).await.assert_problem(422, "invalid-id");
        gateway.delete(&document(id)).await.assert_problem(422, "invalid-id");
    }
    gateway.put_document("", &body).await.assert_problem(404, "no-such-route");
    let empty = json!([{"id": "", "change": {"put": body}}]);
    gateway.apply(&empty).await.assert_problem(422, "invalid-id");
    gateway.get(&document("a\0b")).await.assert_problem(400, "nul-character");
    let nul = json!([{"id": "a\0b", "change": {"put": body}}]);
    gateway.apply(&nul).await.assert_problem(422, "nul-character");
    gateway.assert_nothing_stored().await;
}

async fn ids_are_compared_byte_by_byte(gateway: &TestGateway) {
    // Two ways to write ä, two cases, blanks, and what SQL or a path could take for something else.
    let ids = [
        "a",
        "A",
        "a ",
        " a",
        "ä",
        "a\u{308}",
        "ss",
        "ß",
        "%",
        "_",
        "'",
        "\"",
        "\\",
        "--",
        ";",
        ".",
        "..",
        "a/b",
        "%2F",
        "\u{1F980}",
        "\u{ffff}",
        "\u{1}",
        "1",
        "01",
        "1.0",
        "null",
        "+",
    ];
    for id in ids {
        let created = gateway.put_document(id, &json!({"title": id})).await;
        assert_eq!(created.status, 201, "{id:?}: {created:?}");
    }
    for id in ids {
        gateway.assert_stored(id, &json!({"title": id})).await;
    }
    assert_eq!(gateway.list("total=true").await["total"], ids.len());
}

/// A field, a value of its type, and how a list shows it.
const FIELDS: [(&str, &str, &str); 21] = [
    ("title", r#""\u0001\t\"\\\u007fä\ud83e\udd80""#, r#""\u0001\t\"\\\u007fä\ud83e\udd80""#),
    ("title", r#""""#, r#""""#),
    ("amount", "9223372036854775807", "9223372036854775807"),
    ("amount", "-9223372036854775808", "-9223372036854775808"),
    ("amount", "3.0", "3"),
    ("amount", "-0.0", "0"),
    ("ratio", "0.1", "0.1"),
    ("ratio", "-2.5e-300", "-2.5e-300"),
    ("ratio", "1.5e300", "1.5e300"),
    ("ratio", "7", "7"),
    ("done", "true", "true"),
    ("done", "false", "false"),
    ("due", r#""2026-01-31T12:00:00Z""#, r#""2026-01-31T12:00:00.000Z""#),
    ("due", r#""2026-01-31t13:30:00.25+01:30""#, r#""2026-01-31T12:00:00.250Z""#),
    ("due", r#""1969-12-31T23:59:59.999999Z""#, r#""1969-12-31T23:59:59.999999Z""#),
    ("tags", "[]", "[]"),
    ("tags", r#"["a", "", "a,b", "{\"}", "NULL"]"#, r#"["a", "", "a,b", "{\"}", "NULL"]"#),
    ("extra", r#"{"b": [1, {"c": null}], "a": 1.5}"#, r#"{"a": 1.5, "b": [1, {"c": null}]}"#),
    ("extra", r#""text""#, r#""text""#),
    ("extra", "0", "0"),
    ("extra", "false", "false"),
];

async fn a_field_takes_values_of_its_type(gateway: &TestGateway) {
    let listed = async |body: Value| {
        let put = gateway.put_document("d", &body).await;
        assert!(put.status.is_success(), "{body}: {put:?}");
        gateway.assert_stored("d", &body).await;
        gateway.list("").await["items"][0].clone()
    };
    for (name, stored, shown) in FIELDS {
        let (stored, shown) = (value(stored), value(shown));
        let item = listed(json!({name: stored})).await;
        assert_eq!(as_number(&item[name]), as_number(&shown), "{name}: {stored}");
    }
    for name in ["title", "amount", "ratio", "done", "due", "tags", "extra", "unique_key"] {
        assert_eq!(listed(json!({name: null})).await[name], Value::Null, "{name}");
        assert_eq!(listed(json!({"other": 1})).await[name], Value::Null, "{name}");
    }
    // The first path that exists.
    assert_eq!(listed(json!({"meta": {"extra": 1}})).await["extra"], 1);
    assert_eq!(listed(json!({"meta": {"extra": 1}, "extra": 2})).await["extra"], 2);
}

/// JSON has one kind of number: 7 and 7.0 are equal. Whole ones are compared exactly.
fn as_number(value: &Value) -> Value {
    match value.as_f64() {
        Some(number) if !value.is_i64() => json!(number),
        Some(number) if value.as_i64().is_some_and(|whole| whole.unsigned_abs() < 1_000) => {
            json!(number)
        }
        _ => value.clone(),
    }
}

/// Values that are not of a field's type.
const WRONG: [(&str, &[&str]); 7] = [
    ("title", &["1", "true", r#"["a"]"#, r#"{"a": 1}"#]),
    ("amount", &[r#""1""#, "1.5", "true", "[1]", "1e18", "1e300"]),
    ("ratio", &[r#""0.1""#, "false", "[0.1]"]),
    ("done", &["0", "1", r#""true""#, "[]"]),
    (
        "due",
        &[
            "0",
            r#""""#,
            r#""now""#,
            r#""2026-01-31""#,
            r#""2026-01-31 12:00:00Z""#,
            r#""2026-01-31T12:00:00""#,
            r#""2026-02-30T12:00:00Z""#,
        ],
    ),
    ("tags", &[r#""a""#, "[1]", r#"["a", null]"#, r#"[["a"]]"#, "{}"]),
    ("unique_key", &["1", "{}"]),
];

async fn a_field_of_another_type_is_refused_with_its_place(gateway: &TestGateway) {
    for (name, values) in WRONG {
        for wrong in values {
            let wrong = value(wrong);
            let answer = gateway.put_document("d", &json!({"other": 1, name: wrong})).await;
            assert_eq!(answer.status, 422, "{name} = {wrong}: {answer:?}");
            let problem = answer.assert_problem(422, "field-type");
            assert_eq!(problem["pointer"], format!("/{name}"), "{wrong}");
            assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
        }
    }
    gateway.assert_nothing_stored().await;
}

async fn a_text_field_has_at_most_2048_bytes(gateway: &TestGateway) {
    for longest in ["x".repeat(2_048), "é".repeat(1_024)] {
        for name in ["title", "unique_key"] {
            let body = json!({name: longest});
            gateway.put_document("d", &body).await;
            gateway.assert_stored("d", &body).await;
            gateway.delete(&document("d")).await.assert_status(204);
            for longer in [format!("{longest}x"), longest.repeat(2)] {
                let answer = gateway.put_document("d", &json!({name: longer})).await;
                let problem = answer.assert_problem(422, "field-too-long");
                assert_eq!(problem["pointer"], format!("/{name}"));
            }
        }
    }
    gateway.assert_nothing_stored().await;
}

async fn the_longest_rows_of_an_index_fit(gateway: &TestGateway) {
    // Neither database can make this smaller, so an index's row has its full length.
    let text = incompressible(3 * 2_048);
    let (title, rest) = text.split_at(2_048);
    let (unique_key, rest) = rest.split_at(2_048);
    let body = json!({"title": title, "amount": i64::MAX, "unique_key": unique_key});
    let id = &rest[..512];
    gateway.put_document(id, &body).await.assert_status(201);
    gateway.assert_stored(id, &body).await;
    for order in ["id", "newest", "amount"] {
        assert_eq!(gateway.list(&format!("order={order}")).await["items"][0]["id"], id);
    }
    gateway.delete(&document(id)).await.assert_status(204);
    for (id, body) in [
        (&rest[..513], json!({"title": title})),
        (&rest[..513], json!({"unique_key": unique_key})),
        (&rest[..1_024], body),
    ] {
        gateway.put_document(id, &body).await.assert_problem(422, "index-too-long");
    }
    gateway.assert_nothing_stored().await;
}

/// So many characters without a pattern: no compression shortens them.
fn incompressible(length: usize) -> String {
    let mut state = 1_u64;
    let step = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let character = u8::try_from(state >> 58).expect("6 bits");
        char::from(b'0' + character)
    };
    (0..length).map(step).collect()
}

async fn a_unique_value_stands_in_one_document(gateway: &TestGateway) {
    let first = json!({"unique_key": "k", "title": "first"});
    gateway.put_document("first", &first).await.assert_status(201);
    let duplicate = json!({"unique_key": "k", "title": "second"});
    let refused = |problem: Value| {
        assert_eq!(problem["index"], "one_unique_key", "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("one_unique_key"), "{detail}");
        assert!(!detail.contains("first"), "{detail}");
    };
    let answer = gateway.put_document("second", &duplicate).await;
    refused(answer.assert_problem(409, "already-exists"));
    gateway.assert_absent("second").await;

    let second = json!({"unique_key": "other"});
    gateway.put_document("second", &second).await.assert_status(201);
    let answer = gateway.put_document("second", &duplicate).await;
    refused(answer.assert_problem(409, "already-exists"));
    let answer = gateway.patch_document("second", &json!({"unique_key": "k"})).await;
    refused(answer.assert_problem(409, "already-exists"));
    let answer = gateway.conditional("PUT", "third", ("if-none-match", "*"), &duplicate).await;
    refused(answer.assert_problem(409, "already-exists"));
    let put = json!([{"id": "third", "change": {"put": duplicate}}]);
    refused(gateway.apply(&put).await.assert_problem(409, "already-exists"));
    gateway.assert_stored("second", &second).await;
    gateway.assert_stored("first", &first).await;
    gateway.assert_absent("third").await;

    // Its own value is in nobody's way, and text is compared byte by byte.
    gateway.put_document("first", &first).await.assert_status(200);
    gateway.put_document("third", &json!({"unique_key": "K"})).await.assert_status(201);
    gateway.put_document("fourth", &json!({"unique_key": "k "})).await.assert_status(201);
}

async fn absent_unique_values_do_not_collide(gateway: &TestGateway) {
    for (id, body) in [
        ("a", json!({})),
        ("b", json!({})),
        ("c", json!({"unique_key": null})),
        ("d", json!({"unique_key": null})),
    ] {
        gateway.put_document(id, &body).await.assert_status(201);
    }
    assert_eq!(gateway.list("total=true").await["total"], 4);
    gateway.put_document("e", &json!({"unique_key": ""})).await.assert_status(201);
    let empty_twice = gateway.put_document("f", &json!({"unique_key": ""})).await;
    empty_twice.assert_problem(409, "already-exists");
}

async fn a_unique_value_is_free_again(gateway: &TestGateway) {
    let holder = json!({"unique_key": "k"});
    gateway.put_document("a", &holder).await.assert_status(201);
    gateway.delete(&document("a")).await.assert_status(204);
    gateway.put_document("b", &holder).await.assert_status(201);
    gateway.put_document("b", &json!({"unique_key": "other"})).await.assert_status(200);
    gateway.put_document("c", &holder).await.assert_status(201);
    gateway.patch_document("c", &json!({"unique_key": null})).await.assert_status(200);
    gateway.put_document("d", &holder).await.assert_status(201);
    gateway.assert_stored("c", &json!({})).await;
}
