//! `GET /entries`, `/entries:query` and `/count`.

use serde_json::{Value, json};

use super::{encoded, entry, keys, route, version};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_list_tells_what_is_known_of_entries,
    a_prefix_is_any_bytes,
    pages_show_every_entry_once with patient,
    long_keys_have_their_place with patient,
    a_cursor_fits_its_own_list_alone,
    entries_are_found_by_their_metadata,
    a_count_is_of_all_or_of_a_prefix,
}

async fn a_list_tells_what_is_known_of_entries(gateway: &TestGateway) {
    assert_eq!(gateway.told("entries").await, json!({"items": [], "next_cursor": null}));
    let first = gateway.stored("b", "12345").await;
    let second = gateway.store(&entry("a"), &[("x-metadata", "{\"m\":1}")], "").await;
    let expected = json!({
        "items": [
            {"key": "YQ", "version": version(&second), "size": 0, "expires_at": null,
             "metadata": {"m": 1}},
            {"key": "Yg", "version": version(&first), "size": 5, "expires_at": null,
             "metadata": null},
        ],
        "next_cursor": null, "total": 2,
    });
    assert_eq!(gateway.told("entries?total=true").await, expected);
    assert_eq!(gateway.told("entries?order=key&total=true&limit=1000").await, expected);
    gateway.send("HEAD", &route("entries"), &[], "").await.assert_status(200);
}

async fn a_prefix_is_any_bytes(gateway: &TestGateway) {
    let all: [&[u8]; 10] = [
        b"\0",
        b"\0\xff",
        b"a",
        b"a\xfe\xff",
        b"a\xff",
        b"a\xff\0",
        b"a\xff\xff\xff",
        b"b",
        b"\xff",
        b"\xff\xff",
    ];
    for key in all {
        gateway.stored(key, "v").await;
    }
    let prefixes: [&[u8]; 9] =
        [b"", b"\0", b"a", b"a\xff", b"a\xff\xff", b"\xff", b"\xff\xff", b"\xff\xff\xff", b"A"];
    for prefix in prefixes {
        let expected: Vec<&[u8]> = all.into_iter().filter(|key| key.starts_with(prefix)).collect();
        let query = format!("prefix={}", encoded(prefix));
        let page = gateway.told(&format!("entries?{query}&total=true")).await;
        assert_eq!(keys(&page), expected, "{prefix:?}");
        assert_eq!(page["total"], expected.len(), "{prefix:?}");
        let count = gateway.told(&format!("count?{query}")).await;
        assert_eq!(count, json!({"count": expected.len()}), "{prefix:?}");
    }
    let too_long = format!("entries?prefix={}", "a".repeat(1_025));
    gateway.get(&route(&too_long)).await.assert_problem(400, "invalid-parameter");
}

