//! Lists of groups: each filter, several at once, paging, and words.

use serde_json::{Value, json};

use super::{encoded, group, ids, network, route};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    groups_are_found_by_what_they_are,
    attributes_are_compared_as_json,
    groups_are_paged_by_their_newest_change,
    groups_are_found_by_words_the_best_first,
    what_is_no_filter_is_refused,
}

fn with(id: &str, attributes: Value) -> Value {
    json!({"group": {"id": id, "attributes": attributes}})
}

async fn found(gateway: &TestGateway, query: &str) -> Vec<String> {
    let answer = gateway.get(&format!("{}/groups?{query}", network("n"))).await.assert_status(200);
    let mut found = ids(&answer, "/group/id");
    found.sort();
    found
}

async fn groups_are_found_by_what_they_are(gateway: &TestGateway) {
    gateway
        .network_of(&[
            with(
                "a",
                json!({"bassline.type": "t1", "bassline.author": "ada",
                "bassline.tags": ["x", "y"]}),
            ),
            with("b", json!({"type": "t1", "author": "bob", "tags": ["y", "z"]})),
            // The prefixed name goes first.
            with("c", json!({"bassline.type": "t2", "type": "t1", "tags": ["x", "y", "z"]})),
            json!({"group": {"id": "d", "parentId": "a"}}),
            with("e", json!({"type": 5, "tags": "x"})),
        ])
        .await;
    for (query, expected) in [
        ("", "a b c d e"),
        ("type=t1", "a b"),
        ("type=t2", "c"),
        ("author=ada", "a"),
        ("author=none", ""),
        ("tags_any=x", "a c"),
        ("tags_any=x,z", "a b c"),
        ("tags_all=x,z", "c"),
        ("tags_all=y", "a b c"),
        ("tags_all=x,none", ""),
        ("parent=a", "d"),
        ("parent=d", ""),
        ("type=t1&tags_any=x,z&author=bob", "b"),
        ("tags_any=z&tags_all=x,y", "c"),
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(found(gateway, query).await, expected, "{query}");
    }
    let answer = gateway.get(&route("networks/none/groups")).await;
    answer.assert_problem(404, "network-not-found");
}

async fn attributes_are_compared_as_json(gateway: &TestGateway) {
    gateway
        .network_of(&[
            with("a", json!({"k": 5, "l": [1, 2]})),
            with("b", json!({"k": "5", "l": [2, 1]})),
            with("c", json!({"k": 5.0, "o": {"a": 1, "b": [null]}})),
            with("d", json!({"k": null, "l": [1, 1, 2], "q'\"k": true})),
        ])
        .await;
    for (name, value, expected) in [
        ("k", "5", "a c"),
        ("k", "5.0", "a c"),
        ("k", "\"5\"", "b"),
        ("k", "null", "d"),
        ("l", "[1,2]", "a"),
        ("l", "[ 2, 1 ]", "b"),
        ("l", "[1]", ""),
        ("o", "{\"b\":[null],\"a\":1.0}", "c"),
        ("o", "{\"a\":1}", ""),
        ("q'\"k", "true", "d"),
        ("none", "null", ""),
    ] {
        let query = format!("attr.{}={}", encoded(name), encoded(value));
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(found(gateway, &query).await, expected, "{query}");
    }
    let two = format!("attr.k=5&attr.l={}", encoded("[1,2]"));
    assert_eq!(found(gateway, &two).await, ["a"]);
    let answer = gateway.get(&format!("{}/groups?attr.k=text", network("n"))).await;
    assert_eq!(answer.assert_problem(400, "invalid-parameter")["parameter"], "attr.k");
}

async fn groups_are_paged_by_their_newest_change(gateway: &TestGateway) {
    // 40 groups, of which ten each have the same time.
    for round in 0..4 {
        gateway.storage().freeze_clock(1_795_723_200_000_000 + round * 1_000_000);
        let groups: Vec<Value> =
            (0..10).map(|n| json!({"group": {"id": format!("g{round}{n}")}})).collect();
        if round == 0 {
            gateway.network_of(&groups).await;
        } else {
            let path = format!("{}/groups:batchSave", network("n"));
            gateway.post_json(&path, &json!({"groups": groups})).await.assert_status(200);
        }
    }
    let (mut seen, mut cursor): (Vec<String>, _) = (Vec::new(), String::new());
    loop {
        let path = format!("{}/groups?limit=7&total=true{cursor}", network("n"));
        let page = gateway.get(&path).await.assert_status(200);
        seen.extend(ids(&page, "/group/id"));
        assert_eq!(page.json()["total"], 40);
        let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        cursor = format!("&cursor={}", encoded(&next));
    }
    assert_eq!(seen.len(), 40);
    let rounds: Vec<&str> = seen.iter().map(|id| &id[..2]).collect();
    assert!(rounds.is_sorted_by(|one, other| one >= other), "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 40, "each once");
    gateway.storage().freeze_clock(1_795_723_200_000_000 + 9_000_000);
    gateway.put(&group("g00"), &json!({"group": {}})).await.assert_status(200);
    let page = gateway.get(&format!("{}/groups?limit=1", network("n"))).await;
    assert_eq!(ids(&page, "/group/id"), ["g00"]);
    assert_eq!(page.json()["items"][0]["updatedAt"], "2026-11-26T20:00:09.000Z");
    let other = format!("{}/groups?type=t{cursor}", network("n"));
    gateway.get(&other).await.assert_problem(400, "invalid-cursor");
}

async fn groups_are_found_by_words_the_best_first(gateway: &TestGateway) {
    gateway
        .network_of(&[
            json!({"group": {"id": "a", "name": "Adder of cells"}}),
            json!({"group": {"id": "b", "name": "Adder adder",
                "attributes": {"bassline.description": "an Adder, once more", "type": "t"}}}),
            json!({"group": {"id": "c", "name": "Café", "attributes": {"description": "of cells"}}}),
        ])
        .await;
    let words = async |query: &str| {
        ids(&gateway.get(&format!("{}/groups?{query}", network("n"))).await, "/group/id")
    };
    assert_eq!(words("q=adder").await, ["b", "a"]);
    assert_eq!(words("q=cafe").await, ["c"]);
    assert_eq!(words("q=cells+of").await.len(), 2);
    assert_eq!(words("q=cells+adder").await, ["a"]);
    assert_eq!(words("q=add*&type=t").await, ["b"]);
    assert_eq!(words("q=%27%3B--").await, [""; 0]);
    let first = gateway.got(&format!("{}/groups?q=adder&limit=1", network("n"))).await;
    let cursor = encoded(first["next_cursor"].as_str().unwrap());
    assert_eq!(words(&format!("q=adder&limit=1&cursor={cursor}")).await, ["a"]);
}

async fn what_is_no_filter_is_refused(gateway: &TestGateway) {
    gateway.network_of(&[]).await;
    for query in
        ["tag=x", "attr=5", "attr.=5", "attr.k=1&attr.k=2", "limit=0", "limit=1001", "order=id"]
    {
        let answer = gateway.get(&format!("{}/groups?{query}", network("n"))).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}
