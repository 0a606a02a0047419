//! What a tenant notices while another one's plugin attacks: its latency at 200 requests a second,
//! by itself and beside each attack. Prints a table.
//!
//! `cargo bench -p loggia-benches --bench attacks -- [--seconds N]`
//!
//! The attacks are those of the conformance suite, from the same lists.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use loggia_benches::client::Connection;
use loggia_benches::database::Database;
use tokio::runtime;
use tokio::time::{MissedTickBehavior, interval};

use attack::{Attack, request};
use gateway::Gateway;

#[path = "attacks/all.rs"]
mod all;
#[path = "attacks/attack.rs"]
mod attack;
#[path = "attacks/gateway.rs"]
mod gateway;

#[path = "../../gateway/tests/conformance/attacks/by_hand.rs"]
mod by_hand;
#[expect(dead_code, clippy::unwrap_used, reason = "the conformance suite makes more of them")]
#[path = "../../gateway/tests/conformance/harness/component.rs"]
mod component;
#[path = "../../gateway/tests/conformance/attacks/list.rs"]
mod list;
#[expect(clippy::unwrap_used, reason = "the texts are those of the conformance suite")]
#[path = "../../gateway/tests/conformance/attacks/refused.rs"]
mod refused;

const PERIOD: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    let Some(seconds) = seconds(std::env::args().skip(1))? else {
        return Ok(());
    };
    println!(
        "A victim's 200 requests/s, PUT and GET in turns, beside {} attackers",
        all::ATTACKERS
    );
    println!("(one of those that reload or compile, which is done one after the other anyway)");
    for database in [Database::sqlite()?, Database::postgres()?] {
        println!("\n{}", database.describe()?);
        let gateway = Gateway::start(&database)?;
        println!("{:<34}{:>9}{:>9}{:>9}{:>9}", "", "attacks", "p50 ms", "p99 ms", "max ms");
        let measure = |name: &str, attack| measure(&gateway, name, attack, seconds);
        measure("(no attack)", None)?;
        all::each(&gateway, |name, attack| measure(name, Some(attack)))?;
        measure("(no attack)", None)?;
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

/// Print a line: the victim's latencies, alone or beside an attack.
fn measure(gateway: &Gateway, name: &str, attack: Option<Attack>, seconds: f64) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (over, attacks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut latencies = runtime.block_on(async {
        let attackers = attack.map(|attack| attack.begin(&over, &attacks)).unwrap_or_default();
        let latencies = be_served(gateway.address, &gateway.victim, seconds).await;
        over.store(true, Ordering::Relaxed);
        for attacker in attackers {
            attacker.await?.with_context(|| name.to_owned())?;
        }
        latencies
    })?;
    latencies.sort_unstable();
    let part = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    println!(
        "{name:<34}{:>9}{:>9.2}{:>9.2}{:>9.2}",
        attacks.load(Ordering::Relaxed),
        part(0.5).as_secs_f64() * 1e3,
        part(0.99).as_secs_f64() * 1e3,
        part(1.0).as_secs_f64() * 1e3,
    );
    Ok(())
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
            0 => request("PUT", &path, key, ("application/json", r#"{"title":"mine"}"#)),
            _ => request("GET", &path, key, attack::NO_BODY),
        };
        let began = Instant::now();
        let status = connection.send(&request).await?.status;
        ensure!(matches!(status, 200 | 201), "the victim got {status}");
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}
