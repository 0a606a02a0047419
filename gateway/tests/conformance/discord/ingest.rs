//! `POST /events`.

use serde_json::{Value, json};

use super::{HOUR, JSON, NDJSON, SECOND, each, join, merge, one_of_each, route, typing};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};
use crate::server::exchange;

on_both_databases! {
    events_come_back_as_they_were_sent,
    lines_are_events_as_well,
    bad_events_are_told_by_their_places_and_stop_no_other,
    strict_stores_all_or_none,
    strict_takes_what_is_there_for_stored,
    the_same_event_twice_is_one_event,
    ten_thousand_events_are_one_request with patient,
    more_than_ten_thousand_events_are_refused with patient,
    a_body_of_more_than_16_mib_is_refused,
    what_is_no_list_is_refused,
    batches_that_race_store_each_event_once with patient,
}

async fn events_come_back_as_they_were_sent(gateway: &TestGateway) {
    let mut events = one_of_each("u");
    for (place, event) in events.iter_mut().enumerate() {
        event["id"] = json!(format!("e{place}"));
        event["metadata"] = json!({"a": [1, {"b": null}], "c": "é"});
    }
    gateway.at_noon().ingest(&events).await;
    assert_eq!(gateway.all_events().await, events);
}

async fn lines_are_events_as_well(gateway: &TestGateway) {
    let lines: Vec<String> = one_of_each("u").iter().map(Value::to_string).collect();
    let body = format!("{}\n\n{{\n{}\n", lines[..3].join("\n"), lines[3..].join("\r\n"));
    let answer = gateway.send("POST", &route("events"), &[NDJSON], body).await;
    let answer = answer.assert_status(200).json();
    assert_eq!((&answer["ingested"], &answer["duplicates"]), (&json!(7), &json!(0)));
    // The empty line is no event.
    let rejected = &answer["rejected"];
    assert_eq!(each(rejected, "index"), [3]);
    assert_eq!(rejected[0]["code"], "invalid-json");
    assert_eq!(gateway.all_events().await.len(), 7);
}

/// Events that cannot be stored, with the code of each.
fn bad_events() -> Vec<(Value, &'static str)> {
    let changed = |change: &Value| {
        let mut event = join("u", HOUR, 1);
        merge(&mut event, change);
        event
    };
    vec![
        (json!(7), "invalid-event"),
        (json!({"type": "join"}), "missing-member"),
        (changed(&json!({"type": "left"})), "invalid-event"),
        (changed(&json!({"accountAgeDays": "1"})), "invalid-event"),
        (changed(&json!({"accountAgeDays": 1.5})), "invalid-event"),
        (changed(&json!({"more": 1})), "invalid-event"),
        (changed(&json!({"channel": "c"})), "unexpected-member"),
        (changed(&json!({"createdAt": "2026-02-30T00:00:00Z"})), "invalid-time"),
        (changed(&json!({"guildId": "x".repeat(129)})), "too-long"),
        (changed(&json!({"userId": ""})), "empty-member"),
        (changed(&json!({"metadata": []})), "invalid-event"),
    ]
}

async fn bad_events_are_told_by_their_places_and_stop_no_other(gateway: &TestGateway) {
    let mut events = Vec::new();
    for (place, (bad, _)) in bad_events().into_iter().enumerate() {
        events.extend([join(&format!("u{place}"), HOUR, 1), bad]);
    }
    let answer = gateway.send_events("", &events).await.assert_status(200).json();
    assert_eq!((&answer["ingested"], &answer["duplicates"]), (&json!(11), &json!(0)));
    let expected: Vec<Value> =
        bad_events().iter().enumerate().map(|(n, (_, code))| json!([2 * n + 1, code])).collect();
    let rejected = answer["rejected"].as_array().unwrap();
    let came: Vec<Value> =
        rejected.iter().map(|event| json!([event["index"], event["code"]])).collect();
    assert_eq!(came, expected);
    assert!(rejected.iter().all(|event| !event["detail"].as_str().unwrap().is_empty()));
    assert_eq!(gateway.all_events().await.len(), 11);
}

async fn strict_stores_all_or_none(gateway: &TestGateway) {
    let good = [join("u", HOUR, 1), join("v", HOUR, 1)];
    let mixed = [good[0].clone(), json!({}), good[1].clone(), json!(1)];
    let problem =
        gateway.send_events("?strict=true", &mixed).await.assert_problem(422, "invalid-events");
    assert_eq!(each(&problem["rejected"], "index"), [1, 3]);
    assert!(gateway.all_events().await.is_empty());
    let answer = gateway.send_events("?strict=true", &good).await.assert_status(200).json();
    assert_eq!(answer, json!({"ingested": 2, "duplicates": 0, "rejected": []}));
}

