//! `docs/guide.md`, done by a program as a new author would do it: every command is run and every
//! answer compared.
//!
//! A block `sh` is run in a shell; the block behind it is what it prints, line by line in this
//! order, where `…` stands for anything. `sh background` is run beside what follows, until
//! `<!-- stop -->`. A block `diff FILE` is a change of a file, in one or more places with `@@` between.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const GUIDE: &str = include_str!("../../../docs/guide.md");

/// The address in the guide. Tests run beside each other, so another one is used.
const ADDRESS: &str = "127.0.0.1:8080";

/// A step of the guide.
#[derive(Debug)]
enum Step {
    Run(String),
    Start(String),
    Stop,
    Change {
        file: String,
        diff: String,
    },
    /// What the command before has printed.
    Printed(String),
}

fn steps(guide: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if line == "<!-- stop -->" {
            steps.push(Step::Stop);
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n");
        steps.push(match kind.split_once(' ').unwrap_or((kind, "")) {
            ("sh", "") => Step::Run(block),
            ("sh", "background") => Step::Start(block),
            ("diff", file) => Step::Change { file: file.to_owned(), diff: block },
            ("text" | "json" | "http", "") => Step::Printed(block),
            other => panic!("a block {other:?} in the guide"),
        });
    }
    steps
}

/// An author at work.
struct Author {
    folder: TempDir,
    address: SocketAddr,
    /// What is served in the background.
    serving: Option<Child>,
    printed: String,
}

impl Author {
    fn new() -> Self {
        // The port is free again, and not taken soon: the system gives out others first.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { folder: TempDir::new().unwrap(), address, serving: None, printed: String::new() }
    }

    fn shell(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_loggia"));
        let path =
            format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        // On a terminal curl shows no progress beside an answer.
        let script = format!("curl() {{ command curl --silent \"$@\"; }}\n{}", self.here(script));
        shell.args(["-e", "-o", "pipefail", "-c"]).arg(script);
        shell.current_dir(self.folder.path()).env("PATH", path);
        shell.env("LOGGIA_SERVER__LISTEN", self.address.to_string());
        shell.env("LOGGIA_SERVER__ADMIN_LISTEN", "127.0.0.1:0");
        shell.env_remove("LOGGIA_TEST_POSTGRES").env("CARGO_TARGET_DIR", target());
        shell
    }

    fn here(&self, text: &str) -> String {
        text.replace(ADDRESS, &self.address.to_string())
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Run(script) => self.run(script),
            Step::Start(script) => self.start(script),
            Step::Stop => self.stop(),
            Step::Change { file, diff } => self.change(file, diff),
            Step::Printed(expected) => self.compare(expected),
        }
    }

    fn run(&mut self, script: &str) {
        let output = self.shell(&format!("exec 2>&1\n{script}")).output().unwrap();
        self.printed = String::from_utf8_lossy(&output.stdout).into_owned();
        // Commands that are to fail say so by what they print.
        eprintln!("$ {script}\n{}", self.printed);
    }

    fn start(&mut self, script: &str) {
        assert!(self.serving.is_none(), "something is served already");
        let log = std::fs::File::create(self.log()).unwrap();
        // Signals are for the program, and not for the shell before it.
        let script = if script.contains("exec ") { script } else { &format!("exec {script}") };
        let mut shell = self.shell(script);
        shell.stdout(log.try_clone().unwrap()).stderr(Stdio::from(log));
        self.serving = Some(shell.spawn().unwrap());
        self.wait_for(|author| TcpStream::connect(author.address).is_ok());
        self.printed = std::fs::read_to_string(self.log()).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("serving.log")
    }

    /// Until it is so, or what is served has ended.
    fn wait_for(&mut self, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(600);
        while !is(self) {
            let ended = self.serving.as_mut().and_then(|child| child.try_wait().unwrap());
            let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(ended.is_none(), "it has ended: {}", log());
            assert!(Instant::now() < deadline, "it does not come: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self) {
        let mut child = self.serving.take().expect("something is served");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{ended}: {}", std::fs::read_to_string(self.log()).unwrap());
    }

    /// Change a file, and wait until `loggia dev` has served it, where that runs.
    fn change(&mut self, file: &str, diff: &str) {
        let path = self.folder.path().join(file);
        let mut text = std::fs::read_to_string(&path).unwrap();
        for hunk in diff.split("@@\n") {
            let side = |sign: char| -> String {
                let lines = hunk.lines().filter(|line| line.starts_with([sign, ' ']));
                lines.map(|line| format!("{}\n", &line[1..])).collect()
            };
            let (old, new) = (side('-'), side('+'));
            assert_eq!(text.matches(&old).count(), 1, "{file} does not have once:\n{old}");
            text = text.replace(&old, &new);
        }
        let served = self.times_served();
        std::fs::write(&path, text).unwrap();
        if self.serving.is_some() {
            self.wait_for(|author| author.times_served() > served);
            self.wait_for(|author| TcpStream::connect(author.address).is_ok());
        }
    }

    fn times_served(&self) -> usize {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.matches("\nserved after ").count()
    }

    fn compare(&self, expected: &str) {
        let mut came = self.printed.lines();
        for line in self.here(expected).lines().filter(|line| *line != "…") {
            let found = came.any(|came| is_like(came.trim_end(), line.trim_end()));
            assert!(found, "not printed in this order:\n{line}\nprinted was:\n{}", self.printed);
        }
    }
}

impl Drop for Author {
    fn drop(&mut self) {
        if let Some(mut child) = self.serving.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// `…` stands for anything.
pub(crate) fn is_like(came: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| came.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Kept between runs, so that the standard library is compiled for plugins once.
fn target() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_loggia"));
    program.parent().and_then(Path::parent).unwrap().join("guide")
}

#[test]
fn the_guide_is_true() {
    let steps = steps(GUIDE);
    assert!(steps.len() > 20, "{steps:?}");
    let mut author = Author::new();
    for step in &steps {
        author.step(step);
    }
    assert!(author.serving.is_none(), "the guide leaves something running");
}

#[test]
fn dots_stand_for_anything() {
    for (came, pattern) in
        [("a", "a"), ("abc", "a…c"), ("abc", "…"), ("abcd", "a…c…"), ("ac", "a…c")]
    {
        assert!(is_like(came, pattern), "{came} {pattern}");
    }
    for (came, pattern) in [("ab", "a"), ("abd", "a…c"), ("b", "a…")] {
        assert!(!is_like(came, pattern), "{came} {pattern}");
    }
}
