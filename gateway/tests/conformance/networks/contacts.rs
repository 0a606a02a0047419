//! Single contacts, their content, and wires.

use serde_json::{Value, json};

use super::{JSON, contact, group, network, saved_group, wire};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_contact_is_stored_beside_the_others,
    a_content_is_any_json,
    a_contact_heeds_conditions,
    a_contact_belongs_to_one_group,
    a_deleted_contact_takes_its_wires_with_it,
    contacts_are_stored_in_batches,
    a_wire_joins_contacts_of_the_network,
    a_wire_heeds_conditions,
}

async fn a_contact_is_stored_beside_the_others(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c2", "c1"])]).await;
    let made = gateway.put(&contact("a", "c0"), &json!({"name": "zero"})).await.assert_status(201);
    assert_eq!(made.json(), json!({"id": "c0"}));
    let got = gateway.get(&contact("a", "c0")).await.assert_status(200);
    assert_eq!(got.etag(), made.etag());
    let expected = json!({"id": "c0", "groupId": "a", "name": "zero", "blendMode": "accept-last"});
    assert_eq!(got.json(), expected);
    // What is replaced keeps its place; the rest of it is what was sent.
    gateway.put(&contact("a", "c2"), &json!({"id": "c2", "x": 1})).await.assert_status(200);
    let whole = gateway.got(&group("a")).await;
    assert_eq!(whole["group"]["contactIds"], json!(["c2", "c1", "c0"]));
    let expected = json!({"id": "c2", "groupId": "a", "x": 1, "blendMode": "accept-last"});
    assert_eq!(whole["contacts"][0], expected);
    gateway.get(&contact("a", "none")).await.assert_problem(404, "contact-not-found");
    gateway.get(&contact("none", "c1")).await.assert_problem(404, "group-not-found");
    let answer = gateway.put(&contact("none", "c9"), &json!({})).await;
    answer.assert_problem(404, "group-not-found");
    let answer = gateway.put(&contact("a", "c9"), &json!({"id": "c8"})).await;
    assert_eq!(answer.assert_problem(422, "schema-mismatch")["pointer"], "/id");
}

async fn a_content_is_any_json(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c"])]).await;
    let content = format!("{}/content", contact("a", "c"));
    gateway.get(&content).await.assert_problem(404, "content-not-found");
    for text in [
        "\"\"",
        "\"quotes \\\" and 😀\\n\"",
        "0",
        "-1.5",
        "9007199254740993",
        "[]",
        "[1,[null]]",
        "null",
        "true",
        "{}",
        "{\"a\":{\"b\":null}}",
    ] {
        let set = gateway.put_text(&content, text).await.assert_status(200);
        let got = gateway.get(&content).await.assert_status(200);
        assert_eq!(got.etag(), set.etag());
        assert_eq!(got.json(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        let whole = gateway.got(&contact("a", "c")).await;
        assert_eq!((&whole["content"], &whole["blendMode"]), (&got.json(), &json!("accept-last")));
        gateway
            .put_text(&contact("a", "c"), &format!("{{\"content\":{text}}}"))
            .await
            .assert_status(200);
        assert_eq!(gateway.got(&content).await, got.json(), "{text}");
    }
    let missing = format!("{}/content", contact("a", "none"));
    gateway.put_text(&missing, "1").await.assert_problem(404, "contact-not-found");
    let missing = format!("{}/content", contact("none", "c"));
    gateway.put_text(&missing, "1").await.assert_problem(404, "group-not-found");
    gateway.put_text(&content, "{").await.assert_problem(400, "invalid-json");
    let headers = [JSON, ("if-match", "\"1\"")];
    let stale = gateway.send("PUT", &content, &headers, "1").await;
    stale.assert_problem(412, "precondition-failed");
}

async fn a_contact_heeds_conditions(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &[])]).await;
    let path = contact("a", "c");
    let one = json!({"content": 1});
    gateway.put_if(&path, ("if-match", "*"), &one).await.assert_problem(412, "precondition-failed");
    let made = gateway.put_if(&path, ("if-none-match", "*"), &one).await.assert_status(201);
    let again = gateway.put_if(&path, ("if-none-match", "*"), &one).await;
    again.assert_problem(412, "precondition-failed");
    let tag = made.etag();
    let next = gateway.put_if(&path, ("if-match", &tag), &json!({"content": 2})).await;
    let next = next.assert_status(200).etag();
    let stale = gateway.put_if(&path, ("if-match", &tag), &json!({"content": 3})).await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(stale.header("etag"), Some(next.as_str()));
    let delete = gateway.send("DELETE", &path, &[("if-match", tag.as_str())], "").await;
    delete.assert_problem(412, "precondition-failed");
    assert_eq!(gateway.got(&path).await["content"], 2);
    gateway.send("GET", &path, &[("if-none-match", next.as_str())], "").await.assert_status(304);
    gateway.send("DELETE", &path, &[("if-match", next.as_str())], "").await.assert_status(204);
    gateway.delete(&path).await.assert_problem(404, "contact-not-found");
}

