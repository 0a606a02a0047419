use serde_json::{Value, json};

use super::super::Manifest;

/// The faults of a manifest with these members besides the required ones.
fn faults(members: &Value) -> Vec<String> {
    let mut manifest = json!({
        "name": "test", "version": "0.1.0", "summary": "s", "collections": [],
        "operations": [{"name": "o", "method": "GET", "path": "/o", "summary": "s"}],
    });
    for (name, value) in members.as_object().expect("an object") {
        manifest[name] = value.clone();
    }
    Manifest::parse(&manifest.to_string()).err().unwrap_or_default()
}

/// The faults of one operation, `POST /things/{id}`, with these members.
fn operation_faults(members: &Value) -> Vec<String> {
    let mut operation =
        json!({"name": "o", "method": "POST", "path": "/things/{id}", "summary": "s"});
    for (name, value) in members.as_object().expect("an object") {
        operation[name] = value.clone();
    }
    faults(&json!({"operations": [operation]}))
}

/// Fail unless there is one fault, and it begins with the place.
#[track_caller]
fn assert_fault(faults: &[String], place: &str) {
    let [fault] = faults else { panic!("{place}: {faults:?}") };
    assert!(fault.starts_with(&format!("{place}: ")), "{place}: {fault}");
}

#[test]
fn each_fault_of_an_operation_is_told_with_its_place() {
    let table = [
        (json!({"path": "/a/{id}/b/{id}"}), "/operations/0/path"),
        (json!({"method": "GET", "isolation": "serializable"}), "/operations/0/isolation"),
        (json!({"required": ["q"]}), "/operations/0/required/0"),
        (json!({"params": {"id": {"type": "array"}}}), "/operations/0/params/id/type"),
        (
            json!({"params": {"q": {"type": "integer", "maximum": 5, "default": 6}}}),
            "/operations/0/params/q/default",
        ),
        (
            json!({"params": {"q.*": {"type": "string", "default": "a"}}}),
            "/operations/0/params/q.*/default",
        ),
        (
            json!({"params": {"q.*": {"type": "string"}}, "required": ["q.*"]}),
            "/operations/0/required/0",
        ),
        (json!({"params": {"q": {"type": "string", "minLength": -1}}}), "/operations/0/params/q"),
        (
            json!({"params": {"q": {"type": "string", "contentEncoding": "base16"}}}),
            "/operations/0/params/q/contentEncoding",
        ),
        (
            json!({"params": {"q": {"type": "integer", "contentEncoding": "base64url"}}}),
            "/operations/0/params/q/contentEncoding",
        ),
        (
            json!({"request": {"content_type": "application/json", "schema": {"type": "nothing"}}}),
            "/operations/0/request/schema",
        ),
        (
            json!({"request": {"content_type": ["text/csv", "text/plain"], "schema": {}}}),
            "/operations/0/request/schema",
        ),
        (
            json!({"response": {"200": {"schema": {"$ref": "#/schemas/nobody"}}}}),
            "/operations/0/response/200/schema",
        ),
        (
            json!({"request": {
                "content_type": "application/json", "schema": {"$ref": "https://example.com/s"},
            }}),
            "/operations/0/request/schema",
        ),
        (json!({"role": "owner"}), "/operations/0/role"),
        (json!({"request": {"content_type": "JSON"}}), "/operations/0/request/content_type"),
    ];
    for (members, place) in table {
        assert_fault(&operation_faults(&members), place);
    }
}

#[test]
fn operations_differ_in_name_and_route() {
    let operation = |name: &str, method: &str, path: &str| json!({"name": name, "method": method, "path": path, "summary": "s"});
    let (one, other) = (operation("a", "GET", "/x/{id}"), operation("b", "GET", "/x/{other}"));
    assert_fault(&faults(&json!({"operations": [one, other]})), "/operations/1/path");
    let other = operation("a", "GET", "/y");
    assert_fault(&faults(&json!({"operations": [one, other]})), "/operations/1/name");
    let (put, verb) = (operation("b", "PUT", "/x/{id}"), operation("c", "GET", "/x/{id}:verb"));
    assert_eq!(faults(&json!({"operations": [one, put, verb]})), [""; 0]);
}

#[test]
fn shared_schemas_are_found_wherever_they_are_referred_to() {
    let shared = json!({"$ref": "#/schemas/pair"});
    let members = json!({
        "schemas": {"pair": {"items": {"$ref": "#/schemas/one"}}, "one": {"type": "integer"}},
        "collections": [{"name": "c", "schema": {"properties": {"p": shared}}}],
        "operations": [{
            "name": "o", "method": "POST", "path": "/o", "summary": "s",
            "request": {"content_type": "application/merge-patch+json", "schema": shared},
            "response": {"200": {"schema": shared}, "404": {"description": "d"}},
        }],
    });
    assert_eq!(faults(&members), [""; 0]);
    let wrong = faults(&json!({"schemas": {"a": {"$ref": "#/schemas/b"}}}));
    assert_fault(&wrong, "/schemas/a");
}

