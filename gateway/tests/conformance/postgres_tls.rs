//! Encryption to `PostgreSQL`: each mode's success and refusal, on a server that asks for it.

use std::path::PathBuf;
use std::time::Duration;

use loggia::config::Tls;
use loggia::manifest::Mode;
use loggia::storage::{Error, Location, PostgresOptions, SessionOptions, Storage, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_postgres::NoTls;

use crate::harness::cluster::Cluster;
use crate::harness::store::{install, options, put};
use crate::postgres_commit::notes;

/// An authority, with what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these hosts, with a name, and its key.
    fn sign(&self, hosts: &[&str], name: &str) -> (String, String) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server that has a certificate for `localhost` alone, and files for who connects to it.
struct Server {
    cluster: Cluster,
    port: u16,
    folder: TempDir,
}

impl Server {
    /// `rules` are those of `pg_hba.conf`.
    async fn start(authority: &Authority, rules: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let (certificate, key) = authority.sign(&["localhost"], "server");
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\nssl_ca_file = 'ca.pem'\n\
             ssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n"
        );
        let ca = authority.pem();
        let rules = format!("local all all trust\n{rules}\n");
        let files = [
            ("ca.pem", ca.as_str()),
            ("server.pem", certificate.as_str()),
            ("server.key", key.as_str()),
            ("pg_hba.conf", rules.as_str()),
        ];
        let cluster = Cluster::start(&settings, &files).await;
        let server = Self { cluster, port, folder: tempfile::tempdir().unwrap() };
        server.file("ca.pem", &ca);
        server
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn url(&self, host: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres", self.port)
    }

    async fn open(&self, host: &str, tls: TlsOptions) -> Result<std::sync::Arc<Storage>, Error> {
        let url = self.url(host);
        Storage::open(&Location::Postgres(PostgresOptions { tls, ..PostgresOptions::new(url) }))
            .await
    }

    fn ca(&self) -> Option<PathBuf> {
        Some(self.folder.path().join("ca.pem"))
    }

    /// Whether the gateway's connections are encrypted, as the server says.
    async fn encrypted(&self) -> Vec<bool> {
        let rows = self
            .direct()
            .await
            .query(
                "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                 WHERE a.application_name = 'loggia'",
                &[],
            )
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// A connection through the socket of files.
    async fn direct(&self) -> tokio_postgres::Client {
        let (prefix, name) =
            self.cluster.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let url = format!("{prefix}:{}/{name}", self.port);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

fn tls(mode: Tls) -> TlsOptions {
    TlsOptions { mode, ..TlsOptions::default() }
}

fn told(refused: Result<std::sync::Arc<Storage>, Error>) -> String {
    match refused {
        Ok(_) => panic!("it was let in"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_takes_the_certificates_that_it_should() {
    let authority = Authority::new("loggia test");
    let server = Server::start(&authority, "host all all 127.0.0.1/32 trust").await;
    let other = Authority::new("somebody else");
    let other = Some(server.file("other.pem", &other.pem()));
    for (mode, host, ca_file, encrypted) in [
        (Tls::Disable, "127.0.0.1", None, false),
        (Tls::Prefer, "127.0.0.1", None, true),
        (Tls::Require, "127.0.0.1", None, true),
        (Tls::VerifyCa, "localhost", server.ca(), true),
        // Whatever the name is.
        (Tls::VerifyCa, "127.0.0.1", server.ca(), true),
        (Tls::VerifyFull, "localhost", server.ca(), true),
    ] {
        let storage = server.open(host, TlsOptions { ca_file, ..tls(mode) }).await.unwrap();
        storage.tenant("one").await.unwrap();
        let all = server.encrypted().await;
        assert!(!all.is_empty() && all.iter().all(|one| *one == encrypted), "{mode:?}: {all:?}");
        drop(storage);
        while !server.encrypted().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for (mode, host, ca_file, why) in [
        // Another name.
        (Tls::VerifyFull, "127.0.0.1", server.ca(), "not valid for name"),
        // Another authority, and those of the machine.
        (Tls::VerifyFull, "localhost", other.clone(), "UnknownIssuer"),
        (Tls::VerifyCa, "localhost", other.clone(), "UnknownIssuer"),
        // What would not be used is a mistake.
        (Tls::Require, "localhost", other, "verify-ca"),
        (Tls::VerifyFull, "localhost", Some("/nowhere.pem".into()), "/nowhere.pem"),
        (Tls::VerifyFull, "localhost", Some(server.file("empty.pem", "")), "no certificate"),
    ] {
        let why_not = told(server.open(host, TlsOptions { ca_file, ..tls(mode) }).await);
        assert!(why_not.contains(why), "{mode:?} {host}: {why_not}");
    }
    let key_file = server.ca();
    let alone = told(server.open("localhost", TlsOptions { key_file, ..tls(Tls::Require) }).await);
    assert!(alone.contains("cert_file"), "{alone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let settings = format!("listen_addresses = '127.0.0.1'\nport = {port}\nssl = off\n");
    let cluster = Cluster::start(&settings, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let server = Server { cluster, port, folder };
    for mode in [Tls::Disable, Tls::Prefer] {
        server.open("127.0.0.1", tls(mode)).await.unwrap();
    }
    for mode in [Tls::Require, Tls::VerifyCa, Tls::VerifyFull] {
        let ca_file = match mode {
            Tls::Require => None,
            _ => Some(server.file("ca.pem", &Authority::new("loggia test").pem())),
        };
        let why = told(server.open("127.0.0.1", TlsOptions { ca_file, ..tls(mode) }).await);
        assert!(why.contains("does not support TLS"), "{why}");
    }
}

/// The server wants a certificate, of statements, migrations and requests to cancel alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_ask_for_the_gateways_certificate() {
    let authority = Authority::new("loggia test");
    let rules = "hostssl all all 127.0.0.1/32 cert";
    let server = Server::start(&authority, rules).await;
    // Plain connections have no rule.
    assert!(told(server.open("localhost", tls(Tls::Disable)).await).contains("28000"));
    assert!(told(server.open("localhost", tls(Tls::Require)).await).contains("28000"));
    let (certificate, key) = authority.sign(&[], "postgres");
    let options = TlsOptions {
        mode: Tls::VerifyFull,
        ca_file: server.ca(),
        cert_file: Some(server.file("own.pem", &certificate)),
        key_file: Some(server.file("own.key", &key)),
    };
    let storage = server.open("localhost", options).await.unwrap();
    let schema = install(&storage, &notes()).await.unwrap();
    let tenant = storage.tenant("one").await.unwrap();
    let session = |deadline: Duration| {
        let options = SessionOptions {
            deadline: Instant::now() + deadline,
            ..self::options(Mode::Write, storage.now())
        };
        storage.session(tenant, &schema, options)
    };
    let mut first = session(Duration::from_secs(60));
    first.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    let mut second = session(Duration::from_millis(200));
    let late = second.apply(&[put("note", "1", &json!({}))]).await;
    assert!(matches!(late, Err(Error::Timeout)), "{late:?}");
    // The statement that waits for the lock is cancelled, though nobody has let go of the lock.
    let client = server.direct().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    loop {
        let waiting: i64 = client.query_one(waiting, &[]).await.unwrap().get(0);
        if waiting == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.commit().await.unwrap();
}
