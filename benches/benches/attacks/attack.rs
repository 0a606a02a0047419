//! What an attacker does over and over, and how it is to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Result, ensure};
use loggia::plugin::{Runtime, describe};
use loggia_benches::client::Connection;
use tokio::task::JoinHandle;

use crate::list::Expected;

/// What so many attackers do at a time.
pub(crate) struct Attack {
    pub(crate) attackers: usize,
    pub(crate) what: Arc<What>,
}

/// What one of them does.
pub(crate) enum What {
    /// Requests to this address, one after the other.
    Requests(SocketAddr, Vec<Step>),
    /// Compile what takes longer than this engine's compiler may.
    Compile(Runtime, Vec<u8>),
}

/// One request, and its answer.
pub(crate) struct Step {
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
    /// Each stands in the answer's body.
    pub(crate) told: Vec<&'static str>,
}

impl Attack {
    /// Attack until it is `over`, and at least once each.
    pub(crate) fn begin(
        &self,
        over: &Arc<AtomicBool>,
        attacks: &Arc<AtomicU64>,
    ) -> Vec<JoinHandle<Result<()>>> {
        let attacking = (0..self.attackers).map(|_| {
            let what = Arc::clone(&self.what);
            let (over, attacks) = (Arc::clone(over), Arc::clone(attacks));
            tokio::spawn(async move { what.repeat(&over, &attacks).await })
        });
        attacking.collect()
    }
}

impl What {
    async fn repeat(&self, over: &AtomicBool, attacks: &AtomicU64) -> Result<()> {
        let mut connection = match self {
            Self::Requests(address, _) => Some(Connection::open(*address).await?),
            Self::Compile(..) => None,
        };
        loop {
            match (self, &mut connection) {
                (Self::Requests(_, steps), Some(connection)) => send_all(connection, steps).await?,
                (Self::Compile(runtime, component), _) => compile(runtime, component).await?,
                (Self::Requests(..), None) => unreachable!("it has a connection"),
            }
            attacks.fetch_add(1, Ordering::Relaxed);
            if over.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }
}

/// Send each, and look at its answer.
pub(crate) async fn send_all(connection: &mut Connection, steps: &[Step]) -> Result<()> {
    for Step { request, status, told } in steps {
        let answer = connection.send(request).await?;
        let body = String::from_utf8_lossy(answer.body);
        // A slow machine ends some by the time that they take.
        let is_told = told.iter().all(|part| body.contains(part));
        let ended = answer.status == *status && is_told || answer.status == 504;
        ensure!(ended, "{} and not {status} {told:?}: {body}", answer.status);
    }
    Ok(())
}

async fn compile(runtime: &Runtime, component: &[u8]) -> Result<()> {
    let described = describe(runtime, component, 4 << 20).await;
    let error = described.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("it took more than"), "a compile bomb: {error:?}");
    Ok(())
}

impl Step {
    /// One that ends as the conformance suite expects it.
    pub(crate) fn new(request: Vec<u8>, expected: Expected) -> Self {
        let (status, told) = match expected {
            Expected::Problem(status, code) => (status, vec![code]),
            Expected::Limit(status, code, limit) => (status, vec![code, limit]),
            Expected::Told(error) => (200, vec![error]),
            Expected::Harmless => (204, vec![]),
        };
        Self { request, status, told }
    }
}

/// For requests that have none.
pub(crate) const NO_BODY: (&str, &str) = ("", "");

/// A request with a key, and a body of a type.
pub(crate) fn request(
    method: &str,
    path: &str,
    key: &str,
    (content_type, body): (&str, &str),
) -> Vec<u8> {
    let content = match body {
        "" => String::new(),
        body => format!("content-type: {content_type}\r\ncontent-length: {}\r\n", body.len()),
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n{content}\r\n{body}"
    )
    .into_bytes()
}