#[test]
fn a_pattern_that_could_take_for_ever_is_refused() {
    let backtracks = json!({"type": "string", "pattern": r"^(a+)+\1$"});
    let faults = operation_faults(&json!({"params": {"q": backtracks}}));
    assert_fault(&faults, "/operations/0/params/q");
}

#[test]
fn all_faults_come_at_once() {
    let faults = operation_faults(&json!({"required": ["a", "b"], "path": "/x/{y}/{y}"}));
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn each_fault_of_a_schedule_is_told_with_its_place() {
    let schedule = |members: &Value| {
        let operation = |name: &str, path: &str, members: &Value| {
            let mut operation =
                json!({"name": name, "method": "POST", "path": path, "summary": "s"});
            for (name, value) in members.as_object().expect("an object") {
                operation[name] = value.clone();
            }
            operation
        };
        let json_type = "application/json";
        let (open, closed) = (json!({"type": "object"}), json!({"required": ["a"]}));
        faults(&json!({
            "collections": [{"name": "c", "fields": {"at": "timestamp", "title": "text"}}],
            "operations": [
                operation("plain", "/plain", &json!({})),
                operation("one", "/one/{id}", &json!({})),
                operation("asks", "/asks", &json!({
                    "params": {"q": {"type": "string"}}, "required": ["q"],
                })),
                operation("open", "/open", &json!({
                    "request": {"content_type": json_type, "schema": open},
                })),
                operation("closed", "/closed", &json!({
                    "request": {"content_type": json_type, "schema": closed},
                })),
                operation("text", "/text", &json!({"request": {"content_type": "text/plain"}})),
            ],
            "schedules": members,
        }))
    };
    let due = json!({"collection": "c", "field": "at"});
    let good = json!([
        {"operation": "plain", "every": "100ms", "due": due},
        {"operation": "open", "every": "720h"},
    ]);
    assert_eq!(schedule(&good), [""; 0]);
    let of = |operation: &str| json!([{"operation": operation, "every": "5m"}]);
    for operation in ["nobody", "one", "asks", "closed", "text"] {
        assert_fault(&schedule(&of(operation)), "/schedules/0/operation");
    }
    for every in ["99ms", "721h", "0s", "5", "1d", "-1s", "1.5s"] {
        let faults = schedule(&json!([{"operation": "plain", "every": every}]));
        assert_fault(&faults, "/schedules/0/every");
    }
    for due in [json!(["d", "at"]), json!(["c", "title"]), json!(["c", "nothing"])] {
        let due = json!({"collection": due[0], "field": due[1]});
        let faults = schedule(&json!([{"operation": "plain", "every": "1s", "due": due}]));
        assert_fault(&faults, "/schedules/0/due");
    }
    let twice =
        json!([{"operation": "plain", "every": "1s"}, {"operation": "plain", "every": "2s"}]);
    assert_fault(&schedule(&twice), "/schedules/1/operation");
}

#[test]
fn settings_have_defaults_that_satisfy_them() {
    let settings = |properties: &Value| {
        faults(&json!({"settings": {"type": "object", "properties": properties}}))
    };
    let good = json!({
        "a": {"type": "array", "items": {"$ref": "#/schemas/color"}, "default": ["red"]},
        "b": {"enum": ["x", null], "default": null},
    });
    let with_schemas = json!({
        "schemas": {"color": {"enum": ["red", "blue"]}},
        "settings": {"type": "object", "properties": good},
    });
    assert_eq!(faults(&with_schemas), [""; 0]);
    assert_fault(&settings(&json!({"a": {"type": "integer"}})), "/settings/properties/a");
    let wrong = settings(&json!({"a": {"type": "integer", "minimum": 1, "default": 0}}));
    assert_fault(&wrong, "/settings");
    assert!(wrong[0].contains("/a"), "{wrong:?}");
    assert_fault(&settings(&json!({"a": {"type": "whole", "default": 1}})), "/settings");
}

#[test]
fn the_limit_of_a_count_is_an_integer_setting() {
    let limited = |setting: &Value| {
        faults(&json!({
            "collections": [{"name": "c"}],
            "counts": [{"name": "n", "collections": ["c"], "limit": "most"}],
            "settings": {"type": "object", "properties": setting},
        }))
    };
    assert_eq!(limited(&json!({"most": {"type": "integer", "default": 0}})), [""; 0]);
    assert_fault(&limited(&json!({"most": {"type": "string", "default": ""}})), "/counts/0/limit");
    assert_fault(&limited(&json!({})), "/counts/0/limit");
}

#[test]
fn response_headers_are_not_those_of_the_connection_or_the_browser() {
    assert_eq!(faults(&json!({"response_headers": ["deprecation", "content-location"]})), [""; 0]);
    for name in [
        "set-cookie",
        "transfer-encoding",
        "content-length",
        "access-control-allow-origin",
        "content-security-policy",
        "proxy-authenticate",
        "x-any",
        "Deprecation",
    ] {
        assert_fault(&faults(&json!({"response_headers": [name]})), "/response_headers/0");
    }
}
