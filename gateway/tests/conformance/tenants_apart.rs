//! Two tenants with equal ids: whatever one of them asks, with the other's ids, cursors and `ETag`s,
//! it is shown nothing of the other's, in no answer, header or line of the log.
//!
//! The requests are made of the manifests, so that each route of each plugin is asked for. What a
//! plugin stores first stands in its case: begin reading at [`case`].

mod chat_sessions;
mod discord_events;
mod faults;
mod graph_networks;
mod job_fsm;
mod requests;
mod state;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use loggia::config::Config;
use loggia::manifest::Manifest;
use loggia::plugin::describe;
use serde_json::Value;

use crate::harness::plugin_list::Plugin;
use crate::harness::tenants::key;
use crate::harness::{Answer, Database, engine, plugin_path, send};
use crate::process::Program;
use requests::{Known, Request, requests};

/// What a test of all plugins must know of one.
struct Case {
    /// Requests that store documents with the same ids for whoever sends them, and this text in
    /// each of them. Lists among them give cursors.
    store: fn(&str) -> Vec<Request>,
    /// Values of query parameters: one for each that an operation requires, and for others that
    /// would make it wait or do much.
    params: &'static [(&'static str, &'static str)],
    /// How requests begin that heed `If-Match`.
    conditional: &'static [&'static str],
    /// A JSON body for an operation that takes one.
    body: fn(&str) -> Value,
}

/// A plugin that has none does not compile.
fn case(plugin: Plugin) -> Case {
    match plugin {
        Plugin::ChatSessions => chat_sessions::CASE,
        Plugin::DiscordEvents => discord_events::CASE,
        Plugin::Faults => faults::CASE,
        Plugin::GraphNetworks => graph_networks::CASE,
        Plugin::JobFsm => job_fsm::CASE,
        Plugin::State => state::CASE,
    }
}

/// Stands in everything that the first tenant stores.
const CANARY: &str = "canary-of-one";

async fn a_tenant_is_shown_nothing_of_anothers(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(&configure(folder.path(), &database.url()));
    for plugin in Plugin::ALL {
        let tenants = Tenants { program: &program, plugin: *plugin, case: case(*plugin) };
        tenants.keep_apart(&manifest(*plugin).await).await;
    }
    let log = program.stop();
    assert!(log.iter().any(|line| line.contains("\"tenant\":\"two\"")), "{log:?}");
    let shown: Vec<_> = log.iter().filter(|line| line.contains(CANARY)).collect();
    assert_eq!(shown, [""; 0]);
}

/// A gateway with all plugins and two tenants, as an operator configures it.
fn configure(folder: &Path, url: &str) -> PathBuf {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[storage]\nurl = \"{url}\"\nretries = 0\n\
         acquire_timeout_ms = 60_000\n[limits]\nrequest_ms = 60_000\ntransaction_ms = 60_000\n"
    );
    for plugin in Plugin::ALL {
        let (name, path) = (plugin.name(), plugin_path(plugin.name()));
        text += &format!("[plugins.{name}]\npath = {path:?}\n");
    }
    for tenant in ["one", "two"] {
        let digest = loggia::tenant::Digest::of_key(&key(tenant)).unwrap();
        text += &format!(
            "[[tenants.{tenant}.keys]]\nname = \"k\"\nsha256 = \"{digest}\"\nroles = [\"admin\"]\n"
        );
    }
    let path = folder.join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    path
}

async fn manifest(plugin: Plugin) -> Manifest {
    let memory_bytes = Config::default().limits.plugin_memory_bytes;
    let component = std::fs::read(plugin_path(plugin.name())).unwrap();
    Manifest::parse(&describe(engine(), &component, memory_bytes).await.unwrap()).unwrap()
}

/// Two tenants of one gateway, for one plugin.
struct Tenants<'a> {
    program: &'a Program,
    plugin: Plugin,
    case: Case,
}

impl Tenants<'_> {
    async fn keep_apart(&self, manifest: &Manifest) {
        let mut known = Known::default();
        for request in (self.case.store)(CANARY) {
            known.add(&self.ask("one", &request).await.assert_success(&request));
        }
        let requests = requests(manifest, &self.case, &known);
        let before = self.seen_by_one(&requests).await;
        // First without documents of its own, then with some that have the same ids.
        self.ask_as_the_other(&requests).await;
        for request in (self.case.store)("text-of-two") {
            self.ask("two", &request).await;
        }
        self.ask_as_the_other(&requests).await;
        assert_eq!(self.seen_by_one(&requests).await, before);
    }

    /// What the one who owns the canary is shown: otherwise nothing would be shown by its absence.
    async fn seen_by_one(&self, requests: &[Request]) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        for request in requests.iter().filter(|request| request.method == "GET") {
            let answer = self.ask("one", request).await;
            seen.push((request.to_string(), without_trace(&answer)));
        }
        let shown: BTreeSet<_> = seen.iter().filter(|(_, text)| text.contains(CANARY)).collect();
        assert!(shown.len() > 5, "{}: {shown:?}", self.plugin.name());
        seen
    }

    async fn ask_as_the_other(&self, requests: &[Request]) {
        for request in requests {
            let answer = self.ask("two", request).await;
            let text = format!("{answer:?}{}", String::from_utf8_lossy(&answer.body));
            assert!(!text.contains(CANARY), "{request}: {text}");
            // A version of the other's is nobody else's.
            assert_ne!(answer.status, 304, "{request}");
            if request.has("if-match") && self.heeds_conditions(request) {
                assert!(!answer.status.is_success(), "{request}: {text}");
            }
            // What the list is of may not be there for who asks.
            if request.path.contains("cursor=") && answer.status != 404 {
                answer.assert_problem(400, "invalid-cursor");
            }
        }
    }

    fn heeds_conditions(&self, request: &Request) -> bool {
        let text = request.to_string();
        self.case.conditional.iter().any(|beginning| text.starts_with(beginning))
    }

    async fn ask(&self, tenant: &str, request: &Request) -> Answer {
        let authorization = format!("Bearer {}", key(tenant));
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(request.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let path = format!("/v1/{}{}", self.plugin.name(), request.path);
        let body = request.body.clone();
        send(self.program.address, &request.method, &path, &headers, body).await
    }
}

/// An answer, but for what is another one each time.
fn without_trace(answer: &Answer) -> String {
    let body = serde_json::from_slice(&answer.body).map(|mut body: Value| {
        body.as_object_mut().map(|members| members.remove("trace_id"));
        body.to_string()
    });
    let body = body.unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into_owned());
    format!("{} {:?} {body}", answer.status, answer.header("etag"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_shown_nothing_of_anothers_on_sqlite() {
    a_tenant_is_shown_nothing_of_anothers(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_shown_nothing_of_anothers_on_postgres() {
    a_tenant_is_shown_nothing_of_anothers(Database::postgres().await).await;
}

#[test]
fn every_plugin_is_in_the_list() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let folders = std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let crates = folders.filter(|path| path.join("Cargo.toml").exists());
    let found: BTreeSet<String> =
        crates.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let listed = Plugin::ALL.iter().map(|plugin| plugin.name().to_owned()).collect();
    assert_eq!(found, listed);
}