async fn strict_takes_what_is_there_for_stored(gateway: &TestGateway) {
    gateway.ingest(&[join("u", HOUR, 1)]).await;
    let events = [join("u", HOUR, 1), join("v", HOUR, 1), join("v", HOUR, 1)];
    let answer = gateway.send_events("?strict=true", &events).await.assert_status(200).json();
    assert_eq!(answer, json!({"ingested": 1, "duplicates": 2, "rejected": []}));
    assert_eq!(gateway.all_events().await.len(), 2);
}

async fn the_same_event_twice_is_one_event(gateway: &TestGateway) {
    let mut named = typing("u", HOUR, "c");
    named["id"] = json!("mine");
    let unnamed = typing("v", HOUR, "c");
    gateway.ingest(&[named.clone(), unnamed.clone()]).await;
    let mut other_content = named.clone();
    other_content["username"] = json!("another");
    let again = [named.clone(), unnamed.clone(), other_content, unnamed, typing("v", SECOND, "c")];
    let answer = gateway.send_events("", &again).await.assert_status(200).json();
    assert_eq!(answer, json!({"ingested": 1, "duplicates": 4, "rejected": []}));
    let events = gateway.all_events().await;
    assert_eq!(events.len(), 3);
    assert!(events.contains(&named), "the first of an id stays: {events:?}");
}

async fn ten_thousand_events_are_one_request(gateway: &TestGateway) {
    let events: Vec<Value> =
        (0..10_000).map(|n| typing(&format!("u{}", n % 100), n * SECOND, "c")).collect();
    gateway.ingest(&events).await;
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let again = gateway.send("POST", &route("events"), &[NDJSON], lines.join("\n")).await;
    let expected = json!({"ingested": 0, "duplicates": 10_000, "rejected": []});
    assert_eq!(again.assert_status(200).json(), expected);
    let again = gateway.send_events("?strict=true", &events).await.assert_status(200).json();
    assert_eq!(again, expected);
    assert_eq!(gateway.seen("stats").await["count"], 10_000);
}

async fn more_than_ten_thousand_events_are_refused(gateway: &TestGateway) {
    let events = vec![json!(0); 10_001];
    let problem = gateway.send_events("", &events).await.assert_problem(422, "too-many-events");
    assert_eq!(problem["limit"], 10_000);
    let lines = "0\n".repeat(10_001);
    let answer = gateway.send("POST", &route("events"), &[NDJSON], lines).await;
    answer.assert_problem(422, "too-many-events");
}

/// It is announced alone: the gateway answers without reading it.
async fn a_body_of_more_than_16_mib_is_refused(gateway: &TestGateway) {
    let length = (16 << 20) + 1;
    let path = route("events");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    let answer = exchange(gateway, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"limit\":16777216"), "{answer}");
}

async fn what_is_no_list_is_refused(gateway: &TestGateway) {
    for (body, status, code) in [
        ("{}", 400, "invalid-json"),
        ("[", 400, "invalid-json"),
        ("[{\"a\":1,\"a\":2}]", 422, "duplicate-member"),
    ] {
        let answer = gateway.send("POST", &route("events"), &[JSON], body).await;
        answer.assert_problem(status, code);
    }
    let text = [("content-type", "text/plain")];
    let answer = gateway.send("POST", &route("events"), &text, "[]").await;
    answer.assert_problem(415, "unsupported-media-type");
    let empty = json!({"ingested": 0, "duplicates": 0, "rejected": []});
    assert_eq!(gateway.send_events("", &[]).await.assert_status(200).json(), empty);
}

async fn batches_that_race_store_each_event_once(gateway: &TestGateway) {
    let events: Vec<Value> = (0..200).map(|n| typing("u", n * SECOND, "c")).collect();
    let mut backwards = events.clone();
    backwards.reverse();
    let answers = tokio::join!(
        gateway.send_events("", &events),
        gateway.send_events("", &backwards),
        gateway.send_events("?strict=true", &events),
        gateway.send_events("?strict=true", &backwards),
    );
    let (a, b, c, d) = answers;
    let answers = [a, b, c, d].map(|answer| answer.assert_status(200).json());
    let sum = |member: &str| answers.iter().map(|a| a[member].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("ingested"), sum("duplicates")), (200, 600));
    assert_eq!(gateway.all_events().await.len(), 200);
}
