//! The list: filters, orders, pages and totals. Each expectation is exact, so both databases give
//! equal answers.

use serde_json::{Value, json};

use crate::harness::faults::{DOCUMENTS, document, ids, patient, value};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    an_item_has_all_columns with patient,
    a_list_is_filtered with patient,
    ids_are_ordered_by_bytes with patient,
    null_is_the_smallest_amount_and_ties_go_by_id with patient,
    the_newest_come_first with patient,
    pages_hold_every_item_once with patient,
    a_page_that_ends_with_the_last_item_has_no_next with patient,
    a_total_counts_all_pages with patient,
    an_offset_leaves_items_out with patient,
    a_list_without_documents_is_empty with patient,
    a_cursor_belongs_to_its_query with patient,
    a_page_has_1_to_1000_items with patient,
    a_page_goes_on_where_documents_come_and_go with patient,
}

/// Twelve documents in one call, so that all have one time: a third without an amount, and the
/// others in pairs.
async fn twelve(gateway: &TestGateway) {
    let write = |n: i64| {
        let title = if n % 2 == 0 { "even" } else { "odd" };
        let amount = if n % 3 == 0 { Value::Null } else { json!(n / 2 - 3) };
        let body = json!({"title": title, "amount": amount, "due": format!("2026-01-{:02}T00:00:00Z", n + 1)});
        json!({"id": format!("d{n:02}"), "change": {"put": body}})
    };
    gateway.applied(&json!((0..12).map(write).collect::<Vec<_>>())).await;
}

/// Their order by amount: those without one, then -3 (d01), -2 (d02), -1 (d04, d05), 0 (d07), 1
/// (d08), 2 (d10, d11).
const BY_AMOUNT: [&str; 12] =
    ["d00", "d03", "d06", "d09", "d01", "d02", "d04", "d05", "d07", "d08", "d10", "d11"];

async fn an_item_has_all_columns(gateway: &TestGateway) {
    let body = value(
        r#"{"title": "t", "amount": 7, "ratio": 0.5, "done": true, "due": "2026-01-31T12:00:00Z",
            "tags": ["a", "b"], "extra": {"x": [1]}, "unique_key": "k", "undeclared": 1}"#,
    );
    let full = gateway.put_document("full", &body).await.json();
    let empty = gateway.put_document("empty", &json!({})).await.json();
    let mut expected = value(
        r#"{"items": [
            {"id": "empty", "title": null, "amount": null, "ratio": null, "done": null,
             "due": null, "tags": null, "extra": null, "unique_key": null, "expires_at": null},
            {"id": "full", "title": "t", "amount": 7, "ratio": 0.5, "done": true,
             "due": "2026-01-31T12:00:00.000Z", "tags": ["a", "b"], "extra": {"x": [1]},
             "unique_key": "k", "expires_at": null}
        ], "count": 2, "next_cursor": null, "total": null}"#,
    );
    expected["items"][0]["version"] = empty["version"].clone();
    expected["items"][1]["version"] = full["version"].clone();
    assert_eq!(gateway.list("").await, expected);
}

