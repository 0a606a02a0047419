//! Ways along wires, against a plain search in memory over random graphs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::{network, saved_group};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    two_hundred_random_graphs_are_walked_as_in_memory with patient,
    paths_through_wide_levels_are_the_shortest with patient,
    a_search_is_bounded,
    a_boundary_with_a_direction_is_passed_one_way,
    a_subgraph_has_what_is_around_some_contacts,
}

/// A graph as a test knows it.
struct Graph {
    /// Groups with their parents.
    groups: Vec<Option<usize>>,
    contacts: Vec<Contact>,
    wires: Vec<Wire>,
}

struct Contact {
    group: usize,
    /// Whether it is on a boundary, and lets in only or out only.
    boundary: Option<Option<bool>>,
}

struct Wire {
    group: usize,
    from: usize,
    to: usize,
    directed: bool,
}

impl Graph {
    fn random(random: &mut StdRng) -> Self {
        let groups: Vec<Option<usize>> = (0..random.random_range(1..5_usize))
            .map(|n| (n > 0 && random.random_bool(0.8)).then(|| random.random_range(0..n)))
            .collect();
        let contacts: Vec<Contact> = (0..random.random_range(1..25))
            .map(|_| Contact {
                group: random.random_range(0..groups.len()),
                boundary: random
                    .random_bool(0.4)
                    .then(|| random.random_bool(0.7).then(|| random.random_bool(0.5))),
            })
            .collect();
        let wires = (0..random.random_range(0..40))
            .map(|_| Wire {
                group: random.random_range(0..groups.len()),
                from: random.random_range(0..contacts.len()),
                to: random.random_range(0..contacts.len()),
                directed: random.random_bool(0.5),
            })
            .collect();
        Self { groups, contacts, wires }
    }

    /// One whose levels are so wide that the last one is looked for by the database.
    fn wide(random: &mut StdRng) -> Self {
        const CONTACTS: usize = 5_000;
        let wire = |random: &mut StdRng| Wire {
            group: 0,
            from: random.random_range(0..CONTACTS),
            to: random.random_range(0..CONTACTS),
            directed: random.random_bool(0.5),
        };
        let wires = (0..13_000).map(|_| wire(random)).collect();
        let contacts = (0..CONTACTS).map(|_| Contact { group: 0, boundary: None }).collect();
        Self { groups: vec![None], contacts, wires }
    }

    fn body(&self) -> Value {
        let group = |(n, parent): (usize, &Option<usize>)| {
            let contacts: Vec<Value> = self
                .contacts
                .iter()
                .enumerate()
                .filter(|(_, contact)| contact.group == n)
                .map(|(id, contact)| {
                    let mut body = json!({"id": format!("c{id}")});
                    if let Some(direction) = contact.boundary {
                        body["isBoundary"] = true.into();
                        if let Some(input) = direction {
                            body["boundaryDirection"] =
                                if input { "input" } else { "output" }.into();
                        }
                    }
                    body
                })
                .collect();
            let wires: Vec<Value> = self
                .wires
                .iter()
                .enumerate()
                .filter(|(_, wire)| wire.group == n)
                .map(|(id, wire)| {
                    json!({
                        "id": format!("w{id}"), "fromId": format!("c{}", wire.from),
                        "toId": format!("c{}", wire.to),
                        "type": if wire.directed { "directed" } else { "bidirectional" },
                    })
                })
                .collect();
            let mut own = json!({"id": format!("g{n}")});
            if let Some(parent) = parent {
                own["parentId"] = format!("g{parent}").into();
            }
            json!({"group": own, "contacts": contacts, "wires": wires})
        };
        json!({"groups": self.groups.iter().enumerate().map(group).collect::<Vec<_>>()})
    }

    /// Whether a wire leads from one contact to another, by the rules in the plugin's README.
    fn leads(&self, wire: &Wire, from: usize, to: usize) -> bool {
        let ends = (wire.from, wire.to) == (from, to)
            || (!wire.directed && (wire.to, wire.from) == (from, to));
        let of_parent =
            |contact: usize| self.groups[self.contacts[contact].group] == Some(wire.group);
        let is = |contact: usize, input: bool| {
            self.contacts[contact].boundary == Some(Some(input)) && of_parent(contact)
        };
        ends && !is(from, true) && !is(to, false)
    }

