//! A gateway on `SQLite` that is killed again and again while it is written to: what was
//! acknowledged is there, nothing is there by half, and no version is handed out twice.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::try_send;
use crate::process::{Program, configure};

/// Each has a file and a program of its own, one after the other.
const LANES: usize = 4;
const CYCLES: usize = 25;
const CLIENTS: usize = 4;
/// Documents of one client.
const DOCUMENTS: usize = 5;

#[test]
fn what_was_acknowledged_survives_100_times_kill_9_under_load() {
    let lanes: Vec<_> = (0..LANES).map(|_| thread::spawn(lane)).collect();
    let acknowledged: usize = lanes.into_iter().map(|lane| lane.join().unwrap()).sum();
    assert!(acknowledged > LANES * CYCLES, "{acknowledged} writes are too few to show anything");
}

fn lane() -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loggia.db");
    let configuration = configure(&folder, &format!("sqlite:{}", file.display()));
    let mut known = Known::default();
    for cycle in 0..CYCLES {
        let program = Program::start(&configuration);
        runtime.block_on(known.check(program.address));
        let written = runtime.block_on(write_until_killed(program, cycle));
        known.learn(written);
        if cycle % 5 == 4 {
            check_integrity(&file);
        }
    }
    let program = Program::start(&configuration);
    runtime.block_on(known.check(program.address));
    program.kill();
    check_integrity(&file);
    check_folder(folder);
    known.versions.len()
}

/// What must be there.
#[derive(Default)]
struct Known {
    /// The last write of each document that was acknowledged.
    acknowledged: HashMap<String, u64>,
    /// The write that was under way when the program was killed: it may be there.
    under_way: HashMap<String, u64>,
    versions: HashSet<u64>,
}

/// What one client has done before the program was killed.
struct Written {
    /// Documents with what was written, and the version that it got; none for the last one.
    writes: Vec<(String, u64, Option<u64>)>,
}

impl Known {
    fn learn(&mut self, clients: Vec<Written>) {
        for (id, amount, version) in clients.into_iter().flat_map(|client| client.writes) {
            match version {
                Some(version) => {
                    assert!(self.versions.insert(version), "the version {version} came twice");
                    self.acknowledged.insert(id, amount);
                }
                None => drop(self.under_way.insert(id, amount)),
            }
        }
    }

    async fn check(&mut self, address: SocketAddr) {
        let path = "/v1/faults/documents?limit=1000";
        let page = try_send(address, "GET", path, &[], "").await.unwrap().json();
        let items = page["items"].as_array().unwrap().iter();
        let found: HashMap<String, u64> = items
            .map(|item| (item["id"].as_str().unwrap().to_owned(), item["amount"].as_u64().unwrap()))
            .collect();
        for (id, amount) in &self.acknowledged {
            let stored = found.get(id);
            let late = self.under_way.get(id);
            assert!(
                stored == Some(amount) || (stored.is_some() && stored == late),
                "{id}: {amount} was acknowledged, {late:?} was under way, and {stored:?} is there"
            );
        }
        for (id, amount) in &found {
            assert!(
                self.acknowledged.get(id) == Some(amount) || self.under_way.get(id) == Some(amount),
                "{id}: nobody has written {amount}"
            );
        }
        self.acknowledged = found;
        self.under_way.clear();
    }
}

/// Clients that write as fast as they can, and a kill at some moment.
async fn write_until_killed(program: Program, cycle: usize) -> Vec<Written> {
    let address = program.address;
    let clients = (0..CLIENTS).map(|client| write(address, client, cycle));
    let killing = async {
        let moment = Duration::from_micros(20_000 + random() % 60_000);
        tokio::time::sleep(moment).await;
        program.kill();
    };
    let (written, ()) = futures_util::future::join(join_all(clients), killing).await;
    written
}

async fn write(address: SocketAddr, client: usize, cycle: usize) -> Written {
    let mut writes = Vec::new();
    for n in 0_u64.. {
        let id = format!("{client}-{}", n % DOCUMENTS as u64);
        let amount = cycle as u64 * 1_000_000 + n;
        match put(address, &id, amount).await {
            Ok(version) => writes.push((id, amount, Some(version))),
            Err(_) => {
                writes.push((id, amount, None));
                break;
            }
        }
    }
    Written { writes }
}

async fn put(address: SocketAddr, id: &str, amount: u64) -> Result<u64, Box<dyn Error>> {
    let body = json!({"amount": amount, "title": "x".repeat(500)}).to_string();
    let headers = [("content-type", "application/json")];
    let path = format!("/v1/faults/documents/{id}");
    let answer = try_send(address, "PUT", &path, &headers, body).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    let stored: Value = answer.json();
    Ok(stored["version"].as_u64().unwrap())
}

fn check_integrity(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let found: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

/// Nothing else is left beside the file than what belongs to it.
fn check_folder(folder: TempDir) {
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("loggia.db") || name == "gateway.toml", "{name}");
    }
}

fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}
