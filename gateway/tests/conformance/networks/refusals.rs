//! What every route refuses: parameters that it does not know, bodies of another kind, things that are
//! not there.

use super::{JSON, route};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    an_unknown_parameter_is_named,
    what_is_in_no_network_is_not_found,
    a_body_is_of_the_kind_that_the_route_takes,
    heads_are_answered_as_gets,
}

/// Every route, with a body where it takes one.
const ROUTES: [(&str, &str, Option<&str>); 31] = [
    ("PUT", "networks/n", Some("{}")),
    ("GET", "networks/n", None),
    ("DELETE", "networks/n", None),
    ("GET", "networks", None),
    ("GET", "networks/n:export", None),
    ("POST", "networks/n:import", Some("{}")),
    ("PUT", "networks/n/groups/a", Some(r#"{"group":{}}"#)),
    ("GET", "networks/n/groups/a", None),
    ("PATCH", "networks/n/groups/a", Some("{}")),
    ("DELETE", "networks/n/groups/a", None),
    ("GET", "networks/n/groups", None),
    ("POST", "networks/n/groups:batchSave", Some(r#"{"groups":[{"group":{"id":"a"}}]}"#)),
    ("PUT", "networks/n/groups/a/contacts/c", Some("{}")),
    ("GET", "networks/n/groups/a/contacts/c", None),
    ("DELETE", "networks/n/groups/a/contacts/c", None),
    ("GET", "networks/n/groups/a/contacts/c/content", None),
    ("PUT", "networks/n/groups/a/contacts/c/content", Some("1")),
    ("POST", "networks/n/groups/a/contacts:batchSave", Some(r#"{"contacts":[{"id":"c"}]}"#)),
    ("PUT", "networks/n/groups/a/wires/w", Some(r#"{"fromId":"c","toId":"c"}"#)),
    ("GET", "networks/n/groups/a/wires/w", None),
    ("DELETE", "networks/n/groups/a/wires/w", None),
    ("POST", "networks/n/snapshots", Some("{}")),
    ("GET", "networks/n/snapshots", None),
    ("GET", "networks/n/snapshots/s", None),
    ("DELETE", "networks/n/snapshots/s", None),
    ("POST", "networks/n/snapshots/s:restore", None),
    ("GET", "networks/n/snapshots/s:diff", None),
    ("GET", "networks/n/stats", None),
    ("GET", "networks/n/neighbors?contact=c", None),
    ("GET", "networks/n/path?from=c&to=c", None),
    ("GET", "networks/n/components", None),
];

async fn an_unknown_parameter_is_named(gateway: &TestGateway) {
    for (method, path, body) in ROUTES {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = route(&format!("{path}{sign}colour=red"));
        let headers = [JSON];
        let headers = if body.is_some() { &headers[..] } else { &[] };
        let answer = gateway.send(method, &path, headers, body.unwrap_or_default()).await;
        let problem = answer.assert_problem(400, "unknown-parameter");
        assert_eq!(problem["parameter"], "colour", "{path}");
    }
}

async fn what_is_in_no_network_is_not_found(gateway: &TestGateway) {
    let make = ["networks", "networks/n", "networks/n:import"];
    for (method, path, body) in ROUTES {
        if make.contains(&path) && (method != "GET" || path == "networks") {
            continue;
        }
        let headers = [JSON];
        let headers = if body.is_some() { &headers[..] } else { &[] };
        let answer = gateway.send(method, &route(path), headers, body.unwrap_or_default()).await;
        let code = match path {
            _ if path.contains("groups/") && (method != "PUT" || path.matches('/').count() > 3) => {
                "group-not-found"
            }
            _ if path.contains("snapshots/") => "snapshot-not-found",
            _ => "network-not-found",
        };
        answer.assert_problem(404, code);
    }
    for missing in ["neighbors", "path", "path?from=c", "reachable", "subgraph"] {
        let answer = gateway.get(&route(&format!("networks/n/{missing}"))).await;
        answer.assert_problem(400, "invalid-parameter");
    }
}

async fn a_body_is_of_the_kind_that_the_route_takes(gateway: &TestGateway) {
    for (method, path, body) in ROUTES {
        let path = route(path);
        let xml = [("content-type", "text/xml")];
        let answer = gateway.send(method, &path, &xml, "<a/>").await;
        if body.is_none() {
            answer.assert_problem(400, "unexpected-body");
            continue;
        }
        answer.assert_problem(415, "unsupported-media-type");
        for no_json in ["", "{", "{}{}"] {
            let answer = gateway.send(method, &path, &[JSON], no_json).await;
            answer.assert_problem(400, "invalid-json");
        }
        let is_content = path.ends_with("/content");
        let answer = gateway.send(method, &path, &[JSON], "[]").await;
        if !is_content {
            answer.assert_problem(422, "schema-mismatch");
        }
    }
}

async fn heads_are_answered_as_gets(gateway: &TestGateway) {
    gateway.network_of(&[super::saved_group("a", &["c"])]).await;
    for (method, path, _) in ROUTES {
        if method != "GET" {
            continue;
        }
        let (get, head) =
            (gateway.get(&route(path)).await, gateway.send("HEAD", &route(path), &[], "").await);
        assert_eq!((get.status, get.header("etag")), (head.status, head.header("etag")), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
}
