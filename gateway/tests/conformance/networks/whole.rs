//! Networks as a whole: PUT, GET, HEAD, DELETE, lists and conditions.

use serde_json::json;

use super::{contact, group, ids, network, route, saved_group};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_network_comes_back_as_it_was_sent,
    a_network_is_replaced_as_a_whole,
    what_a_group_save_changes_the_network_shows,
    a_network_is_deleted_with_all_that_is_in_it,
    networks_are_listed_by_their_newest_change,
    a_network_heeds_conditions,
    ids_may_be_1000_characters_long_and_hold_anything,
    a_contact_may_move_to_another_group,
}

async fn a_network_comes_back_as_it_was_sent(gateway: &TestGateway) {
    let sent = json!({
        "rootGroupId": "root", "currentGroupId": "sub", "version": 3, "extra": {"a": [1.5, null]},
        "groups": [
            {
                "group": {"id": "root", "name": "Root", "location": {"x": 1, "y": 2}, "primitive": null,
                    "attributes": {"bassline.type": "t"}, "boundaryContactIds": ["c1"], "own": true},
                "contacts": [
                    {"id": "c2", "content": {"v": 1e3}, "blendMode": "merge", "name": "two", "z": 1},
                    {"id": "c1", "isBoundary": true, "boundaryDirection": "output",
                        "lastContradiction": "none"},
                ],
                "wires": [
                    {"id": "w2", "fromId": "c3", "toId": "c1", "type": "directed", "priority": 2.5,
                        "attributes": {"a": 1}},
                    {"id": "w1", "fromId": "c2", "toId": "c1"},
                ],
            },
            {"group": {"id": "sub", "parentId": "root"}, "contacts": [{"id": "c3"}], "wires": []},
        ],
    });
    let made = gateway.put(&network("n"), &sent).await.assert_status(201);
    let expected = json!({"id": "n", "groupCount": 2, "contactCount": 3, "wireCount": 2});
    assert_eq!(made.json(), expected);
    let got = gateway.get(&network("n")).await.assert_status(200);
    assert_eq!(got.etag(), made.etag());
    let contact =
        |group: &str, id: &str| json!({"id": id, "groupId": group, "blendMode": "accept-last"});
    let mut second = contact("root", "c2");
    second["blendMode"] = "merge".into();
    second["content"] = json!({"v": 1000});
    second["name"] = "two".into();
    second["z"] = 1.into();
    let mut first = contact("root", "c1");
    first["isBoundary"] = true.into();
    first["boundaryDirection"] = "output".into();
    first["lastContradiction"] = "none".into();
    let mut root = sent["groups"][0]["group"].clone();
    root["contactIds"] = json!(["c2", "c1"]);
    root["wireIds"] = json!(["w2", "w1"]);
    root["subgroupIds"] = json!(["sub"]);
    let expected = json!({
        "id": "n", "rootGroupId": "root", "currentGroupId": "sub", "version": 3,
        "extra": {"a": [1.5, null]},
        "groups": [
            {"group": root, "contacts": [second, first], "wires": [
                {"id": "w2", "groupId": "root", "fromId": "c3", "toId": "c1", "type": "directed",
                    "priority": 2.5, "attributes": {"a": 1}},
                {"id": "w1", "groupId": "root", "fromId": "c2", "toId": "c1",
                    "type": "bidirectional"},
            ]},
            {"group": {"id": "sub", "parentId": "root", "contactIds": ["c3"], "wireIds": [],
                "subgroupIds": []}, "contacts": [contact("sub", "c3")], "wires": []},
        ],
    });
    let mut answer = got.json();
    // Both databases keep the number; only SQLite keeps how it was written.
    assert_eq!(answer["groups"][0]["contacts"][0]["content"]["v"].as_f64(), Some(1000.0));
    answer["groups"][0]["contacts"][0]["content"]["v"] = 1000.into();
    assert_eq!(answer, expected);
    // What was read can be sent again.
    gateway.put(&network("n"), &answer).await.assert_status(200);
    let again = gateway.got(&network("n")).await;
    assert_eq!(again, answer);
    let head = gateway.send("HEAD", &network("n"), &[], "").await.assert_status(200);
    assert_eq!(head.body.len(), 0);
}

