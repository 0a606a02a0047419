//! Propagation networks.

use anyhow::{Result, ensure};
use loggia_benches::load::Measured;
use loggia_benches::replay::{Request, bare, json};
use serde_json::{Value, json};

use crate::Bench;
use crate::report::Report;

const NETWORKS: &str = "/v1/graph-networks/networks";
const NETWORK: &str = "/v1/graph-networks/networks/perf-test";

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let size = Size::of(bench);
    whole(bench, &size, report)?;
    groups(bench, &size, report)?;
    contacts(bench, &size, report)?;
    networks(bench, report)?;
    walks(bench, report)
}

/// How much there is: in a test a tenth.
struct Size {
    groups: usize,
}

impl Size {
    fn of(bench: &Bench) -> Self {
        Self { groups: if bench.test { 100 } else { 1_000 } }
    }

    /// The whole network; the round is in every content, so that each one differs.
    fn network(&self, round: usize) -> Value {
        let groups: Vec<Value> = (0..self.groups).map(|number| group(number, round)).collect();
        json!({"groups": groups})
    }
}

fn group(number: usize, round: usize) -> Value {
    let id = format!("perf-group-{number}");
    let contacts: Vec<Value> = (0..5).map(|place| contact(number, place, round)).collect();
    let category = number % 10;
    json!({
        "group": {
            "id": id, "name": format!("Performance Group {number}"),
            "attributes": {
                "index": number, "category": category,
                "bassline.tags": [format!("category-{category}"), "performance-test"],
            },
        },
        "contacts": contacts, "wires": [],
    })
}

fn contact(group: usize, place: usize, round: usize) -> Value {
    // As many digits as a random number has.
    let value =
        f64::from(u32::try_from(group * 5 + place + round * 7 + 1).unwrap_or(1)).sqrt().fract();
    json!({
        "id": format!("contact-{group}-{place}"),
        "content": {
            "value": value, "timestamp": 1_795_723_200_000_u64 + round as u64,
            "data": format!("Contact {group}-{place}"),
        },
        "blendMode": "accept-last",
    })
}

fn put_group(number: usize, round: usize) -> Request {
    json("PUT", &format!("{NETWORK}/groups/perf-group-{number}"), &group(number, round))
}

fn whole(bench: &Bench, size: &Size, report: &mut Report) -> Result<()> {
    let save = |round| json("PUT", NETWORK, &size.network(round));
    let first = bench.client.send(vec![save(0)], 1)?;
    report.latency("W1", "save the whole network, the first time", "46 claimed, 69 ms", first);
    let bytes = bench.database.bytes_of("graph_networks__contact")?;
    let saves = (1..=bench.times(10)).map(save);
    let saves = bench.client.send(saves.collect(), 1)?;
    report.latency("W1", "save it again, all contents changed", "46 claimed, 67 ms", saves);
    bench.database.vacuum()?;
    let load = bare("GET", NETWORK);
    let loaded: Value = serde_json::from_slice(&bench.client.ask(&load)?)?;
    let groups = loaded["groups"].as_array().map_or(0, Vec::len);
    ensure!(groups == size.groups, "{groups} groups are loaded");
    let loads = bench.client.send(vec![load; bench.times(30)], 1)?;
    report.latency("W3", "load the whole network", "8 claimed, 11 ms", loads);
    for (id, filter, hits, before) in [
        ("W4", "tags_any=performance-test", size.groups, "6 claimed, 5.5 ms"),
        ("W5", "attr.category=5", size.groups / 10, "3 claimed, 2.2 ms"),
    ] {
        let list = bare("GET", &format!("{NETWORK}/groups?{filter}&limit=1000"));
        let page: Value = serde_json::from_slice(&bench.client.ask(&list)?)?;
        let listed = page["items"].as_array().map_or(0, Vec::len);
        ensure!(listed == hits, "{listed} groups of {hits} are listed");
        let lists = bench.client.send(vec![list; bench.times(50)], 1)?;
        report.latency(id, &format!("groups with {filter}, {hits} hits"), before, lists);
    }
    let snapshot = json("POST", &format!("{NETWORK}/snapshots"), &json!({}));
    let snapshots = bench.client.send(vec![snapshot; bench.times(10)], 1)?;
    report.latency("W6", "create a snapshot", "24 claimed, 40 ms", snapshots);
    let stats = bare("GET", &format!("{NETWORK}/stats"));
    let stats = bench.client.send(vec![stats; bench.times(100)], 1)?;
    report.latency("W7", "statistics", "3 claimed, 3.9 ms", stats);
    let contacts = size.groups * 5;
    println!("stored for {contacts} contacts, saved once, tables and indexes: {bytes} bytes");
    Ok(())
}

fn groups(bench: &Bench, size: &Size, report: &mut Report) -> Result<()> {
    let saves = (0..size.groups).map(|number| put_group(number, 50));
    let again = bench.client.send(saves.collect(), 10)?;
    report.elapsed(
        "W2",
        "1,000 group saves, 10 at a time, replacing",
        "160 claimed, 570 ms",
        again,
    );
    bench.client.ask(&json("PUT", NETWORK, &json!({"groups": []})))?;
    let saves = (0..size.groups).map(|number| put_group(number, 51));
    let new = bench.client.send(saves.collect(), 10)?;
    report.elapsed("W2", "1,000 group saves, 10 at a time, new", "160 claimed, 570 ms", new);
    bench.client.ask(&json("PUT", &format!("{NETWORKS}/empty"), &json!({"groups": []})))?;
    let save =
        |number| json("PUT", &format!("{NETWORKS}/empty/groups/g{number}"), &json!({"group": {}}));
    let saves = bench.client.send((0..100).map(save).collect(), 100)?;
    report.elapsed("W8", "100 concurrent saves of empty groups", "23 claimed, 27 ms", saves);
    Ok(())
}

