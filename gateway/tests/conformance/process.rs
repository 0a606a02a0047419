//! The program itself: `loggia serve` as an operator runs it, killed and stopped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, Database, plugin_path, send};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A running `loggia serve`.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Gives the lines of the log, once there are no more.
    log: Option<JoinHandle<Vec<String>>>,
}

impl Program {
    /// Start it on any free port, which its log tells.
    pub(crate) fn start(configuration: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_loggia"))
            // Compiled code is kept below it.
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .args(["serve", "--config"])
            .arg(configuration)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let address = loop {
            let line = log.next().unwrap_or_else(|| panic!("the gateway ended: {seen:?}")).unwrap();
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            match (entry["message"].as_str(), entry["address"].as_str()) {
                (Some("serving"), Some(address)) => break address.parse().unwrap(),
                _ => seen.push(line),
            }
        };
        // The gateway must not wait for somebody to read its log.
        let log = Some(std::thread::spawn(move || log.map_while(Result::ok).collect()));
        Self { child, address, log }
    }

    async fn send(&self, method: &str, path: &str, body: &'static str) -> Answer {
        let headers: &[_] = if body.is_empty() { &[] } else { &[JSON] };
        send(self.address, method, path, headers, body).await
    }

    /// SIGKILL: nothing of the program runs after it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Let it end in order: the lines of its log since it has served.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.terminate();
        self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap()
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A configuration file for a database.
pub(crate) fn configure(folder: &TempDir, url: &str) -> PathBuf {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"{url}\"\n\
         [plugins.faults]\npath = \"{}\"\n",
        plugin_path("faults").display()
    );
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    path
}

const DOCUMENTS: &str = "/v1/faults/documents";

