//! `If-Match`, `If-None-Match` and `ETag` of entries.

use futures_util::future::join_all;

use super::{BYTES, entry};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    a_put_is_made_under_its_condition,
    a_delete_is_made_under_its_condition,
    a_client_that_has_the_current_version_gets_304,
    one_of_50_writers_of_a_version_succeeds with patient,
}

async fn a_put_is_made_under_its_condition(gateway: &TestGateway) {
    let path = entry("k");
    let missing = gateway.store(&path, &[("if-match", "*")], "v").await;
    missing.assert_problem(412, "precondition-failed");
    let missing = gateway.store(&path, &[("if-match", "\"1\"")], "v").await;
    missing.assert_problem(412, "precondition-failed");
    assert_eq!(missing.header("etag"), None);
    gateway.get(&path).await.assert_status(404);

    let first = gateway.store(&path, &[("if-none-match", "*")], "1").await.assert_status(201);
    let present = gateway.store(&path, &[("if-none-match", "*")], "2").await;
    present.assert_problem(412, "precondition-failed");
    assert_eq!(present.etag(), first.etag());

    let etag = first.etag();
    let second = gateway.store(&path, &[("if-match", &etag)], "2").await.assert_status(200);
    let stale = gateway.store(&path, &[("if-match", &etag)], "3").await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(stale.etag(), second.etag());
    assert_eq!(&gateway.get(&path).await.body[..], b"2");

    let either = format!("\"0\", {}", second.etag());
    gateway.store(&path, &[("if-match", &either)], "3").await.assert_status(200);
    gateway.store(&path, &[("if-match", "*")], "4").await.assert_status(200);
    gateway.store(&path, &[("if-match", &either)], "5").await.assert_status(412);
    assert_eq!(&gateway.get(&path).await.body[..], b"4");
}

async fn a_delete_is_made_under_its_condition(gateway: &TestGateway) {
    let path = entry("k");
    let delete = async |etag: &str| gateway.send("DELETE", &path, &[("if-match", etag)], "").await;
    delete("*").await.assert_problem(412, "precondition-failed");
    let first = gateway.stored("k", "1").await.etag();
    let second = gateway.stored("k", "2").await.etag();
    let stale = delete(&first).await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(stale.etag(), second);
    delete(&second).await.assert_status(204);
    gateway.get(&path).await.assert_status(404);
    gateway.stored("k", "3").await;
    delete("*").await.assert_status(204);
}

async fn a_client_that_has_the_current_version_gets_304(gateway: &TestGateway) {
    let path = entry("k");
    let etag = gateway.stored("k", "1").await.etag();
    for method in ["GET", "HEAD"] {
        let answer = gateway.send(method, &path, &[("if-none-match", &etag)], "").await;
        let answer = answer.assert_status(304);
        assert_eq!((answer.body.len(), answer.etag()), (0, etag.clone()));
    }
    gateway.stored("k", "2").await;
    let answer = gateway.send("GET", &path, &[("if-none-match", &etag)], "").await;
    assert_eq!(&answer.assert_status(200).body[..], b"2");
}

/// The forerunner's plain writes did not count versions, so that its optimistic lock missed them.
async fn one_of_50_writers_of_a_version_succeeds(gateway: &TestGateway) {
    let path = entry("k");
    let etag = gateway.stored("k", "").await.etag();
    let put = |n: usize| {
        let (path, etag) = (&path, &etag);
        async move { gateway.send("PUT", path, &[BYTES, ("if-match", etag)], n.to_string()).await }
    };
    let answers = join_all((0..50).map(put)).await;
    let written: Vec<usize> = (0..50).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(written.len(), 1, "{answers:?}");
    assert_eq!(gateway.get(&path).await.body, written[0].to_string());
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.assert_problem(412, "precondition-failed");
    }
}