fn contacts(bench: &Bench, size: &Size, report: &mut Report) -> Result<()> {
    let path = |number: usize| {
        let (group, place) = (number / 5 % size.groups, number % 5);
        format!("{NETWORK}/groups/perf-group-{group}/contacts/contact-{group}-{place}")
    };
    let put = |number: usize| {
        json("PUT", &path(number), &contact(number / 5 % size.groups, number % 5, 60 + number))
    };
    let times = bench.times(2_000);
    for (in_flight, write, read) in [(1, "2,962/s", "9,005/s"), (20, "8,620/s", "23,856/s")] {
        // Not one group after another, or those at once would wait for each other.
        let numbers = || (0..times).map(|n| n * 7);
        let puts = bench.client.send(numbers().map(put).collect(), in_flight)?;
        report.rate("W10", &format!("write one contact, {in_flight} at once"), write, puts);
        let gets = numbers().map(|number| bare("GET", &path(number)));
        let gets = bench.client.send(gets.collect(), in_flight)?;
        report.rate("W10", &format!("read one contact, {in_flight} at once"), read, gets);
    }
    let batch = |number: usize| {
        let id = |place| format!("batch-{number}-{place}");
        let contacts: Vec<Value> = (0..100)
            .map(|n| {
                let mut contact = contact(0, n, number);
                contact["id"] = id(n).into();
                contact
            })
            .collect();
        let path = format!("{NETWORK}/groups/perf-group-{number}/contacts:batchSave");
        json("POST", &path, &json!({"contacts": contacts}))
    };
    let batches = bench.client.send((0..bench.times(50)).map(batch).collect(), 1)?;
    report.rate("W11", "batches of 100 new contacts; contacts/s is 100 times", "298/s", batches);
    Ok(())
}

fn networks(bench: &Bench, report: &mut Report) -> Result<()> {
    bench.client.ask(&json("PUT", &format!("{NETWORKS}/nothing"), &json!({"groups": []})))?;
    // The client reads no answers to HEAD, which is a GET whose body is left out.
    let exists = bare("GET", &format!("{NETWORKS}/nothing"));
    let list = bare("GET", &format!("{NETWORKS}?limit=50"));
    let load = bare("GET", &format!("{NETWORKS}/nothing"));
    let mut requests = Vec::new();
    for _ in 0..bench.times(50) {
        requests.extend([exists.clone(), list.clone(), load.clone()]);
    }
    let measured = bench.client.send(requests, 150)?;
    report.elapsed(
        "W9",
        "150 at once: exists, list, load an empty one",
        "10.5 claimed, 6.8 ms",
        measured,
    );
    Ok(())
}

const GRAPH: &str = "/v1/graph-networks/networks/graph";

/// So many contacts are in a group of the graph, and three times as many wires.
const PER_GROUP: usize = 1_000;

/// 100,000 contacts and 300,000 wires; in a test a hundredth.
fn walks(bench: &Bench, report: &mut Report) -> Result<()> {
    let groups = if bench.test { 1 } else { 100 };
    let contacts = groups * PER_GROUP;
    bench.client.ask(&json("PUT", GRAPH, &json!({"groups": []})))?;
    let body = |group: usize, with_wires: bool| {
        let first = group * PER_GROUP;
        let ids = first..first + PER_GROUP;
        let made: Vec<Value> = ids.clone().map(|n| json!({"id": format!("c{n}")})).collect();
        let wire = |n: usize, place: usize| {
            // Two steps of a simple generator lead anywhere.
            let to = (n * 3 + place + 1).wrapping_mul(2_654_435_761) % (1 << 31) % contacts;
            json!({"id": format!("w{n}-{place}"), "fromId": format!("c{n}"), "toId": format!("c{to}")})
        };
        let wires: Vec<Value> = ids
            .flat_map(|n| (0..3).map(move |place| (n, place)))
            .map(|(n, p)| wire(n, p))
            .collect();
        let wires = if with_wires { wires } else { Vec::new() };
        let body = json!({"group": {}, "contacts": made, "wires": wires});
        json("PUT", &format!("{GRAPH}/groups/g{group}"), &body)
    };
    let loaded = bench.client.send((0..groups).map(|group| body(group, false)).collect(), 2)?;
    report.elapsed("", &format!("store {contacts} contacts, 1,000 in a request"), "", loaded);
    let loaded = bench.client.send((0..groups).map(|group| body(group, true)).collect(), 2)?;
    report.elapsed("", "the same again with three wires each", "", loaded);
    bench.database.vacuum()?;
    let pick = |number: usize| (number * 7_919 + 13) % contacts;
    let path = |number| {
        let (from, to) = (pick(number), pick(number + 1_000));
        bare("GET", &format!("{GRAPH}/path?from=c{from}&to=c{to}"))
    };
    let paths = bench.client.send((0..bench.times(200)).map(path).collect(), 1)?;
    report.latency("", "shortest path between any two", "AGE: 23 ms", paths);
    let near = |number| {
        bare("GET", &format!("{GRAPH}/neighbors?contact=c{}&depth=2&direction=both", pick(number)))
    };
    let near = bench.client.send((0..bench.times(200)).map(near).collect(), 1)?;
    report.latency("", "neighbours at depth 2", "", near);
    for limit in [100, 1_000, 10_000] {
        let reach = |number| {
            bare("GET", &format!("{GRAPH}/reachable?from=c{}&limit={limit}", pick(number)))
        };
        let reached: Measured = bench.client.send((0..bench.times(20)).map(reach).collect(), 1)?;
        report.latency("", &format!("the {limit} nearest of all that can be reached"), "", reached);
    }
    Ok(())
}
