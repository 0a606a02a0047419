//! What a tenant notices while another one's plugin attacks: its latency at 200 requests a second,
//! by itself and beside each attack. Prints a table.
//!
//! `cargo bench -p loggia-benches --bench attacks -- [--seconds N]`

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use loggia::config::{Config, Isolation, Key, Role, Roles, Tenant};
use loggia::tenant::{Digest, generate};
use loggia_benches::client::Connection;
use loggia_benches::database::Database;
use loggia_benches::gateway;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use list::{Attack, Expected};

#[expect(dead_code, reason = "the conformance suite names each attack and its limit")]
#[path = "../../gateway/tests/conformance/attacks/list.rs"]
mod list;

/// Those that any gateway with the plugin can be tried with, one after another.
const ALL: [Attack; 17] = [
    list::ENDLESS_LOOP,
    list::RECURSION,
    list::MEMORY,
    list::TRAPPING,
    list::TRAP_AFTER_WRITES,
    list::STORAGE_CALLS,
    list::GIANT_ID,
    list::GIANT_BODY,
    list::GIANT_LIST,
    list::LOST_RACES,
    list::LOG_FLOOD,
    list::GIANT_LOG,
    list::MANY_HEADERS,
    list::SPLIT_HEADER,
    list::BAD_STATUS,
    list::LARGE_BODY,
    list::BODY_OF_A_GIGABYTE,
];

/// As in the conformance suite, where the same attacks are tests.
const ATTACKERS: usize = 4;
const PERIOD: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    let Some(seconds) = seconds(std::env::args().skip(1))? else {
        return Ok(());
    };
    println!("A victim's 200 requests/s, PUT and GET in turns, beside {ATTACKERS} attackers");
    for database in [Database::sqlite()?, Database::postgres()?] {
        println!("\n{}", database.describe()?);
        let gateway = Gateway::start(&database)?;
        println!("{:<34}{:>9}{:>9}{:>9}{:>9}", "", "attacks", "p50 ms", "p99 ms", "max ms");
        gateway.measure(None, seconds)?;
        for attack in ALL {
            gateway.measure(Some(attack), seconds)?;
        }
        gateway.measure(None, seconds)?;
    }
    Ok(())
}

/// `None` where it is not asked for: cargo gives a filter to all benchmarks alike.
fn seconds(args: impl Iterator<Item = String>) -> Result<Option<f64>> {
    let (mut seconds, mut args) = (0.1, args);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => seconds = 5.0,
            "--seconds" => {
                let number = args.next().and_then(|number| number.parse().ok());
                seconds = number.context("--seconds takes a number")?;
            }
            "--test" | "--nocapture" | "--show-output" | "--quiet" | "--exact" => {}
            "--list" => return Ok(None),
            flag if flag.starts_with('-') => bail!("attacks takes --seconds N, and not {flag}"),
            "attacks" => {}
            _ => return Ok(None),
        }
    }
    Ok(Some(seconds))
}

/// A gateway with two tenants, on threads of its own.
struct Gateway {
    address: SocketAddr,
    keys: [String; 2],
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<Result<()>>>,
}

impl Gateway {
    fn start(database: &Database) -> Result<Self> {
        let mut config = gateway::configuration(&database.url(), Isolation::Tenant)?;
        let keys = [generate(), generate()];
        for (name, key) in ["attacker", "victim"].into_iter().zip(&keys) {
            config.tenants.insert(name.to_owned(), tenant(key)?);
        }
        let (started, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || serve(&config, started, stopped));
        let address = address.recv().context("the gateway did not start")?;
        Ok(Self { address, keys, stop: Some(stop), thread: Some(thread) })
    }

    /// Print a line: the victim's latencies, alone or beside an attack.
    fn measure(&self, attack: Option<Attack>, seconds: f64) -> Result<()> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (over, attacks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let [attacker, victim] = &self.keys;
        let mut latencies = runtime.block_on(async {
            let attackers =
                attack.into_iter().flat_map(|attack| (0..ATTACKERS).map(move |_| attack));
            let attackers: Vec<_> = attackers
                .map(|attack| {
                    let (over, attacks) = (Arc::clone(&over), Arc::clone(&attacks));
                    tokio::spawn(attacking(self.address, attacker.clone(), attack, over, attacks))
                })
                .collect();
            let latencies = be_served(self.address, victim, seconds).await;
            over.store(true, Ordering::Relaxed);
            for attacker in attackers {
                attacker.await??;
            }
            latencies
        })?;
        latencies.sort_unstable();
        let part = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
        let name = attack.map_or("(no attack)", |attack| attack.path);
        println!(
            "{name:<34}{:>9}{:>9.2}{:>9.2}{:>9.2}",
            attacks.load(Ordering::Relaxed),
            part(0.5).as_secs_f64() * 1e3,
            part(0.99).as_secs_f64() * 1e3,
            part(1.0).as_secs_f64() * 1e3,
        );
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn tenant(key: &str) -> Result<Tenant> {
    let digest = Digest::of_key(key).context("a generated key is a key")?;
    let roles = Roles::Everywhere(vec![Role::Admin]);
    let key = Key { name: "key".to_owned(), sha256: digest.to_string(), roles };
    Ok(Tenant { keys: vec![key], ..Tenant::default() })
}

fn serve(
    config: &Config,
    started: mpsc::Sender<SocketAddr>,
    stopped: oneshot::Receiver<()>,
) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = |address| started.send(address).unwrap_or_default();
    runtime.block_on(gateway::serve(config, told, async { stopped.await.unwrap_or_default() }))
}

/// Attack until it is over, and at least once.
async fn attacking(
    address: SocketAddr,
    key: String,
    attack: Attack,
    over: Arc<AtomicBool>,
    attacks: Arc<AtomicU64>,
) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let path = format!("/v1/faults/{}", attack.path);
    let request = request(attack.method, &path, &key, "");
    loop {
        let status = connection.send(&request).await?.status;
        let expected = match attack.expected {
            Expected::Problem(status, _) | Expected::Limit(status, _, _) => status,
            Expected::Told(_) => 200,
            Expected::Harmless => 204,
        };
        // A slow machine ends some by the time that they take.
        let ended = [expected, 504].contains(&status);
        ensure!(ended, "{}: {status} and not {expected}", attack.path);
        attacks.fetch_add(1, Ordering::Relaxed);
        if over.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// How long each request took.
async fn be_served(address: SocketAddr, key: &str, seconds: f64) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(address).await?;
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut latencies = Vec::new();
    for number in 0_u64.. {
        ticks.tick().await;
        if Instant::now() >= until && number > 1 {
            break;
        }
        let path = format!("/v1/faults/documents/{}", number / 2 % 100);
        let request = match number % 2 {
            0 => request("PUT", &path, key, r#"{"title":"mine"}"#),
            _ => request("GET", &path, key, ""),
        };
        let began = Instant::now();
        let status = connection.send(&request).await?.status;
        ensure!(matches!(status, 200 | 201), "the victim got {status}");
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn request(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    let content = match body {
        "" => String::new(),
        body => format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n{content}\r\n{body}"
    )
    .into_bytes()
}
