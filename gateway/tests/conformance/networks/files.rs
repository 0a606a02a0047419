//! Networks as files.

use serde_json::{Value, json};

use super::{JSON, network};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    what_is_exported_is_imported_again,
    graphs_of_other_tools_are_imported,
    a_file_that_cannot_be_read_changes_nothing,
}

const GRAPHML: (&str, &str) = ("content-type", "application/graphml+xml");

async fn what_is_exported_is_imported_again(gateway: &TestGateway) {
    let a = json!({"group": {"id": "a<&>", "attributes": {"x": [1, null]}},
        "contacts": [{"id": "c\u{1}\"1", "content": "]]> \u{ffff}"}, {"id": "c2", "blendMode": "merge"}],
        "wires": [{"id": "w1", "fromId": "c2", "toId": "c3", "type": "directed"}]});
    let b = json!({"group": {"id": "b", "parentId": "a<&>"}, "contacts": [{"id": "c3"}],
        "wires": [{"id": "w2", "fromId": "c3", "toId": "c\u{1}\"1"}]});
    let body = json!({"rootGroupId": "b", "more": 5, "groups": [b, a]});
    gateway.put(&network("n"), &body).await.assert_status(201);
    let mut before = gateway.got(&network("n")).await;
    before["id"] = "copy".into();
    for (format, kind, name) in
        [("json", JSON, "network.json"), ("graphml", GRAPHML, "network.graphml")]
    {
        let path = format!("{}:export?format={format}", network("n"));
        let file = gateway.get(&path).await.assert_status(200);
        assert_eq!(file.header("content-type"), Some(kind.1));
        let disposition = format!("attachment; filename=\"{name}\"");
        assert_eq!(file.header("content-disposition"), Some(disposition.as_str()));
        gateway.delete(&network("copy")).await;
        let path = format!("{}:import", network("copy"));
        let made = gateway.send("POST", &path, &[kind], file.body).await.assert_status(201);
        assert_eq!(made.json()["wireCount"], 2);
        assert_eq!(gateway.got(&network("copy")).await, before, "{format}");
    }
}

async fn graphs_of_other_tools_are_imported(gateway: &TestGateway) {
    let xml = r#"<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">
        <key id="d0" for="node" attr.name="color" attr.type="string"/>
        <graph id="G" edgedefault="undirected"><node id="n0"><data key="d0">green</data></node>
        <node id="n1"/><edge id="e" source="n0" target="n1"/></graph></graphml>"#;
    let path = format!("{}:import", network("n"));
    let made = gateway.send("POST", &path, &[GRAPHML], xml).await.assert_status(201);
    let expected = json!({"id": "n", "groupCount": 1, "contactCount": 2, "wireCount": 1});
    assert_eq!(made.json(), expected);
    let got = gateway.got(&network("n")).await;
    assert_eq!(got["groups"][0]["contacts"][0]["attributes"], json!({"color": "green"}));
    let near = gateway.got(&format!("{}/neighbors?contact=n1", network("n"))).await;
    assert_eq!(near["items"][0]["id"], "n0");
}

async fn a_file_that_cannot_be_read_changes_nothing(gateway: &TestGateway) {
    gateway.network_of(&[super::saved_group("a", &["c"])]).await;
    let before = gateway.get(&network("n")).await;
    let path = format!("{}:import", network("n"));
    for (kind, text, code) in [
        (GRAPHML, "<a/>", "invalid-graphml"),
        (GRAPHML, "{}", "invalid-graphml"),
        (JSON, "{\"groups\":5}", "schema-mismatch"),
    ] {
        gateway.send("POST", &path, &[kind], text).await.assert_problem(422, code);
    }
    let stale = [JSON, ("if-match", "\"x\"")];
    let answer = gateway.send("POST", &path, &stale, "{}").await;
    answer.assert_problem(412, "precondition-failed");
    let after = gateway.get(&network("n")).await;
    assert_eq!((after.etag(), after.json()), (before.etag(), before.json()));
    let wrong = gateway.get(&format!("{}:export?format=svg", network("n"))).await;
    wrong.assert_problem(400, "invalid-parameter");
    let _: Value = gateway.got(&format!("{}:export", network("n"))).await;
}