async fn a_contact_belongs_to_one_group(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c"]), saved_group("b", &[])]).await;
    gateway.put(&contact("b", "c"), &json!({})).await.assert_problem(409, "duplicate");
    gateway.get(&contact("b", "c")).await.assert_problem(404, "contact-not-found");
    gateway.delete(&contact("b", "c")).await.assert_problem(404, "contact-not-found");
    let path = format!("{}/contacts:batchSave", group("b"));
    let batch = json!({"contacts": [{"id": "d"}, {"id": "c"}]});
    let problem = gateway.post_json(&path, &batch).await.assert_problem(409, "duplicate");
    assert_eq!(problem["pointer"], "/contacts/1");
    gateway.get(&contact("b", "d")).await.assert_problem(404, "contact-not-found");
}

async fn a_deleted_contact_takes_its_wires_with_it(gateway: &TestGateway) {
    let a = json!({"group": {"id": "a"}, "contacts": [{"id": "c1"}, {"id": "c2"}],
        "wires": [{"id": "w1", "fromId": "c1", "toId": "c2"}, {"id": "w2", "fromId": "c2", "toId": "c2"}]});
    let b = json!({"group": {"id": "b"}, "contacts": [{"id": "c3"}],
        "wires": [{"id": "w3", "fromId": "c3", "toId": "c1"}]});
    gateway.network_of(&[a, b]).await;
    let tag = gateway.get(&group("b")).await.etag();
    gateway.delete(&contact("a", "c1")).await.assert_status(204);
    assert_eq!(gateway.got(&group("a")).await["group"]["wireIds"], json!(["w2"]));
    let other = gateway.get(&group("b")).await;
    assert_eq!(other.json()["group"]["wireIds"], json!([]));
    assert_ne!(other.etag(), tag);
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!((&stats["contactCount"], &stats["wireCount"]), (&json!(2), &json!(1)));
}

async fn contacts_are_stored_in_batches(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c1", "c0"])]).await;
    let path = format!("{}/contacts:batchSave", group("a"));
    let batch: Vec<Value> =
        (0..100).map(|n| json!({"id": format!("c{n}"), "content": n})).collect();
    let answer = gateway.post_json(&path, &json!({"contacts": batch})).await.assert_status(200);
    assert_eq!(answer.json(), json!({"created": 98, "replaced": 2}));
    let whole = gateway.got(&group("a")).await;
    let ids = whole["group"]["contactIds"].as_array().unwrap();
    assert_eq!(
        (&ids[0], &ids[1], &ids[2], &ids[99]),
        (&json!("c1"), &json!("c0"), &json!("c2"), &json!("c99"))
    );
    for (contacts, code, status, pointer) in [
        (json!([]), "schema-mismatch", 422, "/contacts"),
        (json!([{"id": "x"}, {"id": "x"}]), "duplicate", 409, "/contacts/1"),
        (
            json!([{"id": "x"}, {"id": "y", "blendMode": 1}]),
            "schema-mismatch",
            422,
            "/contacts/1/blendMode",
        ),
        (json!({}), "schema-mismatch", 422, "/contacts"),
    ] {
        let answer = gateway.post_json(&path, &json!({"contacts": contacts})).await;
        assert_eq!(answer.assert_problem(status, code)["pointer"], pointer);
    }
    gateway.get(&contact("a", "x")).await.assert_problem(404, "contact-not-found");
    let path = format!("{}/contacts:batchSave", group("none"));
    let answer = gateway.post_json(&path, &json!({"contacts": [{"id": "x"}]})).await;
    answer.assert_problem(404, "group-not-found");
}

