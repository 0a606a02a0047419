//! Many at once: nothing is lost, and who comes too late is told.

use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{contact, group, network, saved_group};
use crate::harness::faults::patient;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    ten_groups_saved_at_once_are_all_there with patient,
    twenty_changes_of_contacts_of_one_group_are_all_there with patient,
    twenty_changes_of_one_contact_are_made_one_after_another with patient,
    ten_snapshots_at_once_are_all_there with patient,
    of_two_writers_with_one_tag_one_is_told with patient,
    a_contact_that_two_groups_want_is_one_groups with patient,
    wires_and_their_contacts_go_together with patient,
    a_snapshot_is_one_instant with patient,
    a_restore_among_writers_leaves_a_whole_network with patient,
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status.as_u16()).collect()
}

/// The numbers that are kept are those of what is there.
async fn assert_counts(gateway: &TestGateway) {
    let got = gateway.got(&network("n")).await;
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    let groups = got["groups"].as_array().unwrap();
    let sum = |name: &str| groups.iter().map(|g| g[name].as_array().unwrap().len()).sum::<usize>();
    assert_eq!(stats["groupCount"], groups.len());
    assert_eq!(
        (&stats["contactCount"], &stats["wireCount"]),
        (&json!(sum("contacts")), &json!(sum("wires")))
    );
}

async fn ten_groups_saved_at_once_are_all_there(gateway: &TestGateway) {
    gateway.network_of(&[]).await;
    let save = async |n: usize| {
        let contacts: Vec<String> = (0..5).map(|c| format!("c{n}-{c}")).collect();
        let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
        gateway.put(&group(&format!("g{n}")), &saved_group(&format!("g{n}"), &contacts)).await
    };
    assert_eq!(statuses(&join_all((0..10).map(save)).await), [201; 10]);
    assert_eq!(statuses(&join_all((0..10).map(save)).await), [200; 10]);
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!((&stats["groupCount"], &stats["contactCount"]), (&json!(10), &json!(50)));
    assert_counts(gateway).await;
}

async fn twenty_changes_of_contacts_of_one_group_are_all_there(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c0", "c1", "c2", "c3", "c4"])]).await;
    let change =
        async |n: usize| gateway.put(&contact("a", &format!("c{n}")), &json!({"content": n})).await;
    let mut expected = vec![201; 20];
    expected[..5].fill(200);
    assert_eq!(statuses(&join_all((0..20).map(change)).await), expected);
    let got = gateway.got(&group("a")).await;
    let contacts = got["contacts"].as_array().unwrap();
    let mut contents: Vec<u64> =
        contacts.iter().map(|contact| contact["content"].as_u64().unwrap()).collect();
    contents.sort_unstable();
    assert_eq!(contents, (0..20).collect::<Vec<_>>());
    assert_counts(gateway).await;
}

async fn twenty_changes_of_one_contact_are_made_one_after_another(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c"])]).await;
    let change = async |n: usize| gateway.put(&contact("a", "c"), &json!({"content": n})).await;
    let answers = join_all((0..20).map(change)).await;
    assert_eq!(statuses(&answers), [200; 20]);
    let mut tags: Vec<String> = answers.iter().map(Answer::etag).collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 20);
    // The newest version is the one that stays.
    let last =
        answers.iter().max_by_key(|answer| answer.etag().trim_matches('"').parse::<u64>().unwrap());
    assert_eq!(gateway.get(&contact("a", "c")).await.etag(), last.unwrap().etag());
}

async fn ten_snapshots_at_once_are_all_there(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c"])]).await;
    let made = join_all((0..10).map(async |n| gateway.snapshot(&n.to_string()).await)).await;
    let listed = gateway.get(&format!("{}/snapshots", network("n"))).await;
    let (mut made, mut listed) = (made, super::ids(&listed, "/id"));
    made.sort();
    listed.sort();
    assert_eq!(listed, made);
}

async fn of_two_writers_with_one_tag_one_is_told(gateway: &TestGateway) {
    gateway.network_of(&[saved_group("a", &["c"])]).await;
    for round in 0..20 {
        let tag = gateway.get(&group("a")).await.etag();
        let write = async |n: usize| {
            let id = format!("c{round}-{n}");
            gateway.put_if(&group("a"), ("if-match", &tag), &saved_group("a", &[&id])).await
        };
        let (one, other) = tokio::join!(write(0), write(1));
        let mut both = statuses(&[one, other]);
        both.sort_unstable();
        assert_eq!(both, [200, 412]);
    }
    assert_counts(gateway).await;
}

async fn a_contact_that_two_groups_want_is_one_groups(gateway: &TestGateway) {
    gateway.network_of(&[]).await;
    for round in 0..20 {
        let id = format!("c{round}");
        let save =
            async |name: String| gateway.put(&group(&name), &saved_group(&name, &[&id])).await;
        let (one, other) = tokio::join!(save(format!("a{round}")), save(format!("b{round}")));
        let mut both = statuses(&[one, other]);
        both.sort_unstable();
        assert_eq!(both, [201, 409]);
    }
    let stats = gateway.got(&format!("{}/stats", network("n"))).await;
    assert_eq!((&stats["groupCount"], &stats["contactCount"]), (&json!(20), &json!(20)));
    assert_counts(gateway).await;
}

