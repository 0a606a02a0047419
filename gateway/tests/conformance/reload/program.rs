//! The program itself: SIGHUP, `--watch`, and an address that is taken.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::version;
use crate::harness::component::{self, ATTACK};
use crate::harness::{Database, send};
use crate::process::Program;

/// A configuration file for the plugin by hand, which lies beside it.
fn configure(folder: &Path, url: &str) {
    std::fs::write(folder.join("by-hand.wasm"), version(0)).unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ncache_dir = \"\"\n\
         [storage]\nurl = \"{url}\"\n[plugins.{}]\npath = \"by-hand.wasm\"\n",
        component::NAME
    );
    std::fs::write(folder.join("gateway.toml"), text).unwrap();
}

/// Put another file into its place, as most programs save.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Until the admin listener tells this of what is served.
async fn until_served(admin: SocketAddr, holds: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let served = send(admin, "GET", "/admin/v1/plugins", &[], "").await.json();
        if holds(&served) {
            return;
        }
        assert!(Instant::now() < deadline, "{served}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_version(admin: SocketAddr, version: &str) {
    until_served(admin, |served| served["plugins"][0]["version"] == version).await;
}

async fn failed_reloads(admin: SocketAddr) -> bool {
    let answer = send(admin, "GET", "/metrics", &[], "").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    text.contains("loggia_reloads_total{outcome=\"failed\"}")
}

async fn sighup_reloads(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &database.url());
    let program = Program::start(&folder.path().join("gateway.toml"));
    std::fs::write(folder.path().join("by-hand.wasm"), "no component").unwrap();
    program.signal("HUP");
    super::until(|| failed_reloads(program.admin)).await;
    std::fs::write(folder.path().join("by-hand.wasm"), version(1)).unwrap();
    program.signal("HUP");
    until_version(program.admin, "0.1.1").await;
    send(program.address, "POST", ATTACK, &[], "").await.assert_status(204);
}

async fn watched_files_reload_by_themselves(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &database.url());
    let configuration = folder.path().join("gateway.toml");
    let plugin = folder.path().join("by-hand.wasm");
    let program = Program::start_with(&configuration, &["--watch"]);
    // Written in place, and put into its place.
    std::fs::write(&plugin, version(1)).unwrap();
    until_version(program.admin, "0.1.1").await;
    replace(&plugin, &version(2));
    until_version(program.admin, "0.1.2").await;
    replace(&plugin, b"no component");
    super::until(|| failed_reloads(program.admin)).await;
    replace(&plugin, &version(3));
    until_version(program.admin, "0.1.3").await;

    // A plugin that the configuration names from now on is watched as well.
    let good = std::fs::read_to_string(&configuration).unwrap();
    replace(&configuration, b"[nothing");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("moved.wasm"), version(4)).unwrap();
    replace(&configuration, good.replace("by-hand.wasm", "other/moved.wasm").as_bytes());
    until_version(program.admin, "0.1.4").await;
    replace(&other.join("moved.wasm"), &version(5));
    until_version(program.admin, "0.1.5").await;
    send(program.address, "POST", ATTACK, &[], "").await.assert_status(204);
}

#[test]
fn an_admin_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("loggia.db");
    configure(folder.path(), &format!("sqlite:{}", database.display()));
    let path = folder.path().join("gateway.toml");
    let address = format!("admin_listen = \"{}\"", taken.local_addr().unwrap());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("admin_listen = \"127.0.0.1:0\"", &address)).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
    let ended = program.args(["serve", "--config"]).arg(&path).output().unwrap();
    assert_eq!(ended.status.code(), Some(70));
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(told.contains(&format!("server.{address}")) && told.contains("in use"), "{told}");
}

macro_rules! programs_on_both_databases {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Database::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Database::postgres().await).await;
            })+
        }
    };
}

programs_on_both_databases! { sighup_reloads, watched_files_reload_by_themselves }