async fn a_network_is_replaced_as_a_whole(gateway: &TestGateway) {
    let wired = json!({"group": {"id": "a"}, "contacts": [{"id": "c1"}, {"id": "c2"}],
        "wires": [{"id": "w1", "fromId": "c1", "toId": "c3"}]});
    gateway.network_of(&[wired, saved_group("b", &["c3"])]).await;
    let made =
        gateway.network_of(&[saved_group("c", &["c4"]), saved_group("a", &["c2", "c5"])]).await;
    assert_eq!(made.status, 200);
    let got = gateway.get(&network("n")).await.assert_status(200);
    assert_eq!(got.etag(), made.etag());
    let got = got.json();
    let groups: Vec<_> = got["groups"].as_array().unwrap().iter().map(|g| &g["group"]).collect();
    assert_eq!(groups.len(), 2);
    assert_eq!((&groups[0]["id"], &groups[0]["contactIds"]), (&json!("c"), &json!(["c4"])));
    assert_eq!((&groups[1]["id"], &groups[1]["contactIds"]), (&json!("a"), &json!(["c2", "c5"])));
    assert_eq!(groups[1]["wireIds"], json!([]));
    gateway.get(&group("b")).await.assert_problem(404, "group-not-found");
    gateway.get(&contact("a", "c1")).await.assert_problem(404, "contact-not-found");
    // All or nothing: the last wire leads nowhere.
    let wrong = json!({"groups": [saved_group("x", &["c9"]), {"group": {"id": "y"},
        "wires": [{"id": "w", "fromId": "c9", "toId": "gone"}]}]});
    let problem = gateway.put(&network("n"), &wrong).await.assert_problem(422, "contact-not-found");
    assert_eq!(problem["pointer"], "/groups/1/wires/0/toId");
    assert_eq!(gateway.got(&network("n")).await, got);
    gateway.network_of(&[]).await;
    assert_eq!(gateway.got(&network("n")).await, json!({"id": "n", "groups": []}));
}

async fn what_a_group_save_changes_the_network_shows(gateway: &TestGateway) {
    let first = gateway.network_of(&[saved_group("a", &["c1"])]).await;
    gateway.put(&group("b"), &saved_group("b", &["c2"])).await.assert_status(201);
    let got = gateway.get(&network("n")).await;
    assert_ne!(got.etag(), first.etag());
    let ids = |answer: &serde_json::Value| -> Vec<String> {
        let groups = answer["groups"].as_array().unwrap();
        groups.iter().map(|group| group["group"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&got.json()), ["a", "b"]);
    let mut tags = vec![got.etag()];
    gateway.put(&contact("b", "c3"), &json!({"content": 1})).await.assert_status(201);
    tags.push(gateway.get(&network("n")).await.etag());
    gateway.put(&contact("b", "c3"), &json!({"content": 2})).await.assert_status(200);
    tags.push(gateway.get(&network("n")).await.etag());
    gateway.delete(&contact("b", "c3")).await.assert_status(204);
    tags.push(gateway.get(&network("n")).await.etag());
    gateway.delete(&group("b")).await.assert_status(204);
    tags.push(gateway.get(&network("n")).await.etag());
    let all = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), all, "each change has another tag");
    let fresh = gateway.get(&network("n")).await.etag();
    let headers = [("if-none-match", fresh.as_str())];
    gateway.send("GET", &network("n"), &headers, "").await.assert_status(304);
}

async fn a_network_is_deleted_with_all_that_is_in_it(gateway: &TestGateway) {
    let wired = json!({"group": {"id": "a"}, "contacts": [{"id": "c1"}, {"id": "c2"}],
        "wires": [{"id": "w1", "fromId": "c1", "toId": "c2"}]});
    gateway.network_of(std::slice::from_ref(&wired)).await;
    let snapshot = gateway.snapshot("one").await;
    gateway.put(&network("other"), &json!({"groups": [wired]})).await.assert_status(201);
    gateway.delete(&network("n")).await.assert_status(204);
    gateway.delete(&network("n")).await.assert_problem(404, "network-not-found");
    gateway.get(&network("n")).await.assert_problem(404, "network-not-found");
    gateway.get(&format!("{}/stats", network("n"))).await.assert_problem(404, "network-not-found");
    // A network of this id begins with nothing.
    gateway.network_of(&[]).await;
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    for count in ["groupCount", "contactCount", "wireCount", "snapshotCount", "totalSize"] {
        assert_eq!(stats[count], 0, "{count}");
    }
    let path = format!("{}/snapshots/{snapshot}", network("n"));
    gateway.get(&path).await.assert_problem(404, "snapshot-not-found");
    gateway.get(&contact("a", "c1")).await.assert_problem(404, "group-not-found");
    let other = gateway.got(&network("other")).await;
    assert_eq!(other["groups"][0]["group"]["contactIds"], json!(["c1", "c2"]));
}