async fn a_wire_joins_contacts_of_the_network(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c1"]), saved_group("b", &["c2"])]).await;
    let body =
        json!({"fromId": "c1", "toId": "c2", "type": "directed", "priority": 3, "x": {"y": 1}});
    let made = gateway.put(&wire("b", "w"), &body).await.assert_status(201);
    assert_eq!(made.json(), json!({"id": "w"}));
    let got = gateway.get(&wire("b", "w")).await.assert_status(200);
    assert_eq!(got.etag(), made.etag());
    let mut expected = body.clone();
    expected["id"] = "w".into();
    expected["groupId"] = "b".into();
    assert_eq!(got.json(), expected);
    assert_eq!(gateway.got(&group("b")).await["wires"], json!([expected]));
    for (name, end) in [("fromId", "/fromId"), ("toId", "/toId")] {
        let mut body = body.clone();
        body[name] = "gone".into();
        let answer = gateway.put(&wire("a", "v"), &body).await;
        assert_eq!(answer.assert_problem(422, "contact-not-found")["pointer"], end);
    }
    gateway.put(&wire("a", "w"), &body).await.assert_problem(409, "duplicate");
    gateway.put(&wire("none", "v"), &body).await.assert_problem(404, "group-not-found");
    gateway.get(&wire("a", "w")).await.assert_problem(404, "wire-not-found");
    gateway.get(&wire("none", "w")).await.assert_problem(404, "group-not-found");
    // A contact of another network is none of this one.
    gateway
        .put(&network("m"), &json!({"groups": [saved_group("a", &["other"])]}))
        .await
        .assert_status(201);
    let answer = gateway.put(&wire("a", "v"), &json!({"fromId": "c1", "toId": "other"})).await;
    answer.assert_problem(422, "contact-not-found");
    for wrong in [json!({}), json!({"fromId": "c1", "toId": 1}), json!([])] {
        let answer = gateway.put(&wire("a", "v"), &wrong).await;
        answer.assert_problem(422, "schema-mismatch");
    }
    gateway.delete(&wire("a", "w")).await.assert_problem(404, "wire-not-found");
    gateway.delete(&wire("b", "w")).await.assert_status(204);
    gateway.delete(&wire("b", "w")).await.assert_problem(404, "wire-not-found");
}

async fn a_wire_heeds_conditions(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c1", "c2"])]).await;
    let path = wire("a", "w");
    let body = json!({"fromId": "c1", "toId": "c2"});
    gateway
        .put_if(&path, ("if-match", "*"), &body)
        .await
        .assert_problem(412, "precondition-failed");
    let tag = gateway.put_if(&path, ("if-none-match", "*"), &body).await.assert_status(201).etag();
    let next = gateway.put_if(&path, ("if-match", &tag), &body).await.assert_status(200).etag();
    let stale = gateway.put_if(&path, ("if-match", &tag), &body).await;
    stale.assert_problem(412, "precondition-failed");
    let stale = gateway.send("DELETE", &path, &[("if-match", tag.as_str())], "").await;
    stale.assert_problem(412, "precondition-failed");
    gateway.send("GET", &path, &[("if-none-match", next.as_str())], "").await.assert_status(304);
    gateway.send("DELETE", &path, &[("if-match", next.as_str())], "").await.assert_status(204);
}