/// All keys of a list, by pages.
async fn paged(gateway: &TestGateway, query: &str) -> Vec<Vec<u8>> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = gateway.told(&format!("{query}{cursor}")).await;
        seen.extend(keys(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

async fn pages_show_every_entry_once(gateway: &TestGateway) {
    let all: Vec<Vec<u8>> = (0..1_000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    for part in all.chunks(500) {
        let item = |key: &Vec<u8>| json!({"key": super::text(key), "value": "", "metadata": {"same": true}});
        let items: Vec<Value> = part.iter().map(item).collect();
        let answer = gateway.ask("entries:batchPut", &json!({"items": items})).await;
        answer.assert_status(200);
    }
    assert_eq!(paged(gateway, "entries?limit=77").await, all);
    assert_eq!(paged(gateway, "entries?limit=1000").await, all);
    assert_eq!(keys(&gateway.told("entries").await).len(), 50);
    let found = paged(gateway, "entries:query?metadata={%22same%22:true}&limit=333").await;
    assert_eq!(found, all);
    // The keys of one third byte.
    assert_eq!(paged(gateway, "entries?prefix=%00%00%01&limit=100").await, all[256..512]);
}

async fn long_keys_have_their_place(gateway: &TestGateway) {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for last in [0, 1, 0xff] {
        for length in [511, 512, 1_023] {
            all.push([vec![b'k'; length], vec![last]].concat());
        }
    }
    for key in &all {
        gateway.stored(key, "v").await;
    }
    all.sort();
    assert_eq!(paged(gateway, "entries?limit=2").await, all);
    let prefix = "k".repeat(1_023);
    let expected = all.iter().filter(|key| key.len() == 1_024).count();
    assert_eq!(paged(gateway, &format!("entries?prefix={prefix}&limit=1")).await.len(), expected);
}

async fn a_cursor_fits_its_own_list_alone(gateway: &TestGateway) {
    for key in ["a1", "a2", "a3"] {
        gateway.store(&entry(key), &[("x-metadata", "{}")], "v").await.assert_status(201);
    }
    let page = gateway.told("entries?prefix=a&limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let altered: String = cursor.chars().rev().collect();
    gateway.told(&format!("entries?prefix=a&limit=2&cursor={cursor}")).await;
    for list in [
        format!("entries?cursor={cursor}"),
        format!("entries?prefix=b&cursor={cursor}"),
        format!("entries?prefix=a&cursor={altered}"),
        "entries?prefix=a&cursor=x".to_owned(),
        format!("entries:query?metadata={{}}&cursor={cursor}"),
    ] {
        gateway.get(&route(&list)).await.assert_problem(400, "invalid-cursor");
    }
}

async fn entries_are_found_by_their_metadata(gateway: &TestGateway) {
    for (key, metadata) in [
        ("a", r#"{"type":"offset","at":{"p":1,"q":[1,2]}}"#),
        ("b", r#"{"type":"offset","at":{"p":2}}"#),
        ("c", r#"{"type":"window"}"#),
        ("d", "{}"),
    ] {
        gateway.store(&entry(key), &[("x-metadata", metadata)], "v").await.assert_status(201);
    }
    gateway.stored("e", "v").await;
    for (metadata, expected) in [
        ("{}", "abcd"),
        (r#"{"type":"offset"}"#, "ab"),
        (r#"{"at":{"p":1}}"#, "a"),
        (r#"{"at":{"p":1.0}}"#, "a"),
        (r#"{"at":{"q":[2]}}"#, "a"),
        (r#"{"type":"window","at":{}}"#, ""),
        (r#"{"type":"none"}"#, ""),
        (r#"{"at":null}"#, ""),
    ] {
        let query = format!("entries:query?metadata={}&total=true", encoded(metadata.as_bytes()));
        let page = gateway.told(&query).await;
        assert_eq!(keys(&page).concat(), expected.as_bytes(), "{metadata}");
        assert_eq!(page["total"], expected.len(), "{metadata}");
    }
    for wrong in ["metadata=", "metadata=x", "metadata=[]", "metadata=1", "limit=1"] {
        let answer = gateway.get(&route(&format!("entries:query?{wrong}"))).await;
        assert_eq!(answer.assert_problem(400, "invalid-parameter")["parameter"], "metadata");
    }
    let twice = encoded(br#"{"a":1,"a":2}"#);
    let answer = gateway.get(&route(&format!("entries:query?metadata={twice}"))).await;
    answer.assert_problem(422, "duplicate-member");
}

async fn a_count_is_of_all_or_of_a_prefix(gateway: &TestGateway) {
    assert_eq!(gateway.told("count").await, json!({"count": 0}));
    for key in ["a1", "a2", "b1"] {
        gateway.stored(key, "v").await;
    }
    gateway.stored("a1", "again").await;
    for (query, expected) in [("", 3), ("?prefix=a", 2), ("?prefix=c", 0), ("?prefix=", 3)] {
        assert_eq!(gateway.told(&format!("count{query}")).await, json!({"count": expected}));
    }
    gateway.delete(&entry("a1")).await.assert_status(204);
    assert_eq!(gateway.told("count").await, json!({"count": 2}));
}
