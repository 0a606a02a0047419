//! Lists of jobs: each filter, both orders, and pages.

use serde_json::json;

use super::{Jobs, exact, ids, text};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    each_filter_finds_what_it_names with exact,
    pages_follow_each_other_in_both_orders with exact,
}

async fn each_filter_finds_what_it_names(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    // 2026-11-26T20:00:00Z
    gateway.storage().freeze_clock(1_795_723_200_000_000);
    jobs.worker("w").await;
    jobs.create(json!({"id": "a", "user_id": "u1", "queue": "live"})).await;
    jobs.in_seconds(60);
    jobs.create(json!({"id": "b", "user_id": "u1"})).await;
    jobs.in_seconds(60);
    jobs.create(json!({"id": "c", "user_id": "u2", "queue": "batch"})).await;
    jobs.claim("w", 1).await;
    jobs.call("jobs/c:cancel").await.assert_status(200);
    let cases: [(&str, &[&str]); 12] = [
        ("", &["a", "b", "c"]),
        ("?order=-created_at", &["c", "b", "a"]),
        ("?sequence_number=2", &["b"]),
        ("?status=queued", &["b"]),
        ("?status=queued&status=canceled", &["b", "c"]),
        ("?queue=live", &["a"]),
        ("?worker_id=w", &["a"]),
        ("?user_id=u1", &["a", "b"]),
        ("?user_id=u1&status=assigned", &["a"]),
        ("?created_after=2026-11-26T20:00:00Z", &["b", "c"]),
        ("?created_before=2026-11-26T20:02:00Z", &["a", "b"]),
        ("?user_id=nobody", &[]),
    ];
    for (query, expected) in cases {
        let page = jobs.get(&format!("jobs{query}")).await;
        assert_eq!(ids(page["items"].as_array().unwrap()), expected, "{query}");
    }
    for (query, code) in [
        ("?status=done", "invalid-parameter"),
        ("?created_after=today", "invalid-parameter"),
        ("?sequence_number=0", "invalid-parameter"),
        ("?state=queued", "unknown-parameter"),
    ] {
        let client = gateway.with_key("one");
        let answer = client.send("GET", &super::route(&format!("jobs{query}")), &[], "").await;
        answer.assert_problem(400, code);
    }
}

async fn pages_follow_each_other_in_both_orders(gateway: &TestGateway) {
    let jobs = Jobs::of(gateway);
    jobs.create_many(7, &json!({})).await;
    for (order, expected) in
        [("created_at", [1, 2, 3, 4, 5, 6, 7]), ("-created_at", [7, 6, 5, 4, 3, 2, 1])]
    {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = jobs.get(&format!("jobs?limit=3&total=true&order={order}{cursor}")).await;
            assert_eq!(page["total"], 7);
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|job| job["sequence_number"].as_u64().unwrap()));
            if page["next_cursor"].is_null() {
                break;
            }
            cursor = format!("&cursor={}", text(&page["next_cursor"]));
        }
        assert_eq!(seen, expected, "{order}");
    }
}
