//! The worker of `examples/workers`, killed while it runs ten jobs; and the gateway, killed while
//! another worker runs them again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::storm::configure;
use super::{route, send_to};
use crate::harness::tenants::key;
use crate::harness::{Database, send};
use crate::process::Program;

/// Copies a file as slowly as the environment says, and tells how far it is as ffmpeg does.
const FFMPEG: &str = r#"#!/bin/bash
for argument; do
  [ "$before" = -i ] && input=$argument
  before=$argument
done
echo out_time_us=500000
sleep "$SECONDS_TO_RUN"
[ -e "$input" ] || { echo "$input: No such file or directory"; exit 1; }
cp "$input" "$before"
"#;

/// A worker with all that it has started.
struct Worker(Child);

impl Worker {
    fn start(program: &Program, folder: &Path, address: &str, seconds: &str) -> Self {
        let worker =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/workers/worker.py");
        let child = Command::new("python3")
            .arg(worker)
            .args(["--gateway", &format!("http://{}", program.address), "--address", address])
            .args(["--slots", "10", "--lease", "2", "--ffmpeg"])
            .arg(folder.join("ffmpeg"))
            .env("LOGGIA_KEY", key("one"))
            .env("SECONDS_TO_RUN", seconds)
            .process_group(0)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Worker {
    /// SIGKILL, for its commands as well.
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        Command::new("kill").args(["-9", "--", &group]).status().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_loses_no_job_on_sqlite() {
    kill(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_loses_no_job_on_postgres() {
    kill(Database::postgres().await).await;
}

async fn kill(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = folder.path().join("ffmpeg");
    std::fs::write(&ffmpeg, FFMPEG).unwrap();
    std::fs::set_permissions(&ffmpeg, Permissions::from_mode(0o755)).unwrap();
    let configuration = configure(&folder, &database.url());
    let mut program = Program::start(&configuration);
    let output = |number: usize| folder.path().join(format!("{number}.mp4"));
    for number in 0..10 {
        let input = folder.path().join(format!("{number}.mov"));
        std::fs::write(&input, format!("film {number}")).unwrap();
        let parameters = json!({"input": input, "output": output(number), "duration": 1});
        let job = json!({"id": number.to_string(), "engine": "ffmpeg", "parameters": parameters});
        send_to(program.address, "jobs", &job).await.assert_status(201);
    }
    let dies = Worker::start(&program, folder.path(), "dies", "60");
    until_state(&program, "running", 10).await;
    drop(dies);
    let lives = Worker::start(&program, folder.path(), "lives", "0.1");
    // Some of them have been given to it by then.
    until_state(&program, "completed", 1).await;
    let listen = program.address;
    program.kill();
    let at_the_same_address = format!("127.0.0.1:{}", listen.port());
    let text = std::fs::read_to_string(&configuration).unwrap();
    let text =
        text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = {at_the_same_address:?}"), 1);
    std::fs::write(&configuration, text).unwrap();
    program = Program::start(&configuration);
    until_state(&program, "completed", 10).await;
    drop(lives);
    for number in 0..10 {
        let film = std::fs::read_to_string(output(number)).unwrap();
        assert_eq!(film, format!("film {number}"));
        let log = get(&program, &format!("jobs/{number}/transitions")).await;
        let log = log["items"].as_array().unwrap();
        let ends: Vec<&Value> = log.iter().filter(|entry| entry["to"] == "completed").collect();
        assert_eq!(ends.len(), 1, "{log:?}");
        // What the dead one might still say of it.
        let late = json!({"token": 1});
        let path = format!("jobs/{number}:complete");
        send_to(program.address, &path, &late).await.assert_problem(409, "lease-lost");
    }
    program.stop();
}

async fn get(program: &Program, path: &str) -> Value {
    let authorization = format!("Bearer {}", key("one"));
    let headers = [("authorization", authorization.as_str())];
    send(program.address, "GET", &route(path), &headers, "").await.assert_status(200).json()
}

async fn until_state(program: &Program, state: &str, jobs: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while get(program, "stats").await["by_state"][state].as_u64().unwrap() < jobs {
        assert!(Instant::now() < deadline, "{jobs} jobs have not become {state}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