async fn what_was_acknowledged_survives_kill_9(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let configuration = configure(&folder, &database.url());
    let program = Program::start(&configuration);
    let one = format!("{DOCUMENTS}/kept");
    let created = program.send("PUT", &one, r#"{"title": "before"}"#).await.assert_status(201);
    program.kill();

    let program = Program::start(&configuration);
    let got = program.send("GET", &one, "").await.assert_status(200);
    assert_eq!(got.json(), json!({"title": "before"}));
    assert_eq!(got.header("etag"), created.header("etag"));
    // Versions that the killed process had handed out are not handed out again.
    let replaced = program.send("PUT", &one, r#"{"title": "after"}"#).await.assert_status(200);
    assert_ne!(replaced.header("etag"), created.header("etag"));
    program.kill();

    let program = Program::start(&configuration);
    assert_eq!(program.send("GET", &one, "").await.json(), json!({"title": "after"}));
}

/// The client learns by `100 Continue` that its request is under way.
async fn sigterm_lets_requests_under_way_end(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let configuration = configure(&folder, &database.url());
    let mut program = Program::start(&configuration);
    let mut stream = TcpStream::connect(program.address).await.unwrap();
    let body = r#"{"title": "late"}"#;
    let head = format!(
        "PUT {DOCUMENTS}/late HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut continued = [0; 25];
    stream.read_exact(&mut continued).await.unwrap();
    assert_eq!(&continued, b"HTTP/1.1 100 Continue\r\n\r\n");

    program.terminate();
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(program.address).await.is_ok() {
        assert!(Instant::now() < deadline, "the gateway still accepts connections");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    let ended = program.child.wait().unwrap();
    assert!(ended.success(), "{ended}");
}

mod what_was_acknowledged_survives_kill_9_on {
    use super::{Database, what_was_acknowledged_survives_kill_9};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        what_was_acknowledged_survives_kill_9(Database::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        what_was_acknowledged_survives_kill_9(Database::postgres().await).await;
    }
}

mod sigterm_lets_requests_under_way_end_on {
    use super::{Database, sigterm_lets_requests_under_way_end};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        sigterm_lets_requests_under_way_end(Database::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        sigterm_lets_requests_under_way_end(Database::postgres().await).await;
    }
}

#[test]
fn a_faulty_configuration_ends_with_78_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("[server]\nlisten = \"0.0.0.0:0\"\n[storage]\nurl = \"sqlite:%\"\n", "loopback"),
        ("[storage]\nurl = \"mysql://x\"\n", "sqlite: or postgres://"),
        ("[storage]\nurl = \"sqlite:%\"\nrow_level_security = true\n", "row_level_security"),
        ("[storag]\n", "storag"),
        ("[storage]\nurl = \"sqlite:%\"\n[plugins.x]\npath = \"missing.wasm\"\n", "missing.wasm"),
    ] {
        let path = folder.path().join("gateway.toml");
        let file = folder.path().join("loggia.db").display().to_string();
        std::fs::write(&path, text.replace('%', &file)).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
        program.current_dir(env!("CARGO_TARGET_TMPDIR"));
        let ended = program.args(["serve", "--config"]).arg(&path).output().unwrap();
        assert_eq!(ended.status.code(), Some(78), "{text}");
        let message = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(message.contains(told), "{message}");
    }
}

#[test]
fn a_plugin_with_another_digest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"sqlite:{}\"\n\
         [plugins.faults]\npath = \"{}\"\nsha256 = \"{}\"\n",
        folder.path().join("loggia.db").display(),
        plugin_path("faults").display(),
        "0".repeat(64),
    );
    std::fs::write(&path, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
    program.current_dir(env!("CARGO_TARGET_TMPDIR"));
    let ended = program.args(["serve", "--config"]).arg(&path).output().unwrap();
    assert_eq!(ended.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("SHA-256"));
}

/// Who looks for a slow statement sees it, and nothing of what anybody has stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_are_logged_on_request_without_their_values() {
    for database in [Database::sqlite(), Database::postgres().await] {
        for asked in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let configuration = configure(&folder, &database.url());
            let text = std::fs::read_to_string(&configuration).unwrap();
            let key = format!("[storage]\nlog_statements = {asked}\n");
            std::fs::write(&configuration, text.replace("[storage]\n", &key)).unwrap();
            let log = folder.path().join("log");
            let mut child = Command::new(env!("CARGO_BIN_EXE_loggia"))
                // Compiled code is kept below it.
                .current_dir(env!("CARGO_TARGET_TMPDIR"))
                .args(["serve", "--config"])
                .arg(&configuration)
                .stderr(std::fs::File::create(&log).unwrap())
                .spawn()
                .unwrap();
            let entries = || -> Vec<Value> {
                let text = std::fs::read_to_string(&log).unwrap();
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
            };
            let deadline = Instant::now() + Duration::from_secs(60);
            let address: SocketAddr = loop {
                let serving = entries().into_iter().find(|entry| entry["message"] == "serving");
                if let Some(entry) = serving {
                    break entry["address"].as_str().unwrap().parse().unwrap();
                }
                assert!(Instant::now() < deadline, "{:?}", entries());
                tokio::time::sleep(Duration::from_millis(10)).await;
            };
            let body = r#"{"title": "a secret"}"#;
            send(address, "PUT", &format!("{DOCUMENTS}/hidden"), &[JSON], body).await;
            send(address, "GET", &format!("{DOCUMENTS}?title=a%20secret"), &[], "").await;
            child.kill().unwrap();
            child.wait().unwrap();
            let statements: Vec<Value> =
                entries().into_iter().filter(|entry| entry["target"] == "statement").collect();
            assert_eq!(!statements.is_empty(), asked);
            for verb in ["INSERT", "SELECT"] {
                let logged = |entry: &Value| {
                    entry["message"].as_str().unwrap().contains(verb)
                        && entry["microseconds"].is_u64()
                };
                assert_eq!(statements.iter().any(logged), asked, "{verb}: {statements:?}");
            }
            let text = std::fs::read_to_string(&log).unwrap();
            assert!(!text.contains("secret") && !text.contains("hidden"), "{text}");
        }
    }
}
