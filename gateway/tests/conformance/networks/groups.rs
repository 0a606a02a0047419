//! Groups: PUT, GET, PATCH, DELETE and batches.

use serde_json::{Value, json};

use super::{JSON, contact, group, network, saved_group, wire};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_group_is_replaced_with_its_contacts_and_wires,
    a_group_needs_its_network,
    an_id_of_another_group_is_a_duplicate,
    a_group_heeds_conditions,
    a_patch_changes_own_fields_only,
    a_deleted_group_takes_contacts_wires_and_parents_with_it,
    a_batch_of_groups_is_stored_whole_or_not_at_all,
    a_wire_to_a_contact_that_goes_is_refused,
}

async fn a_group_is_replaced_with_its_contacts_and_wires(gateway: &TestGateway) {
    gateway.network_of(&[]).await;
    let body = json!({"group": {"name": "A"}, "contacts": [{"id": "c2"}, {"id": "c1"}],
        "wires": [{"id": "w1", "fromId": "c1", "toId": "c2"}]});
    let made = gateway.put(&group("a"), &body).await.assert_status(201);
    assert_eq!(made.json(), json!({"id": "a", "contactCount": 2, "wireCount": 1}));
    let got = gateway.get(&group("a")).await.assert_status(200);
    assert_eq!(got.etag(), made.etag());
    let expected = json!({
        "group": {"id": "a", "name": "A", "contactIds": ["c2", "c1"], "wireIds": ["w1"],
            "subgroupIds": []},
        "contacts": [{"id": "c2", "groupId": "a", "blendMode": "accept-last"},
            {"id": "c1", "groupId": "a", "blendMode": "accept-last"}],
        "wires": [{"id": "w1", "groupId": "a", "fromId": "c1", "toId": "c2",
            "type": "bidirectional"}],
    });
    assert_eq!(got.json(), expected);
    let body = json!({"group": {"parentId": "p"}, "contacts": [{"id": "c3"}, {"id": "c1"}]});
    let made = gateway.put(&group("a"), &body).await.assert_status(200);
    let got = gateway.get(&group("a")).await;
    assert_eq!(got.etag(), made.etag());
    let expected = json!({"id": "a", "parentId": "p", "contactIds": ["c3", "c1"], "wireIds": [],
        "subgroupIds": []});
    assert_eq!(got.json()["group"], expected);
    gateway.put(&group("p"), &json!({"group": {}})).await.assert_status(201);
    assert_eq!(gateway.got(&group("p")).await["group"]["subgroupIds"], json!(["a"]));
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!((&stats["groupCount"], &stats["contactCount"]), (&json!(2), &json!(2)));
    assert_eq!(stats["wireCount"], 0);
}

async fn a_group_needs_its_network(gateway: &TestGateway) {
    let body = saved_group("a", &["c"]);
    gateway.put(&group("a"), &body).await.assert_problem(404, "network-not-found");
    let path = format!("{}/groups:batchSave", network("n"));
    let batch = json!({"groups": [body]});
    gateway.post_json(&path, &batch).await.assert_problem(404, "network-not-found");
    gateway.get(&group("a")).await.assert_problem(404, "group-not-found");
}