async fn a_list_is_filtered(gateway: &TestGateway) {
    twelve(gateway).await;
    for (query, expected) in [
        ("title=even", &["d00", "d02", "d04", "d06", "d08", "d10"][..]),
        ("title=Even", &[]),
        ("title=", &[]),
        ("title=%25", &[]),
        ("min_amount=1", &["d08", "d10", "d11"]),
        ("min_amount=-3", &["d01", "d02", "d04", "d05", "d07", "d08", "d10", "d11"]),
        ("min_amount=9223372036854775807", &[]),
        ("due_before=2026-01-03T00:00:00Z", &["d00", "d01"]),
        ("due_before=2026-01-03T01:00:00.001%2B01:00", &["d00", "d01", "d02"]),
        ("due_before=1970-01-01T00:00:00Z", &[]),
        ("title=odd&min_amount=0", &["d07", "d11"]),
        ("title=odd&min_amount=-1&due_before=2026-01-08T00:00:00Z", &["d05"]),
    ] {
        let page = gateway.list(&format!("total=true&{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
        assert_eq!(page["count"], expected.len(), "{query}");
    }
    for (query, code) in [
        ("min_amount=one", "invalid-parameter"),
        ("min_amount=1.5", "invalid-parameter"),
        ("min_amount=9223372036854775808", "invalid-parameter"),
        ("due_before=tomorrow", "invalid-parameter"),
        ("order=title", "invalid-parameter"),
        ("total=yes", "invalid-parameter"),
        ("title=a&title=b", "invalid-parameter"),
        ("titel=even", "unknown-parameter"),
        ("title=%00", "nul-character"),
        ("title=%ff", "invalid-encoding"),
    ] {
        gateway.get(&format!("{DOCUMENTS}?{query}")).await.assert_problem(400, code);
    }
}

async fn ids_are_ordered_by_bytes(gateway: &TestGateway) {
    let mut expected = vec![
        "\u{1}",
        " ",
        "!",
        "10",
        "9",
        "B",
        "Z",
        "_",
        "a",
        "a b",
        "a!",
        "aa",
        "b",
        "z",
        "~",
        "Ä",
        "ä",
        "ß",
        "\u{d7ff}",
        "\u{e000}",
        "\u{ffff}",
        "\u{10000}",
        "\u{1F980}",
    ];
    let writes: Vec<Value> =
        expected.iter().map(|id| json!({"id": id, "change": {"put": {}}})).collect();
    gateway.applied(&json!(writes)).await;
    expected.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(ids(&gateway.list("order=id").await), expected);
    assert_eq!(all_pages(gateway, "order=id", 2).await, expected);
}

async fn null_is_the_smallest_amount_and_ties_go_by_id(gateway: &TestGateway) {
    twelve(gateway).await;
    assert_eq!(ids(&gateway.list("order=amount").await), BY_AMOUNT);
    assert_eq!(
        ids(&gateway.list("order=amount&title=odd").await),
        ["d03", "d09", "d01", "d05", "d07", "d11"]
    );
}

async fn the_newest_come_first(gateway: &TestGateway) {
    twelve(gateway).await;
    // Written at one time: the ids go in the direction of the times.
    let mut descending: Vec<String> = (0..12).map(|n| format!("d{n:02}")).collect();
    descending.reverse();
    assert_eq!(ids(&gateway.list("order=newest").await), descending);
    for n in 0..5 {
        gateway.put_document(&format!("single{n}"), &json!({})).await.assert_status(201);
    }
    let mut created = Vec::new();
    for id in ids(&gateway.list("order=newest").await) {
        let got = gateway.get(&document(&id)).await;
        created.push(got.header("x-created-at").expect("a time").to_owned());
    }
    assert_eq!(created.len(), 17);
    assert!(created.is_sorted_by(|a, b| a >= b), "{created:?}");
}

/// The ids of all pages of a query, following the cursors.
async fn all_pages(gateway: &TestGateway, query: &str, limit: usize) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = gateway.list(&format!("{query}&limit={limit}{cursor}")).await;
        let items = ids(&page);
        assert_eq!(page["count"], items.len());
        assert!(items.len() <= limit, "{page}");
        seen.extend(items);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
        assert_eq!(page["count"], limit, "a page with a next one is full");
        assert!(seen.len() <= 1_000, "the pages do not end");
    }
}

async fn pages_hold_every_item_once(gateway: &TestGateway) {
    twelve(gateway).await;
    for query in ["", "order=id", "order=amount", "order=newest"] {
        for filter in ["", "title=odd", "min_amount=-2", "due_before=2026-01-09T00:00:00Z"] {
            let query = format!("{query}&{filter}");
            let whole = ids(&gateway.list(&query).await);
            for limit in [1, 2, 5, 11] {
                assert_eq!(all_pages(gateway, &query, limit).await, whole, "{query} by {limit}");
            }
        }
    }
    assert_eq!(all_pages(gateway, "order=amount", 1).await, BY_AMOUNT);
}

async fn a_page_that_ends_with_the_last_item_has_no_next(gateway: &TestGateway) {
    twelve(gateway).await;
    for (query, next) in [
        ("limit=12", false),
        ("limit=11", true),
        ("limit=13", false),
        ("limit=6&title=odd", false),
        ("limit=5&title=odd", true),
        ("limit=2&offset=10", false),
        ("limit=2&offset=9", true),
    ] {
        let page = gateway.list(query).await;
        assert_eq!(page["next_cursor"].is_string(), next, "{query}: {page}");
    }
    assert_eq!(all_pages(gateway, "", 4).await.len(), 12);
}