    fn distances(&self, from: usize, direction: &str) -> BTreeMap<usize, u64> {
        let mut distances = BTreeMap::from([(from, 0)]);
        let leads = |wire: &Wire, from: usize, to: usize| match direction {
            "out" => self.leads(wire, from, to),
            "in" => self.leads(wire, to, from),
            _ => self.leads(wire, from, to) || self.leads(wire, to, from),
        };
        for distance in 1.. {
            let steps = self
                .wires
                .iter()
                .flat_map(|wire| [(wire, wire.from, wire.to), (wire, wire.to, wire.from)]);
            let level: BTreeSet<usize> = steps
                .filter(|(wire, at, to)| {
                    distances.get(at) == Some(&(distance - 1))
                        && !distances.contains_key(to)
                        && leads(wire, *at, *to)
                })
                .map(|(.., to)| to)
                .collect();
            if level.is_empty() {
                break;
            }
            distances.extend(level.into_iter().map(|to| (to, distance)));
        }
        distances
    }

    /// Sets of contacts that wires join, whichever way they lead.
    fn components(&self) -> BTreeSet<BTreeSet<String>> {
        let joined = |a: usize, b: usize| {
            self.wires.iter().any(|w| (w.from, w.to) == (a, b) || (w.to, w.from) == (a, b))
        };
        let (mut seen, mut components) = (HashSet::new(), BTreeSet::new());
        for start in 0..self.contacts.len() {
            if !seen.insert(start) {
                continue;
            }
            let (mut component, mut stack) = (BTreeSet::from([start]), vec![start]);
            while let Some(at) = stack.pop() {
                for to in 0..self.contacts.len() {
                    if joined(at, to) && seen.insert(to) {
                        component.insert(to);
                        stack.push(to);
                    }
                }
            }
            components.insert(component.into_iter().map(|n| format!("c{n}")).collect());
        }
        components
    }
}

/// Contacts of an answer with their distances.
fn reached(answer: &Value) -> BTreeMap<String, u64> {
    assert_eq!(answer["truncated"], false);
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| (item["id"].as_str().unwrap().to_owned(), item["distance"].as_u64().unwrap()))
        .collect()
}

fn named(distances: &BTreeMap<usize, u64>, from: usize, depth: u64) -> BTreeMap<String, u64> {
    let others = distances.iter().filter(|(to, distance)| **to != from && **distance <= depth);
    others.map(|(to, distance)| (format!("c{to}"), *distance)).collect()
}