async fn wires_and_their_contacts_go_together(gateway: &TestGateway) {
    for round in 0..20 {
        gateway.network_of(&[saved_group("a", &["c1", "c2"]), saved_group("b", &["c3"])]).await;
        let join =
            gateway.put(&super::wire("b", "w"), &json!({"fromId": "c3", "toId": "c1"})).await;
        join.assert_status(201);
        let path = super::wire("b", "v");
        let body = json!({"fromId": "c1", "toId": "c3"});
        let deleted = contact("a", "c1");
        let (wired, gone) = tokio::join!(gateway.put(&path, &body), gateway.delete(&deleted));
        assert_eq!(gone.status, 204, "{round}");
        assert!(matches!(wired.status.as_u16(), 201 | 422), "{wired:?}");
        assert_eq!(gateway.got(&group("b")).await["wires"], json!([]), "{round}");
        assert_counts(gateway).await;
    }
}

/// A writer counts up in one group after another, each time only when the one before has its number.
/// So at any instant the numbers never grow from a group to the next, and differ by one at most.
async fn a_snapshot_is_one_instant(gateway: &TestGateway) {
    const GROUPS: usize = 4;
    const MOST: usize = 50;
    let names =
        |writer: usize, place: usize| (format!("g{writer}-{place}"), format!("c{writer}-{place}"));
    let groups: Vec<Value> = (0..8)
        .flat_map(|writer| (0..GROUPS).map(move |place| names(writer, place)))
        .map(|(group, contact)| {
            json!({"group": {"id": group}, "contacts": [{"id": contact, "content": 0}]})
        })
        .collect();
    gateway.network_of(&groups).await;
    let stop = AtomicBool::new(false);
    let write = async |writer: usize| {
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            number += 1;
            for place in 0..GROUPS {
                let (group, id) = names(writer, place);
                let answer = gateway.put(&contact(&group, &id), &json!({"content": number})).await;
                answer.assert_status(200);
            }
        }
    };
    // At least ten, and on until one was made while a writer stood between two of its groups.
    let snapshots = async {
        let (mut made, mut between) = (0, false);
        while made < 10 || !between && made < MOST {
            let id = gateway.snapshot(&made.to_string()).await;
            let kept = gateway.got(&format!("{}/snapshots/{id}", network("n"))).await;
            for writer in kept["groups"].as_array().unwrap().chunks(GROUPS) {
                let numbers: Vec<u64> =
                    writer.iter().map(|g| g["contacts"][0]["content"].as_u64().unwrap()).collect();
                let (first, last) = (numbers[0], numbers[GROUPS - 1]);
                assert!(numbers.is_sorted_by(|a, b| a >= b) && first - last <= 1, "{numbers:?}");
                between |= first != last;
            }
            made += 1;
        }
        stop.store(true, Ordering::SeqCst);
        between
    };
    let (_, between) = tokio::join!(join_all((0..8).map(write)), snapshots);
    assert!(between, "no snapshot of {MOST} was made in the middle of anything");
}

async fn a_restore_among_writers_leaves_a_whole_network(gateway: &TestGateway) {
    let groups: Vec<Value> =
        (0..4).map(|n| saved_group(&format!("g{n}"), &[&format!("c{n}")])).collect();
    gateway.network_of(&groups).await;
    let id = gateway.snapshot("one").await;
    let stop = AtomicBool::new(false);
    let write = async |writer: usize| {
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            number += 1;
            let path = contact(&format!("g{writer}"), &format!("new{writer}-{}", number % 5));
            let answer = gateway.put(&path, &json!({"content": number})).await;
            assert!(matches!(answer.status.as_u16(), 200 | 201), "{answer:?}");
            let path = group(&format!("more{writer}"));
            let answer = gateway.put(&path, &saved_group("", &[])["group"]).await;
            answer.assert_problem(422, "schema-mismatch");
            let answer =
                gateway.delete(&contact(&format!("g{writer}"), &format!("new{writer}-0"))).await;
            assert!(matches!(answer.status.as_u16(), 204 | 404), "{answer:?}");
        }
    };
    let restores = async {
        for _ in 0..10 {
            let path = format!("{}/snapshots/{id}:restore", network("n"));
            gateway.post(&path).await.assert_status(200);
        }
        stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(join_all((0..4).map(write)), restores);
    assert_counts(gateway).await;
    let path = format!("{}/snapshots/{id}:restore", network("n"));
    gateway.post(&path).await.assert_status(200);
    let diff = gateway.got(&format!("{}/snapshots/{id}:diff", network("n"))).await;
    assert_eq!(diff["added"], json!({"groups": [], "contacts": [], "wires": []}));
    assert_eq!(diff["removed"], diff["added"]);
    assert_eq!(diff["changed"], diff["added"]);
}