async fn a_total_counts_all_pages(gateway: &TestGateway) {
    twelve(gateway).await;
    for (query, total) in [
        ("limit=1", 12),
        ("limit=5&offset=11", 12),
        ("offset=100", 12),
        ("limit=1&title=even", 6),
        ("limit=1&order=amount&min_amount=-1", 6),
    ] {
        let page = gateway.list(&format!("total=true&{query}")).await;
        assert_eq!(page["total"], total, "{query}");
        let page = gateway.list(&format!("total=false&{query}")).await;
        assert_eq!(page["total"], Value::Null, "{query}");
    }
    let first = gateway.list("limit=5&total=true").await;
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = gateway.list(&format!("limit=5&total=true&cursor={cursor}")).await;
    assert_eq!((&second["count"], &second["total"]), (&json!(5), &json!(12)));
}

async fn an_offset_leaves_items_out(gateway: &TestGateway) {
    twelve(gateway).await;
    for order in ["id", "amount", "newest"] {
        let whole = ids(&gateway.list(&format!("order={order}")).await);
        for offset in [0, 1, 5, 11, 12, 1_000_000] {
            let page = gateway.list(&format!("order={order}&limit=4&offset={offset}")).await;
            let rest = whole.iter().skip(offset).take(4).collect::<Vec<_>>();
            assert_eq!(ids(&page).iter().collect::<Vec<_>>(), rest, "{order} from {offset}");
        }
    }
    for offset in ["-1", "1000001", "x"] {
        let answer = gateway.get(&format!("{DOCUMENTS}?offset={offset}")).await;
        answer.assert_problem(400, "invalid-parameter");
    }
}

async fn a_list_without_documents_is_empty(gateway: &TestGateway) {
    let empty = json!({"items": [], "count": 0, "next_cursor": null, "total": 0});
    for query in ["", "order=amount", "order=newest&title=x", "offset=1", "limit=1"] {
        assert_eq!(gateway.list(&format!("total=true&{query}")).await, empty, "{query}");
    }
}

async fn a_cursor_belongs_to_its_query(gateway: &TestGateway) {
    twelve(gateway).await;
    let page = gateway.list("order=amount&title=odd&limit=1").await;
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let query = format!("order=amount&title=odd&limit=3&cursor={cursor}");
    assert_eq!(ids(&gateway.list(&query).await), ["d09", "d01", "d05"]);
    for query in [
        format!("order=id&title=odd&cursor={cursor}"),
        format!("order=newest&title=odd&cursor={cursor}"),
        format!("order=amount&title=even&cursor={cursor}"),
        format!("order=amount&cursor={cursor}"),
        format!("order=amount&title=odd&min_amount=0&cursor={cursor}"),
        format!("order=amount&title=odd&cursor={cursor}A"),
        format!("order=amount&title=odd&cursor={}", &cursor[1..]),
        "order=amount&title=odd&cursor=".to_owned(),
        "cursor=%22".to_owned(),
    ] {
        let answer = gateway.get(&format!("{DOCUMENTS}?{query}")).await;
        answer.assert_problem(400, "invalid-cursor");
    }
}

async fn a_page_has_1_to_1000_items(gateway: &TestGateway) {
    let write = |n: usize| json!({"id": format!("{n:04}"), "change": {"put": {}}});
    gateway.applied(&json!((0..1_001).map(write).collect::<Vec<_>>())).await;
    assert_eq!(gateway.list("limit=1000").await["count"], 1_000);
    assert_eq!(gateway.list("limit=1").await["count"], 1);
    assert_eq!(gateway.list("").await["count"], 50);
    for limit in ["0", "1001", "-1", "4294967296", "many", ""] {
        let answer = gateway.get(&format!("{DOCUMENTS}?limit={limit}")).await;
        answer.assert_problem(400, "invalid-parameter");
    }
    assert_eq!(all_pages(gateway, "order=id", 300).await.len(), 1_001);
}

async fn a_page_goes_on_where_documents_come_and_go(gateway: &TestGateway) {
    twelve(gateway).await;
    let page = gateway.list("order=amount&limit=6").await;
    assert_eq!(ids(&page), BY_AMOUNT[..6]);
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    // The last row of the page is gone, one that comes before it is new, and one behind it.
    gateway
        .applied(&json!([
            {"id": "d02", "change": "delete"},
            {"id": "before", "change": {"put": {}}},
            {"id": "behind", "change": {"put": {"amount": 0}}},
        ]))
        .await;
    let page = gateway.list(&format!("order=amount&limit=50&cursor={cursor}")).await;
    assert_eq!(ids(&page), ["d04", "d05", "behind", "d07", "d08", "d10", "d11"]);
}