async fn an_id_of_another_group_is_a_duplicate(gateway: &TestGateway) {
    let first = json!({"group": {"id": "a"}, "contacts": [{"id": "c1"}],
        "wires": [{"id": "w1", "fromId": "c1", "toId": "c1"}]});
    gateway.network_of(&[first]).await;
    for (body, pointer) in [
        (saved_group("b", &["c2", "c1"]), "/contacts/1"),
        (saved_group("b", &["c2", "c2"]), "/contacts/1"),
        (
            json!({"group": {}, "contacts": [{"id": "c2"}],
            "wires": [{"id": "w1", "fromId": "c2", "toId": "c2"}]}),
            "/wires/0",
        ),
    ] {
        let problem = gateway.put(&group("b"), &body).await.assert_problem(409, "duplicate");
        assert_eq!(problem["pointer"], pointer);
    }
    gateway.get(&group("b")).await.assert_problem(404, "group-not-found");
    let twice = json!({"groups": [saved_group("x", &["y"]), saved_group("z", &["y"])]});
    let problem = gateway.put(&network("n"), &twice).await.assert_problem(409, "duplicate");
    assert_eq!(problem["pointer"], "/groups/1/contacts/0");
    let twice = json!({"groups": [saved_group("x", &[]), saved_group("x", &[])]});
    let problem = gateway.put(&network("n"), &twice).await.assert_problem(409, "duplicate");
    assert_eq!(problem["pointer"], "/groups/1/group");
    // In another network it is another one.
    gateway
        .put(&network("m"), &json!({"groups": [saved_group("a", &["c1"])]}))
        .await
        .assert_status(201);
}

async fn a_group_heeds_conditions(gateway: &TestGateway) {
    gateway.network_of(&[]).await;
    let body = saved_group("a", &["c1"]);
    let failed = (412, "precondition-failed");
    let answer = gateway.put_if(&group("a"), ("if-match", "*"), &body).await;
    answer.assert_problem(failed.0, failed.1);
    let made = gateway.put_if(&group("a"), ("if-none-match", "*"), &body).await.assert_status(201);
    let answer = gateway.put_if(&group("a"), ("if-none-match", "*"), &body).await;
    answer.assert_problem(failed.0, failed.1);
    let old = made.etag();
    // A change of a contact is one of its group.
    gateway.put(&contact("a", "c1"), &json!({"content": 1})).await.assert_status(200);
    let stale = ("if-match", old.as_str());
    gateway.put_if(&group("a"), stale, &body).await.assert_problem(failed.0, failed.1);
    let patch = gateway.send("PATCH", &group("a"), &[JSON, stale], "{}").await;
    patch.assert_problem(failed.0, failed.1);
    let delete = gateway.send("DELETE", &group("a"), &[stale], "").await;
    delete.assert_problem(failed.0, failed.1);
    assert_eq!(gateway.got(&contact("a", "c1")).await["content"], 1);
    let fresh = gateway.get(&group("a")).await.etag();
    let made = gateway.put_if(&group("a"), ("if-match", &fresh), &body).await.assert_status(200);
    let headers = [("if-none-match", made.etag())];
    let headers = headers.each_ref().map(|(name, tag)| (*name, tag.as_str()));
    gateway.send("GET", &group("a"), &headers, "").await.assert_status(304);
    let headers = [("if-match", headers[0].1)];
    gateway.send("DELETE", &group("a"), &headers, "").await.assert_status(204);
}

async fn a_patch_changes_own_fields_only(gateway: &TestGateway) {
    let body = json!({"group": {"id": "a", "name": "A", "attributes": {"x": 1, "y": {"z": 2}},
        "location": {"x": 1}}, "contacts": [{"id": "c"}]});
    gateway.network_of(&[body]).await;
    let patch =
        async |patch: Value| gateway.send("PATCH", &group("a"), &[JSON], patch.to_string()).await;
    let changed = json!({"name": "B", "location": null, "attributes": {"x": null, "y": {"w": 3}},
        "contactIds": [], "new": [1]});
    let answer = patch(changed).await.assert_status(200);
    let expected =
        json!({"id": "a", "name": "B", "attributes": {"y": {"z": 2, "w": 3}}, "new": [1]});
    assert_eq!(answer.json(), expected);
    let got = gateway.get(&group("a")).await;
    assert_eq!(got.etag(), answer.etag());
    assert_eq!(got.json()["group"]["contactIds"], json!(["c"]));
    assert_eq!(got.json()["group"]["name"], "B");
    for (wrong, pointer) in
        [(json!({"id": "b"}), "/id"), (json!({"name": 5}), "/name"), (json!([]), "")]
    {
        let problem = patch(wrong).await.assert_problem(422, "schema-mismatch");
        assert_eq!(problem["pointer"], pointer);
    }
    let headers = [("content-type", "application/merge-patch+json")];
    gateway.send("PATCH", &group("a"), &headers, "{}").await.assert_status(200);
    let answer = gateway.send("PATCH", &group("gone"), &[JSON], "{}").await;
    answer.assert_problem(404, "group-not-found");
}