async fn two_hundred_random_graphs_are_walked_as_in_memory(gateway: &TestGateway) {
    let mut random = StdRng::seed_from_u64(6);
    for round in 0..200 {
        let graph = Graph::random(&mut random);
        let made = gateway.put(&network("n"), &graph.body()).await;
        assert!(made.status.is_success(), "{round}: {made:?}");
        let from = random.random_range(0..graph.contacts.len());
        for direction in ["out", "in", "both"] {
            let distances = graph.distances(from, direction);
            let path = format!("{}/reachable?from=c{from}&direction={direction}", network("n"));
            let expected = named(&distances, from, u64::MAX);
            assert_eq!(reached(&gateway.got(&path).await), expected, "{round} {path}");
            let depth = random.random_range(1..4);
            let query = format!("contact=c{from}&depth={depth}&direction={direction}");
            let path = format!("{}/neighbors?{query}", network("n"));
            let expected = named(&distances, from, depth);
            assert_eq!(reached(&gateway.got(&path).await), expected, "{round} {path}");
        }
        for _ in 0..3 {
            let to = random.random_range(0..graph.contacts.len());
            check_path(gateway, &graph, from, to).await;
        }
        let answer = gateway.got(&format!("{}/components?members=true", network("n"))).await;
        let items = answer["items"].as_array().unwrap();
        let texts = |item: &Value| -> BTreeSet<String> {
            let contacts = item["contacts"].as_array().unwrap();
            assert_eq!(
                (item["size"].as_u64().unwrap(), &item["contact"]),
                (contacts.len() as u64, &contacts[0])
            );
            contacts.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let components: BTreeSet<_> = items.iter().map(texts).collect();
        assert_eq!(components, graph.components(), "{round}");
        assert!(items.is_sorted_by(|a, b| a["size"].as_u64() >= b["size"].as_u64()));
    }
}

async fn paths_through_wide_levels_are_the_shortest(gateway: &TestGateway) {
    let mut random = StdRng::seed_from_u64(7);
    let graph = Graph::wide(&mut random);
    let made = gateway.put(&network("n"), &graph.body()).await;
    assert!(made.status.is_success(), "{made:?}");
    let mut longest = 0;
    for _ in 0..60 {
        let [from, to] = [(); 2].map(|()| random.random_range(0..graph.contacts.len()));
        check_path(gateway, &graph, from, to).await;
        longest = longest.max(graph.distances(from, "out").get(&to).copied().unwrap_or(0));
    }
    // Both sides have more than 48 contacts three steps away.
    assert!(longest >= 7, "{longest}");
}

/// The path is there when there is one, is as short as can be, and each wire of it leads on.
async fn check_path(gateway: &TestGateway, graph: &Graph, from: usize, to: usize) {
    let distance = graph.distances(from, "out").get(&to).copied();
    let path = format!("{}/path?from=c{from}&to=c{to}", network("n"));
    let answer = gateway.get(&path).await;
    let Some(distance) = distance else {
        answer.assert_problem(404, "no-path");
        return;
    };
    let answer = answer.assert_status(200).json();
    assert_eq!(answer["length"], distance, "{path}");
    let numbers = |name: &str| -> Vec<usize> {
        let parts = answer[name].as_array().unwrap().iter();
        parts.map(|part| part["id"].as_str().unwrap()[1..].parse().unwrap()).collect()
    };
    let (contacts, wires) = (numbers("contacts"), numbers("wires"));
    assert_eq!((contacts[0], contacts[contacts.len() - 1]), (from, to));
    assert_eq!(contacts.len(), wires.len() + 1);
    for (ends, wire) in contacts.windows(2).zip(wires) {
        assert!(graph.leads(&graph.wires[wire], ends[0], ends[1]), "{path}: {answer}");
    }
    if distance > 0 {
        let short = gateway.get(&format!("{path}&max_depth={}", distance - 1)).await;
        short.assert_problem(404, "no-path");
        gateway.get(&format!("{path}&max_depth={distance}")).await.assert_status(200);
    }
}

/// A contact with 30 others around it.
fn star() -> Value {
    let contacts: Vec<String> = (0..31).map(|n| format!("c{n:02}")).collect();
    let ids: Vec<&str> = contacts.iter().map(String::as_str).collect();
    let mut group = saved_group("a", &ids);
    let wires =
        ids[1..].iter().map(|id| json!({"id": format!("w{id}"), "fromId": "c00", "toId": id}));
    group["wires"] = wires.collect();
    group
}

async fn a_search_is_bounded(gateway: &TestGateway) {
    gateway.network_of(&[star()]).await;
    for path in ["neighbors?contact=c00&limit=10", "reachable?from=c00&limit=10"] {
        let answer = gateway.got(&format!("{}/{path}", network("n"))).await;
        assert_eq!(answer["items"].as_array().unwrap().len(), 10, "{path}");
        assert_eq!(answer["truncated"], true, "{path}");
    }
    let all = gateway.got(&format!("{}/neighbors?contact=c00&limit=30", network("n"))).await;
    assert_eq!(all["truncated"], false);
    for (query, status, code) in [
        ("neighbors?contact=none", 404, "contact-not-found"),
        ("reachable?from=none", 404, "contact-not-found"),
        ("path?from=c00&to=none", 404, "contact-not-found"),
        ("subgraph?contacts=c00&contacts=none", 404, "contact-not-found"),
        ("neighbors?contact=c00&depth=0", 400, "invalid-parameter"),
        ("neighbors?contact=c00&depth=17", 400, "invalid-parameter"),
        ("neighbors?contact=c00&direction=up", 400, "invalid-parameter"),
        ("neighbors?contact=c00&limit=10001", 400, "invalid-parameter"),
        ("path?from=c00&to=c01&max_depth=401", 400, "invalid-parameter"),
        ("components?limit=0", 400, "invalid-parameter"),
    ] {
        gateway.get(&format!("{}/{query}", network("n"))).await.assert_problem(status, code);
    }
    let one = gateway.got(&format!("{}/components?limit=1", network("n"))).await;
    assert_eq!(one, json!({"count": 1, "items": [{"size": 31, "contact": "c00"}]}));
}

async fn a_boundary_with_a_direction_is_passed_one_way(gateway: &TestGateway) {
    // x is wired to both boundaries by the parent; y is within the group, wired to both by it.
    let parent = json!({"group": {"id": "p"}, "contacts": [{"id": "x"}],
        "wires": [{"id": "w1", "fromId": "x", "toId": "in"}, {"id": "w2", "fromId": "out", "toId": "x"}]});
    let inner = json!({"group": {"id": "g", "parentId": "p"},
        "contacts": [{"id": "y"}, {"id": "in", "isBoundary": true, "boundaryDirection": "input"},
            {"id": "out", "isBoundary": true, "boundaryDirection": "output"}],
        "wires": [{"id": "w3", "fromId": "in", "toId": "y"}, {"id": "w4", "fromId": "y", "toId": "out"}]});
    gateway.network_of(&[parent, inner]).await;
    let walk = async |from: &str, to: &str| -> Vec<String> {
        let answer = gateway.get(&format!("{}/path?from={from}&to={to}", network("n"))).await;
        let wires = answer.assert_status(200).json()["wires"].as_array().unwrap().clone();
        wires.iter().map(|wire| wire["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(walk("x", "y").await, ["w1", "w3"]);
    assert_eq!(walk("y", "x").await, ["w4", "w2"]);
    // Without a direction they are as any other.
    let path = super::contact("g", "out");
    gateway.put(&path, &json!({"isBoundary": true})).await.assert_status(200);
    assert_eq!(walk("x", "y").await.len(), 2);
    gateway
        .put(
            &super::contact("g", "in"),
            &json!({"isBoundary": true,
        "boundaryDirection": "output"}),
        )
        .await
        .assert_status(200);
    assert_eq!(walk("x", "y").await, ["w2", "w4"]);
}

async fn a_subgraph_has_what_is_around_some_contacts(gateway: &TestGateway) {
    let chain = |group: &str, from: usize| {
        let contacts: Vec<Value> =
            (from..from + 3).map(|n| json!({"id": format!("c{n}")})).collect();
        let wires: Vec<Value> = (from..from + 3)
            .filter(|n| *n < 5)
            .map(|n| json!({"id": format!("w{n}"), "fromId": format!("c{n}"), "toId": format!("c{}", n + 1)}))
            .collect();
        json!({"group": {"id": group}, "contacts": contacts, "wires": wires})
    };
    gateway.network_of(&[chain("a", 0), chain("b", 3)]).await;
    let around = async |query: &str| -> HashMap<String, (Vec<String>, Vec<String>)> {
        let answer = gateway.got(&format!("{}/subgraph?{query}", network("n"))).await;
        assert_eq!(answer["truncated"], false);
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let groups = answer["groups"].as_array().unwrap().iter();
        groups
            .map(|group| {
                let own = &group["group"];
                let id = own["id"].as_str().unwrap().to_owned();
                (id, (texts(&own["contactIds"]), texts(&own["wireIds"])))
            })
            .collect()
    };
    let owned =
        |texts: &[&str]| -> Vec<String> { texts.iter().map(|&text| text.to_owned()).collect() };
    let found = around("contacts=c2&depth=1").await;
    assert_eq!(found["a"], (owned(&["c1", "c2"]), owned(&["w1", "w2"])));
    assert_eq!(found["b"], (owned(&["c3"]), owned(&[])));
    let found = around("contacts=c0&contacts=c5&depth=0").await;
    assert_eq!(found["a"], (owned(&["c0"]), owned(&[])));
    assert_eq!(found["b"], (owned(&["c5"]), owned(&[])));
    let found = around("contacts=c0&depth=16").await;
    assert_eq!(found["b"].1, owned(&["w3", "w4"]));
}