async fn networks_are_listed_by_their_newest_change(gateway: &TestGateway) {
    let mut now = gateway.storage().now();
    let mut tick = || {
        now += 1_000_000;
        gateway.storage().freeze_clock(now);
    };
    for id in ["a", "n", "c"] {
        tick();
        let body = json!({"name": id, "groups": [saved_group("g", &["x"])]});
        gateway.put(&network(id), &body).await.assert_status(201);
    }
    let listed = async || ids(&gateway.get(&route("networks")).await, "/network/id");
    assert_eq!(listed().await, ["c", "n", "a"]);
    tick();
    gateway.put(&contact("g", "x"), &json!({"content": 5})).await.assert_status(200);
    assert_eq!(listed().await, ["n", "c", "a"]);
    tick();
    let body = json!({"groups": []});
    gateway.put(&network("a"), &body).await.assert_status(200);
    tick();
    gateway.delete(&group("g")).await.assert_status(204);
    assert_eq!(listed().await, ["n", "a", "c"]);
    let first = gateway.got(&route("networks?limit=2&total=true")).await;
    assert_eq!((&first["total"], first["items"].as_array().unwrap().len()), (&json!(3), 2));
    assert!(first["items"][0]["network"].get("groups").is_none());
    let cursor = super::encoded(first["next_cursor"].as_str().unwrap());
    let rest = gateway.get(&route(&format!("networks?limit=2&cursor={cursor}"))).await;
    assert_eq!(ids(&rest, "/network/id"), ["c"]);
    assert_eq!(rest.json()["items"][0]["network"], json!({"id": "c", "name": "c"}));
}

async fn a_network_heeds_conditions(gateway: &TestGateway) {
    let body = json!({"groups": [saved_group("a", &["c"])]});
    let present = ("if-match", "*");
    gateway.put_if(&network("n"), present, &body).await.assert_problem(412, "precondition-failed");
    let absent = ("if-none-match", "*");
    let made = gateway.put_if(&network("n"), absent, &body).await.assert_status(201);
    gateway.put_if(&network("n"), absent, &body).await.assert_problem(412, "precondition-failed");
    let old = made.etag();
    gateway.put(&contact("a", "c"), &json!({"content": 1})).await.assert_status(200);
    let stale = gateway.put_if(&network("n"), ("if-match", &old), &body).await;
    stale.assert_problem(412, "precondition-failed");
    let fresh = gateway.get(&network("n")).await.etag();
    assert_eq!(stale.header("etag"), Some(fresh.as_str()));
    let headers = [("if-match", old.as_str())];
    let refused = gateway.send("DELETE", &network("n"), &headers, "").await;
    refused.assert_problem(412, "precondition-failed");
    assert_eq!(gateway.get(&network("n")).await.etag(), fresh, "a refusal changes nothing");
    let made = gateway.put_if(&network("n"), ("if-match", &fresh), &body).await.assert_status(200);
    let headers = [("if-match", made.etag())];
    let headers = headers.each_ref().map(|(name, tag)| (*name, tag.as_str()));
    gateway.send("DELETE", &network("n"), &headers, "").await.assert_status(204);
}

async fn ids_may_be_1000_characters_long_and_hold_anything(gateway: &TestGateway) {
    let long = |letter: &str| letter.repeat(1_000);
    let ids = [
        [long("n"), long("g"), long("c")],
        [long("é"), long("\u{1f980}"), long("\"")],
        ["'; DROP TABLE x; --".into(), "a/b?c#d%".into(), "\n\t\u{1}\\".into()],
        [" ".into(), ".".into(), "😀\"'".into()],
    ];
    for [n, g, c] in &ids {
        let path = network(n);
        let body = json!({"groups": [{"group": {"id": g}, "contacts": [{"id": c}],
            "wires": [{"id": c, "fromId": c, "toId": c}]}]});
        gateway.put(&path, &body).await.assert_status(201);
        let got = gateway.got(&path).await;
        assert_eq!(got["id"], n.as_str());
        assert_eq!(got["groups"][0]["group"]["contactIds"], json!([c]));
        let path = format!("{path}/groups/{}", super::encoded(g));
        assert_eq!(gateway.got(&path).await["group"]["id"], g.as_str());
        let path = format!("{path}/contacts/{}", super::encoded(c));
        gateway.put(&path, &json!({"content": c})).await.assert_status(200);
        assert_eq!(gateway.got(&format!("{path}/content")).await, c.as_str());
    }
    let listed = gateway.got(&route("networks?total=true")).await;
    assert_eq!(listed["total"], ids.len());
}

async fn a_contact_may_move_to_another_group(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c1"]), saved_group("b", &["c2"])]).await;
    gateway.network_of(&[saved_group("a", &["c2"]), saved_group("b", &["c1"])]).await;
    let got = gateway.got(&network("n")).await;
    assert_eq!(got["groups"][0]["group"]["contactIds"], json!(["c2"]));
    assert_eq!(got["groups"][0]["contacts"][0]["groupId"], "a");
    gateway.get(&contact("a", "c1")).await.assert_problem(404, "contact-not-found");
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!(stats["contactCount"], 2);
}