async fn a_deleted_group_takes_contacts_wires_and_parents_with_it(gateway: &TestGateway) {
    let sub = json!({"group": {"id": "sub", "parentId": "a", "name": "S"}, "contacts": [{"id": "c2"}],
        "wires": [{"id": "into", "fromId": "c2", "toId": "c1"},
            {"id": "own", "fromId": "c2", "toId": "c2"}]});
    gateway.network_of(&[saved_group("a", &["c1"]), sub]).await;
    let tag = gateway.get(&group("sub")).await.etag();
    gateway.delete(&group("a")).await.assert_status(204);
    let left = gateway.get(&group("sub")).await.assert_status(200);
    assert_ne!(left.etag(), tag, "it has lost a wire");
    let expected = json!({"id": "sub", "name": "S", "contactIds": ["c2"], "wireIds": ["own"],
        "subgroupIds": []});
    assert_eq!(left.json()["group"], expected);
    gateway.get(&wire("sub", "into")).await.assert_problem(404, "wire-not-found");
    gateway.delete(&group("a")).await.assert_problem(404, "group-not-found");
    // Its ids are free.
    gateway.put(&group("b"), &saved_group("b", &["c1"])).await.assert_status(201);
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    let counts = ["groupCount", "contactCount", "wireCount"].map(|name| stats[name].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(1)]);
}

async fn a_batch_of_groups_is_stored_whole_or_not_at_all(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("g0", &["c0"])]).await;
    let path = format!("{}/groups:batchSave", network("n"));
    let groups: Vec<Value> =
        (0..1_000).map(|n| saved_group(&format!("g{n}"), &[&format!("c{n}")])).collect();
    let answer = gateway.post_json(&path, &json!({"groups": groups})).await.assert_status(200);
    let results = answer.json()["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), 1_000);
    assert_eq!((&results[0]["created"], &results[1]["created"]), (&json!(false), &json!(true)));
    assert_eq!(gateway.get(&group("g7")).await.etag(), results[7]["etag"].as_str().unwrap());
    let before = gateway.get(&network("n")).await.etag();
    for (groups, status, code, pointer) in [
        (json!([]), 422, "schema-mismatch", "/groups"),
        (json!([saved_group("g1", &["c2"])]), 409, "duplicate", "/groups/0/contacts/0"),
        (
            json!([saved_group("a", &["x"]), {"group": {"name": "b"}}]),
            422,
            "schema-mismatch",
            "/groups/1/group/id",
        ),
        (json!([saved_group("a", &["x"]), {}]), 422, "schema-mismatch", "/groups/1/group"),
    ] {
        let answer = gateway.post_json(&path, &json!({"groups": groups})).await;
        assert_eq!(answer.assert_problem(status, code)["pointer"], pointer);
    }
    let too_many: Vec<Value> = (0..1_001).map(|n| saved_group(&format!("g{n}"), &[])).collect();
    let answer = gateway.post_json(&path, &json!({"groups": too_many})).await;
    answer.assert_problem(422, "schema-mismatch");
    assert_eq!(gateway.get(&network("n")).await.etag(), before);
}

async fn a_wire_to_a_contact_that_goes_is_refused(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c1", "c2"])]).await;
    let body = json!({"group": {}, "contacts": [{"id": "c1"}],
        "wires": [{"id": "w", "fromId": "c1", "toId": "c2"}]});
    let problem = gateway.put(&group("a"), &body).await.assert_problem(422, "contact-not-found");
    assert_eq!(problem["pointer"], "/wires/0/toId");
    gateway.get(&contact("a", "c2")).await.assert_status(200);
}
