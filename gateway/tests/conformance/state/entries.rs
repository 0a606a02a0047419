//! `PUT`, `GET` and `DELETE /entries/{key}`.

use serde_json::{Value, json};

use super::{BYTES, announce, entry, keys, route, version};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_value_is_created_replaced_and_read,
    keys_hold_any_bytes with patient,
    values_hold_any_bytes with patient,
    metadata_travels_in_a_header,
    a_delete_need_not_find_anything,
}

async fn a_value_is_created_replaced_and_read(gateway: &TestGateway) {
    let path = entry("offset/7");
    let created = gateway.store(&path, &[], "first").await.assert_status(201);
    assert_eq!(created.json(), json!({"version": version(&created)}));
    let got = gateway.get(&path).await.assert_status(200);
    assert_eq!((&got.body[..], got.etag()), (&b"first"[..], created.etag()));
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    assert_eq!((got.header("x-metadata"), got.header("expires")), (None, None));

    let replaced = gateway.store(&path, &[], "second one").await.assert_status(200);
    assert_ne!(replaced.etag(), created.etag());
    assert_eq!(replaced.json(), json!({"version": version(&replaced)}));
    assert_eq!(&gateway.get(&path).await.body[..], b"second one");
    let head = gateway.send("HEAD", &path, &[], "").await.assert_status(200);
    assert_eq!((head.etag(), head.body.len()), (replaced.etag(), 0));
    assert_eq!(head.header("content-length"), Some("10"));

    gateway.get(&entry("nothing")).await.assert_problem(404, "not-found");
    gateway.send("HEAD", &entry("nothing"), &[], "").await.assert_status(404);
}

async fn keys_hold_any_bytes(gateway: &TestGateway) {
    let mut all: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let strange: [&[u8]; 9] = [
        b"..",
        b"a/b",
        b"a%2Fb",
        b"a+b c",
        b"\xff\xfe\xfd",
        b"\0\0",
        "ä\u{1F980}".as_bytes(),
        b":clear",
        b"x:batchPut",
    ];
    all.extend(strange.map(<[u8]>::to_vec));
    // The longest whose id can be read, the next one, and the longest of all.
    all.extend([512, 513, 1_024].map(|length| vec![0xff; length]));
    for key in &all {
        gateway.store(&entry(key), &[], key).await.assert_status(201);
    }
    for key in &all {
        assert_eq!(&gateway.get(&entry(key)).await.assert_status(200).body, key);
    }
    all.sort();
    assert_eq!(keys(&gateway.told("entries?limit=1000").await), all);
    let too_long = entry([b'k'; 1_025]);
    let problem = gateway.store(&too_long, &[], "v").await.assert_problem(400, "invalid-parameter");
    assert_eq!(problem["parameter"], "key");
    gateway.get(&too_long).await.assert_problem(400, "invalid-parameter");
    gateway.get(&route("entries/")).await.assert_problem(404, "no-such-route");
}

async fn values_hold_any_bytes(gateway: &TestGateway) {
    let all: Vec<u8> = (0..=255).collect();
    for length in [0, 1, 2, 3, 255, 1 << 20] {
        let value: Vec<u8> = all.iter().copied().cycle().take(length).collect();
        gateway.stored("value", &value).await;
        let got = gateway.get(&entry("value")).await.assert_status(200);
        assert!(got.body == value, "{length} bytes came back as {}", got.body.len());
        assert_eq!(gateway.told("entries").await["items"][0]["size"], length);
    }
    let etag = gateway.get(&entry("value")).await.etag();
    let too_large = vec![0; (1 << 20) + 1];
    let answer = gateway.store(&entry("value"), &[], too_large).await;
    assert_eq!(answer.assert_problem(413, "value-too-large")["limit"], 1 << 20);
    let answer = announce(gateway, &format!("PUT {}", entry("value")), BYTES).await;
    assert!(answer.contains("body-too-large"), "{answer}");
    assert_eq!(gateway.get(&entry("value")).await.etag(), etag);
}

async fn metadata_travels_in_a_header(gateway: &TestGateway) {
    let path = entry("m");
    let sent = json!({"source": "s-1", "tags": ["a", {"b": null}], "n": 1.5, "ä": "\u{1F980}"});
    // A header holds ASCII alone.
    let header = r#"{"source":"s-1","tags":["a",{"b":null}],"n":1.5,"\u00e4":"\ud83e\udd80"}"#;
    gateway.store(&path, &[("x-metadata", header)], "v").await.assert_status(201);
    let got = gateway.get(&path).await.assert_status(200);
    let shown: Value = serde_json::from_str(got.header("x-metadata").unwrap()).unwrap();
    assert_eq!(shown, sent);
    assert_eq!(gateway.told("entries").await["items"][0]["metadata"], sent);
    gateway.store(&path, &[], "v").await.assert_status(200);
    assert_eq!(gateway.get(&path).await.header("x-metadata"), None);
    assert_eq!(gateway.told("entries").await["items"][0]["metadata"], Value::Null);

    let large = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
    gateway.store(&path, &[("x-metadata", &large(8_192))], "v").await.assert_status(200);
    let etag = gateway.get(&path).await.etag();
    for (status, code, header) in [
        (400, "invalid-metadata", "{"),
        (400, "invalid-metadata", "{} x"),
        (422, "invalid-metadata", "[1]"),
        (422, "invalid-metadata", "null"),
        (422, "duplicate-member", r#"{"a":1,"a":2}"#),
        (422, "number-range", r#"{"a":1e999}"#),
        (422, "metadata-too-large", &large(8_193)),
    ] {
        let answer = gateway.store(&path, &[("x-metadata", header)], "w").await;
        answer.assert_problem(status, code);
    }
    assert_eq!(gateway.get(&path).await.etag(), etag);
}

async fn a_delete_need_not_find_anything(gateway: &TestGateway) {
    let path = entry("gone");
    gateway.delete(&path).await.assert_status(204);
    gateway.stored("gone", "v").await;
    let answer = gateway.delete(&path).await.assert_status(204);
    assert_eq!(answer.body.len(), 0);
    gateway.get(&path).await.assert_problem(404, "not-found");
    gateway.stored("gone", "v").await;
    for found in [true, false] {
        let answer = gateway.delete(&format!("{path}?report=true")).await.assert_status(200);
        assert_eq!(answer.json(), json!({"deleted": found}));
    }
    gateway.delete(&format!("{path}?report=false")).await.assert_status(204);
    // A new entry is none that somebody has seen before.
    let seen = gateway.stored("gone", "v").await.etag();
    gateway.delete(&path).await.assert_status(204);
    assert_ne!(gateway.stored("gone", "v").await.etag(), seen);
}
